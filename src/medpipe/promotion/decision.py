"""What becomes of a challenger, with the reason in a sentence."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medpipe.promotion.differences import Difference

Outcome = Literal["promote", "keep", "undecided", "nothing"]
Role = Literal["headline", "guard", "other"]
Verdict = Literal["better", "worse", "unclear", "held", "broken", "does not apply", ""]

COLUMNS = {
    "metric": "str",
    "role": "str",
    "better": "str",
    "champion": "float64",
    "challenger": "float64",
    "difference": "float64",
    "difference_low": "float64",
    "difference_high": "float64",
    "tolerance": "float64",
    "verdict": "str",
}


@dataclass(frozen=True)
class Finding:
    """What the comparison says of one metric.

    Attributes:
        metric: Its name.
        role: Whether the decision depends on it, and how.
        verdict: Of a headline or another metric ``better``, ``worse`` or ``unclear`` (the interval holds 0); of a guard
            ``held``, ``broken`` or ``does not apply`` (neither model has the metric, or the champion has not).
        difference: Challenger minus champion; None without both.
        tolerance: Of a guard: loss that is borne; of the headline: gain that must be exceeded. 0 for others.
        reason: A clause with numbers.
    """

    metric: str
    role: Role
    verdict: Verdict
    difference: Difference | None = None
    tolerance: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """The end of a contest.

    Attributes:
        outcome: ``promote``: the challenger becomes champion; ``keep``: the champion stays and the challenger is
            refused; ``undecided``: they could not be compared, so the challenger stays challenger; ``nothing``: there
            was no contest.
        reason: A sentence or two.
        champion: Version; None if there was none.
        challenger: Version; None if there was none.
        findings: The headline first, then the guards, then the other metrics that both have.
        test: Fingerprint of the test set; empty if nothing was scored.
        unit: What is independent in it.
        n_units: How many of them.
        confidence: Of the intervals.
    """

    outcome: Outcome
    reason: str
    champion: str | None = None
    challenger: str | None = None
    findings: tuple[Finding, ...] = ()
    test: str = ""
    unit: str = "units"
    n_units: int = 0
    confidence: float = 0.95

    @property
    def headline(self) -> Finding | None:
        """What is said of the headline metric, if it was compared."""
        return next((finding for finding in self.findings if finding.role == "headline"), None)

    @property
    def guards(self) -> tuple[Finding, ...]:
        """What is said of the guards."""
        return tuple(finding for finding in self.findings if finding.role == "guard")

    def because(self, outcome: Outcome, reason: str) -> "Decision":
        """The same with another end."""
        return replace(self, outcome=outcome, reason=reason)

    def table(self) -> pd.DataFrame:
        """One row a metric, columns as ``COLUMNS``; what is not known is NaN."""
        rows = []
        for finding in self.findings:
            diff = finding.difference
            numbers = (
                (diff.champion, diff.challenger, diff.value, diff.low, diff.high) if diff is not None else (np.nan,) * 5
            )
            better = diff.better if diff is not None else ""
            rows.append((finding.metric, finding.role, better, *numbers, finding.tolerance, finding.verdict))
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)

    def record(self) -> dict[str, Any]:
        """As JSON holds it; numbers that are not known are null."""
        rows = self.table().astype(object)
        findings = rows.where(rows.notna(), None).to_dict(orient="records")
        reasons = [finding.reason for finding in self.findings]
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "champion": self.champion,
            "challenger": self.challenger,
            "test": self.test,
            "unit": self.unit,
            "n_units": self.n_units,
            "confidence": self.confidence,
            "metrics": [{**row, "reason": reason} for row, reason in zip(findings, reasons, strict=True)],
        }

    def evidence(self) -> dict[str, Any]:
        """The record without the metrics that had no say: they may be thousands."""
        record = self.record()
        return record | {"metrics": [row for row in record["metrics"] if row["role"] != "other"]}

    def metrics(self) -> dict[str, float]:
        """As numbers: ``promoted``, ``decided``, ``n_units``, and each metric's difference with its limits."""
        numbers = {"promoted": float(self.outcome == "promote"), "n_units": float(self.n_units)}
        numbers["decided"] = float(self.outcome in ("promote", "keep"))
        for finding in self.findings:
            diff = finding.difference
            if diff is not None:
                name = f"{finding.metric}_difference"
                found = {name: diff.value, f"{name}_low": diff.low, f"{name}_high": diff.high}
                numbers |= {key: value for key, value in found.items() if np.isfinite(value)}
        return numbers
