"""The report's scans: stacks of slices for the viewer, and findings in three planes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.ct.label_array import label_array
from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore
from medpipe.ct.stored_scan import StoredScan
from medpipe.nodules.evaluation.matching import POSITION, diameters_mm
from medpipe.nodules.pictures import finding_view
from medpipe.nodules.report_params import ReportParams
from medpipe.reporting.page import Card, Jump, Picture, Viewer, ViewerMark, ViewerScan, jpeg_uri
from medpipe.reporting.scans import View

PLANES = ("axial", "coronal", "sagittal")
HEAD_UP = (False, True, True)  # rows of a coronal or sagittal slice run to the head, those of a picture down

_BYTES_PER_MB = 1e6
_RING_SCALE, _RING_EXTRA_MM = 1.25, 1.0  # a little wider than the finding, which the line must not hide


def viewer(
    store: ScanStore,
    series_uids: Sequence[str],
    names: Mapping[str, str],
    marks: pd.DataFrame,
    params: ReportParams,
    masks: MaskStore | None = None,
    note: str = "",
) -> tuple[Viewer | None, dict[Any, Jump], dict[str, Jump]]:
    """The slice viewer.

    Args:
        store: The scans.
        series_uids: Those to show, in order; as many as ``params.viewer_scans`` are.
        names: Series uid to the name that the reader sees.
        marks: Findings to mark: series_uid, x_mm, y_mm, z_mm, diameter_mm, mark, text.
        params: Of the report.
        masks: Whose outlines are drawn.
        note: Above the viewer.

    Returns:
        The viewer, None without scans; buttons that show a mark, by the index of its row; and a scan, by its uid.
    """
    shown = list(series_uids)[: params.viewer_scans]
    budget = params.viewer_budget_mb * _BYTES_PER_MB / max(len(shown), 1)
    scans: list[ViewerScan] = []
    of_mark: dict[Any, Jump] = {}
    of_scan: dict[str, Jump] = {}
    for number, uid in enumerate(shown):
        here = marks[marks["series_uid"] == uid]
        scans.append(_viewer_scan(store.open(uid), names[uid], here, params, budget, masks))
        of_scan[uid] = Jump("show", number)
        of_mark |= {index: Jump("show", number, place) for place, index in enumerate(here.index)}
    return (Viewer(scans, note) if scans else None), of_mark, of_scan


def _viewer_scan(
    scan: StoredScan, name: str, marks: pd.DataFrame, params: ReportParams, budget: float, masks: MaskStore | None
) -> ViewerScan:
    depth, height, width = scan.shape
    scale = min(1.0, params.viewer_edge_px / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    step, slices = _slices(scan, size, params.jpeg_quality, budget)
    indices = range(0, depth, step)
    centres = scan.geometry.to_voxel(marks[POSITION].to_numpy(np.float64))
    voxel_mm = scan.geometry.spacing_zyx_mm
    viewer_marks = [
        ViewerMark(
            slice=int(np.clip(round(z / step), 0, len(indices) - 1)),
            x=round((x + 0.5) * scale - 0.5, 2),
            y=round((y + 0.5) * scale - 0.5, 2),
            radius=round(diameter / 2 / voxel_mm[1] * scale, 2),
            reach=round(diameter / 2 / voxel_mm[0] / step, 2),
            mark=str(row["mark"]),
            text=str(row["text"]),
        )
        for (z, y, x), diameter, (_, row) in zip(centres, diameters_mm(marks), marks.iterrows(), strict=True)
    ]
    height_mm = scan.geometry.to_world([(z, 0, 0) for z in indices])[:, 2]
    labels = [f"z {'−' if z < 0 else ''}{abs(z):.0f} mm" for z in height_mm]
    outlines = {} if masks is None else _outlines(scan, masks, step, scale)
    return ViewerScan(name, size[0], size[1], slices, labels, viewer_marks, outlines)


def _slices(scan: StoredScan, size: tuple[int, int], quality: int, budget: float) -> tuple[int, list[str]]:
    """Every ``step``-th slice, with the smallest step that keeps within the budget (bytes)."""
    step = 1
    while True:
        slices = [jpeg_uri(np.asarray(scan.image[z]), quality, size) for z in range(0, scan.shape[0], step)]
        total = sum(map(len, slices))
        if total <= budget or len(slices) == 1:
            return step, slices
        step = max(step + 1, math.floor(step * total / budget))


def _outlines(scan: StoredScan, masks: MaskStore, step: int, scale: float) -> dict[int, list[str]]:
    """Shown slice to the SVG paths of the masks that it cuts, in pixels of the slice."""
    from contourpy import contour_generator
    from scipy.ndimage import find_objects

    found = masks.read(scan.series_uid)
    if found is None:
        return {}
    labels = label_array(*found, scan.geometry)
    paths: dict[int, list[str]] = {}
    for number, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        rows, columns = box[1], box[2]
        for z in range(-(-box[0].start // step) * step, box[0].stop, step):
            flat = np.pad((labels[z, rows, columns] == number).astype(np.float64), 1)
            lines: list[npt.NDArray[np.float64]] = contour_generator(z=flat).lines(0.5)  # type: ignore[assignment]
            for line in lines:
                points = (line - 1 + (columns.start, rows.start) + 0.5) * scale - 0.5
                paths.setdefault(z // step, []).append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return paths


def finding_cards(
    store: ScanStore, rows: pd.DataFrame, mark: str, jumps: Mapping[Any, Jump], params: ReportParams
) -> list[Card]:
    """Findings in three orthogonal slices each, in the order of the rows.

    Args:
        store: The scans.
        rows: series_uid, x_mm, y_mm, z_mm, diameter_mm, probability.
        mark: What they are: the colour of their rings.
        jumps: To their places in the viewer, by index of the row.
        params: Of the report.
    """
    cards = []
    for index, row in rows.iterrows():
        view = finding_view(store, row, mark)
        spacing_mm = store.open(str(row["series_uid"])).geometry.spacing_zyx_mm[0]
        pictures = [_picture(view, axis, spacing_mm, params) for axis in range(3)]
        cards.append(Card(mark, view.caption, pictures, jumps.get(index)))
    return cards


def _picture(view: View, axis: int, spacing_mm: float, params: ReportParams) -> Picture:
    """The slice across ``axis`` through the middle of a finding; the head is up, the patient's right on the left."""
    index = int(np.clip(round(view.mark.centre_zyx[axis]), 0, view.patch.shape[axis] - 1))
    flat: npt.NDArray[np.uint8] = view.patch.take(index, axis=axis)
    row, column = [place for other, place in enumerate(view.mark.centre_zyx) if other != axis]
    if HEAD_UP[axis]:
        flat, row = flat[::-1], flat.shape[0] - 1 - row
    edge = flat.shape[0]
    radius_mm = view.mark.diameter_mm / 2 * _RING_SCALE + _RING_EXTRA_MM
    ring = ((column + 0.5) / edge * 100, (row + 0.5) / edge * 100, radius_mm / spacing_mm / edge * 100)
    size = (params.gallery_picture_px, params.gallery_picture_px)
    alt = f"{PLANES[axis]} slice through a {view.mark.label}, {view.caption}"
    return Picture(jpeg_uri(flat, params.jpeg_quality, size), alt, PLANES[axis], ring)
