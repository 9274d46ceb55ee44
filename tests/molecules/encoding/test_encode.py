from pathlib import Path

import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams


def test_merges_are_learnt_from_train_alone(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["CCCC", "NNNN", "NNNNN"], "split": ["train", "test", "val"]})
    vocabulary = encode(smiles, EncodeParams(n_merges=1), tmp_path / "store").vocabulary
    assert vocabulary.alphabet == ("C", "N")
    assert vocabulary.texts[-1] == "CC"


def test_train_must_not_be_empty(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["CC"], "split": ["test"]})
    with pytest.raises(InputError, match="is in 'train'"):
        encode(smiles, EncodeParams(), tmp_path / "store")
