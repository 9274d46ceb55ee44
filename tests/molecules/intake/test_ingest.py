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
    params = IngestSmilesParams(split="scaffold", test_fraction=0.4, val_fraction=0.4, n_jobs=1)
    smiles, _ = ingest(write_smi(tmp_path, molecules), params)
    splits = defaultdict(set)
    for molecule, split in zip(smiles.smiles, smiles.split, strict=True):
        splits[MurckoScaffold.MurckoScaffoldSmiles(molecule)].add(split)
    assert set.union(*splits.values()) == {"train", "val", "test"}
    assert all(len(of_scaffold) == 1 for of_scaffold in splits.values())


def write_csv(folder: Path, smiles: list[str], splits: list[str]) -> Path:
    path = folder / "raw.csv"
    pd.DataFrame({"id": range(len(smiles)), "SMILES": smiles, "set": splits}).to_csv(path, index=False)
    return path


GIVEN = IngestSmilesParams(split="column", split_column="Set", n_jobs=1)


def test_a_column_gives_the_split(tmp_path: Path, molecules: list[str]) -> None:
    splits = [("train", "Test", "val ")[i % 3] for i in range(60)]
    smiles, _ = ingest(write_csv(tmp_path, molecules[:60], splits), GIVEN)
    given = dict(zip(molecules, (split.strip().lower() for split in splits), strict=False))
    assert smiles.set_index("smiles").split.to_dict() == given


def test_val_is_drawn_where_the_column_names_none(tmp_path: Path, molecules: list[str]) -> None:
    smiles, _ = ingest(write_csv(tmp_path, molecules, ["train"] * 200 + ["test"] * (len(molecules) - 200)), GIVEN)
    assert set(smiles.smiles[smiles.split == "test"]) == set(molecules[200:])
    assert 0 < (smiles.split == "val").sum() < 30


def test_a_molecule_of_two_given_splits_stays_out_of_train(tmp_path: Path) -> None:
    path = write_csv(tmp_path, ["CCO", "OCC", "CN", "NC", "CC"], ["train", "val", "val", "test", "train"])
    smiles, rejected = ingest(path, GIVEN)
    assert smiles.set_index("smiles").split.to_dict() == {"CCO": "val", "CN": "test", "CC": "train"}
    assert rejected.line.tolist() == [4, 2]
    assert rejected.reason[1] == "raw.csv: The same molecule as line 3 of raw.csv."


def test_a_subset_of_given_splits(tmp_path: Path, molecules: list[str]) -> None:
    path = write_csv(tmp_path, molecules[:90], [("train", "test", "val")[i % 3] for i in range(90)])
    smiles, _ = ingest(path, GIVEN.model_copy(update={"max_train": 8, "max_test": 5}))
    assert smiles.split.value_counts().to_dict() == {"val": 30, "train": 8, "test": 5}


@pytest.mark.parametrize("value", ["tset", ""])
def test_an_unknown_split_is_named(tmp_path: Path, value: str) -> None:
    path = write_csv(tmp_path, ["CC", "CO", "CN"], ["train", "test", value])
    with pytest.raises(InputError, match=rf"raw\.csv: line 4: 'Set' holds '{value}'; expected train, val or test"):
        ingest(path, GIVEN)


def test_every_line_is_taken_or_rejected(tmp_path: Path, molecules: list[str]) -> None:
    bad = ["", "C1CC", "C" * 300, "C[Si]C", molecules[0]]
    smiles, rejected = ingest(write_smi(tmp_path, molecules + bad), PARAMS)
    assert len(smiles) == len(molecules)
    assert rejected.code.tolist() == ["empty", "not_parsable", "too_long", "disallowed_atom", "duplicate"]
    assert rejected.line.tolist() == list(range(len(molecules) + 1, len(molecules) + 6))
    assert rejected.text.str.len().max() == 200


BAD_BYTES = {
    "a 10 MB line": b"C" * 10_000_000,
    "NUL": b"C\x00C",
    "no UTF-8": b"\xff\xfe\x80",
}


@pytest.mark.parametrize(("bad", "suffix"), [(name, suffix) for name in BAD_BYTES for suffix in (".smi", ".csv.gz")])
def test_bad_bytes_are_one_reject(tmp_path: Path, molecules: list[str], bad: str, suffix: str) -> None:
    path = tmp_path / f"raw{suffix}"
    content = b"\n".join([b"smiles", *(m.encode() for m in molecules[:40]), BAD_BYTES[bad]]) + b"\n"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    smiles, rejected = ingest(path, PARAMS)
    assert len(smiles) == 40
    assert rejected.line.tolist() == [42]
    assert rejected.code[0] in ("too_long", "bad_character", "not_parsable")


def test_one_molecule_repeated_is_one_molecule(tmp_path: Path, molecules: list[str]) -> None:
    smiles, rejected = ingest(write_smi(tmp_path, [*molecules[:40], *[molecules[3]] * 3000]), PARAMS)
    assert len(smiles) == 40
    assert rejected.code.tolist() == ["duplicate"] * 3000
    assert set(rejected.reason) == {"raw.smi: The same molecule as line 4 of raw.smi."}


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


@pytest.mark.parametrize("name", ["raw.smi", "raw.csv", "raw.sdf", "raw.smi.gz", "raw.parquet"])
def test_an_empty_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        pd.DataFrame({"smiles": pd.array([], dtype="str")}).to_parquet(path)
    else:
        path.write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name}: (there are no molecules in it|the file is empty)"):
        ingest(path, PARAMS)


def test_a_cut_file_is_found_before_any_molecule_is_cleaned(
    tmp_path: Path, molecules: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "raw.smi.gz"
    path.write_bytes(gzip.compress("\n".join(molecules * 50).encode())[:-20])
    with pytest.raises(InputError, match=r"raw\.smi\.gz: not a readable gzip file"), caplog.at_level("INFO"):
        ingest(path, PARAMS)
    assert "Cleaning" not in caplog.text
