"""A graph as one vector, which generator, discriminator and penalties can work on.

Shapes: B molecules, A atoms at most, K types of atoms (padding included), R = 4 kinds of bond (none included),
P = A (A - 1) / 2 pairs of atoms, F = A K + P R.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpipe.molecules.encoding.graphs import N_BOND_TYPES, PAD_ATOM, Graphs


class Layout(nn.Module):
    """Where atoms and pairs lie in the vector.

    Args:
        max_atoms: A.
        n_atom_types: K.
    """

    first: Tensor
    second: Tensor

    def __init__(self, max_atoms: int, n_atom_types: int) -> None:
        super().__init__()
        self.max_atoms, self.n_atom_types = max_atoms, n_atom_types
        first, second = torch.triu_indices(max_atoms, max_atoms, 1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)

    @property
    def n_pairs(self) -> int:
        """P."""
        return len(self.first)

    @property
    def n_features(self) -> int:
        """F."""
        return self.max_atoms * self.n_atom_types + self.n_pairs * N_BOND_TYPES

    def join(self, atoms: Tensor, pairs: Tensor) -> Tensor:
        """The vector (B, F) of atoms (B, A, K) and pairs (B, P, R)."""
        return torch.cat([atoms.flatten(1), pairs.flatten(1)], 1)

    def split(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Atoms (B, A, K) and pairs (B, P, R) of ``vector`` (B, F)."""
        border = self.max_atoms * self.n_atom_types
        atoms = vector[:, :border].view(-1, self.max_atoms, self.n_atom_types)
        return atoms, vector[:, border:].view(-1, self.n_pairs, N_BOND_TYPES)

    def one_hot(self, atoms: Tensor, pairs: Tensor) -> Tensor:
        """The vector (B, F) of types (B, A) and orders (B, P)."""
        pieces = F.one_hot(atoms.long(), self.n_atom_types), F.one_hot(pairs.long(), N_BOND_TYPES)
        return self.join(*pieces).float()

    def between_atoms(self, atoms: Tensor) -> Tensor:
        """How much (B, P) both ends of each pair are atoms, of atoms (B, A, K): 1, or 0 where one is padding."""
        there = 1 - atoms[..., PAD_ATOM]
        return there[:, self.first] * there[:, self.second]

    def matrices(self, pairs: Tensor) -> Tensor:
        """Symmetric adjacency (B, A, A, R - 1) of each kind of bond, of pairs (B, P, R)."""
        square = pairs.new_zeros(len(pairs), self.max_atoms, self.max_atoms, N_BOND_TYPES - 1)
        square[:, self.first, self.second] = pairs[..., 1:]
        return square + square.transpose(1, 2)

    def bonds(self, orders: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Symmetric bonds (B, A, A) of the orders (B, P) of pairs."""
        square = np.zeros((len(orders), self.max_atoms, self.max_atoms), np.uint8)
        square[:, self.first.cpu(), self.second.cpu()] = orders
        return square + square.transpose(0, 2, 1)

    def compact(self, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """Types (B, A) and orders (B, P) of graphs, bytes both."""
        orders = graphs.bonds[:, self.first.cpu(), self.second.cpu()]
        return torch.from_numpy(graphs.atoms), torch.from_numpy(orders)
