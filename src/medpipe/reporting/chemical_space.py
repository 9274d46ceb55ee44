"""The map of chemical space as a picture."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any kind of colour vision and in grey print.
_COLOURS = {"generated": "#D55E00", "reference": "#0072B2"}
_BEHIND = "#C8CCD2"
_SIZE = (11.0, 5.9)
_MARGIN = 1.06  # of the map around its outermost points
CAPTION = (
    "Each point is a molecule; near points have similar Morgan fingerprints. Distances between far groups and the axes "
    "mean nothing, and two sets that share a map may still differ: the measures tell."
)


def space_map(space: pd.DataFrame, *, reference_name: str = "test molecules") -> "Figure":
    """Two panels of the same map, each with one set in front of the other, so that no set hides the other.

    Args:
        space: Of `medpipe.molecules.metrics.chemical_space.chemical_space`; without a row the picture says so.
        reference_name: What the reference is called.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained", facecolor="white")
    if space.empty:
        figure.text(0.5, 0.5, "no molecule to place on a map", ha="center", va="center", fontsize=14, color="0.4")
        return figure
    names = {"generated": "generated molecules", "reference": reference_name}
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    places = space[["x", "y"]].to_numpy()
    low, high = places.min(0), places.max(0)
    reach = _MARGIN * float((high - low).max()) / 2 or 1.0  # of a square that has room for all, one point among them
    (left, bottom), (right, top) = (low + high) / 2 - reach, (low + high) / 2 + reach
    axes[0].set(xlim=(left, right), ylim=(bottom, top))
    for axis, front, behind in zip(axes, names, reversed(names), strict=True):
        _scatter(axis, space[space["set"] == behind], _BEHIND)
        shown = space[space["set"] == front]
        _scatter(axis, shown, _COLOURS[front])
        axis.set_title(f"{len(shown):,} {names[front]}", fontsize=11, color=_COLOURS[front])
        axis.set_xlabel(f"grey: the {names[behind]}", fontsize=9, color="0.35")
    figure.suptitle("Chemical space: t-SNE of Tanimoto distances", fontsize=12)
    figure.supxlabel(verdict(space, reference_name), fontsize=10)
    return figure


def verdict(space: pd.DataFrame, reference_name: str = "test molecules") -> str:
    """What the nearest-neighbour test says, as a sentence."""
    if space.empty:
        return "There is no map."
    return (
        f"The most similar molecule on the map is of the same set for {100 * space['same'].mean():.1f} %; "
        f"50 % where generated and {reference_name} cannot be told apart."
    )


def _scatter(axis: "Axes", points: pd.DataFrame, colour: str) -> None:
    axis.scatter(points["x"], points["y"], s=9, color=colour, alpha=0.75, linewidths=0)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_aspect("equal")
    axis.spines[:].set_color("0.8")
