"""A generator beside its control, as a picture."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.reporting.molecule_numbers import label
from medpipe.reporting.page import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any kind of colour vision and in grey print.
_COLOURS = {"better": "#0072B2", "worse": "#D55E00", "unclear": "0.45"}
_ROW_INCHES, _FRAME_INCHES, _WIDTH_INCHES = 0.32, 1.6, 10.0
_MOST = 6.0
"""Differences of more half-widths of their interval are drawn at the edge: their size is in the text."""
CAPTION = (
    "Each difference in half-widths of its 95 % interval, so that all measures share one axis; right of the line the "
    "GAN is better. The intervals are those of the molecules drawn: trainings with other seeds may differ by more."
)


def comparison_chart(comparison: pd.DataFrame) -> "Figure":
    """Differences that have an interval, one row a measure.

    Args:
        comparison: Of `medpipe.molecules.metrics.comparison.compare`; without an interval the picture says so.
    """
    from matplotlib.figure import Figure

    rows = comparison[comparison["verdict"] != ""]
    height = _ROW_INCHES * max(len(rows), 2) + _FRAME_INCHES
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained", facecolor="white")
    if rows.empty:
        figure.text(0.5, 0.5, "no measure of both has an interval", ha="center", va="center", fontsize=14, color="0.4")
        return figure
    axis = figure.subplots()
    colours = [_COLOURS[verdict] for verdict in rows["verdict"]]
    for place, (value, low, high) in enumerate(_in_half_widths(rows)):
        axis.plot([low, high], [place, place], color=colours[place], linewidth=2.5, solid_capstyle="butt")
        axis.plot(value, place, "o", color=colours[place], markersize=7)
    axis.axvline(0, color="0.3", linewidth=1)
    axis.set_yticks(range(len(rows)), [label(name) for name in rows["metric"]])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(-_MOST - 1, _MOST + 1)
    axis.set_xlabel("control better   ←   difference in half-widths of its 95 % interval   →   GAN better")
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    numbers = axis.secondary_yaxis("right")
    texts = [
        f"{number(ours)} against {number(theirs)}"
        for ours, theirs in zip(rows["generator"], rows["control"], strict=True)
    ]
    numbers.set_yticks(range(len(rows)), texts)
    numbers.tick_params(length=0)
    numbers.spines["right"].set_visible(False)
    figure.suptitle(f"GAN against likelihood control: {verdicts(comparison)}", fontsize=12)
    return figure


def verdicts(comparison: pd.DataFrame) -> str:
    """How many measures are better, worse, and not clearly either."""
    counts = comparison["verdict"].value_counts()
    return ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in _COLOURS)


def _in_half_widths(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Differences and their bounds (n, 3) in half-widths of the interval, positive where the generator is better."""
    values = rows[["difference", "difference_low", "difference_high"]].to_numpy(np.float64)
    unit = (values[:, 2] - values[:, 1]) / 2
    unit[unit == 0] = np.finfo(np.float64).tiny  # an interval of one value: at the edge, or at 0
    unit *= np.where(rows["better"] == "higher", 1, -1)
    return np.asarray((values / unit[:, None]).clip(-_MOST, _MOST))
