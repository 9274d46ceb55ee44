"""Transforms, against values worked out from the formulas of REINVENT 4 by hand."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from medpipe.molecules.optimisation.transforms import Transform

_STEEP = 1 / (1 + 10**2.5)  # of a sigmoid with k = 0.5, half a range away from its middle

CASES = [
    ({"type": "none"}, {0.0: 0.0, 0.3: 0.3, 1.0: 1.0}),
    ({"type": "sigmoid", "low": 2, "high": 6}, {2: _STEEP, 4: 0.5, 6: 1 - _STEEP, 1e6: 1.0, -1e6: 0.0}),
    ({"type": "sigmoid", "low": 0, "high": 10, "k": 1}, {6: 10 / 11}),  # 1 / (1 + 10^-1)
    ({"type": "reverse_sigmoid", "low": 2, "high": 6}, {2: 1 - _STEEP, 4: 0.5, 6: _STEEP}),
    ({"type": "double_sigmoid", "low": 0, "high": 100, "coef_div": 15, "coef_si": 15, "coef_se": 30},
     {0: 0.5, 1: 10 / 11, -1: 1 / 11, 100: 0.5, 99: 100 / 101, 101: 1 / 101, 50: 1.0}),
    ({"type": "step", "low": 1, "high": 2}, {0.9: 0, 1: 1, 2: 1, 2.1: 0}),
    ({"type": "right_step", "high": 3}, {2.9: 0, 3: 1}),
    ({"type": "left_step", "low": 3}, {3: 1, 3.1: 0}),
]  # fmt: skip


@pytest.mark.parametrize(("params", "expected"), CASES)
def test_values_by_hand(params: dict, expected: dict[float, float]) -> None:
    transform = TypeAdapter(Transform).validate_python(params)
    found = transform(np.array(list(expected), np.float64))
    assert found == pytest.approx(list(expected.values()), abs=1e-9)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"type": "sigmoid", "low": 6, "high": 2}, "low 6 must be below high 2"),
        ({"type": "step", "low": 6, "high": 2}, "low 6 must not be above high 2"),
        ({"type": "sigmoid", "low": 1, "high": 2, "k": 0}, "greater than 0"),
        ({"type": "sigmoid", "low": 1}, "Field required"),
        ({"type": "sinus"}, "sinus"),
    ],
)
def test_what_is_no_transform_is_refused(params: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Transform).validate_python(params)
