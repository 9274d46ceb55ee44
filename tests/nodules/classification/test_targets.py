import pandas as pd
import pytest
from pydantic import ValidationError

from medpipe.core.errors import InputError
from medpipe.nodules.classification.params import TargetParams
from medpipe.nodules.classification.targets import labelled, require_both_classes

FINDINGS = pd.DataFrame(
    {
        "finding_id": list("abcdefg"),
        "kind": ["nodule"] * 6 + ["irrelevant"],
        "malignancy": [1.0, 2.0, 2.5, 3.0, 4.0, None, 5.0],
        "texture": ["solid", "part-solid", "ground-glass", "solid", None, "solid", "solid"],
    }
).astype({"texture": "str"})

MALIGNANCY = {"column": "malignancy", "positive_min": 4, "negative_max": 2}


@pytest.mark.parametrize(
    ("rule", "classes", "n_between", "n_unknown"),
    [
        (MALIGNANCY, {"a": 0, "b": 0, "e": 1}, 2, 1),
        ({**MALIGNANCY, "positive_min": 2.6, "negative_max": 2.5}, {"a": 0, "b": 0, "c": 0, "d": 1, "e": 1}, 0, 1),
        ({"column": "texture", "positive": ["solid"]}, {"a": 1, "b": 0, "c": 0, "d": 1, "f": 1}, 0, 1),
        (
            {"column": "texture", "positive": ["solid"], "negative": ["ground-glass"]},
            {"a": 1, "c": 0, "d": 1, "f": 1},
            1,
            1,
        ),
    ],
)
def test_nodules_are_divided_by_the_rule(rule: dict, classes: dict, n_between: int, n_unknown: int):
    divided = labelled(FINDINGS, TargetParams(**rule))
    assert dict(zip(divided.findings["finding_id"], divided.findings["target"], strict=True)) == classes
    assert divided.n_between == n_between
    assert divided.n_unknown == n_unknown


def test_all_findings_are_counted_once():
    counts = labelled(FINDINGS, TargetParams(**MALIGNANCY)).counts
    assert counts == {"n_positive": 1, "n_negative": 2, "n_between": 2, "n_unknown": 1}
    assert sum(counts.values()) == (FINDINGS["kind"] == "nodule").sum()


@pytest.mark.parametrize(
    "rule",
    [
        {"column": "malignancy"},
        {"column": "malignancy", "positive_min": 4},
        {"column": "malignancy", "positive_min": 3, "negative_max": 3},
        {"column": "texture", "positive": ["solid"], "negative_max": 2},
        {"column": "texture", "negative": ["solid"]},
    ],
)
def test_a_rule_that_is_none_is_refused(rule: dict):
    with pytest.raises(ValidationError, match="target"):
        TargetParams(**rule)


def test_the_rule_is_told_in_words():
    told = TargetParams(**MALIGNANCY).rule
    assert "malignancy >= 4 against <= 2" in told
    assert "neither class" in told


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"'calcification'.*malignancy"):
        labelled(FINDINGS, TargetParams(column="calcification", positive_min=4, negative_max=2))


def test_words_where_numbers_are_needed_are_named():
    with pytest.raises(InputError, match=r"'texture'.*ground-glass"):
        labelled(FINDINGS, TargetParams(column="texture", positive_min=4, negative_max=2))


def test_one_class_only_names_the_column_and_its_values():
    target = TargetParams(column="malignancy", positive_min=5, negative_max=4)
    with pytest.raises(InputError, match=r"0 positive and 5 negative.*'malignancy'.*4\.0: 1"):
        require_both_classes(labelled(FINDINGS, target), target, FINDINGS)
