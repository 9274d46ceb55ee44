"""How a network is trained, whatever it learns."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from medpipe.core.params import Params


class TrainerParams(Params):
    """Set-up of the Trainer.

    Attributes:
        seed: Seed of weights, data order and augmentation.
        max_steps: Optimizer steps in all; several optimizers count each of theirs.
        accelerator: ``auto`` takes the GPU where there is one.
        devices: Number of devices on this host, or ``auto`` for all.
        num_nodes: Hosts that train together (DDP).
        precision: ``auto`` is bf16 mixed precision on a GPU and float32 on the CPU.
        gradient_clip_norm: Largest L2 norm of the gradient; 0 clips nothing.
        checkpoint_every_n_steps: Distance of the checkpoints from which a killed run goes on.
        log_every_n_steps: Distance of the points of the history.
        deterministic: Only algorithms that give the same bits each time; slower on a GPU.
    """

    seed: int = Field(0, ge=0)
    max_steps: PositiveInt
    accelerator: str = "auto"
    devices: PositiveInt | Literal["auto"] = "auto"
    num_nodes: PositiveInt = 1
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    gradient_clip_norm: float = Field(1.0, ge=0)
    checkpoint_every_n_steps: PositiveInt = 200
    log_every_n_steps: PositiveInt = 20
    deterministic: bool = False


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
