import gzip
from pathlib import Path

import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.properties.ingest import ingest_properties
from medpipe.molecules.properties.params import IngestPropertiesParams

ALKANES = [f"{'C' * n}O,{n}.5" for n in range(1, 21)]


def write(folder: Path, lines: list[str], header: str = "smiles,y", name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def ingest(path: Path, **changes: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    return ingest_properties(path, IngestPropertiesParams(n_jobs=1, **changes))


def test_targets_are_all_columns_of_numbers_but_those_that_count_rows(tmp_path: Path) -> None:
    lines = [f"{3 * n},{'C' * n}O,name{n},{n}.5,{n % 2}" for n in range(1, 21)]
    table, rejected = ingest(write(tmp_path, lines, "row,smiles,name,y,active"))
    assert table.columns.tolist() == ["smiles", "split", "y", "active"]
    assert table["y"].dtype == "float64"
    assert table["active"].dtype == "Int64"
    assert table["split"].value_counts().to_dict() == {"train": 16, "val": 2, "test": 2}
    assert rejected.empty


def test_named_targets_may_stand_in_one_text(tmp_path: Path) -> None:
    lines = [f"{'C' * n}O,{n},{n + 1},{n + 2}" for n in range(1, 21)]
    table, _ = ingest(write(tmp_path, lines, "smiles,a,b,c"), targets="a, c")
    assert table.columns.tolist() == ["smiles", "split", "a", "c"]


def test_a_comma_in_a_header_is_no_delimiter_where_semicolons_are(tmp_path: Path) -> None:
    lines = [line.replace(",", ";") for line in ALKANES]
    table, _ = ingest(write(tmp_path, lines, "smiles;IC50, nM, mean"))
    assert table.columns.tolist() == ["smiles", "split", "IC50, nM, mean"]


def test_missing_labels_stay_missing(tmp_path: Path) -> None:
    table, rejected = ingest(write(tmp_path, [*ALKANES, "c1ccccc1,", "c1ccncc1,NA"]))
    assert table["y"].notna().all()
    assert rejected["code"].tolist() == ["no_target", "no_target"]


def test_rows_of_one_molecule_are_joined(tmp_path: Path) -> None:
    table, rejected = ingest(write(tmp_path, [*ALKANES, "OCC,4.5", "C(O)C,2.5"]))
    assert table.set_index("smiles").loc["CCO", "y"] == pytest.approx((2.5 + 4.5 + 2.5) / 3)
    assert rejected["line"].tolist() == [21, 22]
    assert rejected["code"].tolist() == ["conflict", "duplicate"]
    assert "row 2" in rejected["reason"][0]


@pytest.mark.parametrize(("labels", "expected"), [((1, 1, 0), 1), ((0, 0, 1), 0), ((0, 1), None)])
def test_the_class_of_most_rows_counts(tmp_path: Path, labels: tuple[int, ...], expected: int | None) -> None:
    lines = [f"{'C' * n}O,{n % 2}" for n in range(1, 21)] + [f"c1ccccc1,{label}" for label in labels]
    table, _ = ingest(write(tmp_path, lines))
    label = table.set_index("smiles").loc["c1ccccc1", "y"]
    assert pd.isna(label) if expected is None else label == expected


def test_what_is_no_molecule_is_rejected_with_a_reason(tmp_path: Path) -> None:
    _, rejected = ingest(write(tmp_path, ["not_a_molecule,1", ",2", "C(C)(C)(C)(C)C,3", f"{'C' * 5000},4", *ALKANES]))
    assert rejected["code"].tolist() == ["not_parsable", "empty", "not_parsable", "not_parsable"]
    assert rejected["line"].tolist() == [1, 2, 3, 4]
    assert rejected["text"].str.len().max() <= 200


def test_given_splits_are_kept(tmp_path: Path) -> None:
    splits = ["train"] * 12 + ["val"] * 4 + ["TEST"] * 4
    lines = [f"{line},{split}" for line, split in zip(ALKANES, splits, strict=True)]
    table, _ = ingest(write(tmp_path, lines, "smiles,y,fold"), split="column", split_column="fold", targets="y")
    assert table["split"].tolist() == [split.lower() for split in splits]


@pytest.mark.parametrize("ending", [".parquet", ".tsv", ".sdf", ".csv.gz", ".smi"])
def test_formats_hold_the_same(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"smiles": [f"{'C' * n}O" for n in range(1, 21)], "y": [n + 0.5 for n in range(1, 21)]})
    path = tmp_path / f"table{ending}"
    match ending:
        case ".parquet":
            frame.to_parquet(path)
        case ".sdf":
            from rdkit import Chem

            with Chem.SDWriter(str(path)) as writer:
                for smiles, y in frame.itertuples(index=False):
                    mol = Chem.MolFromSmiles(smiles)
                    mol.SetProp("y", str(y))
                    writer.write(mol)
        case _:
            frame.to_csv(path, sep="\t" if ending == ".tsv" else " " if ending == ".smi" else ",", index=False)
    table, _ = ingest(path)
    pd.testing.assert_frame_equal(table[["smiles", "y"]], frame.astype({"smiles": table["smiles"].dtype}))


@pytest.mark.parametrize(
    ("lines", "header", "changes", "said"),
    [
        ([], "smiles,y", {}, "no molecules"),
        ([], "", {}, "not a readable table"),
        (ALKANES, "smi,y", {}, "no column 'smiles'; there are 'smi', 'y'"),
        ([f"{'C' * n},text" for n in range(1, 9)], "smiles,name", {}, "no column of numbers"),
        ([*ALKANES, "CCN,>10"], "smiles,y", {}, "'y' holds '>10' in row 21"),
        ([*ALKANES, "CCN,inf"], "smiles,y", {}, "'y' holds 'inf' in row 21"),
        (ALKANES, "smiles,y", {"targets": "z"}, "no column 'z'"),
        ([f"{'C' * n},7" for n in range(1, 9)], "smiles,y", {}, "nothing but 7"),
        ([f"{'C' * n},1" for n in range(1, 9)], "smiles,y", {}, "nothing but 1"),
        (ALKANES, "smiles,y", {"task": "classification"}, "'y' holds 1.5 in row 1"),
        (ALKANES, "smiles,y", {"split": "column"}, "no column 'split'"),
        (ALKANES[:3], "smiles,y", {}, "none is in split 'val'"),
        (["xx,1", "yy,2"], "smiles,y", {}, "none of 2 rows holds a molecule"),
        (["CC,1,2,3,4"], "smiles,y", {}, "more values than its header has names"),
        (ALKANES, "smiles,similarity", {}, "column 'similarity' cannot be a target"),
        (ALKANES, "smiles,split", {"split_column": "fold"}, "column 'split' cannot be a target"),
        (
            [f"{line},1" for line in ALKANES],
            "smiles,y,y_uncertainty",
            {"targets": "y_uncertainty,y"},
            "'y_uncertainty' cannot be",
        ),
        (["CC,1", "CC,1,2"], "smiles,y", {}, "Expected 2 fields in line 3, saw 3"),
    ],
)
def test_bad_tables_are_a_clear_error(
    tmp_path: Path, lines: list[str], header: str, changes: dict[str, object], said: str
) -> None:
    path = write(tmp_path, lines, header)
    with pytest.raises(InputError) as error:
        ingest(path, **changes)
    assert str(path) in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "smiles,y\nCCO,1\n".encode("utf-16"), "UTF-16 text, expected UTF-8"),
        ("a.csv.gz", gzip.compress(b"smiles,y\n" + b"CCO,1\n" * 1000)[:-20], "not a readable gzip file"),
        ("a.csv.gz", gzip.compress(b"smiles,y\n")[:10] + b"\xff" * 40, "not a readable gzip file"),
        ("a.parquet", b"no parquet", "not a readable table"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        ingest(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert said in str(error.value)


@pytest.mark.parametrize("more", [",", ",5"])
def test_values_without_a_name_move_no_column(tmp_path: Path, more: str) -> None:
    with pytest.raises(InputError, match=r"table\.csv: its rows have more values than its header has names"):
        ingest(write(tmp_path, [line + more for line in ALKANES]))


def test_missing_values_of_parquet_stay_missing(tmp_path: Path) -> None:
    smiles = [f"{'C' * n}O" for n in range(1, 21)]
    classes = pd.array([None if n == 3 else n % 2 for n in range(20)], dtype="Int64")
    numbers = [float("nan") if n == 4 else n + 0.5 for n in range(20)]
    pd.DataFrame({"smiles": [*smiles[:-1], None], "is": classes, "y": numbers}).to_parquet(tmp_path / "a.parquet")
    table, rejected = ingest(tmp_path / "a.parquet")
    assert table.loc[table["is"].isna(), "smiles"].tolist() == [smiles[3]]
    assert table.loc[table["y"].isna(), "smiles"].tolist() == [smiles[4]]
    assert rejected[["line", "code"]].to_numpy().tolist() == [[20, "empty"]]


def test_a_broken_record_of_an_sdf_file_costs_itself_alone(tmp_path: Path) -> None:
    from rdkit import Chem

    records = []
    for n in range(1, 21):
        block = Chem.MolToMolBlock(Chem.MolFromSmiles(f"{'C' * n}O")).encode()
        records.append(b"M\xfcller" + block + b">  <y>\n%d.5\n\n>  <who>\nM\xfcller\n\n$$$$\n" % n)
    records[1] = records[1].replace(b"  3  2", b"  9  2")
    (tmp_path / "a.sdf").write_bytes(b"".join(records))
    table, rejected = ingest(tmp_path / "a.sdf", targets="y")
    assert len(table) == 19
    assert rejected[["line", "code"]].to_numpy().tolist() == [[2, "not_parsable"]]


def test_one_class_in_train_is_a_clear_error(tmp_path: Path) -> None:
    lines = [f"{'C' * n}O,{int(n > 16)},{'train' if n <= 16 else 'val' if n < 19 else 'test'}" for n in range(1, 21)]
    with pytest.raises(InputError, match=r"'y' holds \[0\] in the 16 molecules of train, expected both classes"):
        ingest(write(tmp_path, lines, "smiles,y,split"), split="column")


@pytest.mark.parametrize(
    ("name", "n_rows", "n_distinct", "n_targets"),
    [("esol", 1128, 1117, 1), ("freesolv", 642, 642, 1), ("tox21", 7831, None, 12)],
)
def test_public_tables_are_read_whole(
    shared_data: Path, name: str, n_rows: int, n_distinct: int | None, n_targets: int
) -> None:
    table, rejected = ingest(shared_data / "molecule_properties" / f"{name}.csv")
    assert len(table) + len(rejected) == n_rows
    assert n_distinct is None or len(table) == n_distinct
    assert table.shape[1] == 2 + n_targets
    assert table["smiles"].is_unique
