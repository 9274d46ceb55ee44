"""The figure of a property model: truth against prediction, how far uncertainties hold, error against similarity."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_TASKS = 6
"""Tasks drawn, a row each."""
_COLOUR, _OUTSIDE_COLOUR, _LINE_COLOUR = "#0072B2", "#D55E00", "#8c8c8c"  # of Okabe and Ito
_N_BINS = 8
_MIN_IN_BIN = 5
_LEVELS = np.linspace(0.05, 0.95, 19)

FloatArray = npt.NDArray[np.float64]


def property_figure(
    predictions: pd.DataFrame, *, title: str = "Molecules of test, which no model has seen"
) -> "Figure":
    """Draws the first tasks, a row each.

    Args:
        predictions: Columns task, target, value, uncertainty, similarity (to the nearest molecule of train), in_domain.
            A task whose targets are all 0 or 1 is drawn as a class, its values as probabilities.
        title: Above the figure.
    """
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(predictions["task"]))[:MAX_TASKS]
    figure = Figure(figsize=(13.0, 0.6 + 4.2 * max(1, len(tasks))), layout="constrained", facecolor="white")
    axes = figure.subplots(max(1, len(tasks)), 3, squeeze=False)
    for row, task in zip(axes, tasks, strict=True):
        table = predictions[predictions["task"] == task]
        is_class = bool(table["target"].isin([0, 1]).all())
        (_draw_roc if is_class else _draw_parity)(row[0], table, task)
        (_draw_reliability if is_class else _draw_coverage)(row[1], table)
        _draw_error(row[2], table, is_class)
    n_tasks = predictions["task"].nunique()
    figure.suptitle(title if n_tasks <= MAX_TASKS else f"{title} (the first {MAX_TASKS} of {n_tasks} targets)")
    return figure


def _draw_parity(axes: "Axes", table: pd.DataFrame, task: str) -> None:
    for inside, colour, label in ((True, _COLOUR, "in the domain"), (False, _OUTSIDE_COLOUR, "outside")):
        part = table[table["in_domain"] == inside]
        style: dict[str, Any] = {"fmt": "o", "markersize": 3, "elinewidth": 0.4, "alpha": 0.7, "color": colour}
        axes.errorbar(part["target"], part["value"], part["uncertainty"], label=f"{label} ({len(part)})", **style)
    ends = [table[["target", "value"]].min().min(), table[["target", "value"]].max().max()]
    axes.plot(ends, ends, color=_LINE_COLOUR, linewidth=1, linestyle="--")
    rmse = float(np.sqrt(((table["value"] - table["target"]) ** 2).mean()))
    _label(axes, f"{task}, known", "predicted, with its uncertainty", f"{task}: RMSE {rmse:.3f}")


def _draw_coverage(axes: "Axes", table: pd.DataFrame) -> None:
    from scipy.stats import norm

    ratio = (table["value"] - table["target"]).abs().to_numpy() / table["uncertainty"].to_numpy()
    held = [float((ratio <= norm.ppf((1 + level) / 2)).mean()) for level in _LEVELS]
    axes.plot([0, 1], [0, 1], color=_LINE_COLOUR, linewidth=1, linestyle="--", label="as promised")
    axes.plot(_LEVELS, held, "o-", color=_COLOUR, markersize=3, label="on test")
    _label(axes, "share of errors that should be inside the interval", "share that is", "Intervals")


def _draw_roc(axes: "Axes", table: pd.DataFrame, task: str) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    target, value = table["target"].to_numpy(), table["value"].to_numpy()
    axes.plot([0, 1], [0, 1], color=_LINE_COLOUR, linewidth=1, linestyle="--", label="chance")
    name = f"{task}: all of one class"
    if len(np.unique(target)) == 2:
        false, hit, _ = roc_curve(target, value)
        axes.plot(false, hit, color=_COLOUR, label=f"{int(target.sum())} of {len(target)} positive")
        name = f"{task}: AUROC {roc_auc_score(target, value):.3f}"
    _label(axes, "false positive rate", "sensitivity", name)


def _draw_reliability(axes: "Axes", table: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=_LINE_COLOUR, linewidth=1, linestyle="--", label="perfect")
    bins = np.minimum((table["value"].to_numpy() * _N_BINS).astype(int), _N_BINS - 1)
    means = table[["value", "target"]].groupby(bins).mean()
    brier = float(((table["value"] - table["target"]) ** 2).mean())
    axes.plot(means["value"], means["target"], "o-", color=_COLOUR, label=f"on test, Brier {brier:.3f}")
    _label(axes, "mean probability in the bin", "share of positive molecules", "Probabilities")


def _draw_error(axes: "Axes", table: pd.DataFrame, is_class: bool) -> None:
    """Single molecules, and the mean in bins with as many molecules each."""
    error = (table["value"] - table["target"]).abs().to_numpy(dtype=np.float64)
    distance = 1 - table["similarity"].to_numpy(dtype=np.float64)
    axes.plot(distance, error, ".", color=_LINE_COLOUR, markersize=3, alpha=0.5)
    order = np.argsort(distance, kind="stable")
    bins = np.array_split(order, max(1, min(_N_BINS, len(order) // _MIN_IN_BIN)))
    middle, mean = ([float(values[rows].mean()) for rows in bins] for values in (distance, error))
    axes.plot(middle, mean, "o-", color=_COLOUR, label="mean of a bin")
    outside = distance[~table["in_domain"].to_numpy(dtype=bool)]
    if len(outside):
        axes.axvline(outside.min(), color=_OUTSIDE_COLOUR, linewidth=1, label="outside the domain from here")
    error_name = "|probability - class|" if is_class else "|error|"
    _label(axes, "distance to train (1 - similarity to the nearest)", error_name, "Error and distance")


def _label(axes: "Axes", x: str, y: str, title: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(frameon=True, fontsize=8)
