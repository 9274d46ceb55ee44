"""Pictures of a search for better molecules: starts beside results, and its course."""

from typing import TYPE_CHECKING

import pandas as pd

from medpipe.reporting.molecules import structure_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAIRS, _PAIRS_A_ROW = 9, 3
_DPI = 100
# Okabe and Ito's colours, told apart with any kind of colour vision and in grey print.
_BEST, _MEAN, _OTHER, _FOURTH = "#D55E00", "#0072B2", "#009E73", "#CC79A7"
_LOSSES = {
    "invalid": ("no molecule", _BEST),
    "unlike_start": ("unlike its start", _MEAN),
    "gated": ("refused", _OTHER),
    "full_scaffold": ("scaffold is full", _FOURTH),
}


def optimised_molecules(table: pd.DataFrame) -> "Figure":
    """Draws starts, each beside its best molecule; from scratch the best molecules alone.

    Args:
        table: As `medpipe.molecules.optimisation.results.rank` gives it; columns start, rank, smiles, score,
            start_score, similarity.
    """
    if not len(table):
        return _empty("no molecule was found")
    if not (table["rank"] == 0).any():
        shown = table.head(_PAIRS * 2)
        legends = [f"score {score:.2f}" for score in shown["score"]]
        return structure_grid(shown["smiles"].tolist(), legends, columns=6, title="The best molecules from scratch")
    best = table[table["rank"] == 1]
    if not len(best):
        return _empty(f"none of {(table['rank'] == 0).sum()} starts was improved")
    shown = best.head(_PAIRS)
    smiles, legends = [], []
    for row in shown.itertuples():
        smiles += [str(row.start), str(row.smiles)]
        legends += [f"start, score {row.start_score:.2f}", f"score {row.score:.2f}, similarity {row.similarity:.2f}"]
    title = f"{len(shown)} of {(table['rank'] == 0).sum()} starts, each beside its best molecule"
    return structure_grid(smiles, legends, columns=2 * _PAIRS_A_ROW, title=title)


def optimisation_course(history: pd.DataFrame) -> "Figure":
    """Draws score, diversity and the share of molecules that were not measured or worth nothing, against the step.

    Args:
        history: Columns step, name, value.
    """
    course = history.pivot_table(index="step", columns="name", values="value")
    if "best_score" not in course:
        return _empty("nothing was searched")
    course = course[course["best_score"].notna()]
    figure = _figure(13.0, 3.8)
    score, diversity, losses = figure.subplots(1, 3)
    score.plot(course.index, course["best_score"], color=_BEST, linewidth=2, label="best so far")
    score.plot(course.index, course["mean_score"], color=_MEAN, linewidth=2, label="measured at this step")
    score.set_ylabel("mean score")
    score.legend(frameon=False, loc="lower right")
    diversity.plot(course.index, course["internal_diversity"], color=_BEST, linewidth=2)
    diversity.set_ylabel("internal diversity of the best")
    diversity.set_ylim(0, 1)
    for name, (label, colour) in _LOSSES.items():
        if name in course and (course[name] > 0).any():
            losses.plot(course.index, 100 * course[name] / course["drawn"], color=colour, linewidth=2, label=label)
    losses.set_ylabel("share of molecules drawn (%)")
    losses.set_ylim(0, 100)
    if losses.get_legend_handles_labels()[0]:
        losses.legend(frameon=False)
    for axis in (score, diversity, losses):
        _tidy(axis)
    return figure


def _tidy(axis: "Axes") -> None:
    axis.set_xlabel("step")
    axis.locator_params(axis="x", integer=True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", alpha=0.25)


def _empty(text: str) -> "Figure":
    figure = _figure(6.0, 2.0)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=14, color="0.4")
    return figure


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
