"""The commands of the project: what is scored and written, and what the user is told about bad files."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from medpipe.cli import cli

MOLECULES = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "CCN(CC)CC", "O=C(O)c1ccccc1", "Cc1ccncc1", "CCOC(C)=O", "CCCl"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference, training molecules, and what was computed of them."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "reference.smi").write_text("".join(f"{smiles} molecule\n" for smiles in MOLECULES[2:]))
    pd.DataFrame({"Smiles": MOLECULES[:5], "id": range(5)}).to_csv(folder / "train.csv.gz", index=False)
    return folder


def scored(folder: Path, file: Path, *options: str) -> Result:
    arguments = ["score-molecules", str(file), "--reference", str(folder / "reference.smi"), "--no-fcd"]
    return CliRunner().invoke(cli, [*arguments, "--n-jobs", "1", "--cache", str(folder / "cache"), *options])


def test_a_file_is_scored_and_the_results_written(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "generated.smi.gz"
    file.write_bytes(gzip.compress("\n".join([*MOLECULES[3:], "CCO", "OCC", "not"]).encode()))
    result = scored(folder, file, "--train", str(folder / "train.csv.gz"), "--output", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["n"], metrics["n_valid"], metrics["n_distinct"]) == (8, 7, 6)
    assert metrics["novelty"] == 0.5
    assert "0.5000" in next(line for line in result.output.splitlines() if "novelty" in line)
    assert pd.read_parquet(tmp_path / "out" / "profile.parquet")["smiles"].tolist() == [*MOLECULES[3:], "CCO"]
    pictures = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert pictures == ["chemical_space.png", "molecules.png", "nearest_train.png", "properties.png"]


def test_a_column_of_a_parquet_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "generated.parquet"
    pd.DataFrame({"id": range(8), "made": MOLECULES}).to_parquet(file)
    result = scored(folder, file, "--column", "made")
    assert result.exit_code == 0, result.output
    assert "novelty" not in result.output


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("none.csv", None, (), "no such file"),
        ("folder.csv/", None, (), "no such file"),
        ("molecules.xlsx", b"x", (), "no known format of SMILES"),
        ("molecules.sdf", b"x", (), "no known format of SMILES"),
        ("empty.csv", b"", (), "the file is empty"),
        ("header.csv", b"smiles\n", (), "holds no molecule"),
        ("empty.smi", b"", (), "holds no molecule"),
        ("other.csv", b"a,b\n1,2\n", (), "no column 'smiles'; there are 'a', 'b'"),
        ("other.csv", b"smiles,b\nC,2\n", ("--column", "c"), "no column 'c'"),
        ("broken.csv.gz", b"smiles\nC\n", (), "not a readable gzip file"),
        ("broken.parquet", b"PAR1", (), "not a readable Parquet file"),
        ("good.smi", b"CCO\n", ("--train", "nowhere.smi"), "nowhere.smi: no such file"),
    ],
)
def test_a_file_that_cannot_be_scored_is_named(
    folder: Path, tmp_path: Path, name: str, content: bytes | None, options: tuple[str, ...], message: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    elif name.endswith("/"):
        file.mkdir()
    result = scored(folder, file, *options)
    assert result.exit_code == 1
    assert message in result.output.replace("\n", " ")
    assert "Traceback" not in result.output


def test_a_reference_without_a_valid_molecule_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.smi").write_text("nothing\nof\nthis\n")
    (tmp_path / "good.smi").write_text("CCO\n")
    result = scored(folder, tmp_path / "good.smi", "--reference", str(tmp_path / "bad.smi"))
    assert result.exit_code == 1
    assert "none of 3 SMILES strings is valid" in result.output


@pytest.mark.parametrize(
    ("strings", "valid"),
    [
        ([b"not", b"a", b"molecule"], 0.0),
        ([b"CC\x00O", b"\x00", b"CCO"], 1 / 3),
        ([b"C" * 10_000_000, b"CCO"], 0.5),
        ([b"CCO"] * 50, 1.0),
        ([b"\xff\xfe", b"CCO"], 0.5),
    ],
)
def test_what_is_no_molecule_counts_as_invalid(
    folder: Path, tmp_path: Path, strings: list[bytes], valid: float
) -> None:
    file = tmp_path / "generated.csv"
    file.write_bytes(b"smiles\n" + b"\n".join(strings) + b"\n")
    result = scored(folder, file, "--train", str(folder / "train.csv.gz"))
    assert result.exit_code == 0, result.output
    told = {line.split()[1]: line.split()[3] for line in result.output.splitlines() if line.startswith("│ ")}
    assert told["n"] == str(len(strings))
    assert float(told["valid"]) == pytest.approx(valid, abs=1e-4)


def test_options_without_a_command_are_those_of_run() -> None:
    result = CliRunner().invoke(cli, ["--no-such-option"])
    assert result.exit_code == 2
    assert "run [OPTIONS]" in result.output


def test_help_tells_both_commands() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    assert "score-molecules" in output
    assert "run " in output
