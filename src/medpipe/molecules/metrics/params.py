"""Parameters of the measures of generated molecules."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from medpipe.core.params import Params


class ScoreParams(Params):
    """How generated molecules are scored.

    Attributes:
        reference: ``"shipped"`` takes the statistics of MOSES's test sets that come with its wheel, so numbers compare
            with the published tables; ``"computed"`` computes them from the reference molecules given; ``"auto"``
            takes the shipped ones where they are there.
        unique_at: Sample sizes for ``unique_at_k``.
        fcd: Whether to compute the Fréchet ChemNet distance, the slowest measure.
        nearest_train: Generated molecules (the first distinct ones) whose nearest training molecule is looked for; 0
            leaves it out.
        bootstrap_replicates: Resamples behind each 95 % interval; 0 leaves intervals out.
        seed: Of the resamples.
        n_jobs: Processes and threads; -1 is one a core.
        device: Where ChemNet runs: ``"auto"`` is a CUDA device if there is one, else the CPU.
        chemnet_batch: Molecules a batch of ChemNet.
    """

    reference: Literal["auto", "shipped", "computed"] = "auto"
    unique_at: tuple[PositiveInt, ...] = (1000, 10000)
    fcd: bool = True
    nearest_train: int = Field(default=10000, ge=0)
    bootstrap_replicates: int = Field(default=1000, ge=0)
    seed: NonNegativeInt = 0
    n_jobs: int = -1
    device: str = "auto"
    chemnet_batch: PositiveInt = 512
