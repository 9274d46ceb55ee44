"""Directed message passing over bonds: Yang et al., "Analyzing learned molecular representations" (JCIM, 2019).

Messages live on directed bonds. That from v to w is made of those that come into v, without the one from w itself, so
that none runs back where it came from. Directed bonds 2i and 2i + 1 are the two directions of bond i: the way back of
each is its neighbour.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from medpipe.molecules.properties.features import N_ATOM_CODES, N_BOND_CODES, MoleculeFeatures
from medpipe.molecules.properties.params import MessagePassingParams

_SUM_SCALE = 30.0
"""Atoms of a usual molecule: a sum over atoms is divided by it, so that it starts out as large as a mean."""
_MAX_DEVIATIONS = 5.0
"""Standardised descriptors are cut here: their tails are long."""

Batch = dict[str, Tensor]


def as_batch(features: MoleculeFeatures, descriptors: npt.NDArray[np.float32]) -> Batch:
    """Tensors of some molecules for the network.

    Args:
        features: n molecules, a atoms, b bonds.
        descriptors: Standardised, (n, d).

    Returns:
        ``atoms`` (a, 8) and ``bonds`` (b, 4) codes; ``source`` and ``target`` atom of each directed bond (2b,);
        ``molecule`` of each atom (a,); ``n_atoms`` (n,); ``descriptors`` (n, d).
    """
    first = np.cumsum(features.n_atoms) - features.n_atoms
    ends = features.ends.astype(np.int64) + np.repeat(first, features.n_bonds)[:, None]
    return {
        "atoms": torch.from_numpy(features.atoms.astype(np.int64)),
        "bonds": torch.from_numpy(features.bonds.astype(np.int64)),
        "source": torch.from_numpy(ends.reshape(-1)),
        "target": torch.from_numpy(np.ascontiguousarray(ends[:, ::-1]).reshape(-1)),
        "molecule": torch.from_numpy(np.repeat(np.arange(len(features)), features.n_atoms)),
        "n_atoms": torch.from_numpy(features.n_atoms.astype(np.float32)),
        "descriptors": torch.from_numpy(descriptors),
    }


def standardise(
    descriptors: npt.NDArray[np.float32], mean: npt.NDArray[np.float32], std: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Descriptors (n, d) in standard deviations of train, cut at five; one that never varies there is 0."""
    scaled = np.divide(descriptors - mean, std, out=np.zeros_like(descriptors), where=std > 0)
    return np.asarray(scaled.clip(-_MAX_DEVIATIONS, _MAX_DEVIATIONS), dtype=np.float32)


class MessagePassingNetwork(nn.Module):
    """From a batch of molecules to one number a task.

    Codes are looked up and added, which is the first linear layer on their one-hot vectors.

    Args:
        params: Shape.
        n_descriptors: Numbers of a molecule beside its graph.
        n_tasks: Numbers to predict.
    """

    def __init__(self, params: MessagePassingParams, n_descriptors: int, n_tasks: int) -> None:
        super().__init__()
        size = params.hidden_size
        self._depth, self._mean = params.depth, params.aggregation == "mean"
        self._with_descriptors = params.descriptors
        self.atom_in = nn.EmbeddingBag(N_ATOM_CODES, size, mode="sum")
        self.bond_in = nn.EmbeddingBag(N_BOND_CODES, size, mode="sum")
        self.message = nn.Linear(size, size, bias=False)
        self.atom_out = nn.EmbeddingBag(N_ATOM_CODES, size, mode="sum")
        self.gather = nn.Linear(size, size)
        for table, n_features in ((self.atom_in, 8), (self.bond_in, 4), (self.atom_out, 8)):
            nn.init.normal_(table.weight, std=1 / n_features**0.5)
        widths = [size + n_descriptors * params.descriptors, *[size] * (params.n_layers - 1)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Dropout(params.dropout), nn.Linear(before, after), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Dropout(params.dropout), nn.Linear(widths[-1], n_tasks))

    def forward(self, batch: Batch) -> Tensor:
        """Numbers (n, tasks) of a batch of `as_batch`."""
        source, target, n_atoms = batch["source"], batch["target"], len(batch["atoms"])
        start = self.atom_in(batch["atoms"])[source] + self.bond_in(batch["bonds"]).repeat_interleave(2, dim=0)
        hidden = torch.relu(start)
        for _ in range(self._depth - 1):
            sent = self.message(hidden)
            incoming = sent.new_zeros(n_atoms, sent.shape[1]).index_add(0, target, sent)
            back = sent.view(-1, 2, sent.shape[1]).flip(1).reshape_as(sent)
            hidden = torch.relu(start + incoming[source] - back)
        incoming = hidden.new_zeros(n_atoms, hidden.shape[1]).index_add(0, target, hidden)
        atoms = torch.relu(self.atom_out(batch["atoms"]) + self.gather(incoming))
        molecules = atoms.new_zeros(len(batch["n_atoms"]), atoms.shape[1]).index_add(0, batch["molecule"], atoms)
        molecules = molecules / (batch["n_atoms"][:, None] if self._mean else _SUM_SCALE)
        if self._with_descriptors:
            molecules = torch.cat([molecules, batch["descriptors"]], dim=1)
        result: Tensor = self.head(molecules)
        return result
