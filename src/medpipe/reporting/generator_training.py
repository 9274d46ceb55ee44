"""The course of a generator's training: likelihood, validity, and generator against discriminator."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = {
    "-log likelihood (nats a molecule)": {
        "train_nll": "train",
        "val_nll": "val",
        "control_val_nll": "val, likelihood control",
    },
    "share of molecules drawn": {
        "sample_validity": "valid",
        "control_sample_validity": "valid, likelihood control",
        "sample_uniqueness": "unique",
    },
    "accuracy of the discriminator": {"discriminator_accuracy": "running mean"},
    "loss, reward": {
        "discriminator_loss": "loss of the discriminator",
        "generator_loss": "loss of the generator",
        "reward": "reward of the generator",
    },
}
"""Label of the axis to names in the history and what the legend calls them."""
_CHANCE = {"accuracy of the discriminator": 0.5}
# Okabe and Ito's colours, told apart with any kind of colour vision and in grey print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_FEW_POINTS = 30  # so few are marked each
_SIZE = (11.0, 6.2)
_LATE_SHARE = 0.5  # of all steps: what begins later has an axis of its own


def training_curves(history: pd.DataFrame) -> "Figure":
    """One panel a kind of measurement that the history has.

    Args:
        history: Columns step, name, value, as `medpipe.molecules.generation.train.train_gan` gives it.
    """
    from matplotlib.figure import Figure

    measured = history.dropna(subset="value").sort_values("step")
    panels = {label: names for label, names in _PANELS.items() if measured["name"].isin(names).any()}
    figure = Figure(figsize=_SIZE, layout="constrained", facecolor="white")
    if not panels:
        figure.text(0.5, 0.5, "nothing was measured in training", ha="center", va="center", fontsize=14, color="0.4")
        return figure
    axes = figure.subplots(-(-len(panels) // 2), min(2, len(panels)), squeeze=False)
    for axis, (label, names) in zip(axes.flat, panels.items(), strict=False):
        _panel(axis, measured, label, names)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle("Training of the generator, and of its control by likelihood alone", fontsize=12)
    return figure


def _panel(axis: "Axes", measured: pd.DataFrame, label: str, names: dict[str, str]) -> None:
    for (name, text), colour in zip(names.items(), _COLOURS, strict=False):
        course = measured[measured["name"] == name]
        if len(course):
            marker = "o" if len(course) < _FEW_POINTS else ""
            style = "--" if name.startswith("control_") else "-"
            axis.plot(course["step"], course["value"], style, marker=marker, markersize=4, color=colour, label=text)
    if label in _CHANCE:
        axis.axhline(_CHANCE[label], color="0.5", linestyle=":", label="chance")
    axis.set_xlabel("optimizer steps")
    axis.set_ylabel(label)
    _limits(axis, measured, names)
    axis.legend(frameon=False, fontsize=9)
    axis.grid(axis="y", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _limits(axis: "Axes", measured: pd.DataFrame, names: dict[str, str]) -> None:
    """From the start, but for what began late, as a game that likelihood prepared: that fills its panel."""
    steps = measured[measured["name"].isin(names)]["step"]
    axis.set_xlim(left=0 if steps.min() < _LATE_SHARE * steps.max() else None)
