import numpy as np
import pandas as pd
import pytest

from medpipe.reporting.properties import MAX_TASKS, property_figure


def predictions(task: str, targets: list[float], values: list[float]) -> pd.DataFrame:
    n = len(targets)
    columns = {
        "task": task,
        "target": targets,
        "value": values,
        "uncertainty": 0.5,
        "similarity": np.linspace(0.1, 1, n),
    }
    return pd.DataFrame(columns).assign(in_domain=lambda table: table["similarity"] > 0.3)


def titles(table: pd.DataFrame) -> list[str]:
    return [axes.get_title() for axes in property_figure(table).axes]


def test_numbers_and_classes_have_a_row_each() -> None:
    table = pd.concat([predictions("logS", [1.0, 2.0, 4.0], [1.0, 2.0, 3.0]), predictions("toxic", [0, 1], [0.2, 0.9])])
    assert titles(table) == [
        "logS: RMSE 0.577", "Intervals", "Error and distance",
        "toxic: AUROC 1.000", "Probabilities", "Error and distance",
    ]  # fmt: skip


def test_one_class_is_no_error() -> None:
    assert titles(predictions("toxic", [0, 0], [0.2, 0.9]))[0] == "toxic: all of one class"


def test_of_many_tasks_the_first_are_drawn() -> None:
    table = pd.concat([predictions(f"task {n}", [1.0, 2.0], [1.5, 2.5]) for n in range(9)])
    figure = property_figure(table)
    assert len(figure.axes) == 3 * MAX_TASKS
    assert "first 6 of 9" in figure.get_suptitle()


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_intervals_show_what_is_inside(share: float) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=4000)
    table = predictions("y", targets.tolist(), (targets + rng.normal(scale=0.5, size=4000)).tolist())
    line = property_figure(table).axes[1].lines[1]
    assert np.interp(share, line.get_xdata(), line.get_ydata()) == pytest.approx(share, abs=0.03)
