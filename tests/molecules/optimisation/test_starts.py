"""Molecules to start from."""

from pathlib import Path

import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.optimisation.gate import provide_models
from medpipe.molecules.optimisation.params import PropertyModelsParams, ScoringParams, StartParams
from medpipe.molecules.optimisation.scoring import Scorer
from medpipe.molecules.optimisation.starts import choose_starts

SCORER = Scorer(ScoringParams(n_jobs=1))
NONE = pd.DataFrame({"smiles": [], "split": []})


def test_the_worst_of_test_are_taken(smiles_table: pd.DataFrame) -> None:
    starts = choose_starts(StartParams(n=5, among=1000), SCORER, smiles_table)
    test = smiles_table[smiles_table.split == "test"].smiles.tolist()
    worst = sorted(SCORER.score(test).total)[:5]
    assert starts.score.tolist() == pytest.approx(worst)
    assert set(starts.smiles) <= set(test)


def test_a_file_is_read_canonical_and_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("name,smi\na,OCC\nb,CCO\nc,nonsense\nd,c1ccccc1\n")
    starts = choose_starts(StartParams(kind="file", path=str(file), column="smi"), SCORER, NONE)
    assert sorted(starts.smiles) == ["CCO", "c1ccccc1"]
    assert "2 of 4 are no molecules or repeat one" in caplog.text


def test_from_scratch_there_is_none() -> None:
    assert len(choose_starts(StartParams(kind="scratch"), SCORER, NONE)) == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.csv", None, "no such file"),
        ("mine.xyz", "C", "expected a SMILES file"),
        ("bad.smi", "nonsense\nC1CC\n", "none of its 2 lines is a molecule"),
        ("empty.smi", "", "none of its 0 lines is a molecule"),
        ("other.csv", "name\nCCO\n", "no column 'smiles'"),
    ],
)
def test_bad_files_are_clear_errors(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        choose_starts(StartParams(kind="file", path=str(tmp_path / name)), SCORER, NONE)


def test_no_test_split_is_a_clear_error() -> None:
    with pytest.raises(InputError, match="no molecule is in split 'test'"):
        choose_starts(StartParams(), SCORER, NONE)


def test_property_models_are_where_the_user_says(tmp_path: Path) -> None:
    assert provide_models(PropertyModelsParams(), tmp_path) == tmp_path
    with pytest.raises(InputError, match=r"property_models\.path: .* is not there"):
        provide_models(PropertyModelsParams(path=str(tmp_path / "none")), tmp_path)
