"""A trained property model: networks and forest together, calibrated, with the domain in which to believe it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from medpipe.core.errors import InputError
from medpipe.molecules.chance import hash_of
from medpipe.molecules.metrics.fingerprints import nearest
from medpipe.molecules.properties.boosting import Forest
from medpipe.molecules.properties.features import MoleculeFeatures, read_features
from medpipe.molecules.properties.network import MessagePassingNetwork, as_batch, standardise
from medpipe.molecules.properties.params import UNCERTAINTY, MessagePassingParams
from medpipe.training.checkpoint import Checkpoint

KIND = "property_model"
_BATCH = 256

FloatArray = npt.NDArray[np.float64]


def molecule_keys(smiles: Iterable[str]) -> npt.NDArray[np.uint64]:
    """64 bits of each canonical SMILES, (n,)."""
    return np.fromiter(map(hash_of, smiles), np.uint64)


@dataclass(frozen=True)
class Scaling:
    """What networks see and give, in units of train.

    Attributes:
        target_mean: (tasks,); 0 for classes.
        target_std: (tasks,); 1 for classes.
        descriptor_mean: (d,).
        descriptor_std: (d,).
    """

    target_mean: npt.NDArray[np.float32]
    target_std: npt.NDArray[np.float32]
    descriptor_mean: npt.NDArray[np.float32]
    descriptor_std: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Members:
    """What each part of a model says of n molecules: numbers in the unit of the target, or logits.

    Attributes:
        networks: (members, n, tasks).
        forest: (n, tasks).
    """

    networks: FloatArray
    forest: FloatArray

    def combined(self, network_weight: float) -> FloatArray:
        """Weighted mean of the networks' mean and the forest, (n, tasks)."""
        return network_weight * self.networks.mean(axis=0) + (1 - network_weight) * self.forest

    @property
    def spread(self) -> FloatArray:
        """How far the parts disagree: standard deviation around their mean, networks and forest with one half each."""
        value = self.combined(0.5)
        return np.sqrt(0.5 * ((self.networks - value) ** 2).mean(axis=0) + 0.5 * (self.forest - value) ** 2)


@dataclass(frozen=True)
class PropertyModel:
    """Predicts properties of molecules.

    Attributes:
        tasks: Names.
        is_class: Whether each task is a class, (tasks,).
        network: Shape of the networks.
        weights: Of each network.
        forest: Boosted trees.
        scaling: Of descriptors and targets.
        network_weight: Of the mean of the networks; the forest has the rest.
        calibration: (tasks, 2): of a number, a and b of its variance; of a class, slope and intercept of its logit.
        train: Packed fingerprints of the molecules of train, (n, 16).
        least_similarity: A molecule whose nearest one of train is less similar (Tanimoto) is outside the domain.
        seen: Keys of the molecules of train and val (`molecule_keys`), so that none of them is taken for a test.
    """

    tasks: tuple[str, ...]
    is_class: npt.NDArray[np.bool_]
    network: MessagePassingParams
    weights: list[dict[str, torch.Tensor]]
    forest: Forest
    scaling: Scaling
    network_weight: float
    calibration: FloatArray
    train: npt.NDArray[np.uint64]
    least_similarity: float
    seen: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    @cached_property
    def networks(self) -> list[MessagePassingNetwork]:
        """Ready to predict, on the CPU."""
        built = []
        for weights in self.weights:
            network = MessagePassingNetwork(self.network, len(self.scaling.descriptor_mean), len(self.tasks))
            network.load_state_dict(weights)
            built.append(network.eval())
        return built

    def members(self, features: MoleculeFeatures) -> Members:
        """What networks and forest say of some molecules."""
        return Members(self._of_networks(features), self.forest.predict(features))

    def predict(
        self, smiles: Sequence[str], n_jobs: int = -1, description: str | None = "Reading molecules"
    ) -> pd.DataFrame:
        """Predicts.

        Args:
            smiles: Molecules.
            n_jobs: Processes that read them; -1 is one a core.
            description: What the user reads beside the progress bar; None shows none.

        Returns:
            One row a molecule: a column a task (number in its unit, or probability of class 1), ``<task>_uncertainty``
            (standard deviation of the error to expect; of a class, of the probability over the members),
            ``similarity`` to the nearest molecule of train (Tanimoto, Morgan, radius 2), ``in_domain``. An invalid
            SMILES has no values and is not in the domain.
        """
        n_jobs = 1 if len(smiles) <= _BATCH else n_jobs  # starting processes would take longer
        features, places = read_features(smiles, n_jobs, description)
        value, uncertainty = self.calibrated(self.members(features))
        similarity, _ = nearest(features.fingerprints, self.train, 1) if len(features) else (np.zeros(0), None)
        columns = {name: value[:, i] for i, name in enumerate(self.tasks)}
        columns |= {f"{name}{UNCERTAINTY}": uncertainty[:, i] for i, name in enumerate(self.tasks)}
        found = pd.DataFrame({**columns, "similarity": similarity}, index=places, dtype="float64")
        table = found.reindex(range(len(smiles)))
        return table.assign(in_domain=(table["similarity"] >= self.least_similarity).to_numpy(dtype=bool))

    def calibrated(self, members: Members, network_weight: float | None = None) -> tuple[FloatArray, FloatArray]:
        """Values (numbers, probabilities) and their uncertainty, each (n, tasks).

        Args:
            members: What the parts say.
            network_weight: Another weight than the model's own, such as 0 for the forest alone.
        """
        from scipy.special import expit

        weight = self.network_weight if network_weight is None else network_weight
        value, spread = members.combined(weight), members.spread
        first, second = self.calibration.T
        probability = expit(first * value + second)
        by_class = first * probability * (1 - probability) * spread  # to first order of the spread of the logit
        with np.errstate(invalid="ignore"):
            by_number = np.sqrt(first * spread**2 + second)
        return np.where(self.is_class, probability, value), np.where(self.is_class, by_class, by_number)

    @torch.inference_mode()
    def _of_networks(self, features: MoleculeFeatures) -> FloatArray:
        scaling = self.scaling
        descriptors = standardise(features.descriptors, scaling.descriptor_mean, scaling.descriptor_std)
        result = np.zeros((len(self.networks), len(features), len(self.tasks)))
        for start in range(0, len(features), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(features)))
            batch = as_batch(features.take(rows), descriptors[rows])
            for member, network in enumerate(self.networks):
                result[member, rows] = network(batch).numpy()
        return result * scaling.target_std + scaling.target_mean

    def checkpoint(self, provenance: dict[str, Any]) -> Checkpoint:
        """All of it as one safe file."""
        tensors = {f"network.{i}.{name}": tensor for i, one in enumerate(self.weights) for name, tensor in one.items()}
        tensors |= {f"forest.{name}": torch.from_numpy(array) for name, array in self.forest.arrays().items()}
        tensors |= {f"scaling.{name}": torch.from_numpy(array) for name, array in vars(self.scaling).items()}
        tensors |= {"calibration": torch.from_numpy(self.calibration)}
        tensors |= {"train": torch.from_numpy(self.train.view(np.int64))}
        tensors |= {"seen": torch.from_numpy(self.seen.view(np.int64))}
        params = {
            "tasks": list(self.tasks),
            "is_class": self.is_class.tolist(),
            "network": self.network.model_dump(mode="json"),
            "n_members": len(self.weights),
            "network_weight": self.network_weight,
            "least_similarity": self.least_similarity,
        }
        return Checkpoint(KIND, tensors, params, provenance)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "PropertyModel":
        """The model of a checkpoint.

        Raises:
            InputError: The checkpoint holds something else.
        """
        if checkpoint.kind != KIND:
            raise InputError(f"checkpoint: its kind is {checkpoint.kind!r}, expected {KIND!r}.")
        params = checkpoint.params

        def under(prefix: str) -> dict[str, torch.Tensor]:
            return {
                name.removeprefix(prefix): value
                for name, value in checkpoint.weights.items()
                if name.startswith(prefix)
            }

        return cls(
            tasks=tuple(params["tasks"]),
            is_class=np.array(params["is_class"], dtype=bool),
            network=MessagePassingParams.model_validate(params["network"]),
            weights=[under(f"network.{member}.") for member in range(params["n_members"])],
            forest=Forest(**{name: tensor.numpy() for name, tensor in under("forest.").items()}),
            scaling=Scaling(**{name: tensor.numpy() for name, tensor in under("scaling.").items()}),
            network_weight=params["network_weight"],
            calibration=checkpoint.weights["calibration"].numpy(),
            train=checkpoint.weights["train"].numpy().view(np.uint64),
            least_similarity=params["least_similarity"],
            seen=checkpoint.weights.get("seen", torch.zeros(0, dtype=torch.int64)).numpy().view(np.uint64),
        )
