"""Molecules for tests."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from rdkit import Chem, rdBase

from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.store import TokenStore

RINGS = ("c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCOC1", "c1cc[nH]c1", "c1ccc2ccccc2c1", "C1CC2CC1C2", "c1csc(Br)c1")
LINKS = ("", "C", "CC", "C(=O)N", "S(=O)(=O)N", "OC", "C(=O)O", "CN(C)")
TAILS = ("C", "CCO", "CC(C)C", "C#N", "CC(F)(F)F", "CCl", "N(C)C", "[N+](=O)[O-]")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads, far slower where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def molecules() -> list[str]:
    """A few hundred distinct canonical molecules: a ring, a link, a tail."""
    raw = (f"{tail}{link}{ring}" for ring in RINGS for link in LINKS for tail in TAILS)
    with rdBase.BlockLogs():
        parsed = [Chem.MolFromSmiles(smiles) for smiles in raw]
    return sorted({Chem.MolToSmiles(molecule) for molecule in parsed if molecule is not None})


@pytest.fixture(scope="session")
def smiles_table(molecules: list[str]) -> pd.DataFrame:
    """The molecules with a split."""
    splits = ["val" if i % 10 == 0 else "test" if i % 10 == 1 else "train" for i in range(len(molecules))]
    return pd.DataFrame({"smiles": molecules, "split": splits})


@pytest.fixture(scope="session")
def store(smiles_table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """The molecules encoded, with forty merges."""
    folder: Path = tmp_path_factory.mktemp("tokens") / "store"
    return encode(smiles_table, EncodeParams(n_merges=40), folder)
