"""From a token store to a trained generator, whatever its family."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams
from medpipe.training.checkpoint import Checkpoint


class Trained(NamedTuple):
    """What a training gives.

    Attributes:
        generator: The generator, trained against its discriminator.
        control: What the same budget gives by likelihood alone.
        history: Columns step, name, value.
    """

    generator: Checkpoint
    control: Checkpoint
    history: pd.DataFrame


def train_gan(store: TokenStore, params: GanParams, work_dir: Path) -> Trained:
    """Train a generator of molecules and its control; a killed run goes on where it was.

    Args:
        store: Encoded molecules; trained on train, watched on val, test is not touched.
        params: Family, networks, stages, budget.
        work_dir: Where the unfinished training is kept.

    Raises:
        InputError: There are too few molecules in train.
    """
    rows = store.rows("train")
    if len(rows) < 2:
        raise InputError(f"{store.folder}: {len(rows)} molecules in split 'train', at least 2 are needed.")
    match params.family:
        case "sequence":
            from medpipe.molecules.generation.sequence.train import train
        case "latent":
            from medpipe.molecules.generation.latent.train import train
        case "graph":
            from medpipe.molecules.generation.graph.train import train
    return train(store, params, work_dir)
