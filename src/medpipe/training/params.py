"""How a network is trained, whatever it learns."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from medpipe.core.params import Params


class EarlyStoppingParams(Params):
    """When a training has learned what it can; the best weights are kept, not the last.

    Attributes:
        metric: A validation metric of the history, such as ``val_loss``.
        mode: Whether a low or a high value is good.
        patience: Validations in a row without improvement after which the training ends.
        min_delta: Smallest change that is an improvement, in the metric's unit.
    """

    metric: str = "val_loss"
    mode: Literal["min", "max"] = "min"
    patience: PositiveInt = 5
    min_delta: float = Field(0.0, ge=0)


class TrainerParams(Params):
    """Set-up of the Trainer.

    Attributes:
        seed: Seed of weights, data order and augmentation, below 2^32: the number of the batch is put behind it.
        max_steps: Optimizer steps in all; of a GAN those of its generator.
        accelerator: ``auto`` takes the GPU where there is one.
        devices: Number of devices on this host, or ``auto`` for all. Several train together, a process each (DDP).
        num_nodes: Hosts that train together (DDP). On each, ``torchrun`` starts the node that trains.
        precision: ``auto`` is bf16 mixed precision on a GPU and float32 on the CPU.
        gradient_clip_norm: Largest L2 norm of the gradient; 0 clips nothing.
        checkpoint_every_n_steps: Distance of the checkpoints from which a killed run goes on.
        log_every_n_steps: Distance of the points of the history.
        deterministic: Only algorithms that give the same bits each time; slower on a GPU.
        early_stopping: When to stop before ``max_steps``; none trains to the end and keeps the last weights.
        compile: Compile the networks (``torch.compile``). It takes a minute at the start and needs a C++ compiler on
            the CPU, Triton on a GPU; the weights keep their names.
    """

    seed: int = Field(0, ge=0, lt=2**32)
    max_steps: PositiveInt
    accelerator: str = "auto"
    devices: PositiveInt | Literal["auto"] = "auto"
    num_nodes: PositiveInt = 1
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    gradient_clip_norm: float = Field(1.0, ge=0)
    checkpoint_every_n_steps: PositiveInt = 200
    log_every_n_steps: PositiveInt = 20
    deterministic: bool = False
    early_stopping: EarlyStoppingParams | None = None
    compile: bool = False


class OptimizerParams(Params):
    """AdamW with a learning rate that rises and then falls as a cosine, and a moving average of the weights.

    Attributes:
        learning_rate: Peak of the schedule.
        warmup_share: Share of the steps in which the learning rate rises.
        weight_decay: AdamW's.
        ema_decay: Decay a step of the moving average of the weights, which is what is kept; 0 keeps the last weights.
    """

    learning_rate: PositiveFloat = 4e-3
    warmup_share: float = Field(0.08, ge=0, lt=1)
    weight_decay: float = Field(1e-2, ge=0)
    ema_decay: float = Field(0.98, ge=0, lt=1)
