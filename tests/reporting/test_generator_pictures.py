"""Training curves, map of chemical space, GAN against control: what is on them, and what they say without data."""

import numpy as np
import pandas as pd
import pytest

from medpipe.reporting.chemical_space import space_map, verdict
from medpipe.reporting.comparison import comparison_chart, verdicts
from medpipe.reporting.generator_training import training_curves


def history(*names: str) -> pd.DataFrame:
    rows = [(step, name, 1.0 / (step + 1)) for name in names for step in range(5)]
    return pd.DataFrame(rows, columns=["step", "name", "value"])


def test_each_kind_of_measurement_has_a_panel() -> None:
    figure = training_curves(history("train_nll", "val_nll", "sample_validity", "discriminator_accuracy", "unknown"))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [len(axis.get_lines()) for axis in shown] == [2, 1, 2]  # the last with chance
    labels = [text.get_text() for text in shown[0].get_legend().get_texts()]
    assert labels == ["train", "val"]


def test_the_control_is_dashed() -> None:
    (axis,) = training_curves(history("val_nll", "control_val_nll")).axes
    assert [line.get_linestyle() for line in axis.get_lines()] == ["-", "--"]


def test_what_began_late_fills_its_panel() -> None:
    late = history("discriminator_accuracy").assign(step=lambda rows: rows["step"] + 4000)
    early, game = training_curves(pd.concat([history("train_nll"), late])).axes
    assert early.get_xlim()[0] == 0
    assert game.get_xlim()[0] > 3990


def test_a_training_without_measurements_says_so() -> None:
    assert "nothing was measured" in training_curves(history("x")).texts[0].get_text()


def space(same: float) -> pd.DataFrame:
    sets = ["generated"] * 3 + ["reference"] * 3
    return pd.DataFrame({"smiles": "C", "set": sets, "x": np.arange(6.0), "y": 0.0, "same": same})


def test_each_set_is_in_front_once() -> None:
    figure = space_map(space(0.5), reference_name="others")
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["3 generated molecules", "3 others"]
    for axis, first in zip(figure.axes, (0.0, 3.0), strict=True):
        behind, front = axis.collections
        assert front.get_offsets()[0][0] == first != behind.get_offsets()[0][0]


def test_the_map_tells_what_its_neighbours_say() -> None:
    assert "for 75.0 %" in verdict(space(0.75))
    assert verdict(space(0.75)) in [
        text.get_text() for text in space_map(space(0.75)).findobj() if hasattr(text, "get_text")
    ]


def test_a_map_of_one_place_has_an_area() -> None:
    axis = space_map(space(0.5).assign(x=3.0)).axes[0]
    assert (axis.get_xlim(), axis.get_ylim()) == ((2.0, 4.0), (-1.0, 1.0))


def test_a_map_of_nothing_says_so() -> None:
    assert "no molecule" in space_map(space(0.5).iloc[:0]).texts[0].get_text()
    assert verdict(space(0.5).iloc[:0]) == "There is no map."


def comparison() -> pd.DataFrame:
    rows = [
        ("valid", "higher", 0.9, 0.8, 0.1, 0.05, 0.15, "better"),
        ("FCD_Test", "lower", 2.0, 1.0, 1.0, 0.5, 1.5, "worse"),
        ("novelty", "higher", 0.9, 0.9, 0.0, -0.1, 0.1, "unclear"),
        ("unique_at_1000", "higher", 1.0, 0.9, 0.1, 0.1, 0.1, "better"),
        ("IntDiv2", "higher", 0.9, 0.9, 0.0, np.nan, np.nan, ""),
    ]
    columns = ["metric", "better", "generator", "control", "difference", "difference_low", "difference_high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def test_right_is_better_whatever_the_direction() -> None:
    (axis,) = comparison_chart(comparison()).axes
    points = [float(line.get_xdata()[0]) for line in axis.get_lines() if line.get_marker() == "o"]
    assert points == pytest.approx([2.0, -2.0, 0.0, 6.0])  # half-widths; an interval of one value is at the edge
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == ["Valid", "FCD to test", "Novel", "Unique among 1,000"]


def test_values_have_three_decimals() -> None:
    (axis,) = comparison_chart(comparison().assign(generator=0.123456)).axes
    (numbers,) = axis.child_axes
    assert numbers.get_yticklabels()[0].get_text() == "0.123 against 0.800"


def test_verdicts_are_counted() -> None:
    assert verdicts(comparison()) == "2 better, 1 worse, 1 unclear"


def test_without_intervals_the_chart_says_so() -> None:
    assert "no measure" in comparison_chart(comparison().iloc[4:]).texts[0].get_text()
