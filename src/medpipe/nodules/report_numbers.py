"""Metrics as the report's tiles and tables."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from medpipe.reporting import page
from medpipe.reporting.page import Table, Tile, decimal
from medpipe.reporting.page.froc_chart import RATES

DEFINITIONS = {
    "cpm": ("CPM", "mean sensitivity at 1/8 to 8 false alarms a scan (LUNA16)"),
    "untrained_cpm": ("CPM, untrained control", "the same network before training"),
    "sensitivity": ("Sensitivity", "share of the nodules with an alarm"),
    "precision": ("Precision", "share of the alarms that are nodules"),
    "f1": ("F1", "harmonic mean of sensitivity and precision"),
    "fp_per_scan": ("False alarms a scan", "alarms that hit no finding"),
    "specificity": ("Specificity", "share of the scans without nodule that have no false alarm"),
    "candidate_specificity": ("Candidate specificity", "share of the false candidates below the threshold"),
    "scan_auc": ("AUC by scan", "of “this scan has a nodule” by its most probable candidate"),
    "patient_sensitivity": ("Sensitivity by patient", "patients with a nodule of whom one is found in any scan"),
    "patient_specificity": ("Specificity by patient", "patients without nodule and without false alarm"),
    "patient_auc": ("AUC by patient", "of “this patient has a nodule” by the most probable candidate"),
    "operating_threshold": ("Operating threshold", "set on validation scans"),
    "tp": ("Nodules found", ""),
    "fn": ("Nodules missed", ""),
    "fp": ("False alarms", ""),
    "detected_dice": ("Dice of detected nodules", "mask at the candidate that hit the nodule"),
    "found_or_missed_dice": ("Dice, misses as 0", "as before, a nodule without candidate counts as 0"),
    "roi_dice": ("Dice at known places", "mask at the centre of the known nodule"),
    "scan_dice": ("Dice of whole scans", "all nodules of a scan against all masks of it"),
    "n_scans": ("Scans", ""),
    "n_scans_without_nodule": ("Scans without nodule", ""),
    "n_patients": ("Patients", ""),
    "n_patients_without_nodule": ("Patients without nodule", ""),
    "n_nodules": ("Nodules", ""),
    "n_findings": ("Findings", ""),
    "n_without_mask": ("Without a true mask", ""),
    "n_detected": ("Findings outlined", ""),
    "n_missed": ("Findings missed", ""),
    "n_tp": ("True positives", ""),
    "n_fp": ("False positives", ""),
    "n_fn": ("False negatives", ""),
    "n_tn": ("True negatives", ""),
    "n_positive": ("Positive findings", ""),
    "n_negative": ("Negative findings", ""),
    "n_between": ("Findings between the classes", ""),
    "n_unknown": ("Findings of unknown class", ""),
    "ppv": ("Positive predictive value", ""),
    "npv": ("Negative predictive value", ""),
    "brier": ("Brier score", ""),
}
"""Metric to its name and its definition in words."""

CASES = {
    "cpm": "n_nodules",
    "sensitivity": "n_nodules",
    "fp_per_scan": "n_scans",
    "specificity": "n_scans_without_nodule",
    "patient_auc": "n_patients",
}
"""Metric to the one that counts its cases."""

CLASS_DEFINITIONS = {
    "auc": ("AUC", "area under the ROC curve of the class probability"),
    "sensitivity": ("Sensitivity", "share of the positive findings that are called so"),
    "specificity": ("Specificity", "share of the negative findings that are called so"),
}
"""The same for a classifier, whose cases are findings."""

SEGMENTATION_TILES = ("detected_dice", "roi_dice", "scan_dice")
DETECTION_TILES = (
    "cpm",
    "sensitivity",
    "fp_per_scan",
    "precision",
    "specificity",
    "patient_sensitivity",
    "patient_auc",
)
OPERATING_ROWS = (
    "n_scans", "n_scans_without_nodule", "n_patients", "n_patients_without_nodule", "n_nodules",
    "operating_threshold", "tp", "fn", "fp", "sensitivity", "precision", "f1", "fp_per_scan", "specificity",
    "candidate_specificity", "scan_auc", "patient_sensitivity", "patient_specificity", "patient_auc", "cpm",
    "untrained_cpm",
)  # fmt: skip

_ABBREVIATIONS = {
    "auc": "AUC",
    "iou": "IoU",
    "fp": "FP",
    "roi": "ROI",
    "dice": "Dice",
    "hausdorff95": "Hausdorff distance, 95 %",
}
_QUESTIONS = {"roi": "place known", "detected": "place detected", "scan": "whole scans"}
"""Beginnings of a segmentation's measures (`medpipe.nodules.segmentation.evaluate`), and what was given."""
_SOURCE = "source_"


def measure(name: str, value: float) -> str:
    """A number with the decimals that its kind deserves: whole counts and cubic millimetres, tenths of millimetres."""
    if not np.isfinite(value):
        return decimal(value)
    if name.startswith("n_") or name in ("n", "tp", "fp", "fn") or name.endswith("_mm3"):
        return f"{value:.0f}"
    return f"{value:.1f}" if name.endswith("_mm") else decimal(value)


def interval(metrics: Mapping[str, float], name: str) -> str:
    """The interval of a metric, "" where it has none."""
    return page.interval(metrics, name, lambda value: measure(name, value))


def label(name: str) -> str:
    """What a metric is called on the page."""
    if name in DEFINITIONS:
        return DEFINITIONS[name][0]
    words = [_ABBREVIATIONS.get(word, word) for word in name.split("_")]
    text = re.sub(r"(\d)mm\b", r"\1 mm", " ".join(words)).replace("mm3", "mm³")
    text = re.sub(r"(?<!\d) (mm³?)$", r" (\1)", text)
    return text[:1].upper() + text[1:]


def tiles(metrics: Mapping[str, float], names: Iterable[str]) -> list[Tile]:
    """A tile for each of ``names`` that is there; with the number of its cases, which may be few."""
    result = []
    for name in (name for name in names if name in metrics):
        cases = metrics.get(CASES.get(name, ""))
        size = "" if cases is None else f" (n = {cases:.0f})"
        text = f"{interval(metrics, name)}{size}"
        result.append(Tile(label(name), measure(name, metrics[name]), text, DEFINITIONS[name][1]))
    return result


def class_tiles(metrics: Mapping[str, float]) -> list[Tile]:
    """A classifier's tiles."""
    return [
        Tile(f"Classification: {title}", decimal(metrics[name]), interval(metrics, name), definition)
        for name, (title, definition) in CLASS_DEFINITIONS.items()
        if name in metrics
    ]


def metrics_table(
    caption: str, metrics: Mapping[str, float], names: Iterable[str] | None = None, note: str = ""
) -> Table:
    """One row a metric, with its interval; ``names`` chooses and orders them, None takes all."""
    bounds = {f"{name}{end}" for name in metrics for end in ("_low", "_high")}
    chosen = [name for name in (metrics if names is None else names) if name in metrics and name not in bounds]
    rows = [[label(name), measure(name, metrics[name]), interval(metrics, name)] for name in chosen]
    return Table(caption, ["", "value", "interval"], rows, note)


def segmentation_table(metrics: Mapping[str, float], note: str = "") -> Table:
    """Measures of outlines, one row each, with a column and its interval for each question that was asked."""
    asked = {
        start: title for start, title in _QUESTIONS.items() if any(name.startswith(f"{start}_") for name in metrics)
    }
    bounds = {f"{name}{end}" for name in metrics for end in ("_low", "_high")}
    measures = dict.fromkeys(
        name.removeprefix(f"{start}_")
        for start in asked
        for name in metrics
        if name.startswith(f"{start}_") and name not in bounds
    )
    rows = []
    for short in measures:
        row = [{"n": "Outlined", "n_empty": "Of these empty"}.get(short, label(short))]
        for start in asked:
            name = f"{start}_{short}"
            row += [measure(short, metrics.get(name, np.nan)), interval(metrics, name)]
        rows.append(row)
    columns = ["", *(column for title in asked.values() for column in (title, "interval"))]
    return Table("Outlines against the true ones", columns, rows, note)


def is_of_segmentation_table(name: str) -> bool:
    """Whether a metric stands in `segmentation_table`."""
    return name.split("_")[0] in _QUESTIONS


def rates_table(curve: pd.DataFrame) -> Table:
    """Sensitivity at LUNA16's rates."""
    official = curve[curve["rate"].notna()].sort_values("rate")
    values = official[["rate", "sensitivity", "low", "high", "threshold"]].to_numpy(np.float64)
    rows = [
        [
            RATES.get(rate, f"{rate:g}"),
            decimal(sensitivity),
            f"{decimal(low)} to {decimal(high)}",
            decimal(threshold),
        ]
        for rate, sensitivity, low, high, threshold in values
    ]
    return Table(
        "Sensitivity at the official rates", ["false alarms a scan", "sensitivity", "interval", "threshold"], rows
    )


def group_tables(metrics: Mapping[str, float]) -> list[Table]:
    """Sensitivity by size and texture, and what is known by source, at the operating threshold; those with groups."""
    groups = [name.removeprefix("n_nodules_") for name in metrics if name.startswith("n_nodules_")]
    of_nodules = [group for group in groups if not group.startswith(_SOURCE)]
    sources = [group for group in groups if group.startswith(_SOURCE)]
    tables = [
        ("By size and texture", of_nodules, {"sensitivity": "sensitivity"}),
        ("By source", sources, {"cpm": "CPM", "sensitivity": "sensitivity", "fp_per_scan": "false alarms a scan"}),
    ]
    return [_group_table(caption, metrics, members, measures) for caption, members, measures in tables if members]


def _group_table(
    caption: str, metrics: Mapping[str, float], groups: Sequence[str], measures: Mapping[str, str]
) -> Table:
    rows = []
    for group in groups:
        title = group.removeprefix(_SOURCE)
        row = [title if title != group else label(group), f"{metrics[f'n_nodules_{group}']:.0f}"]
        for measure_name in measures:
            name = f"{measure_name}_{group}"
            row += [decimal(metrics[name]) if name in metrics else "–", interval(metrics, name)]
        rows.append(row)
    columns = ["", "nodules", *(column for name in measures.values() for column in (name, "interval"))]
    return Table(caption, columns, rows)


def plain_table(caption: str, table: pd.DataFrame, columns: Sequence[str], folded: bool = True) -> Table:
    """A data frame's columns as they are, those that it has."""
    chosen = [name for name in columns if name in table]
    rows = [
        [_text(name, value) for name, value in zip(chosen, row, strict=True)]
        for row in table[chosen].itertuples(index=False)
    ]
    return Table(caption, [label(name) for name in chosen], rows, folded=folded)


def _text(name: str, value: object) -> str:
    if isinstance(value, float | np.floating):
        return measure(name, float(value))
    return "yes" if value is True else "no" if value is False else "" if value is None else str(value)
