"""The page of a cohort: its splits side by side, and what drifted, in words."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLIT_COLOURS = {"train": "#4db2ff", "val": "#ff9f1c", "test": "#35c46a"}

MAX_CATEGORIES = 6
"""Bars of a category; rarer ones are put together as others."""

MAX_DISTINCT = 8
"""Up to so many different numbers are drawn as bars of their own; spacings often are as few."""

_LABELS = {
    "slice_spacing_mm": "distance of slices (mm)",
    "pixel_spacing_mm": "pixel spacing (mm)",
    "scan_length_mm": "length of the scan (mm)",
    "nodules_per_scan": "nodules a scan",
    "diameter_mm": "diameter of nodules (mm)",
    "malignancy": "malignancy of nodules (1 to 5)",
    "source": "source",
    "manufacturer": "manufacturer",
    "model": "model of the scanner",
    "kernel": "kernel",
    "texture": "texture of nodules",
    "hu": "Hounsfield units",
}
_NUMBER_PANELS = ("slice_spacing_mm", "pixel_spacing_mm", "diameter_mm", "nodules_per_scan")
_CATEGORY_PANELS = ("kernel", "manufacturer")
_COUNTS = ("patients", "scans", "accepted", "rejected", "usable", "nodules", "irrelevant")
_SHORT = {"Kolmogorov-Smirnov": "KS", "total variation": "TV", "Wasserstein (HU)": "W, HU"}
_FOOTNOTE = (
    "KS: Kolmogorov-Smirnov, TV: total variation (both 0 to 1), W: Wasserstein distance. p: chance of such a distance "
    "when patients are split at random,\ncorrected over the whole table (Holm); red up to 0.05. Grey: too few patients "
    "for any distance to be flagged."
)
_N_BINS = (6, 30)
_SHOWN_QUANTILES = (0.005, 0.995)  # what lies beyond is in the outermost bins
_LABEL_LENGTH = 20
_LINE_INCHES = 0.23
_MAX_CODES = 8
_BACKGROUND, _PANEL, _TEXT, _DIM, _ALARM = "#101214", "#16191d", "#e8eaed", "#9aa7b5", "#ff6b6b"

FloatArray = npt.NDArray[np.float64]


class CohortTables(Protocol):
    """What is drawn; `medpipe.ct.cohort_report.CohortReport` is one.

    Attributes:
        statistics: Columns split, feature, statistic, value; feature "cohort" and "rejection" hold counts.
        drift: Columns split, feature, measure, distance, p_value, p_holm, drifted, enough_patients, summary.
        numbers: Columns split, feature, value; one row a scan or nodule.
        categories: Columns split, feature, category, n.
        histograms: Columns split, hu, share.
    """

    @property
    def statistics(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def drift(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def numbers(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def categories(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def histograms(self) -> pd.DataFrame: ...  # noqa: D102


def cohort_figure(report: CohortTables, title: str = "The cohort, split by split") -> "Figure":
    """One page: spacings, nodules, kernels, manufacturers and Hounsfield units by split, counts, and drift in words.

    Args:
        report: The tables.
        title: Above all.
    """
    from matplotlib.figure import Figure

    features = list(dict.fromkeys(report.drift["feature"]))
    codes = report.statistics[(report.statistics["feature"] == "rejection") & (report.statistics["split"] == "all")]
    n_lines = max(len(features) + 4, len(_COUNTS) + min(len(codes), _MAX_CODES) + 3)
    heights = (0.45, 3.5, 3.7, _LINE_INCHES * n_lines + 0.2)
    figure = Figure(figsize=(16.0, sum(heights)), facecolor=_BACKGROUND)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.06)
    parts: Any = figure.subfigures(4, 1, height_ratios=heights)
    head, first, second, last = parts
    for part in parts:
        part.set_facecolor(_BACKGROUND)
    head.text(0.008, 0.5, title, color=_TEXT, fontsize=15, va="center")
    _draw_legend(head, report.statistics)
    for axes, name in zip(first.subplots(1, len(_NUMBER_PANELS)), _NUMBER_PANELS, strict=True):
        _draw_numbers(axes, report.numbers[report.numbers["feature"] == name], name)
    *bars, wide = second.subplots(1, len(_CATEGORY_PANELS) + 1, width_ratios=[1] * len(_CATEGORY_PANELS) + [2])
    for axes, name in zip(bars, _CATEGORY_PANELS, strict=True):
        _draw_categories(axes, report.categories[report.categories["feature"] == name], name)
    _draw_histograms(wide, report.histograms)
    left, right = last.subplots(1, 2, width_ratios=[1, 3.1])
    _draw_counts(left, report.statistics, codes, n_lines)
    _draw_drift(right, report.drift, features, n_lines)
    return figure


def _draw_legend(head: Any, statistics: pd.DataFrame) -> None:
    from matplotlib.patches import Patch

    counts = statistics[statistics["feature"] == "cohort"].set_index(["split", "statistic"])["value"]
    handles = [
        Patch(color=colour, label=f"{split}: {counts.get((split, 'patients'), 0):.0f} patients, "
              f"{counts.get((split, 'usable'), 0):.0f} usable scans")
        for split, colour in SPLIT_COLOURS.items()
    ]  # fmt: skip
    head.legend(handles=handles, loc="center right", ncols=3, frameon=False, labelcolor=_TEXT)


def _draw_numbers(axes: "Axes", table: pd.DataFrame, name: str) -> None:
    _prepare(axes, _LABELS[name])
    unit = "nodules" if name == "diameter_mm" else "scans"
    axes.set_ylabel(f"share of {unit} (%)", color=_DIM, fontsize=9)
    if not len(table):
        _say_nothing_known(axes)
        return
    values = {str(split): part["value"].to_numpy(np.float64) for split, part in table.groupby("split")}
    pooled = table["value"].to_numpy(np.float64)
    distinct = np.unique(pooled.round(3))
    if len(distinct) <= MAX_DISTINCT:
        shares = {
            split: [float((part.round(3) == value).mean()) for value in distinct] for split, part in values.items()
        }
        _draw_bars(axes, [f"{value:g}" for value in distinct], shares, horizontal=False)
        return
    low, high = np.quantile(pooled, _SHOWN_QUANTILES)
    # Rice's rule for the largest split; counts have a bin each.
    n_bins = int(np.clip(np.ceil(2 * max(map(len, values.values())) ** (1 / 3)), *_N_BINS))
    bins = np.arange(low - 0.5, high + 1) if name == "nodules_per_scan" else np.linspace(low, high, n_bins + 1)
    for split, colour in SPLIT_COLOURS.items():
        if split in values:
            counts, _ = np.histogram(values[split].clip(bins[0], bins[-1]), bins)
            shares_of_bins = 100 * counts / counts.sum()
            axes.stairs(shares_of_bins, bins, color=colour, fill=True, alpha=0.12)
            axes.stairs(shares_of_bins, bins, color=colour, linewidth=1.6)
    axes.set_xlim(bins[0], bins[-1])
    axes.locator_params(axis="x", nbins=6, integer=name == "nodules_per_scan")


def _draw_categories(axes: "Axes", table: pd.DataFrame, name: str) -> None:
    _prepare(axes, _LABELS[name])
    axes.set_xlabel("share of scans (%)", color=_DIM, fontsize=9)
    if not len(table):
        _say_nothing_known(axes)
        return
    counts = table.pivot_table(index="category", columns="split", values="n", fill_value=0, aggfunc="sum")
    shares = counts / counts.sum()
    # By the largest share in any split, so that what is frequent in one alone is seen.
    shares = shares.loc[shares.max(axis=1).sort_values(ascending=False, kind="stable").index]
    if len(shares) > MAX_CATEGORIES:
        rare = shares.iloc[MAX_CATEGORIES - 1 :]
        shares = shares.iloc[: MAX_CATEGORIES - 1].copy()
        shares.loc[f"{len(rare)} others"] = rare.sum()
    names = [_shortened(str(category)) for category in shares.index]
    _draw_bars(axes, names, {str(split): shares[split].tolist() for split in shares}, horizontal=True)


def _draw_bars(axes: "Axes", names: Sequence[str], shares: dict[str, list[float]], horizontal: bool) -> None:
    """Bars of the splits beside each other, a group for each name."""
    places, present = np.arange(len(names)), [split for split in SPLIT_COLOURS if split in shares]
    thickness = 0.8 / max(len(present), 1)
    for number, split in enumerate(present):
        at = places + (number - (len(present) - 1) / 2) * thickness
        lengths = 100 * np.asarray(shares[split])
        draw = axes.barh if horizontal else axes.bar
        draw(at, lengths, thickness * 0.92, color=SPLIT_COLOURS[split])
    if horizontal:
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    else:
        axes.set_xticks(places, names)
        axes.grid(axis="x", visible=False)


def _draw_histograms(axes: "Axes", table: pd.DataFrame) -> None:
    _prepare(axes, "Hounsfield units of the stored scans, mean over patients")
    axes.set_xlabel("HU (values beyond the ends are left out of the picture)", color=_DIM, fontsize=9)
    axes.set_ylabel("share of voxels (% per 10 HU)", color=_DIM, fontsize=9)
    if not len(table):
        _say_nothing_known(axes)
        return
    for split, colour in SPLIT_COLOURS.items():
        part = table[table["split"] == split].sort_values("hu")
        if len(part) > 2:
            hu, share = part["hu"].to_numpy(np.float64), part["share"].to_numpy(np.float64)
            per_10_hu = 100 * share * 10 / (hu[1] - hu[0])
            # The outermost bins hold everything beyond the window and would flatten the rest.
            axes.plot(hu[1:-1], per_10_hu[1:-1], color=colour, linewidth=1.6)
    axes.set_xlim(table["hu"].min(), table["hu"].max())
    axes.set_ylim(bottom=0)


def _draw_counts(axes: "Axes", statistics: pd.DataFrame, codes: pd.DataFrame, n_lines: int) -> None:
    """Numbers of patients, scans and findings, then rejections by code."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(n_lines, 0)
    counts = statistics[statistics["feature"] == "cohort"].set_index(["statistic", "split"])["value"]
    columns = [*SPLIT_COLOURS, "all"]
    for number, split in enumerate(columns):
        place = 0.47 + 0.17 * number
        axes.text(place, 0, split, color=SPLIT_COLOURS.get(split, _TEXT), fontsize=10, ha="right", weight="bold")
        for line, name in enumerate(_COUNTS, start=1):
            text = f"{counts.get((name, split), 0):,.0f}"
            axes.text(place, line, text, color=_TEXT, fontsize=10, ha="right")
    for line, name in enumerate(_COUNTS, start=1):
        axes.text(0, line, name, color=_DIM, fontsize=10)
    first = len(_COUNTS) + 1.6
    ordered = codes.sort_values(["value", "statistic"], ascending=[False, True])
    axes.text(0, first, "rejected, by code" if len(codes) else "nothing was rejected", color=_DIM, fontsize=10)
    shown = ordered if len(ordered) <= _MAX_CODES else ordered.head(_MAX_CODES - 1)
    rows = list(zip(shown["statistic"], shown["value"], strict=True))
    if len(shown) < len(ordered):
        rows.append((f"{len(ordered) - len(shown)} other codes", ordered["value"].iloc[len(shown) :].sum()))
    for line, (code, count) in enumerate(rows, start=1):
        axes.text(0.03, first + line, code, color=_TEXT, fontsize=9)
        axes.text(0.98, first + line, f"{count:,.0f}", color=_TEXT, fontsize=9, ha="right")


def _draw_drift(axes: "Axes", drift: pd.DataFrame, features: Sequence[str], n_lines: int) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(n_lines, 0)
    axes.text(
        0, 0, drift_sentence(drift), color=_ALARM if drift["drifted"].any() else _TEXT, fontsize=11, weight="bold"
    )
    places = {"val": 0.2, "test": 0.6}
    for split, place in places.items():
        axes.text(place, 1, f"{split} against train", color=SPLIT_COLOURS[split], fontsize=10, weight="bold")
    rows = {(row["feature"], row["split"]): row for row in drift.to_dict("records")}
    for line, name in enumerate(features, start=2):
        axes.text(0, line, _LABELS.get(name, name), color=_DIM, fontsize=10)
        for split, place in places.items():
            if (row := rows.get((name, split))) is not None:
                alarm = bool(row["drifted"])
                colour = _ALARM if alarm else _TEXT if row["enough_patients"] else _DIM
                axes.text(place, line, _cell(row), color=colour, fontsize=8.5, weight="bold" if alarm else "normal")
    axes.text(0, len(features) + 2.6, _FOOTNOTE, color=_DIM, fontsize=8.5)


def drift_sentence(drift: pd.DataFrame) -> str:
    """What drifted, in a sentence.

    Args:
        drift: As in `CohortTables`.
    """
    drifted = drift[drift["drifted"]]
    if len(drifted):
        parts = [
            f"{split}: {', '.join(_LABELS.get(name, name) for name in part['feature'])}"
            for split, part in drifted.groupby("split", sort=False)
        ]
        return f"Drift from train in {'; '.join(parts)}."
    enough = drift.groupby("split", sort=False)["enough_patients"].any()
    told, untold = [list(enough.index[enough == known]) for known in (True, False)]
    if not told:
        return "Too few patients to tell whether val and test differ from train."
    found = f"No drift found: {' and '.join(told)} no farther from train than random splits are"
    return f"{found}; too few patients in {' and '.join(untold)} to tell." if untold else f"{found}."


def _cell(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["p_value"]):
        return str(row["summary"])
    numbers = f"{_SHORT.get(str(row['measure']), row['measure'])} {row['distance']:.2g}, {_chance(row['p_holm'])}"
    return f"{_shortened(str(row['summary']), 2 * _LABEL_LENGTH + 8)}  ({numbers})"


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def _shortened(text: str, length: int = _LABEL_LENGTH) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _prepare(axes: "Axes", title: str) -> None:
    axes.set_title(title, color=_TEXT, fontsize=11, loc="left")
    axes.set_facecolor(_PANEL)
    axes.tick_params(colors=_DIM, labelsize=9)
    axes.grid(color="#2a2f36", linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _say_nothing_known(axes: "Axes") -> None:
    axes.text(0.5, 0.5, "not known", color=_DIM, fontsize=11, ha="center", va="center", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
