"""From strings to scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit.Chem import QED, MolFromSmiles

from medpipe.core.errors import InputError
from medpipe.molecules.optimisation import gate as gate_module
from medpipe.molecules.optimisation.params import ScoringParams
from medpipe.molecules.optimisation.scoring import INVALID, UNLIKE, Scorer

WEIGHT = {"kind": "weight", "transform": {"type": "left_step", "low": 100}}


def scorer(aggregate: str = "geometric_mean", **components: dict) -> Scorer:
    return Scorer(ScoringParams(aggregate=aggregate, components=components, n_jobs=1))


def qed(smiles: str) -> float:
    return float(QED.qed(MolFromSmiles(smiles)))


def test_one_aim_is_the_score_itself() -> None:
    scores = scorer(qed={"kind": "qed"}).score(["OCC", "c1ccccc1", "nonsense"])
    assert scores.smiles == ["CCO", "c1ccccc1", ""]
    assert scores.total == pytest.approx([qed("CCO"), qed("c1ccccc1"), 0])
    assert scores.refused == ["", "", INVALID]


@pytest.mark.parametrize("aggregate", ["geometric_mean", "arithmetic_mean"])
def test_means_are_weighted(aggregate: str) -> None:
    alike = {"kind": "similarity", "smiles": ["CCN"]}
    found = scorer(aggregate, a={"kind": "qed", "weight": 3.0}, b=alike).score(["CCO"])
    parts = np.array([qed("CCO"), found.values[0, 1]])
    assert 0 < parts[1] < 1
    by_hand = parts @ [0.75, 0.25] if aggregate == "arithmetic_mean" else np.prod(parts ** [0.75, 0.25])
    assert found.total[0] == pytest.approx(by_hand)


def test_no_aim_can_be_given_up_in_a_geometric_mean() -> None:
    aims = {"light": WEIGHT, "qed": {"kind": "qed"}}
    assert scorer("geometric_mean", **aims).score(["CCCCCCCCCCCC"]).total[0] == 0
    assert scorer("arithmetic_mean", **aims).score(["CCCCCCCCCCCC"]).total[0] == pytest.approx(qed("C" * 12) / 2)


def test_a_filter_multiplies_and_has_no_weight() -> None:
    aims = {"alert": {"kind": "alerts", "smarts": ["[Br]"]}, "qed": {"kind": "qed"}}
    assert scorer(**aims).score(["CCBr", "CCO"]).total == pytest.approx([0, qed("CCO")])
    assert scorer(alert=aims["alert"]).score(["CCBr", "CCO"]).total.tolist() == [0, 1]


def test_what_is_unlike_its_start_is_not_measured() -> None:
    scores = scorer(qed={"kind": "qed"}).score(["CCO", "CCN", "x"], ["CCO"] * 3, min_similarity=0.5)
    assert scores.refused == ["", UNLIKE, INVALID]
    assert scores.similarity[0] == 1
    assert np.isnan(scores.values[1:]).all()
    assert scores.total[1:].tolist() == [0, 0]


def test_processes_give_what_one_gives(molecules: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    params = ScoringParams(components={"qed": {"kind": "qed"}, "light": WEIGHT}, n_jobs=2)
    monkeypatch.setattr("medpipe.molecules.optimisation.scoring._WORTH_PROCESSES", 1)
    many, one = Scorer(params), Scorer(params.model_copy(update={"n_jobs": 1}))
    assert np.array_equal(many.score(molecules).values, one.score(molecules).values)


def test_nothing_gives_nothing() -> None:
    scores = scorer(qed={"kind": "qed"}).score([])
    assert scores.values.shape == (0, 1)
    assert len(scores.table()) == 0


class Model:
    """Stands for a trained property model: knows alcohols well, amines badly, and has never seen bromine."""

    tasks = ("logs",)

    def predict(self, smiles: list[str], n_jobs: int, description: None) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "logs": [-1.0 - len(one) for one in smiles],
                "logs_uncertainty": [2.0 if "N" in one else 0.1 for one in smiles],
                "in_domain": ["Br" not in one for one in smiles],
            }
        )


@pytest.fixture
def with_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a property model."""
    monkeypatch.setattr(gate_module, "_load", lambda path: Model())
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def property_aim(**changes: object) -> dict:
    transform = {"type": "sigmoid", "low": -6, "high": 0}
    return {"kind": "property", "model": "model.safetensors", "task": "logs", "transform": transform, **changes}


def test_an_uncertain_model_is_not_believed(with_model: Path) -> None:
    params = ScoringParams(components={"solubility": property_aim(max_uncertainty=1.0)}, n_jobs=1)
    scores = Scorer(params, with_model).score(["CCO", "CCN", "CCBr", "x"])
    assert scores.values[:3, 0].tolist() == [-4, -4, -5]
    assert scores.refused == [
        "", "solubility: uncertain", "solubility: outside the applicability domain", INVALID,
    ]  # fmt: skip
    assert (scores.total > 0).tolist() == [True, False, False, False]


def test_the_gate_can_be_opened(with_model: Path) -> None:
    params = ScoringParams(components={"solubility": property_aim(in_domain=False)}, n_jobs=1)
    assert Scorer(params, with_model).score(["CCO", "CCN", "CCBr"]).refused == ["", "", ""]


def test_a_prediction_that_is_no_score_names_the_aim(with_model: Path) -> None:
    params = ScoringParams(components={"solubility": property_aim(transform={"type": "none"})}, n_jobs=1)
    with pytest.raises(InputError, match=r"scoring\.components\.solubility: -4 is no score between 0 and 1"):
        Scorer(params, with_model).score(["CCO"])


def test_a_missing_model_and_an_unknown_task_are_named(with_model: Path) -> None:
    with pytest.raises(InputError, match=r"needs the property model 'model\.safetensors'"):
        Scorer(ScoringParams(components={"s": property_aim()}))
    with pytest.raises(InputError, match=r"components\.s\.model: no file"):
        Scorer(ScoringParams(components={"s": property_aim(model="other")}), with_model)
    with pytest.raises(InputError, match=r"components\.s\.task: the model knows no 'taste', only logs"):
        Scorer(ScoringParams(components={"s": property_aim(task="taste")}), with_model)
