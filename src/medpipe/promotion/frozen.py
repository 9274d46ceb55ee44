"""The test set of a contest: the test split without what either model was trained on."""

import logging
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

SEEN_BY = "seen_by"

_logger = logging.getLogger(__name__)


def frozen_test(test: pd.DataFrame, seen: Mapping[str, npt.NDArray[np.bool_]], unit: str) -> pd.DataFrame:
    """Says of each row of the test split who was trained on it: such a row tells nothing of how good a model is.

    Splits that follow from the patient or molecule alone have no such rows; others, drawn anew when data arrive, do.

    Args:
        test: The test split.
        seen: Model to whether it was trained on each row, (n,).
        unit: What a row is, in the plural, for the log.

    Returns:
        ``test`` with the column ``seen_by``: names of models with commas, empty where the row can be used.
    """
    names = np.full(len(test), "", dtype=object)
    for model, rows in seen.items():
        names[rows] = [f"{name}, {model}" if name else model for name in names[rows]]
        if rows.any():
            _logger.warning(
                "%d of %d %s of test are left out: the %s was trained on them", rows.sum(), len(test), unit, model
            )
    return test.assign(**{SEEN_BY: pd.array(names, dtype="str")}).reset_index(drop=True)


def unseen(test: pd.DataFrame) -> pd.DataFrame:
    """The rows of `frozen_test` that can be used."""
    return test[test[SEEN_BY] == ""].drop(columns=SEEN_BY).reset_index(drop=True)
