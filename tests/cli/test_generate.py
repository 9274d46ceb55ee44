"""``medpipe generate`` and ``medpipe predict-properties``."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from medpipe.cli import cli
from medpipe.molecules.generation import to_file
from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.training.checkpoint import Checkpoint
from tests.serving.models import make_generator, make_property_model, save_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="module")
def generator(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model("generator", checkpoint, tmp_path_factory.mktemp("saved"))


@pytest.fixture(scope="module")
def properties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("properties")
    return save_model("properties", make_property_model(folder), folder)


def generated(generator: Path, output: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["generate", str(output), "--model", str(generator), *options])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".smi", ".smi.gz", ".txt"])
def test_the_name_says_the_format_and_the_seed_what_is_drawn(
    generator: Path, checkpoint: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    result = generated(generator, output, "-n", "1500", "--seed", "4", "--temperature", "0.7", "--top-p", "0.9")
    assert result.exit_code == 0, result.output
    assert "1500 molecules" in result.output
    drawn = sample(Checkpoint.load(checkpoint), SampleParams(n=1500, seed=4, temperature=0.7, top_p=0.9))["smiles"]
    if suffix == ".parquet":
        found = pd.read_parquet(output)
        assert found.attrs["product"] == "as drawn, unfiltered"
        assert found.attrs["sample"]["seed"] == 4
        assert found["smiles"].tolist() == drawn.tolist()
    elif "csv" in suffix:
        assert pd.read_csv(output, keep_default_na=False)["smiles"].tolist() == drawn.tolist()
    else:
        text = gzip.decompress(output.read_bytes()) if suffix.endswith(".gz") else output.read_bytes()
        assert text.decode().split("\n") == [*drawn, ""]
    assert list(tmp_path.iterdir()) == [output]


def test_only_what_is_new_and_valid_each_once(generator: Path, tmp_path: Path) -> None:
    (tmp_path / "known.smi").write_text("OCC\n")
    options = ("-n", "20", "--novel-only", "--known")
    result = generated(generator, tmp_path / "all.smi", *options, str(tmp_path / "known.smi"))
    assert result.exit_code == 0, result.output
    first = (tmp_path / "all.smi").read_text().split()
    assert len(set(first)) == 20
    generated(generator, tmp_path / "rest.smi", *options, str(tmp_path / "all.smi"))
    assert not set(first) & set((tmp_path / "rest.smi").read_text().split())


def test_a_generator_that_makes_hardly_anything_new_is_told(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_file, "MAX_DRAWS_A_MOLECULE", 1)
    monkeypatch.setattr(to_file, "MIN_DRAWS", 1)
    options = ("-n", "200", "--novel-only", "--known", str(tmp_path / "known.smi"))
    (tmp_path / "known.smi").write_text("C\n")
    result = generated(generator, tmp_path / "out.smi", *options)
    assert result.exit_code == 1
    assert "of 200 strings drawn" in result.output
    assert not (tmp_path / "out.smi").exists()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("out.xlsx", (), "no known format"),
        ("out.smi", ("-n", "0"), "-n is 0"),
        ("out.smi", ("--top-p", "2"), "--top-p is 2.0"),
        ("out.smi", ("--seed", "-1"), "--seed is -1"),
        ("out.smi", ("--device", "abacus"), "--device is 'abacus'"),
        ("out.smi", ("--known", "known.smi"), "--known is for --novel-only"),
        ("out.smi", ("--novel-only", "--known", "nowhere.smi"), "nowhere.smi does not exist"),
    ],
)
def test_a_bad_option_is_named(generator: Path, tmp_path: Path, name: str, options: tuple[str, ...], said: str) -> None:
    result = generated(generator, tmp_path / name, *options)
    assert result.exit_code != 0
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


def predicted(properties: Path, source: Path, output: Path, *options: str) -> Result:
    command = ["predict-properties", str(source), str(output), "--model", str(properties), "--n-jobs", "1", *options]
    return CliRunner().invoke(cli, command)


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
def test_properties_of_a_file_keep_its_order_and_lines(properties: Path, tmp_path: Path, suffix: str) -> None:
    source, output = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    source.write_text('id,Made\n1,CCO\n2,"not"\n3,CCN\n')
    result = predicted(properties, source, output, "--column", "made")
    assert result.exit_code == 0, result.output
    found = pd.read_parquet(output) if suffix == ".parquet" else pd.read_csv(output)
    assert found.columns.tolist() == ["line", "smiles", "y", "y_uncertainty", "similarity", "in_domain"]
    assert found["line"].tolist() == [2, 3, 4]
    assert found["smiles"].tolist() == ["CCO", "not", "CCN"]
    assert found["y"].isna().tolist() == [False, True, False]
    assert found["in_domain"].dtype == bool


@pytest.mark.parametrize(
    ("source", "content", "output", "said"),
    [
        ("none.csv", None, "out.csv", "no such file"),
        ("in.sdf", "x", "out.csv", "no known format of SMILES"),
        ("in.smi", "", "out.csv", "holds no molecule"),
        ("in.csv", "a,b\n1,2\n", "out.csv", "no column 'smiles'"),
        ("in.smi", "CCO\n", "out.smi", "no known format"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    properties: Path, tmp_path: Path, source: str, content: str | None, output: str, said: str
) -> None:
    if content is not None:
        (tmp_path / source).write_text(content)
    result = predicted(properties, tmp_path / source, tmp_path / output)
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert not (tmp_path / output).exists()
