"""The adversarial stage of the families whose generator is trained directly through its discriminator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.gan import DirectGan
from medpipe.molecules.generation.direct.module import Batches
from medpipe.molecules.generation.direct.origin import adversarial_key
from medpipe.molecules.generation.params import GanParams
from medpipe.training.fit import fit


def play(
    gan: DirectGan[Any],
    real: Callable[[int], Tensor],
    store: TokenStore,
    params: GanParams,
    work_dir: Path,
    description: str,
) -> pd.DataFrame:
    """Trains generator and discriminator against each other, and brings both back to the CPU.

    Args:
        gan: The two of them.
        real: Gives the batch of real examples of a number.
        store: What the training depends on, with its parameters.
        params: Those parameters.
        work_dir: Where a killed training goes on from.
        description: What the user reads beside the progress bar.

    Returns:
        The history: step, name, value.
    """
    history = fit(
        gan,
        Batches(real, lambda: gan.n_batches_seen),
        params=gan.budget,
        work_dir=work_dir,
        run_key=adversarial_key(store, params),
        description=description,
    )
    gan.cpu()
    return history
