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


def sample(checkpoint: Checkpoint, params: SampleParams, work: Path) -> Path:
    """Draws molecules into a file; nothing is filtered."""
    from medpipe.molecules.generation.to_file import generate

    path = work / "drawn.parquet"
    generate(checkpoint, params, path)
    return path


def keep_novel(generated: pd.DataFrame, smiles: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """The valid molecules of the sample that train and val do not have, each once, and what was left out."""
    from medpipe.molecules.generation.novel import novel_and_valid

    return novel_and_valid(generated, smiles.loc[smiles["split"] != "test", "smiles"])


def score_novelty(
    generated: pd.DataFrame, smiles: pd.DataFrame, raw: Path, params: ScoreParams, work: Path
) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """The MOSES metrics of the sample against the test molecules, and the properties of both."""
    from medpipe.molecules.metrics.score import score_against_test

    result, reference = score_against_test(generated["smiles"].tolist(), smiles, raw, params, work)
    return result.metrics, result.profile, reference


def score_control(
    generated: pd.DataFrame, smiles: pd.DataFrame, raw: Path, params: ScoreParams, work: Path
) -> dict[str, float]:
    """The same metrics of what the control drew; reference statistics are shared."""
    metrics, _, _ = score_novelty(generated, smiles, raw, params, work)
    return metrics


def compare_with_control(metrics: dict[str, float], control: dict[str, float]) -> pd.DataFrame:
    """What playing against a discriminator changed, measure by measure, with intervals."""
    from medpipe.molecules.metrics.comparison import compare

    return compare(metrics, control)


def map_chemical_space(profile: pd.DataFrame, smiles: pd.DataFrame) -> pd.DataFrame:
    """Places some of the sample and some test molecules on one map."""
    from medpipe.molecules.metrics.chemical_space import chemical_space

    return chemical_space(profile["smiles"].tolist(), smiles.loc[smiles["split"] == "test", "smiles"].tolist())


def draw_molecules(profile: pd.DataFrame) -> Figure:
    """A grid of sampled molecules."""
    from medpipe.reporting.molecules import molecule_grid

    return molecule_grid(profile)


def draw_neighbours(profile: pd.DataFrame) -> Figure:
    """Sampled molecules beside the nearest ones of train."""
    from medpipe.reporting.molecules import nearest_train

    return nearest_train(profile)


def draw_properties(profile: pd.DataFrame, reference: pd.DataFrame) -> Figure:
    """Property distributions of the sample against the test molecules."""
    from medpipe.reporting.molecules import property_histograms

    return property_histograms(profile, reference)


def draw_chemical_space(space: pd.DataFrame) -> Figure:
    """The map."""
    from medpipe.reporting.chemical_space import space_map

    return space_map(space)


def draw_comparison(comparison: pd.DataFrame) -> Figure:
    """GAN against control."""
    from medpipe.reporting.comparison import comparison_chart

    return comparison_chart(comparison)


def draw_training(history: pd.DataFrame) -> Figure:
    """The course of the training."""
    from medpipe.reporting.generator_training import training_curves

    return training_curves(history)


def write_molecule_report(
    checkpoint: Checkpoint,
    history: pd.DataFrame,
    smiles: pd.DataFrame,
    rejected: pd.DataFrame,
    generated: pd.DataFrame,
    metrics: dict[str, float],
    comparison: pd.DataFrame,
    profile: pd.DataFrame,
    reference: pd.DataFrame,
    space: pd.DataFrame,
    counts: dict[str, float],
) -> str:
    """One page with all results and pictures; it works offline."""
    from medpipe.reporting.molecule_report import GeneratorResults, molecule_report

    splits = smiles["split"].value_counts().to_dict()
    provenance = {"generator": checkpoint.provenance, **generated.attrs}
    results = GeneratorResults(
        metrics, comparison, profile, reference, space, counts, history, splits, rejected, provenance
    )
    return molecule_report(results)
