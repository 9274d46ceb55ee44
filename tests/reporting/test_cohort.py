import io
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from medpipe.reporting.cohort import MAX_CATEGORIES, SPLIT_COLOURS, cohort_figure, drift_sentence

RNG = np.random.default_rng(0)
FEATURES = ("slice_spacing_mm", "kernel", "hu")


@dataclass(frozen=True)
class Tables:
    """A report as the figure wants it."""

    statistics: pd.DataFrame
    drift: pd.DataFrame
    numbers: pd.DataFrame
    categories: pd.DataFrame
    histograms: pd.DataFrame


def statistics() -> pd.DataFrame:
    rows = [
        (split, "cohort", name, float(number))
        for split in (*SPLIT_COLOURS, "all")
        for number, name in enumerate(("patients", "scans", "accepted", "rejected", "usable", "nodules"), start=11)
    ]
    rows += [("all", "rejection", f"code_{number}", float(number)) for number in range(1, 13)]
    return pd.DataFrame(rows, columns=["split", "feature", "statistic", "value"])


def drift(**changes: object) -> pd.DataFrame:
    row = {
        "measure": "Kolmogorov-Smirnov",
        "distance": 0.1,
        "p_value": 0.4,
        "p_holm": 1.0,
        "drifted": False,
        "enough_patients": True,
        "summary": "median 2 in train, 3 in test",
    }
    rows = [row | {"split": split, "feature": feature} for split in ("val", "test") for feature in FEATURES]
    rows[-2] |= changes
    return pd.DataFrame(rows)


@pytest.fixture
def tables() -> Tables:
    names = list(SPLIT_COLOURS)
    numbers = [
        pd.DataFrame({"split": RNG.choice(names, 90), "feature": name, "value": values})
        for name, values in {
            "slice_spacing_mm": RNG.choice([1.0, 2.5], 90),
            "pixel_spacing_mm": RNG.uniform(0.5, 0.9, 90),
            "diameter_mm": RNG.lognormal(2, 0.5, 90),
            "nodules_per_scan": RNG.integers(0, 20, 90).astype(float),
        }.items()
    ]
    categories = pd.DataFrame(
        [(split, "kernel", f"K{number}", 20 - number) for split in names for number in range(12)],
        columns=["split", "feature", "category", "n"],
    )
    hu = np.linspace(-1000, 400, 256)
    histograms = pd.concat(pd.DataFrame({"split": split, "hu": hu, "share": 1 / 256}) for split in names)
    return Tables(statistics(), drift(), pd.concat(numbers, ignore_index=True), categories, histograms)


def panel(figure, title: str):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(title))


def texts(figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def rendered(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=30)
    return buffer.getvalue()


def test_every_panel_names_what_it_shows_and_its_unit(tables):
    figure = cohort_figure(tables)
    for title in ("distance of slices (mm)", "pixel spacing (mm)", "diameter of nodules (mm)", "nodules a scan"):
        assert panel(figure, title).get_ylabel().startswith("share of")
    assert "HU" in panel(figure, "Hounsfield").get_xlabel()
    assert rendered(figure)


def test_few_different_spacings_are_bars_that_add_up_to_all(tables):
    axes = panel(cohort_figure(tables), "distance of slices")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2.5"]
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(bars) == 2 * 3
    assert sum(bar.get_height() for bar in bars) == pytest.approx(300)


def test_rare_categories_are_put_together(tables):
    axes = panel(cohort_figure(tables), "kernel")
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["K0", "K1", "K2", "K3", "K4", "7 others"]
    assert len(names) == MAX_CATEGORIES
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(300)


def test_the_curves_leave_out_the_outermost_bins(tables):
    lines = panel(cohort_figure(tables), "Hounsfield").lines
    assert len(lines) == 3
    assert all(len(line.get_xdata()) == 254 for line in lines)
    # A flat histogram over 1400 HU: 10 of them hold 10 / 1400, the bins at the ends being half outside.
    np.testing.assert_allclose(lines[0].get_ydata(), 100 * 10 / 1400 * 255 / 256)


def test_counts_and_rejections_are_written(tables):
    shown = texts(cohort_figure(tables)).split("\n")
    assert shown.count("patients") == 1
    assert shown.count("11") >= 4
    assert "code_12" in shown
    assert "5 other codes" in shown


def test_drift_is_told_in_words_and_in_red(tables):
    alarming = replace(tables, drift=drift(drifted=True, p_holm=0.0004))
    figure = cohort_figure(alarming)
    red = [text.get_text() for axes in figure.axes for text in axes.texts if text.get_color() == "#ff6b6b"]
    assert red == ["Drift from train in test: kernel.", "median 2 in train, 3 in test  (KS 0.1, p < 0.001)"]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (drift(), "No drift found: val and test no farther from train than random splits are."),
        (drift(drifted=True), "Drift from train in test: kernel."),
        (drift().assign(enough_patients=False), "Too few patients to tell whether val and test differ from train."),
        (
            drift().assign(enough_patients=lambda table: table["split"] == "test"),
            "No drift found: test no farther from train than random splits are; too few patients in val to tell.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(table, sentence):
    assert drift_sentence(table) == sentence


def test_a_cohort_of_which_nothing_is_known_is_drawn(tables):
    unknown = {name: table.iloc[:0] for name, table in vars(tables).items() if name != "statistics"}
    empty = replace(tables, **unknown)
    figure = cohort_figure(empty)
    assert texts(figure).count("not known") == 7
    assert rendered(figure)
