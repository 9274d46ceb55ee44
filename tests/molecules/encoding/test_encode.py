import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from medpipe.core.errors import InputError
from medpipe.molecules.encoding import encode as module
from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.tokens import Vocabulary


def test_merges_are_learnt_from_train_alone(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["CCCC", "NNNN", "NNNNN"], "split": ["train", "test", "val"]})
    vocabulary = encode(smiles, EncodeParams(n_merges=1), tmp_path / "store").vocabulary
    assert vocabulary.alphabet == ("C", "N")
    assert vocabulary.texts[-1] == "CC"


def test_merges_are_those_of_the_first_molecules_of_train(
    tmp_path: Path, smiles_table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_FAST", 7)
    train = smiles_table.smiles[smiles_table.split == "train"].tolist()
    store = encode(smiles_table, EncodeParams(n_merges=15, merge_sample=50), tmp_path / "store")
    assert store.vocabulary.texts[-15:] == Vocabulary.learn(train[:50], 15).texts[-15:]


def test_chunks_make_no_difference(tmp_path: Path, smiles_table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encode(smiles_table, EncodeParams(n_merges=20), tmp_path / "whole")
    monkeypatch.setattr(module, "_CHUNK_FAST", 7)
    assert encode(smiles_table, EncodeParams(n_merges=20), tmp_path / "cut").fingerprint() == whole.fingerprint()


def test_train_must_not_be_empty(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["CC"], "split": ["test"]})
    with pytest.raises(InputError, match="is in 'train'"):
        encode(smiles, EncodeParams(), tmp_path / "store")


@pytest.mark.parametrize("notation", ["smiles", "selfies"])
def test_random_writings_are_of_train_alone(tmp_path: Path, smiles_table: pd.DataFrame, notation: str) -> None:
    few = smiles_table.iloc[::8].reset_index(drop=True)
    params = EncodeParams(n_merges=10, n_random=3, notation=notation, n_jobs=1)
    store = encode(few, params, tmp_path / "store")
    counts = np.bincount(store.molecules, minlength=len(few))
    assert counts.tolist() == [4 if split == "train" else 1 for split in few.split]
    train = store.rows("train")
    assert (few.split.iloc[store.molecules[train]] == "train").all()
    writings = [store.smiles(row) for row in train]
    assert [Chem.CanonSmiles(one) for one in writings] == few.smiles.iloc[store.molecules[train]].tolist()
    assert len(set(writings)) > 3 * counts[counts == 4].size


def test_random_writings_follow_from_the_seed(tmp_path: Path, smiles_table: pd.DataFrame) -> None:
    one, two, other = (
        encode(smiles_table.head(40), EncodeParams(n_merges=0, n_random=2, seed=seed, n_jobs=n), tmp_path / str(i))
        for i, (seed, n) in enumerate([(0, 1), (0, 2), (1, 1)])
    )
    assert one.fingerprint() == two.fingerprint() != other.fingerprint()


def test_what_selfies_cannot_write_is_left_out_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    smiles = pd.DataFrame({"smiles": ["CC", "O=Cl(=O)(=O)O", "CO"], "split": ["train", "train", "test"]})
    with caplog.at_level(logging.WARNING):
        store = encode(smiles, EncodeParams(notation="selfies", n_jobs=1), tmp_path / "store")
    assert store.molecules.tolist() == [0, 2]
    assert store.rows("test").tolist() == [1]
    assert "1 molecules left out: SMILES 'O=Cl(=O)(=O)O': SELFIES cannot write it" in caplog.text


def test_nothing_that_selfies_can_write_is_a_clear_error(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["O=Cl(=O)(=O)O", "CC"], "split": ["train", "test"]})
    with pytest.raises(InputError, match=r"none of the 1 molecules of train .* SELFIES cannot write it"):
        encode(smiles, EncodeParams(notation="selfies", n_jobs=1), tmp_path / "store")
