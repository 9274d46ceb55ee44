"""A bad value names the aim it belongs to."""

import pytest
from pydantic import ValidationError

from medpipe.molecules.optimisation.params import ScoringParams, StartParams


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"kind": "log_p"}, "log_p is no number between 0 and 1"),
        ({"kind": "beauty"}, "beauty"),
        ({"kind": "qed", "weight": 0}, "greater than 0"),
        ({"kind": "similarity", "smiles": ["C1CC"]}, "not a molecule: 'C1CC'"),
        ({"kind": "alerts", "smarts": ["[C"]}, "not a SMARTS pattern"),
        ({"kind": "alerts", "smarts": []}, "at least 1"),
        ({"kind": "sa", "transform": {"type": "sigmoid", "low": 6, "high": 2}}, "low 6 must be below high 2"),
    ],
)
def test_a_bad_aim_is_named(component: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as error:
        ScoringParams(components={"mine": component})
    assert error.value.errors()[0]["loc"][:2] == ("components", "mine")


def test_patterns_are_filters_unless_said_otherwise() -> None:
    assert ScoringParams(components={"a": {"kind": "alerts", "smarts": ["[N+]"]}}).components["a"].filter
    assert not ScoringParams().components["qed"].filter


@pytest.mark.parametrize("params", [{"kind": "file"}, {"kind": "test", "path": "x.smi"}])
def test_a_path_goes_with_a_file(params: dict) -> None:
    with pytest.raises(ValidationError, match="path must be given with kind 'file' and only then"):
        StartParams(**params)
