"""Champion against challenger as a picture: each metric's difference on an axis of its own, and what guards bear."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medpipe.reporting.nothing import nothing_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROWS = 14
"""Metrics drawn: the headline and the guards first."""
# Okabe and Ito's colours, told apart with any kind of colour vision and in grey print.
_COLOURS = {"better": "#0072B2", "held": "#009E73", "worse": "#D55E00", "broken": "#D55E00"}
_PLAIN, _BORNE = "0.45", "#f0e442"
_ROW_INCHES, _FRAME_INCHES, _WIDTH_INCHES, _LINE_LENGTH = 0.62, 1.9, 11.0, 120
_TITLES = {
    "promote": "The challenger becomes champion",
    "keep": "The champion stays",
    "undecided": "Nothing was decided",
    "nothing": "No contest",
}


def decision_figure(decision: Mapping[str, Any], comparison: pd.DataFrame) -> "Figure":
    """Draws what a decision rests on.

    Args:
        decision: Record of `medpipe.promotion.decision.Decision`: outcome, reason, confidence, champion, challenger.
        comparison: Its table; without any difference the figure says the reason alone.
    """
    from matplotlib.figure import Figure

    title = _TITLES[decision["outcome"]]
    rows = comparison[comparison["difference"].notna()].head(MAX_ROWS)
    if rows.empty:
        return nothing_figure(title, str(decision["reason"]))
    reason = textwrap.fill(str(decision["reason"]), _LINE_LENGTH)
    height = _ROW_INCHES * len(rows) + _FRAME_INCHES + 0.15 * reason.count("\n")
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained", facecolor="white")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, row in zip(axes, rows.to_dict("records"), strict=True):
        _draw_row(axis, {str(name): value for name, value in row.items()})
    axes[-1].set_xlabel(
        f"challenger minus champion, with {decision['confidence']:.0%} intervals; yellow: loss that is borne, "
        "or gain that does not count"
    )
    figure.suptitle(f"{title}\n{reason}", fontsize=10)
    return figure


def _draw_row(axis: "Axes", row: Mapping[str, Any]) -> None:
    colour = _COLOURS.get(row["verdict"], _PLAIN)
    low, high = row["difference_low"], row["difference_high"]
    sign = 1.0 if row["better"] == "higher" else -1.0
    borne = sign * row["tolerance"] * (1.0 if row["role"] == "headline" else -1.0)
    reach = max(abs(value) for value in (row["difference"], low, high, borne) if np.isfinite(value)) or 1.0
    if borne:
        axis.axvspan(min(borne, 0), max(borne, 0), color=_BORNE, alpha=0.45, linewidth=0)
    axis.axvline(0, color="0.3", linewidth=1)
    if np.isfinite([low, high]).all():
        axis.plot([low, high], [0, 0], color=colour, linewidth=3, solid_capstyle="butt")
    axis.plot(row["difference"], 0, "o", color=colour, markersize=7)
    axis.set_xlim(-1.25 * reach, 1.25 * reach)
    axis.set_ylim(-1, 1)
    arrow = {"higher": "↑", "lower": "↓"}.get(row["better"], "") if row["role"] != "other" else ""
    axis.set_yticks([0], [f"{row['metric']} {arrow}\n{row['role']}"])
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=7)
    numbers = axis.secondary_yaxis("right")
    said = f"{row['challenger']:.4g} against {row['champion']:.4g}"
    numbers.set_yticks([0], [f"{said}\n{row['verdict']}"])
    numbers.tick_params(length=0)
    numbers.spines["right"].set_visible(False)
