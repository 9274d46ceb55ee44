"""Trained property models as aims: what they predict counts only where they know what they say."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medpipe.core.errors import InputError
from medpipe.molecules.optimisation.params import PropertyModelsParams, PropertyParams
from medpipe.molecules.properties.params import UNCERTAINTY

if TYPE_CHECKING:
    from medpipe.molecules.properties.model import PropertyModel


class PropertyGate:
    """Predictions of one task, and which of them cannot be trusted.

    Args:
        name: The aim, for messages.
        params: Model, task, and how certain it must be.
        models: Folder with the checkpoints of property models, or one such file.
        n_jobs: Processes that read molecules for the model.

    Raises:
        InputError: The model is not there, or does not know the task.
    """

    def __init__(self, name: str, params: PropertyParams, models: Path | None, n_jobs: int) -> None:
        self._name, self._params, self._n_jobs = name, params, n_jobs
        if models is None:
            raise InputError(
                f"scoring.components.{name}: it needs the property model {params.model!r}; give the folder it lies in "
                "by property_models.path."
            )
        path = models if models.is_file() else models / params.model
        if not path.is_file():
            raise InputError(f"scoring.components.{name}.model: no file {path}; run the pipeline properties first.")
        self._model = _load(path)
        if params.task not in self._model.tasks:
            known = ", ".join(self._model.tasks)
            raise InputError(f"scoring.components.{name}.task: the model knows no {params.task!r}, only {known}.")

    def predict(self, smiles: Sequence[str]) -> tuple[npt.NDArray[np.float64], list[str]]:
        """Predictions (n,) in the property's unit, and for each why it is not to be trusted; empty where it is."""
        if not smiles:
            return np.empty(0), []
        task, found = self._params.task, self._model.predict(smiles, self._n_jobs, description=None)
        reasons = np.full(len(found), "", dtype=object)
        if self._params.max_uncertainty is not None:
            reasons[found[f"{task}{UNCERTAINTY}"].to_numpy() > self._params.max_uncertainty] = (
                f"{self._name}: uncertain"
            )
        if self._params.in_domain:
            reasons[~found["in_domain"].to_numpy(bool)] = f"{self._name}: outside the applicability domain"
        return found[task].to_numpy(np.float64), [str(why) for why in reasons]


def _load(path: Path) -> "PropertyModel":
    from medpipe.molecules.properties.model import KIND, PropertyModel
    from medpipe.training.checkpoint import Checkpoint

    return PropertyModel.of(Checkpoint.load(path, KIND))


def provide_models(params: PropertyModelsParams, nothing: Path) -> Path:
    """Where the property models lie.

    Args:
        params: What the user says.
        nothing: An empty folder, for a score that needs none.

    Raises:
        InputError: There is nothing at that path.
    """
    if params.path is None:
        return nothing
    path = Path(params.path).expanduser()
    if not path.exists():
        raise InputError(f"property_models.path: {path} is not there; run the pipeline properties, or name its model.")
    return path
