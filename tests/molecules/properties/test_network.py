"""The network against the equations of Yang et al. (JCIM 2019), written out bond by bond."""

import numpy as np
import pytest
import torch
from torch import Tensor

from medpipe.molecules.properties.features import read_features
from medpipe.molecules.properties.network import Batch, MessagePassingNetwork, as_batch, standardise
from medpipe.molecules.properties.params import MessagePassingParams

SMILES = ["CC(=O)Nc1ccccc1", "C", "OCC#N"]


def batch_of(smiles: list[str]) -> Batch:
    features, _ = read_features(smiles, 1)
    return as_batch(features, features.descriptors / 100)


def by_hand(network: MessagePassingNetwork, batch: Batch, depth: int) -> Tensor:
    """Sum over atoms; the loops of the paper's equations 1 to 6."""
    ends = list(zip(batch["source"].tolist(), batch["target"].tolist(), strict=True))
    atom_in, bond_in = network.atom_in(batch["atoms"]), network.bond_in(batch["bonds"])
    start = [atom_in[v] + bond_in[i // 2] for i, (v, _) in enumerate(ends)]
    hidden = [torch.relu(one) for one in start]
    for _ in range(depth - 1):
        sums = [
            sum((hidden[j] for j, (k, u) in enumerate(ends) if u == v and k != w), torch.zeros_like(hidden[0]))
            for v, w in ends
        ]
        hidden = [torch.relu(one + network.message(total)) for one, total in zip(start, sums, strict=True)]
    out = network.atom_out(batch["atoms"])
    molecules = torch.zeros(len(batch["n_atoms"]), out.shape[1])
    for v in range(len(out)):
        total = sum((hidden[j] for j, (_, u) in enumerate(ends) if u == v), torch.zeros(out.shape[1]))
        molecules[batch["molecule"][v]] += torch.relu(out[v] + network.gather(total))
    return network.head(torch.cat([molecules / 30, batch["descriptors"]], dim=1))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_messages_are_those_of_the_paper(depth: int) -> None:
    torch.manual_seed(0)
    batch = batch_of(SMILES)
    network = MessagePassingNetwork(MessagePassingParams(hidden_size=12, depth=depth), batch["descriptors"].shape[1], 2)
    torch.testing.assert_close(network(batch), by_hand(network, batch, depth))


@pytest.mark.parametrize("aggregation", ["mean", "sum"])
def test_a_molecule_feels_no_other_of_its_batch(aggregation: str) -> None:
    network = MessagePassingNetwork(MessagePassingParams(hidden_size=12, aggregation=aggregation), 121, 1)
    alone = torch.cat([network(batch_of([smiles])) for smiles in SMILES])
    torch.testing.assert_close(network(batch_of(SMILES)), alone)


def test_the_order_of_the_atoms_does_not_matter() -> None:
    network = MessagePassingNetwork(MessagePassingParams(hidden_size=12), 121, 1)
    torch.testing.assert_close(network(batch_of(["c1ccccc1NC(C)=O"])), network(batch_of(["CC(=O)Nc1ccccc1"])))


def test_a_descriptor_that_never_varies_says_nothing() -> None:
    values = np.array([[1.0, 5.0], [100.0, 7.0]], dtype=np.float32)
    scaled = standardise(values, np.array([0, 5], dtype=np.float32), np.array([2, 0], dtype=np.float32))
    np.testing.assert_allclose(scaled, [[0.5, 0], [5, 0]])
