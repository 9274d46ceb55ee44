import numpy as np
import pandas as pd
import pytest

from medpipe.promotion.decision import COLUMNS
from medpipe.reporting.promotion import MAX_ROWS, decision_figure

ROWS = [
    ("cpm", "headline", "higher", 0.5, 0.6, 0.1, 0.05, 0.15, 0.02, "better"),
    ("rmse", "guard", "lower", 1.0, 1.1, 0.1, np.nan, np.nan, 0.05, "broken"),
    ("auc", "guard", "", np.nan, np.nan, np.nan, np.nan, np.nan, 0.05, "does not apply"),
    ("dice", "other", "higher", 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, ""),
]


def record(outcome: str, reason: str = "cpm is 0.6 against 0.5.") -> dict:
    return {"outcome": outcome, "reason": reason, "confidence": 0.95}


def table(rows=ROWS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def texts(figure) -> str:
    axes = [label.get_text() for axis in figure.axes for label in axis.get_yticklabels()]
    children = [
        label.get_text() for axis in figure.axes for child in axis.child_axes for label in child.get_yticklabels()
    ]
    title = figure.get_suptitle()
    return "\n".join([title, *axes, *children, *(text.get_text() for text in figure.texts)])


def test_each_difference_has_its_axis_with_numbers_and_verdict():
    figure = decision_figure(record("promote"), table())
    assert len(figure.axes) == 3
    said = texts(figure)
    for part in ("The challenger becomes champion", "cpm ↑\nheadline", "rmse ↓\nguard", "1.1 against 1", "broken"):
        assert part in said


def test_yellow_is_the_loss_that_is_borne_or_the_gain_that_does_not_count():
    headline, guard, _ = decision_figure(record("keep"), table()).axes
    assert headline.patches[0].get_extents().width > 0
    spans = [(axis.patches[0].get_x(), axis.patches[0].get_width()) for axis in (headline, guard)]
    np.testing.assert_allclose(spans, [(0.0, 0.02), (0.0, 0.05)])  # of what is lower, a loss is a rise


@pytest.mark.parametrize("outcome", ["nothing", "undecided", "promote"])
def test_without_a_comparison_the_reason_is_shown(outcome):
    figure = decision_figure(record(outcome, "There is no champion yet."), table([]))
    assert "There is no champion yet." in texts(figure)


def test_of_many_metrics_the_first_are_drawn():
    rows = [(f"m{n}", *ROWS[0][1:]) for n in range(40)]
    assert len(decision_figure(record("keep"), table(rows)).axes) == MAX_ROWS
