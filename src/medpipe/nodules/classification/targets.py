"""Which findings are in which class, and which are in none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError, NothingToLearnError
from medpipe.nodules.classification.params import TargetParams


@dataclass(frozen=True)
class Labelled:
    """Nodules by class.

    Attributes:
        findings: Those in a class: the rows given and ``target``, 1 for positive and 0 for negative.
        n_between: Those whose value is known and in neither class.
        n_unknown: Those whose value is missing.
    """

    findings: pd.DataFrame
    n_between: int
    n_unknown: int

    @property
    def counts(self) -> dict[str, int]:
        """How many are in which class, and how many are left out."""
        positive = int(self.findings["target"].sum())
        return {
            "n_positive": positive,
            "n_negative": len(self.findings) - positive,
            "n_between": self.n_between,
            "n_unknown": self.n_unknown,
        }


def labelled(findings: pd.DataFrame, target: TargetParams) -> Labelled:
    """Divides the nodules among ``findings`` (all rows where there is no column ``kind``) by ``target``.

    Raises:
        InputError: If the column is missing, or is not of the kind that the rule needs.
    """
    if target.column not in findings:
        raise InputError(
            f"ct_nodules: target.column is {target.column!r}, which the table does not have; it has {list(findings)}."
        )
    nodules = findings[findings["kind"] == "nodule"] if "kind" in findings else findings
    known = nodules[nodules[target.column].notna()]
    values = known[target.column]
    if target.by_words:
        positive = values.isin(target.positive)
        negative = values.isin(target.negative) if target.negative else ~positive
    else:
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.isna().any():
            raise InputError(
                f"ct_nodules: target.column {target.column!r} holds {sorted(set(values.astype(str)))[:5]}, "
                "positive_min and negative_max need numbers; give `positive` words instead."
            )
        positive, negative = numbers >= target.positive_min, numbers <= target.negative_max
    in_class = positive | negative
    table = known[in_class].assign(target=positive[in_class].astype(np.float64))
    return Labelled(table, int((~in_class).sum()), len(nodules) - len(known))


def require_both_classes(divided: Labelled, target: TargetParams, findings: pd.DataFrame) -> None:
    """Refuses findings of which all are in one class.

    Raises:
        NothingToLearnError: It names the column and the values that it holds.
    """
    counts = divided.counts
    if counts["n_positive"] and counts["n_negative"]:
        return
    values = findings[target.column].value_counts(dropna=False).head(8).to_dict()
    raise NothingToLearnError(
        f"ct_nodules: {counts['n_positive']} positive and {counts['n_negative']} negative training nodules by the rule "
        f"{target.rule!r}, at least one of each is needed; column {target.column!r} of the training nodules holds "
        f"(value: count) {values}."
    )
