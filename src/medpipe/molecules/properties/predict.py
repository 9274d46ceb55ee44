"""Properties of any molecules, from a trained model."""

from collections.abc import Sequence

import pandas as pd

from medpipe.molecules.properties.model import PropertyModel
from medpipe.training.checkpoint import Checkpoint


def predict(model: Checkpoint | PropertyModel, smiles: Sequence[str], n_jobs: int = -1) -> pd.DataFrame:
    """Predicts the properties of molecules; see `PropertyModel.predict`.

    Args:
        model: What ``train_properties`` made. Where many calls follow, ``PropertyModel.of(checkpoint)`` once is faster.
        smiles: Molecules.
        n_jobs: Processes that read them; -1 is one a core.

    Returns:
        Columns ``<task>``, ``<task>_uncertainty``, similarity, in_domain.
    """
    return (model if isinstance(model, PropertyModel) else PropertyModel.of(model)).predict(smiles, n_jobs)
