from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import Vocabulary


def write(folder: Path, smiles: list[str]) -> TokenStore:
    vocabulary = Vocabulary.learn(smiles, 2)
    n = len(smiles)
    pieces = [vocabulary.encode_many(smiles[: n // 2]), vocabulary.encode_many(smiles[n // 2 :])]
    return TokenStore.write(folder, pieces, np.zeros(n, np.uint8), np.arange(n), vocabulary)


def test_molecules_come_back(store: TokenStore, smiles_table: pd.DataFrame) -> None:
    assert len(store) == len(smiles_table)
    assert [store.smiles(row) for row in range(len(store))] == smiles_table.smiles.tolist()
    assert store.longest == max(len(store.ids(row)) for row in range(len(store)))


def test_splits_are_kept(store: TokenStore, smiles_table: pd.DataFrame) -> None:
    for split in ("train", "val", "test"):
        assert store.rows(split).tolist() == np.flatnonzero(smiles_table.split == split).tolist()


def test_tokens_are_mapped_not_read(store: TokenStore) -> None:
    assert isinstance(store.tokens, np.memmap)
    assert store.tokens.dtype == np.uint8


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    one, same, other = (write(tmp_path / str(i), smiles) for i, smiles in enumerate((["CCO"], ["CCO"], ["CCN"])))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_writing_again_replaces(tmp_path: Path) -> None:
    write(tmp_path / "store", ["CCO", "CC"])
    assert write(tmp_path / "store", ["CCN"]).smiles(0) == "CCN"
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_an_empty_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no token store"):
        TokenStore(tmp_path)


def test_writings_know_their_molecule(store: TokenStore, smiles_table: pd.DataFrame) -> None:
    assert store.molecules.tolist() == list(range(len(smiles_table)))
