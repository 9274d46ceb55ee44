import gzip
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest
from rdkit.Chem.Scaffolds import MurckoScaffold

from medpipe.core.errors import InputError
from medpipe.molecules.intake.ingest import REJECTED_COLUMNS, SMILES_COLUMNS, ingest
from medpipe.molecules.intake.params import IngestSmilesParams

PARAMS = IngestSmilesParams(n_jobs=1)


def write_smi(folder: Path, lines: list[str]) -> Path:
    path = folder / "raw.smi"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def moses(tmp_path: Path, molecules: list[str]) -> Path:
    """A folder like that of MOSES, in which molecules of test also stand in train, once written differently."""
    parts = {"test": molecules[:40], "test_scaffolds": molecules[40:60], "train": [*molecules[30:], "OCC", "CCO"]}
    parts["test"] = [*parts["test"], "CCO"]
    for name, smiles in parts.items():
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(("\n".join(["SMILES", *smiles]) + "\n").encode()))
    return tmp_path


def test_nothing_of_test_is_left_in_train(moses: Path, molecules: list[str]) -> None:
    smiles, rejected = ingest(moses, PARAMS)
    train = set(smiles.smiles[smiles.split != "test"])
    assert train == set(molecules[60:])
    assert set(smiles.smiles[smiles.split == "test"]) == {*molecules[:40], "CCO"}
    leak = rejected[rejected.text == "OCC"].iloc[0]
    assert leak.code == "duplicate"
    assert leak.reason == "train.csv.gz: The same molecule as line 42 of test.csv.gz."


def test_the_tables_have_their_columns(moses: Path) -> None:
    for table, columns in zip(ingest(moses, PARAMS), (SMILES_COLUMNS, REJECTED_COLUMNS), strict=True):
        assert {name: str(kind) for name, kind in table.dtypes.items()} == columns


def test_a_subset_follows_from_the_seed(moses: Path) -> None:
    def run(seed: int) -> pd.DataFrame:
        return ingest(moses, IngestSmilesParams(max_train=50, max_test=20, seed=seed, n_jobs=1))[0]

    first = run(1)
    assert (first.split == "test").sum() == 20
    assert (first.split != "test").sum() == 50
    assert first.equals(run(1))
    assert set(first.smiles) != set(run(2).smiles)


def test_a_molecule_keeps_its_split_when_others_come(tmp_path: Path, molecules: list[str]) -> None:
    few = ingest(write_smi(tmp_path, molecules[:100]), PARAMS)[0].set_index("smiles").split
    more = ingest(write_smi(tmp_path, molecules), PARAMS)[0].set_index("smiles").split
    assert (few == more[few.index]).all()
    assert set(more) == {"train", "val", "test"}


def test_a_scaffold_is_in_one_split(tmp_path: Path, molecules: list[str]) -> None:
    params = IngestSmilesParams(split="scaffold", test_fraction=0.4, n_jobs=1)
    smiles, _ = ingest(write_smi(tmp_path, molecules), params)
    sides = defaultdict(set)
    for molecule, split in zip(smiles.smiles, smiles.split, strict=True):
        sides[MurckoScaffold.MurckoScaffoldSmiles(molecule)].add(split == "test")
    assert len(sides) > 4
    assert all(len(side) == 1 for side in sides.values())


def test_every_line_is_taken_or_rejected(tmp_path: Path, molecules: list[str]) -> None:
    bad = ["", "C1CC", "C" * 300, "C[Si]C", molecules[0]]
    smiles, rejected = ingest(write_smi(tmp_path, molecules + bad), PARAMS)
    assert len(smiles) == len(molecules)
    assert rejected.code.tolist() == ["empty", "not_parsable", "too_long", "disallowed_atom", "duplicate"]
    assert rejected.line.tolist() == list(range(len(molecules) + 1, len(molecules) + 6))
    assert rejected.text.str.len().max() == 200


def test_two_processes_give_what_one_gives(tmp_path: Path, molecules: list[str]) -> None:
    path = write_smi(tmp_path, molecules * 20)
    one, two = (ingest(path, IngestSmilesParams(n_jobs=n)) for n in (1, 2))
    assert all(a.equals(b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no molecules in it|none of 1 lines"),
        (["hello", "C1CC"], "none of 2 lines is a molecule that can be used .*2 not_parsable"),
        (["CCO"] * 50, "of 1 distinct molecules none is in split"),
    ],
)
def test_a_useless_file_is_a_clear_error(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ingest(write_smi(tmp_path, lines), PARAMS)
