"""Lung masks drawn over their scans: outlines in three planes, with the findings, to be looked at by a person."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medpipe.reporting.scans import COLOURS, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTLINES = ("#4db2ff", "#ff9f1c", "#d36bff", "#35c46a")
"""Colours of the outlines, in the order of the masks."""

_BACKGROUND = "#101214"
_TEXT = "#e8eaed"
_PLANES = ("axial", "coronal", "sagittal")
_CUTS = (0.04, 0.96)
"""Between which fractions of the mask's extent the planes are cut."""


def lung_sheet(
    image: npt.NDArray[Any],
    masks: Mapping[str, npt.NDArray[Any]],
    spacing_zyx_mm: Sequence[float],
    marks: Sequence[Mark] = (),
    title: str = "",
    cuts: int = 6,
    grey_range: tuple[float, float] = (-1000.0, 400.0),
) -> "Figure":
    """Axial, coronal and sagittal cuts of one scan with the outlines of its masks and circles around its findings.

    Args:
        image: Voxels (z, y, x) in patient orientation (LPS).
        masks: Name to voxels that are not 0, of the image's shape; the first one decides where the cuts lie.
        spacing_zyx_mm: Of the voxels.
        marks: Findings, drawn on the cut of each plane that is nearest to them if it touches them.
        title: Above all; no patient's name or number.
        cuts: Of each plane, evenly spread; planes through findings are added.
        grey_range: Values shown black and white.
    """
    from matplotlib.figure import Figure

    rows = [_positions(next(iter(masks.values())), axis, cuts, marks) for axis in range(3)]
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(2.6 * columns, 8.4), layout="constrained", facecolor=_BACKGROUND)
    figure.suptitle(title, color=_TEXT, fontsize=11)
    grid = figure.subplots(3, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axis, positions in enumerate(rows):
        for axes, position in zip(grid[axis], positions, strict=False):
            _draw_cut(axes, image, masks, spacing_zyx_mm, marks, axis, position, grey_range)
    handles = [_legend_line(name, colour) for name, colour in zip(masks, OUTLINES, strict=False)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), labelcolor=_TEXT, frameon=False)
    return figure


def _positions(mask: npt.NDArray[Any], axis: int, cuts: int, marks: Sequence[Mark]) -> list[int]:
    """Where a plane is cut: evenly over the mask, and through every finding."""
    others = tuple(other for other in range(3) if other != axis)
    occupied = np.flatnonzero(mask.any(axis=others))
    first, last = (occupied[0], occupied[-1]) if occupied.size else (0, mask.shape[axis] - 1)
    even = np.quantile(np.arange(first, last + 1), np.linspace(*_CUTS, cuts)).round().astype(int)
    through = [min(max(round(mark.centre_zyx[axis]), 0), mask.shape[axis] - 1) for mark in marks]
    return sorted({*even.tolist(), *through})


def _draw_cut(
    axes: "Axes",
    image: npt.NDArray[Any],
    masks: Mapping[str, npt.NDArray[Any]],
    spacing_zyx_mm: Sequence[float],
    marks: Sequence[Mark],
    axis: int,
    position: int,
    grey_range: tuple[float, float],
) -> None:
    from matplotlib.patches import Circle

    rows_mm, columns_mm = (spacing for other, spacing in enumerate(spacing_zyx_mm) if other != axis)
    slice_ = image.take(position, axis=axis)
    height, width = slice_.shape
    extent = (-0.5 * columns_mm, (width - 0.5) * columns_mm, (height - 0.5) * rows_mm, -0.5 * rows_mm)
    axes.imshow(slice_, cmap="gray", vmin=grey_range[0], vmax=grey_range[1], extent=extent)
    for mask, colour in zip(masks.values(), OUTLINES, strict=False):
        cut = mask.take(position, axis=axis) != 0
        if cut.any() and not cut.all():
            places = (np.arange(width) * columns_mm, np.arange(height) * rows_mm)
            axes.contour(*places, cut.astype(float), levels=[0.5], colors=[colour], linewidths=0.8)
    for mark in marks:
        away_mm = abs(mark.centre_zyx[axis] - position) * spacing_zyx_mm[axis]
        if away_mm <= max(mark.diameter_mm / 2, spacing_zyx_mm[axis]):
            row, column = (place for other, place in enumerate(mark.centre_zyx) if other != axis)
            radius_mm = mark.diameter_mm / 2 + 1.0  # the line must not hide the finding
            colour = COLOURS.get(mark.label, _TEXT)
            place_mm = (column * columns_mm, row * rows_mm)
            axes.add_patch(Circle(place_mm, radius_mm, fill=False, edgecolor=colour, linewidth=1.0))
    if axis != 0:
        axes.invert_yaxis()  # the head is up
    axes.set_title(f"{_PLANES[axis]} {position}", color=_TEXT, fontsize=7)


def _legend_line(name: str, colour: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=name)
