"""When a property model takes the place of the champion."""

from pydantic import Field

from medpipe.molecules.properties.metrics import MEAN
from medpipe.promotion.params import GateParams, GuardParams, HeadlineParams
from medpipe.promotion.scores import Scores

_AUTO = "auto"
_NUMBERS, _CLASSES = f"{MEAN}/rmse", f"{MEAN}/auroc"
_GUARDS = {
    f"{MEAN}/coverage_error": GuardParams(better="lower", tolerance=0.03, optional=True),
    f"{MEAN}/calibration_error": GuardParams(better="lower", tolerance=0.02, optional=True),
    _CLASSES: GuardParams(better="higher", tolerance=0.01, optional=True),
}


class PropertyGateParams(GateParams):
    """When a property model replaces the champion.

    Attributes:
        headline: ``auto`` takes the root mean squared error, mean over the targets, or where all targets are classes,
            the mean AUROC.
        guards: Of the calibration: how far the share of errors within 1.96 uncertainties is from 95 %, and the
            calibration error of classes; and the AUROC of classes that stand beside numbers.
    """

    headline: HeadlineParams = HeadlineParams(metric=_AUTO, better="lower")
    guards: dict[str, GuardParams] = Field(default_factory=lambda: dict(_GUARDS))

    def rules(self, scores: Scores) -> GateParams:
        """With the headline that the targets call for."""
        if self.headline.metric != _AUTO:
            return self
        numbers = _NUMBERS in scores.values or _CLASSES not in scores.values
        chosen = {"metric": _NUMBERS, "better": "lower"} if numbers else {"metric": _CLASSES, "better": "higher"}
        headline = self.headline.model_copy(update=chosen)
        guards = {name: guard for name, guard in self.guards.items() if name != headline.metric}
        return self.model_copy(update={"headline": headline, "guards": guards})
