"""The nodes of ``properties``: each calls the library."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.molecules.properties.params import (
    EvaluatePropertiesParams,
    IngestPropertiesParams,
    PropertySourceParams,
    TrainPropertiesParams,
)
from medpipe.training.checkpoint import Checkpoint


def provide_properties(params: PropertySourceParams, work: Path) -> Path:
    """Fetches measured solubilities, or takes the user's table; returns where it lies."""
    from medpipe.molecules.properties.sources import provide_properties

    return provide_properties(params, work)


def ingest_properties(raw: Path, params: IngestPropertiesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Canonical molecules with targets and split, and what was refused or joined."""
    from medpipe.molecules.properties.ingest import ingest_properties

    return ingest_properties(raw, params)


def train_properties(table: pd.DataFrame, params: TrainPropertiesParams, work: Path) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains message-passing networks and boosted trees; combines and calibrates them on val."""
    from medpipe.molecules.properties.train import train_properties

    return train_properties(table, params, work)


def evaluate_properties(
    checkpoint: Checkpoint, table: pd.DataFrame, params: EvaluatePropertiesParams
) -> tuple[dict[str, float], pd.DataFrame]:
    """The model on test, beside its parts alone."""
    from medpipe.molecules.properties.evaluate import evaluate_properties

    return evaluate_properties(checkpoint, table, params)


def draw_property_model(predictions: pd.DataFrame) -> Figure:
    """Truth against prediction, calibration, error against the distance to train."""
    from medpipe.reporting.properties import property_figure

    return property_figure(predictions)
