"""Outlines of masks over what they were drawn on, and how their agreement depends on size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTLINE_COLOURS = {"truth": "#35c46a", "prediction": "#ff9f1c"}
"""Colours of the two outlines."""

GROUP_COLOURS = ("#4db2ff", "#ff9f1c", "#35c46a", "#d36bff", "#9aa7b5")
"""Colours of the scatter's groups, in their order."""

_BACKGROUND = "#101214"
_TEXT = "#e8eaed"
_PLANES = ("axial", "coronal", "sagittal")
_UINT8_RANGE = (0.0, 255.0)
_SCATTER_INCHES = 3.6


@dataclass(frozen=True)
class OutlineView:
    """A finding with its surroundings and the masks that were drawn around it.

    Attributes:
        patch: Voxels (z, y, x), isotropic; the planes are cut through its middle.
        truth: Mask of the finding, of the same shape.
        prediction: Mask that is judged, of the same shape.
        caption: Over the pictures; no patient's name or number.
    """

    patch: npt.NDArray[Any]
    truth: npt.NDArray[np.bool_]
    prediction: npt.NDArray[np.bool_]
    caption: str = ""


def segmentation_figure(
    views: Sequence[OutlineView],
    groups: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    title: str = "",
    columns: int = 3,
    grey_range: tuple[float, float] = _UINT8_RANGE,
) -> "Figure":
    """Findings as three orthogonal slices with the outlines of truth and prediction; under them, Dice by diameter.

    Args:
        views: Findings with their masks; at least one.
        groups: Name of a group, such as a texture, to its diameters in mm and their Dice, a point a finding; missing
            values are left out.
        title: Above all.
        columns: Findings side by side.
        grey_range: Values shown black and white.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    n_rows = -(-len(views) // columns)
    heights = [1.75 * n_rows + 0.8, _SCATTER_INCHES]
    figure = Figure(figsize=(4.2 * columns, sum(heights)), layout="constrained", facecolor=_BACKGROUND)
    gallery, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False).ravel()
    gallery.suptitle(title, color=_TEXT, fontsize=12)
    cells = gallery.subfigures(n_rows, columns, squeeze=False).ravel()
    for part in (gallery, below, *cells):
        part.set_facecolor(_BACKGROUND)
    for cell, view in zip(cells, views, strict=False):
        for axis, axes in enumerate(cell.subplots(1, 3)):
            _draw_plane(axes, view, axis, grey_range)
        cell.suptitle(view.caption, color=_TEXT, fontsize=8)
    lines = [Line2D([], [], color=colour, label=name) for name, colour in OUTLINE_COLOURS.items()]
    gallery.legend(handles=lines, loc="outside lower center", ncols=2, labelcolor=_TEXT, frameon=False, fontsize=8)
    _draw_dice(below.subplots(), groups)
    return figure


def _draw_plane(axes: "Axes", view: OutlineView, axis: int, grey_range: tuple[float, float]) -> None:
    """The slice across ``axis`` (0 axial, 1 coronal, 2 sagittal) through the middle; the head is up."""
    index = view.patch.shape[axis] // 2
    axes.imshow(view.patch.take(index, axis=axis), cmap="gray", vmin=grey_range[0], vmax=grey_range[1])
    for mask, colour in zip((view.truth, view.prediction), OUTLINE_COLOURS.values(), strict=True):
        cut = mask.take(index, axis=axis)
        if cut.any():
            # A frame of nothing closes the outline of a mask that reaches the edge of the picture.
            rows, across = (np.arange(-1, size + 1) for size in cut.shape)
            axes.contour(across, rows, np.pad(cut, 1).astype(float), levels=[0.5], colors=[colour], linewidths=1.0)
    rows, across = view.patch.shape[:axis] + view.patch.shape[axis + 1 :]
    axes.set_xlim(-0.5, across - 0.5)
    axes.set_ylim(*((rows - 0.5, -0.5) if axis == 0 else (-0.5, rows - 0.5)))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(_PLANES[axis], color=_TEXT, fontsize=6, labelpad=1)


def _draw_dice(axes: "Axes", groups: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]) -> None:
    """Dice against diameter, a point a finding."""
    for number, (name, (diameters_mm, dice)) in enumerate(groups.items()):
        values = np.asarray([diameters_mm, dice], dtype=np.float64)
        known = values[:, np.isfinite(values).all(axis=0)]
        label = f"{name} ({known.shape[1]})" + (f", mean {known[1].mean():.2f}" if known.size else "")
        colour = GROUP_COLOURS[number % len(GROUP_COLOURS)]
        axes.scatter(known[0], known[1], s=22, alpha=0.8, color=colour, edgecolors="none", label=label)
    axes.set_facecolor(_BACKGROUND)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(left=0)
    axes.set_xlabel("diameter in mm", color=_TEXT)
    axes.set_ylabel("Dice", color=_TEXT)
    axes.tick_params(colors=_TEXT)
    axes.grid(alpha=0.25)
    for spine in axes.spines.values():
        spine.set_color(_TEXT)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, labelcolor=_TEXT, frameon=False)
