"""Slice pictures of scans with their findings, and galleries of single findings in three planes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

COLOURS = {
    "hit": "#35c46a",
    "miss": "#ff9f1c",
    "false alarm": "#ff4d4d",
    "nodule": "#35c46a",
    "irrelevant": "#9aa7b5",
    "candidate": "#4db2ff",
}
"""Circle colours by what a finding is."""

_BACKGROUND = "#101214"
_TEXT = "#e8eaed"
_SCALE_BAR_MM = 50.0
_VIEW_SCALE_BAR_MM = 10.0
_TEXT_LEFT_FROM = 0.8  # of the picture's width: right of it a text would not fit
_PLANES = ("axial", "coronal", "sagittal")

Image = npt.NDArray[Any]


@dataclass(frozen=True)
class Mark:
    """A finding to draw.

    Attributes:
        centre_zyx: Voxel coordinates in the picture's volume.
        diameter_mm: Of the circle.
        label: Key of `COLOURS`.
        text: Beside the circle.
    """

    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    label: str = "nodule"
    text: str = ""


@dataclass(frozen=True)
class View:
    """A finding with its surroundings, for the gallery.

    Attributes:
        patch: Voxels (z, y, x) around the finding, isotropic; its middle is ``mark.centre_zyx``.
        mark: The finding, in voxel coordinates of the patch.
        caption: Under the pictures; no patient's name or number.
    """

    patch: Image
    mark: Mark
    caption: str = ""


@dataclass(frozen=True)
class SliceView:
    """A scan with its findings, of which one axial slice is drawn.

    Attributes:
        volume: Voxels (z, y, x); anything that gives one slice when it is indexed.
        spacing_zyx_mm: Of the voxels.
        marks: Findings.
        title: Above the picture; no patient's name or number.
    """

    volume: Any
    spacing_zyx_mm: tuple[float, float, float]
    marks: Sequence[Mark]
    title: str = ""


def slice_figure(
    volume: Image,
    spacing_zyx_mm: tuple[float, float, float],
    marks: Sequence[Mark] = (),
    index: int | None = None,
    title: str = "",
    grey_range: tuple[float, float] | None = None,
) -> "Figure":
    """One axial slice with the findings that reach into it.

    Args:
        volume: Voxels (z, y, x) in patient orientation (LPS: rows run to the back, columns to the patient's left, so
            the patient's right is on the left of the picture, as radiologists look at it).
        spacing_zyx_mm: Of the voxels.
        marks: Findings; a circle is drawn where the sphere cuts the slice.
        index: Of the slice; None takes the one through most findings, or the middle.
        title: Above the picture.
        grey_range: Values shown black and white; None takes the slice's own.
    """
    from matplotlib.figure import Figure

    height_mm, width_mm = np.multiply(volume.shape[1:], spacing_zyx_mm[1:])
    figure = Figure(figsize=(6.0, 6.0 * height_mm / width_mm + 0.4), layout="constrained", facecolor=_BACKGROUND)
    _draw_slice(figure.add_subplot(), SliceView(volume, spacing_zyx_mm, marks, title), index, grey_range)
    return figure


def slice_sheet(
    views: Sequence[SliceView], title: str = "", columns: int = 4, grey_range: tuple[float, float] | None = None
) -> "Figure":
    """Axial slices of several scans side by side, each through most of its findings.

    Args:
        views: The scans.
        title: Above all.
        columns: Scans side by side.
        grey_range: Values shown black and white; None takes each slice's own.
    """
    from matplotlib.figure import Figure

    n_rows = max(1, -(-len(views) // columns))
    figure = Figure(figsize=(3.6 * columns, 3.1 * n_rows + 0.4), layout="constrained", facecolor=_BACKGROUND)
    if title:
        figure.suptitle(title, color=_TEXT, fontsize=12)
    grid = figure.subplots(n_rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, view in zip(grid, views, strict=False):
        _draw_slice(axes, view, None, grey_range)
    return figure


def _draw_slice(axes: "Axes", view: SliceView, index: int | None, grey_range: tuple[float, float] | None) -> None:
    spacing = view.spacing_zyx_mm
    if index is None:
        index = busiest_slice(len(view.volume), spacing[0], view.marks)
    slice_ = np.asarray(view.volume[index])
    height_mm, width_mm = np.multiply(slice_.shape, spacing[1:])
    _show(axes, slice_, spacing[1:], grey_range)
    for mark in view.marks:
        above_mm = (mark.centre_zyx[0] - index) * spacing[0]
        radius_mm = mark.diameter_mm / 2
        if abs(above_mm) < max(radius_mm, spacing[0]):
            cut_mm = np.sqrt(max(radius_mm**2 - above_mm**2, (radius_mm / 2) ** 2))
            _circle(axes, (mark.centre_zyx[1] * spacing[1], mark.centre_zyx[2] * spacing[2]), cut_mm, mark)
    _scale_bar(axes, _SCALE_BAR_MM, width_mm, height_mm)
    if view.title:
        axes.set_title(view.title, color=_TEXT, fontsize=10)


def busiest_slice(n_slices: int, spacing_z_mm: float, marks: Sequence[Mark]) -> int:
    """The axial slice that cuts most findings; the middle one where there is none."""
    if not marks:
        return n_slices // 2
    centres = np.array([mark.centre_zyx[0] for mark in marks])
    reach = np.array([max(mark.diameter_mm / 2 / spacing_z_mm, 0.5) for mark in marks])
    cuts = (np.abs(np.arange(n_slices)[:, None] - centres) <= reach).sum(axis=1)
    best = np.flatnonzero(cuts == cuts.max())
    return int(best[len(best) // 2])


def gallery_figure(
    views: Sequence[View],
    spacing_mm: float,
    title: str = "",
    columns: int = 3,
    grey_range: tuple[float, float] = (0, 255),
) -> "Figure":
    """Findings, each as three orthogonal slices through its centre.

    Args:
        views: Findings with their surroundings.
        spacing_mm: Of the isotropic voxels.
        title: Above all.
        columns: Findings side by side.
        grey_range: Values shown black and white.
    """
    from matplotlib.figure import Figure

    n_rows = max(1, -(-len(views) // columns))
    figure = Figure(figsize=(4.2 * columns, 1.75 * n_rows + 0.5), layout="constrained", facecolor=_BACKGROUND)
    if title:
        figure.suptitle(title, color=_TEXT, fontsize=12)
    if not views:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "none", color=_TEXT, ha="center", va="center")
        return figure
    grid = np.atleast_2d(figure.subfigures(n_rows, columns, squeeze=False))
    for cell in grid.ravel():
        cell.set_facecolor(_BACKGROUND)
    for cell, view in zip(grid.ravel(), views, strict=False):
        axes_of_planes = cell.subplots(1, 3)
        for axis, axes in enumerate(axes_of_planes):
            _show_plane(axes, view, axis, spacing_mm, grey_range)
        colour = COLOURS.get(view.mark.label, _TEXT)
        cell.suptitle(view.caption, color=colour, fontsize=8)
    return figure


def _show_plane(axes: "Axes", view: View, axis: int, spacing_mm: float, grey_range: tuple[float, float]) -> None:
    """The slice across ``axis`` (0 axial, 1 coronal, 2 sagittal) through the finding; the head is up."""
    index = int(np.clip(round(view.mark.centre_zyx[axis]), 0, view.patch.shape[axis] - 1))
    slice_ = view.patch.take(index, axis=axis)
    rows, cols = [position for other, position in enumerate(view.mark.centre_zyx) if other != axis]
    _show(axes, slice_, (spacing_mm, spacing_mm), grey_range)
    _circle(axes, (rows * spacing_mm, cols * spacing_mm), view.mark.diameter_mm / 2, view.mark)
    if axis != 0:
        axes.invert_yaxis()
    height_mm, width_mm = np.multiply(slice_.shape, spacing_mm)
    if axis == 0:
        _scale_bar(axes, _VIEW_SCALE_BAR_MM, width_mm, height_mm)
    axes.set_xlabel(_PLANES[axis], color=_TEXT, fontsize=6, labelpad=1)


def _show(axes: "Axes", slice_: Image, spacing_mm: Sequence[float], grey_range: tuple[float, float] | None) -> None:
    low, high = grey_range if grey_range is not None else (float(slice_.min()), max(float(slice_.max()), 1e-6))
    rows, columns = slice_.shape
    # Centres of voxels lie at their index times the spacing, so that marks are drawn in millimetres.
    extent = (-0.5 * spacing_mm[1], (columns - 0.5) * spacing_mm[1], (rows - 0.5) * spacing_mm[0], -0.5 * spacing_mm[0])
    axes.imshow(slice_, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="bilinear")
    axes.set_facecolor(_BACKGROUND)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _circle(axes: "Axes", centre_mm: tuple[float, float], radius_mm: float, mark: Mark) -> None:
    from matplotlib.patches import Circle

    row, column = centre_mm
    colour = COLOURS.get(mark.label, _TEXT)
    # A little wider than the finding, which the line must not hide.
    axes.add_patch(Circle((column, row), radius_mm * 1.25 + 1.0, fill=False, edgecolor=colour, linewidth=1.2))
    if mark.text:
        left = column > _TEXT_LEFT_FROM * axes.get_xlim()[1]
        axes.annotate(
            mark.text,
            (column + (-1 if left else 1) * (radius_mm * 1.25 + 2.0), row),
            color=colour,
            fontsize=7,
            ha="right" if left else "left",
            va="center",
            annotation_clip=True,
            path_effects=_dark_rim(),
        )


def _scale_bar(axes: "Axes", length_mm: float, width_mm: float, height_mm: float) -> None:
    left, bottom = 0.04 * width_mm, 0.95 * height_mm
    rim = _dark_rim()
    axes.plot([left, left + length_mm], [bottom, bottom], color=_TEXT, linewidth=1.5, path_effects=rim)
    axes.text(
        left + length_mm / 2, bottom - 0.02 * height_mm, f"{length_mm:.0f} mm", color=_TEXT, fontsize=6,
        ha="center", va="bottom", path_effects=rim,
    )  # fmt: skip


def _dark_rim() -> "list[AbstractPathEffect]":
    """Around a line or a text, which so can be read on bone as on lung."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground=_BACKGROUND)]
