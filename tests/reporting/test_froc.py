import io

import numpy as np
import pandas as pd
import pytest

from medpipe.reporting.froc import froc_figure


def curve(level: float) -> pd.DataFrame:
    rates = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
    points = pd.DataFrame({"false_alarms_per_scan": [0.0, 0.5, 3.0], "sensitivity": [0.0, level, level]})
    official = pd.DataFrame(
        {"false_alarms_per_scan": rates, "sensitivity": level, "rate": rates, "low": level - 0.1, "high": level + 0.05}
    )
    return pd.concat([points, official], ignore_index=True)


def test_the_axes_are_those_of_luna16():
    axes = froc_figure(curve(0.9)).axes[0]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1/8", "1/4", "1/2", "1", "2", "4", "8"]


def test_curve_control_and_interval_are_drawn():
    axes = froc_figure(curve(0.9), curve(0.1)).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "untrained control, CPM 0.100",
        "detector, CPM 0.900",
    ]
    band = axes.collections[-1].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.8)
    assert band[:, 1].max() == pytest.approx(0.95)
    line = max(axes.lines, key=lambda each: len(each.get_xdata()))
    assert len(line.get_xdata()) > 7


def test_a_curve_without_nodules_is_drawn_too():
    empty = curve(0.5).iloc[:3].assign(sensitivity=np.nan)
    froc_figure(empty).savefig(io.BytesIO(), format="png", dpi=40)
