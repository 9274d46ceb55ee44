"""The figure of a two-class classifier: ROC curve, reliability and confusion matrix."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR = "#1f5fa8"
CHANCE_COLOUR = "#8c8c8c"

_DARK_SHARE = 0.5  # numbers on darker cells of the confusion matrix are white


def classification_figure(
    metrics: Mapping[str, float],
    table: pd.DataFrame,
    curve: pd.DataFrame,
    title: str = "Classification",
    classes: tuple[str, str] = ("negative", "positive"),
    n_bins: int = 10,
) -> "Figure":
    """How well two classes are told apart, how far the probabilities can be believed, and what was mistaken for what.

    Args:
        metrics: Of which auc, auc_low, auc_high, brier, calibration_error and operating_threshold are written down,
            where they are there.
        table: One row a finding: target (0 or 1), class_probability, positive (whether it was called so).
        curve: Columns false_positive_rate, sensitivity, low, high; rows with ``low`` are the interval. Without rows the
            figure says that the curve is not defined.
        title: Above the figure.
        classes: Names of class 0 and class 1.
        n_bins: Bins of the probability, of equal width.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 4.9), layout="constrained")
    roc, reliability, confusion = figure.subplots(1, 3)
    _draw_roc(roc, metrics, table, curve)
    _draw_reliability(reliability, metrics, table, n_bins)
    _draw_confusion(confusion, metrics, table, classes)
    figure.suptitle(title)
    return figure


def _draw_roc(axes: "Axes", metrics: Mapping[str, float], table: pd.DataFrame, curve: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=CHANCE_COLOUR, linewidth=1, linestyle="--", label="chance")
    if curve.empty:
        axes.text(0.5, 0.6, "not defined: all findings\nare of one class", ha="center", va="center")
    else:
        points, band = curve[curve["low"].isna()], curve[curve["low"].notna()]
        axes.fill_between(band["false_positive_rate"], band["low"], band["high"], color=COLOUR, alpha=0.15, linewidth=0)
        label = f"AUC {metrics['auc']:.3f} ({metrics['auc_low']:.3f} to {metrics['auc_high']:.3f})"
        axes.plot(points["false_positive_rate"], points["sensitivity"], color=COLOUR, linewidth=1.8, label=label)
        truth, called = table["target"] == 1, table["positive"]
        axes.plot((called & ~truth).sum() / (~truth).sum(), (called & truth).sum() / truth.sum(), "o", color=COLOUR)
    _square(axes, "false positive rate (1 - specificity)", "sensitivity", "ROC curve and operating point")
    axes.legend(loc="lower right", frameon=True, fontsize=9)


def _draw_reliability(axes: "Axes", metrics: Mapping[str, float], table: pd.DataFrame, n_bins: int) -> None:
    from scipy.stats import binomtest

    axes.plot([0, 1], [0, 1], color=CHANCE_COLOUR, linewidth=1, linestyle="--")
    probability, target = table["class_probability"].to_numpy(), table["target"].to_numpy()
    bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    by_bin = pd.DataFrame({"probability": probability, "target": target}).groupby(bins)
    means, counts = by_bin.mean(), by_bin.size()
    found = by_bin["target"].sum().astype(int)
    # Few cases make the interval of a share wide (Wilson 1927).
    shares = [binomtest(k, n).proportion_ci(0.95, "wilson") for k, n in zip(found, counts, strict=True)]
    known = {"Brier": metrics.get("brier"), "calibration error": metrics.get("calibration_error")}
    scores = ", ".join(f"{name} {value:.3f}" for name, value in known.items() if value is not None)
    low, high = [share.low for share in shares], [share.high for share in shares]
    axes.vlines(means["probability"], low, high, color=COLOUR, alpha=0.45, linewidth=1.8)
    axes.plot(means["probability"], means["target"], "o", color=COLOUR, markersize=5)
    for x, y, count in zip(means["probability"], means["target"], counts, strict=True):
        axes.annotate(str(count), (x, y), xytext=(5, -3), textcoords="offset points", fontsize=8, annotation_clip=False)
    title = "\n".join(filter(None, ["Reliability, findings in each bin", scores]))
    _square(axes, "mean probability in the bin (dashed: perfect)", "share of positive findings", title)


def _draw_confusion(axes: "Axes", metrics: Mapping[str, float], table: pd.DataFrame, classes: tuple[str, str]) -> None:
    truth, called = table["target"].to_numpy(dtype=int), table["positive"].to_numpy(dtype=int)
    counts = np.zeros((2, 2), dtype=int)
    np.add.at(counts, (truth, called), 1)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > _DARK_SHARE else "black"
        text = f"{count}\n{shares[row, column]:.0%}" if totals[row] else "none"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=13)
    axes.set_xticks([0, 1], classes)
    axes.set_yticks([0, 1], classes, rotation=90, va="center")
    axes.set_xlabel("called")
    axes.set_ylabel("truth")
    threshold = metrics.get("operating_threshold")
    axes.set_title("Confusion" + ("" if threshold is None else f" at probability {threshold:.2f}"))


def _square(axes: "Axes", x: str, y: str, title: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_box_aspect(1)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(color="#dddddd", linewidth=0.6)
