"""The FROC figure."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR = "#1f5fa8"
CONTROL_COLOUR = "#8c8c8c"

_LOWEST_RATE, _HIGHEST_RATE = 0.125, 8.0
_TICKS = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8"}


def froc_figure(curve: pd.DataFrame, control: pd.DataFrame | None = None, title: str = "Nodule detection") -> "Figure":
    """FROC curve on LUNA16's axes: false alarms a scan (base 2 logarithm) against sensitivity.

    Args:
        curve: As ``medpipe.nodules.evaluation.evaluate.Evaluation.curve``: columns false_alarms_per_scan, sensitivity,
            rate, low, high; rows with a ``rate`` are the official points with their bootstrap interval.
        control: The same of the untrained network.
        title: Above the plot.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    if control is not None:
        _draw(axes, control, CONTROL_COLOUR, "untrained control")
    _draw(axes, curve, COLOUR, "detector")
    axes.set_xscale("log", base=2)
    axes.set_xlim(_LOWEST_RATE * 0.92, _HIGHEST_RATE * 1.09)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.set_yticks(np.linspace(0, 1, 11))
    axes.set_xlabel("mean false alarms per scan")
    axes.set_ylabel("sensitivity")
    axes.set_title(title)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(loc="lower right", frameon=True)
    return figure


def _draw(axes: "Axes", curve: pd.DataFrame, colour: str, name: str) -> None:
    points = curve[curve["rate"].isna()]
    official = curve[curve["rate"].notna()].sort_values("rate")
    rates = np.geomspace(_LOWEST_RATE, _HIGHEST_RATE, 400)
    label = f"{name}, CPM {official['sensitivity'].mean():.3f}" if len(official) else name
    if len(points):
        sensitivity = np.interp(rates, points["false_alarms_per_scan"], points["sensitivity"])
        axes.plot(rates, sensitivity, color=colour, linewidth=1.8, label=label)
    if len(official):
        axes.fill_between(official["rate"], official["low"], official["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(official["rate"], official["sensitivity"], "o", color=colour, markersize=4.5)
