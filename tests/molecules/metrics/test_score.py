"""The table of metrics: MOSES's own small example, values by hand, and inputs at the edge."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.metrics import reference as reference_module
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.reference import Reference, load_references, reference_of
from medpipe.molecules.metrics.score import score, score_against_test
from tests.molecules.metrics.test_moses_statistics import STATISTICS, write

TEST = ["Oc1ccccc1-c1cccc2cnccc12", "COc1cccc(NC(=O)Cc2coc3ccc(OC)cc23)c1"]
GENERATED = [
    "CNC",
    "Oc1ccccc1-c1cccc2cnccc12",
    "INVALID",
    "CCCP",
    "Cc1noc(C)c1CN(C)C(=O)Nc1cc(F)cc(F)c1",
    "Cc1nc(NCc2ccccc2)no1-c1ccccc1",
]
# What tests/test_metrics.py of molsets 0.3.1 (MIT) expects of these molecules. Its SA is left out: molsets' own
# scorer gives another value with the RDKit of today, the one that ours gives too.
MOSES = {
    "valid": 2 / 3,
    "unique_at_3": 1.0,
    "FCD_Test": 52.58371754126664,
    "SNN_Test": 0.3152585653588176,
    "Frag_Test": 0.3,
    "Scaf_Test": 0.5,
    "IntDiv": 0.7189187309761661,
    "Filters": 0.75,
    "logP": 1.63229,
    "QED": 0.20370891752648637,
    "weight": 106.87,
}
FAST = ScoreParams(n_jobs=1, fcd=False, bootstrap_replicates=50, unique_at=(3,))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(TEST, n_jobs=1)


@pytest.mark.parametrize("name", MOSES)
def test_small_example_of_moses(moses_example: dict[str, float], name: str) -> None:
    assert moses_example[name] == pytest.approx(MOSES[name], rel=1e-5, abs=1e-8)


@pytest.fixture(scope="module")
def moses_example(reference: Reference) -> dict[str, float]:
    params = ScoreParams(n_jobs=1, unique_at=(3,), bootstrap_replicates=0, device="cpu")
    return score(GENERATED, [], {"Test": reference}, params).metrics


def test_fractions_by_hand(reference: Reference) -> None:
    metrics = score(["CCO", "OCC", "CCN", "CCC", "bad", "CCO"], ["CCN"], {"Test": reference}, FAST).metrics
    assert (metrics["n"], metrics["n_valid"], metrics["n_distinct"]) == (6, 5, 3)
    assert metrics["valid"] == pytest.approx(5 / 6)
    assert metrics["unique_at_3"] == pytest.approx(2 / 3)
    assert metrics["novelty"] == pytest.approx(2 / 3)
    assert metrics["Filters"] == 1.0


def test_intervals_hold_their_values_and_repeat_with_the_seed(reference: Reference) -> None:
    generated = [*GENERATED, "CCO", "CCN", "CCCO", "bad", "CCO"]
    first = score(generated, ["CCO"], {"Test": reference}, FAST).metrics
    assert first == score(generated, ["CCO"], {"Test": reference}, FAST).metrics
    for name in ("valid", "novelty", "Filters", "SNN_Test", "IntDiv", "unique_at_3"):
        assert first[f"{name}_low"] <= first[name] <= first[f"{name}_high"]


def test_profile_has_one_row_a_distinct_molecule(reference: Reference) -> None:
    profile = score(["OCC", "CCO", TEST[0]], [TEST[0]], {"Test": reference}, FAST).profile
    assert profile["smiles"].tolist() == ["CCO", TEST[0]]
    assert profile["count"].tolist() == [2, 1]
    assert profile["novel"].tolist() == [True, False]
    assert profile["similarity_Test"].tolist()[1] == 1.0
    assert profile["nearest_Test"].tolist()[1] == 0
    assert profile["scaffold"].isna().tolist() == [True, False]


@pytest.mark.parametrize("generated", [["bad", ""], ["C\x00C"], ["(" * 5000]])
def test_nothing_valid_is_a_validity_of_zero_and_no_other_measure(reference: Reference, generated: list[str]) -> None:
    result = score(generated, ["C"], {"Test": reference}, FAST)
    assert result.metrics["valid"] == 0.0
    assert set(result.metrics) == {"n", "n_valid", "n_distinct", "valid", "valid_low", "valid_high"}
    assert len(result.profile) == 0


def test_one_molecule_repeated(reference: Reference) -> None:
    params = ScoreParams(n_jobs=1, bootstrap_replicates=20, device="cpu")
    metrics = score([TEST[0]] * 12, [TEST[0]], {"Test": reference}, params).metrics
    assert metrics["unique_at_1000"] == pytest.approx(1 / 12)
    assert (metrics["novelty"], metrics["SNN_Test"], metrics["IntDiv"]) == (0.0, 1.0, 0.0)
    assert all(math.isfinite(value) for value in metrics.values())


def test_a_single_molecule_has_no_frechet_distance(reference: Reference) -> None:
    metrics = score(["CCO"], [], {"Test": reference}, FAST.model_copy(update={"fcd": True, "device": "cpu"})).metrics
    assert "FCD_Test" not in metrics
    assert "Scaf_Test" not in metrics
    assert all(math.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize(
    ("generated", "with_reference", "message"),
    [([], True, "generated molecules: 0 strings"), (["C"], False, "references: none received")],
)
def test_nothing_to_score(reference: Reference, generated: list[str], with_reference: bool, message: str) -> None:
    with pytest.raises(InputError, match=message):
        score(generated, [], {"Test": reference} if with_reference else {}, FAST)


def test_an_invalid_reference_is_named() -> None:
    with pytest.raises(InputError, match="none of 2 SMILES strings is valid"):
        reference_of(["bad", ""], n_jobs=1)


def test_reference_comes_back_from_disk(reference: Reference, tmp_path: Path) -> None:
    reference.save(tmp_path / "kept")
    back = Reference.load(tmp_path / "kept")
    assert (back.n, back.origin, back.fragments, back.scaffolds) == (
        2,
        "computed",
        reference.fragments,
        reference.scaffolds,
    )
    assert np.array_equal(back.fingerprints, reference.fingerprints)
    assert reference.chemnet is not None
    assert back.chemnet is not None
    assert np.array_equal(back.chemnet.covariance, reference.chemnet.covariance)
    assert back.profile().columns.tolist() == ["logP", "SA", "QED", "weight"]


def test_references_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_references({"Test": TEST}, kept=tmp_path, params=FAST)
    monkeypatch.setattr("medpipe.molecules.metrics.reference.reference_of", None)
    again = load_references({"Test": TEST}, kept=tmp_path, params=FAST)
    assert first["Test"].fragments == again["Test"].fragments
    with pytest.raises(TypeError):
        load_references({"Test": TEST[:1]}, kept=tmp_path, params=FAST)


@pytest.mark.parametrize(("mode", "origin"), [("auto", "molsets test_stats.npz"), ("computed", "computed")])
def test_shipped_statistics_are_taken_where_they_are(tmp_path: Path, mode: str, origin: str) -> None:
    write(tmp_path / "test_stats.npz", STATISTICS)
    params = FAST.model_copy(update={"reference": mode})
    references = load_references({"Test": TEST}, kept=tmp_path / "kept", shipped=tmp_path, params=params)
    assert references["Test"].origin == origin


def test_statistics_by_another_rdkit_are_computed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for made_by in (reference_module.MADE_BY, ["another"], ["another"]):
        monkeypatch.setattr(reference_module, "MADE_BY", made_by)
        load_references({"Test": TEST}, kept=tmp_path, params=FAST)
    assert len(list(tmp_path.iterdir())) == 2


def test_missing_references_are_an_error(tmp_path: Path) -> None:
    params = ScoreParams(reference="shipped")
    with pytest.raises(InputError, match=r"test_stats\.npz is not in"):
        load_references({"Test": TEST}, kept=tmp_path, shipped=tmp_path, params=params)
    with pytest.raises(InputError, match="none given"):
        load_references({"Test": []}, kept=tmp_path, params=FAST)


def test_against_the_test_split(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["CCO", "CCN", *TEST], "split": ["train", "val", "test", "test"]})
    result, reference = score_against_test(["CCO", "CCN", "CCC", TEST[0]], smiles, tmp_path / "raw.csv", FAST, tmp_path)
    assert result.metrics["novelty"] == 0.5
    assert len(reference) == 2


@pytest.fixture(scope="session")
def moses_data(shared_data: Path) -> Path:
    """Folder with MOSES's statistics, taken from the wheel as the default run takes them."""
    folder = Path(__file__).resolve().parents[3] / "data" / "01_raw" / "smiles"
    if not (folder / "test_stats.npz").exists():
        pytest.skip(f"MOSES is not fetched yet: {folder} has no test_stats.npz; run the molecules pipeline once")
    return folder


@pytest.mark.slow
def test_golden_values_of_moses(shared_data: Path, moses_data: Path, tmp_path: Path) -> None:
    """All metrics that molsets 0.3.1 gives for 30,000 strings, against both test sets."""
    golden = json.loads((shared_data / "moses_golden" / "metrics.json").read_text())
    generated = pd.read_csv(shared_data / "moses_golden" / "generated_30k.csv", keep_default_na=False)["SMILES"]
    train = pd.read_csv(moses_data / "train.csv.gz")["SMILES"]
    references = load_references({}, kept=tmp_path, shipped=moses_data, params=ScoreParams())
    metrics = score(generated, train, references, ScoreParams(bootstrap_replicates=0)).metrics
    for name, value in golden.items():
        ours = metrics[name.replace("@", "_at_").replace("/", "_").replace("Novelty", "novelty")]
        assert ours == pytest.approx(value, abs=1e-4 if name.startswith("FCD") else 1e-6), name


def test_golden_validity_of_a_subset(shared_data: Path) -> None:
    """The strings that MOSES's generators drew, a tenth of them: shares agree with the whole within their spread."""
    from medpipe.molecules.metrics.parse import read_molecules

    golden = json.loads((shared_data / "moses_golden" / "metrics.json").read_text())
    generated = pd.read_csv(shared_data / "moses_golden" / "generated_30k.csv", keep_default_na=False)["SMILES"][::60]
    molecules = read_molecules(generated.tolist(), n_jobs=1)
    assert molecules.n_valid / molecules.n == pytest.approx(golden["valid"], abs=0.04)
    assert np.average(molecules.passes_filters, weights=molecules.counts) == pytest.approx(golden["Filters"], abs=0.04)
