"""From a property in its own unit to a score between 0 and 1.

The shapes and the names of their parameters are those of REINVENT 4 (Loeffler et al., J. Cheminf. 16, 20, 2024), so a
chemist's scoring functions can be taken over as they are.
"""

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat, model_validator

from medpipe.core.params import Params

Values = npt.NDArray[np.float64]


class AsIs(Params):
    """The value itself; only for what lies between 0 and 1 already.

    Attributes:
        type: Name of the shape.
    """

    type: Literal["none"] = "none"

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        return values


class _Range(Params):
    """A range of the property.

    Attributes:
        low: Its lower end, in the property's unit.
        high: Its upper end.
    """

    low: float
    high: float

    @model_validator(mode="after")
    def _range_is_a_range(self) -> "_Range":
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
        return self


class Sigmoid(_Range):
    """From 0 below ``low`` to 1 above ``high``; half way between them it is 0.5.

    Attributes:
        type: Name of the shape.
        k: Steepness; with 0.5 the score is 0.003 at ``low`` and 0.997 at ``high``.
    """

    type: Literal["sigmoid"]
    k: PositiveFloat = 0.5

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        return _rise(values - (self.low + self.high) / 2, 10 * self.k / (self.high - self.low))


class ReverseSigmoid(_Range):
    """From 1 below ``low`` to 0 above ``high``.

    Attributes:
        type: Name of the shape.
        k: Steepness, as in ``Sigmoid``.
    """

    type: Literal["reverse_sigmoid"]
    k: PositiveFloat = 0.5

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        return _rise((self.low + self.high) / 2 - values, 10 * self.k / (self.high - self.low))


class DoubleSigmoid(_Range):
    """1 between ``low`` and ``high``, 0 far from them, 0.5 at each.

    Attributes:
        type: Name of the shape.
        coef_div: Divides both steepnesses; the property's unit.
        coef_si: Steepness of the rise at ``low``.
        coef_se: Steepness of the fall at ``high``.
    """

    type: Literal["double_sigmoid"]
    coef_div: PositiveFloat = 100.0
    coef_si: PositiveFloat = 150.0
    coef_se: PositiveFloat = 150.0

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        rise = _rise(values - self.low, self.coef_si / self.coef_div)
        fall = _rise(self.high - values, self.coef_se / self.coef_div)
        return np.where(values < (self.low + self.high) / 2, rise, fall)


class Step(Params):
    """1 from ``low`` to ``high``, both included, else 0.

    Attributes:
        type: Name of the shape.
        low: Lowest good value, in the property's unit.
        high: Highest good value.
    """

    type: Literal["step"]
    low: float
    high: float

    @model_validator(mode="after")
    def _range_is_a_range(self) -> "Step":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} must not be above high {self.high:g}")
        return self

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        return ((values >= self.low) & (values <= self.high)).astype(np.float64)


class RightStep(Params):
    """1 from ``high`` on, else 0.

    Attributes:
        type: Name of the shape.
        high: Lowest good value, in the property's unit.
    """

    type: Literal["right_step"]
    high: float

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        return (values >= self.high).astype(np.float64)


class LeftStep(Params):
    """1 up to ``low``, else 0.

    Attributes:
        type: Name of the shape.
        low: Highest good value, in the property's unit.
    """

    type: Literal["left_step"]
    low: float

    def __call__(self, values: Values) -> Values:
        """Scores of values, (n,)."""
        return (values <= self.low).astype(np.float64)


Transform = Annotated[
    AsIs | Sigmoid | ReverseSigmoid | DoubleSigmoid | Step | RightStep | LeftStep, Field(discriminator="type")
]


def _rise(values: Values, steepness: float) -> Values:
    """1 / (1 + 10^(-steepness x value)), which cannot overflow written like this."""
    rise: Values = 0.5 * (1 + np.tanh(0.5 * np.log(10) * steepness * values))
    return rise
