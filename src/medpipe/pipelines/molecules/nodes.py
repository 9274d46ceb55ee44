"""The nodes of ``molecules``: each calls the library."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.params import EncodeParams, GanParams, IngestSmilesParams, SampleParams, SmilesSourceParams
from medpipe.molecules.store import TokenStore
from medpipe.training.checkpoint import Checkpoint


def provide_smiles(params: SmilesSourceParams, work: Path) -> Path:
    """Fetches MOSES, or takes the user's file; returns where it lies."""
    from medpipe.molecules.sources import provide

    return provide(params, work)


def ingest_smiles(raw: Path, params: IngestSmilesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Canonical molecules with their split, and what was refused."""
    from medpipe.molecules.ingest import ingest

    return ingest(raw, params)


def encode(smiles: pd.DataFrame, params: EncodeParams, work: Path) -> TokenStore:
    """Learns the vocabulary on the train split and encodes every molecule."""
    from medpipe.molecules.encode import encode

    return encode(smiles, params, work)


def train_gan(store: TokenStore, params: GanParams, work: Path) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains the generator: by likelihood first, then against the discriminator."""
    from medpipe.molecules.train import train_gan

    return train_gan(store, params, work)


def sample(checkpoint: Checkpoint, params: SampleParams) -> pd.DataFrame:
    """Draws molecules; nothing is filtered."""
    from medpipe.molecules.sample import sample

    return sample(checkpoint, params)


def score_novelty(
    generated: pd.DataFrame, smiles: pd.DataFrame, raw: Path, params: ScoreParams, work: Path
) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """The MOSES metrics of the sample against the test molecules, and the properties of both."""
    from medpipe.molecules.metrics.score import score_against_test

    result, reference = score_against_test(generated["smiles"].tolist(), smiles, raw, params, work)
    return result.metrics, result.profile, reference


def draw_molecules(profile: pd.DataFrame) -> Figure:
    """A grid of sampled molecules."""
    from medpipe.reporting.molecules import molecule_grid

    return molecule_grid(profile)


def draw_properties(profile: pd.DataFrame, reference: pd.DataFrame) -> Figure:
    """Property distributions of the sample against the test molecules."""
    from medpipe.reporting.molecules import property_histograms

    return property_histograms(profile, reference)
