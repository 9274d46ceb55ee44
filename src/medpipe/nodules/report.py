"""The HTML report: how good a detector was on scans with known findings, or what was found in scans without.

Both are one page that works offline (`medpipe.reporting.page`). Scans are named by number and series uid; no column of
the tables that could name a patient is read.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.pictures import at_operating_point
from medpipe.nodules.report_numbers import (
    DETECTION_TILES,
    OPERATING_ROWS,
    SEGMENTATION_TILES,
    class_tiles,
    group_tables,
    is_of_segmentation_table,
    label,
    measure,
    metrics_table,
    plain_table,
    rates_table,
    segmentation_table,
    tiles,
)
from medpipe.nodules.report_params import ReportParams
from medpipe.nodules.report_scans import finding_cards, viewer
from medpipe.reporting.page import Block, Cell, Figure, Gallery, Jump, Page, Section, Table, figure_uri, render
from medpipe.reporting.page.froc_chart import froc_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

GALLERIES = {
    "hit": ("Hits", "probability", "the most probable first"),
    "miss": ("Misses", "diameter_mm", "the largest first"),
    "false alarm": ("False alarms", "probability", "the most probable first"),
}
"""Outcome to title, the column they are sorted by, and that in words."""

ONE_VALUE_NOTE = (
    "An interval of one value means that no drawn set differs from the scans as they are: with few cases it is too "
    "narrow to be believed."
)

SEGMENTATION_NOTE = (
    "Place known: outlined at the centre of the true finding. Place detected: the place reported, which is the middle "
    "of the outline; so a small nodule may be missed here that the detector's own place hits."
)

_MEASURES = ("diameter_mm", "mask_diameter_mm", "long_axis_mm", "volume_mm3", "probability", "class_probability")


def evaluation_report(
    store: ScanStore,
    *,
    metrics: Mapping[str, float],
    curves: pd.DataFrame,
    outcomes: pd.DataFrame,
    series_uids: Sequence[str],
    sources: Mapping[str, str] | None = None,
    segmentation_metrics: Mapping[str, float] | None = None,
    segmentation_scores: pd.DataFrame | None = None,
    segmentation_figure: "MatplotlibFigure | None" = None,
    classification_metrics: Mapping[str, float] | None = None,
    classification_scores: pd.DataFrame | None = None,
    classification_figure: "MatplotlibFigure | None" = None,
    masks: MaskStore | None = None,
    provenance: Mapping[str, Any] | None = None,
    params: ReportParams | None = None,
    confidence: float = 0.95,
    title: str = "Lung nodules: evaluation",
) -> str:
    """The report on scans with known findings.

    Args:
        store: The scans.
        metrics: Of `medpipe.nodules.evaluation.evaluate`.
        curves: Its FROC curve; a column ``network`` tells "trained" and "untrained" apart where it is there.
        outcomes: Its matches.
        series_uids: The scans that were searched.
        sources: Series uid to where the scan comes from.
        segmentation_metrics: Name to number; names with ``_low`` and ``_high`` are intervals.
        segmentation_scores: One row a finding.
        segmentation_figure: Outlines beside the true ones, Dice by size.
        classification_metrics: As for segmentation.
        classification_scores: One row a finding.
        classification_figure: ROC curve, reliability, confusion matrix.
        masks: Of the found nodules; the viewer draws their outlines.
        provenance: JSON-able: parameters, fingerprints, versions. It must not name patients.
        params: Of the report.
        confidence: Of the intervals.
        title: Of the page.

    Returns:
        HTML.
    """
    params = params or ReportParams()
    judged = _judged(outcomes)
    names = {uid: f"Scan {n}" for n, uid in enumerate(series_uids, start=1)}
    errors = judged[judged["mark"].isin(["miss", "false alarm"])]["series_uid"].value_counts()
    worst = sorted(names, key=lambda uid: -int(errors.get(uid, 0)))  # stable: equal ones stay in order
    note = "The scans with most misses and false alarms."
    slices, jumps, scans = viewer(store, worst, names, judged, params, masks, note)

    curve = curves[curves["network"] == "trained"] if "network" in curves else curves
    control = curves[curves["network"] == "untrained"] if "network" in curves else curves.iloc[:0]
    detection: list[Block] = [froc_chart(curve, control if len(control) else None), rates_table(curve)]
    detection.append(metrics_table("At the operating threshold", metrics, OPERATING_ROWS, ONE_VALUE_NOTE))
    detection += group_tables(metrics)
    sections = [Section("Detection", detection)]
    if segmentation_metrics is not None:
        sections.append(_segmentation_section(segmentation_metrics, segmentation_scores, segmentation_figure))
    if classification_metrics is not None:
        numbers = [metrics_table("Classification in numbers", classification_metrics)]
        sections.append(_task_section("Classification", numbers, classification_scores, classification_figure))
    sections.append(Section("Scans", [_scans_table(judged, names, sources, scans)]))
    sections.append(Section("Findings", [_gallery(store, judged, mark, jumps, params) for mark in GALLERIES]))
    headline = tiles(metrics, DETECTION_TILES)
    headline += tiles(segmentation_metrics or {}, SEGMENTATION_TILES) + class_tiles(classification_metrics or {})
    n_patients = f" of {metrics['n_patients']:.0f} patients" if "n_patients" in metrics else ""
    subtitle = (
        f"{len(names)} scans{n_patients} with {metrics.get('n_nodules', 0):.0f} nodules. "
        f"Intervals: {100 * confidence:g} %, bootstrap."
    )
    return render(Page(title, subtitle, headline, sections, slices, provenance or {}))


def inference_report(
    store: ScanStore,
    *,
    instances: pd.DataFrame,
    series_uids: Sequence[str],
    masks: MaskStore | None = None,
    provenance: Mapping[str, Any] | None = None,
    params: ReportParams | None = None,
    title: str = "Lung nodules: findings",
) -> str:
    """The report on scans without known findings: what was found, with galleries and viewer.

    Args:
        store: The scans.
        instances: One row a finding: finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, probability; and, where
            known, alarm (whether it reaches the operating threshold; without it all do), mask_diameter_mm,
            long_axis_mm, volume_mm3, class_probability.
        series_uids: The scans that were searched, with or without findings.
        masks: Of the findings; the viewer draws their outlines.
        provenance: JSON-able: parameters, fingerprints, versions. It must not name patients.
        params: Of the report.
        title: Of the page.

    Returns:
        HTML.
    """
    params = params or ReportParams()
    names = {uid: f"Scan {n}" for n, uid in enumerate(series_uids, start=1)}
    alarms = instances["alarm"].astype(bool) if "alarm" in instances else pd.Series(True, index=instances.index)
    ordered = instances[alarms].sort_values("probability", ascending=False, kind="stable")
    found = _with_text(ordered.assign(mark="candidate"))
    best = found.groupby("series_uid")["probability"].max()
    fullest = sorted(names, key=lambda uid: -float(best.get(uid, 0.0)))
    note = "The scans with the most probable findings."
    slices, jumps, scans = viewer(store, fullest, names, found, params, masks, note)
    chosen = found.head(params.gallery_size)
    cards = finding_cards(store, chosen, "candidate", jumps, params)
    below = f"{(~alarms).sum()} candidates below the operating threshold are left out." if (~alarms).any() else ""
    findings = _findings_table(found, names, jumps, below)
    gallery = Gallery(f"In three planes: {len(cards)} of {len(found)}", cards, "The most probable first.")
    per_scan = _scans_table(found, names, None, scans)
    sections = [Section("Findings", [findings, gallery]), Section("Scans", [per_scan])]
    subtitle = f"Findings: {len(found)}, in {found['series_uid'].nunique()} of {len(names)} scans."
    return render(Page(title, subtitle, (), sections, slices, provenance or {}))


def _judged(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the outcomes that count at the operating threshold, with ``mark`` and ``text``."""
    parts = [at_operating_point(outcomes, mark).assign(mark=mark) for mark in (*GALLERIES, "ignored")]
    return _with_text(pd.concat(parts))


def _with_text(rows: pd.DataFrame) -> pd.DataFrame:
    texts = [
        f"{diameter:.1f} mm" + (f", p = {probability:.2f}" if np.isfinite(probability) else "")
        for diameter, probability in rows[["diameter_mm", "probability"]].itertuples(index=False)
    ]
    return rows.assign(text=pd.array(texts, dtype="str"))


def _segmentation_section(
    metrics: Mapping[str, float], table: pd.DataFrame | None, figure: "MatplotlibFigure | None"
) -> Section:
    others = [name for name in metrics if not is_of_segmentation_table(name)]
    numbers = [segmentation_table(metrics, SEGMENTATION_NOTE)]
    numbers += [metrics_table("Findings and misses", metrics, others)] if others else []
    return _task_section("Segmentation", numbers, table, figure)


def _task_section(
    title: str, numbers: Sequence[Block], table: pd.DataFrame | None, figure: "MatplotlibFigure | None"
) -> Section:
    """Metrics, the figure, and the table of findings to unfold."""
    blocks = list(numbers)
    if figure is not None:
        blocks.append(Figure(title, f"{title}: see the table of numbers", source=figure_uri(figure)))
    if table is not None:
        shown = [name for name in table.columns if not name.startswith("patient") and name not in POSITION]
        blocks.append(plain_table(f"{title}, each finding", table, shown))
    return Section(title, blocks)


def _gallery(
    store: ScanStore, judged: pd.DataFrame, mark: str, jumps: Mapping[Any, Jump], params: ReportParams
) -> Gallery:
    title, column, order = GALLERIES[mark]
    rows = judged[judged["mark"] == mark].sort_values(column, ascending=False, kind="stable")
    cards = finding_cards(store, rows.head(params.gallery_size), mark, jumps, params)
    return Gallery(f"{title}: {len(cards)} of {len(rows)}", cards, f"At the operating threshold, {order}.")


def _scans_table(
    rows: pd.DataFrame, names: Mapping[str, str], sources: Mapping[str, str] | None, jumps: Mapping[str, Jump]
) -> Table:
    """Counts of each scan; marks that no scan has make no column."""
    counts = rows.groupby(["series_uid", "mark"]).size()
    kinds = [kind for kind in ("hit", "miss", "false alarm", "candidate") if (rows["mark"] == kind).any()]
    lines: list[list[Cell]] = []
    for uid, name in names.items():
        line: list[Cell] = [name, uid, *([sources[uid]] if sources is not None else [])]
        line += [str(counts.get((uid, kind), 0)) for kind in kinds]
        lines.append([*line, jumps.get(uid, "")])
    plural = {"hit": "found", "miss": "missed", "false alarm": "false alarms", "candidate": "findings"}
    columns = [
        "scan",
        "series uid",
        *(["source"] if sources is not None else []),
        *(plural[kind] for kind in kinds),
        "viewer",
    ]
    return Table("Each scan", columns, lines)


def _findings_table(rows: pd.DataFrame, names: Mapping[str, str], jumps: Mapping[Any, Jump], note: str) -> Table:
    measures = [name for name in _MEASURES if name in rows]
    lines: list[list[Cell]] = [
        [
            f"{names.get(str(row['series_uid']), '')} / {str(row['finding_id'])[-3:]}",
            *(measure(name, float(row[name])) for name in (*POSITION, *measures)),
            jumps.get(index, ""),
        ]
        for index, row in rows.iterrows()
    ]
    columns = ["finding", *(label(name) for name in (*POSITION, *measures)), "viewer"]
    note = f"Positions are DICOM patient coordinates (LPS). {note}".strip()
    return Table("Each finding", columns, lines, note)
