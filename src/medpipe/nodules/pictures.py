"""Evaluated findings as pictures: cuts them out of the scan store for `medpipe.reporting.scans`."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medpipe.ct.store import ScanStore
from medpipe.nodules.evaluation.matching import POSITION, diameters_mm
from medpipe.reporting.scans import Mark, SliceView, View, gallery_figure, slice_figure, slice_sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEW_EDGE_MM = 48.0
"""Edge of the cube shown around a finding."""

_UINT8_RANGE = (0.0, 255.0)


def scan_figure(
    store: ScanStore, series_uid: str, findings: pd.DataFrame, title: str = "", index: int | None = None
) -> "Figure":
    """An axial slice of a stored scan with its findings.

    Args:
        store: Where the scan is.
        series_uid: Which scan.
        findings: Rows of findings or matches with series_uid, x_mm, y_mm, z_mm, diameter_mm, and ``outcome`` or
            ``kind``, which chooses the colour; those of other scans are left out.
        title: Above the picture.
        index: Of the slice; None takes the one that cuts most findings.
    """
    view = _slice_view(store, series_uid, findings, title)
    return slice_figure(view.volume, view.spacing_zyx_mm, view.marks, index, title, _UINT8_RANGE)


def cohort_sheet(
    store: ScanStore, findings: pd.DataFrame, series: Mapping[str, Sequence[str]], most: int = 4
) -> "Figure":
    """A sheet of scans with their nodules: a row of scans from each split.

    Args:
        store: The scans.
        findings: ``ct_nodules``.
        series: Split to series uids.
        most: Scans of each split.
    """
    nodules = findings[findings["kind"] == "nodule"]
    views = [
        _slice_view(store, uid, nodules, f"{split} {number}")
        for split, uids in series.items()
        for number, uid in enumerate(uids[:most], start=1)
    ]
    counts = ", ".join(f"{len(uids)} {split}" for split, uids in series.items())
    return slice_sheet(views, f"Prepared scans with their nodules ({counts})", most, _UINT8_RANGE)


def _slice_view(store: ScanStore, series_uid: str, findings: pd.DataFrame, title: str) -> SliceView:
    scan = store.open(series_uid)
    here = findings[findings["series_uid"] == series_uid]
    label = here["outcome"] if "outcome" in here else here["kind"] if "kind" in here else ["nodule"] * len(here)
    positions = scan.geometry.to_voxel(here[POSITION].to_numpy(np.float64))
    marks = [
        Mark((z, y, x), diameter, str(name), f"{diameter:.0f} mm")
        for (z, y, x), diameter, name in zip(positions, diameters_mm(here), label, strict=True)
    ]
    return SliceView(scan.image, scan.geometry.spacing_zyx_mm, marks, title)


def outcome_gallery(store: ScanStore, matches: pd.DataFrame, outcome: str, most: int = 9) -> "Figure":
    """Gallery of one outcome (``hit``, ``miss``, ``false alarm``): the most probable first; of misses, the largest.

    Hits and false alarms are those that reach the operating threshold; nodules that do not reach it are misses.

    Args:
        store: The scans.
        matches: Of `medpipe.nodules.evaluation.evaluate.Evaluation`.
        outcome: Which rows.
        most: How many.
    """
    rows = at_operating_point(matches, outcome)
    order = "diameter_mm" if outcome == "miss" else "probability"
    chosen = rows.sort_values(order, ascending=False, kind="stable").head(most)
    views = [finding_view(store, row, outcome) for _, row in chosen.iterrows()]
    spacing = store.open(chosen["series_uid"].iloc[0]).geometry.spacing_zyx_mm[0] if len(chosen) else 1.0
    plural = {"hit": "Hits", "miss": "Misses", "false alarm": "False alarms"}.get(outcome, outcome)
    return gallery_figure(views, spacing, f"{plural}: {len(chosen)} of {len(rows)}")


def at_operating_point(matches: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Rows of ``matches`` with an outcome, judged at the operating threshold."""
    nodule = matches["outcome"].isin(["hit", "miss"])
    if outcome == "hit":
        return matches[nodule & matches["alarm"]]
    if outcome == "miss":
        return matches[nodule & ~matches["alarm"]]
    return matches[(matches["outcome"] == outcome) & matches["alarm"]]


def finding_view(store: ScanStore, row: "pd.Series[Any]", outcome: str) -> View:
    """A finding with its surroundings.

    Args:
        store: Where its scan is.
        row: series_uid, x_mm, y_mm, z_mm, diameter_mm, probability (not a number where it has no candidate).
        outcome: Chooses the colour.
    """
    scan = store.open(str(row["series_uid"]))
    centre = scan.geometry.to_voxel([[row[name] for name in POSITION]])[0]
    edge = 2 * math.ceil(VIEW_EDGE_MM / 2 / scan.geometry.spacing_zyx_mm[0])
    start = np.rint(centre).astype(int) - edge // 2
    diameter = float(diameters_mm(row.to_frame().T)[0])
    probability = float(row["probability"])
    caption = f"{diameter:.1f} mm" + (f", p = {probability:.2f}" if np.isfinite(probability) else ", no candidate")
    z, y, x = centre - start
    return View(scan.patch(start, (edge, edge, edge)), Mark((z, y, x), diameter, outcome), caption)
