"""The nodes of ``molecules``: each calls the library."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams, SampleParams
from medpipe.molecules.intake.params import IngestSmilesParams, SmilesSourceParams
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.training.checkpoint import Checkpoint


def provide_smiles(params: SmilesSourceParams, work: Path) -> Path:
    """Fetches MOSES, or takes the user's file; returns where it lies."""
    from medpipe.molecules.intake.sources import provide

    return provide(params, work)


def ingest_smiles(raw: Path, params: IngestSmilesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Canonical molecules with their split, and what was refused."""
    from medpipe.molecules.intake.ingest import ingest

    return ingest(raw, params)


def encode(smiles: pd.DataFrame, params: EncodeParams, work: Path) -> TokenStore:
    """Learns the vocabulary on the train split and encodes every molecule."""
    from medpipe.molecules.encoding.encode import encode

    return encode(smiles, params, work)


def train_gan(store: TokenStore, params: GanParams, work: Path) -> tuple[Checkpoint, Checkpoint, pd.DataFrame]:
    """Trains the generator against its discriminator, and a control by likelihood alone."""
    from medpipe.molecules.generation.train import train_gan

    return train_gan(store, params, work)


def sample(checkpoint: Checkpoint, params: SampleParams) -> pd.DataFrame:
    """Draws molecules; nothing is filtered."""
    from medpipe.molecules.generation.sample import sample

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
