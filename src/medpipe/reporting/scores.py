"""The metrics of generated molecules as a table for the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_SUFFIXES = ("_low", "_high", "_floor", "_of_test")
_MEANING = {
    "n": "strings",
    "n_valid": "valid strings",
    "n_distinct": "distinct valid molecules",
    "valid": "valid of all strings",
    "unique_at": "distinct among the first k valid",
    "novelty": "distinct molecules not in train",
    "memorised": "distinct molecules in train",
    "Filters": "pass MCF, PAINS and element filters",
    "IntDiv": "internal diversity",
    "IntDiv2": "internal diversity, root mean squares",
    "logP": "Wasserstein distance of logP",
    "SA": "Wasserstein distance of synthetic accessibility",
    "QED": "Wasserstein distance of drug-likeness",
    "weight": "Wasserstein distance of weight, g/mol",
    "FCD": "Fréchet ChemNet distance",
    "SNN": "similarity to the nearest molecule",
    "Frag": "cosine of BRICS fragments",
    "Scaf": "cosine of Murcko scaffolds",
    "KL_score": "GuacaMol: nine descriptors alike",
    "FCD_score": "GuacaMol: exp(-0.2 FCD) to train",
    "n_nearest_train": "molecules compared with train",
    "near_train": "similarity to train of 0.9 or more",
    "similarity_train": "similarity to the nearest of train",
}


def score_table(metrics: Mapping[str, float], title: str = "") -> "Table":
    """One row a measure: its value, its 95 % interval, and what real molecules give where that is known.

    Args:
        metrics: Of `medpipe.molecules.metrics.score`.
        title: Above the table.
    """
    from rich.table import Table

    table = Table(title=title)
    for name, side in (("measure", "left"), ("value", "right"), ("95 % interval", "right"), ("real", "right")):
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("what it says", style="dim")
    for name, value in metrics.items():
        if name.endswith(_SUFFIXES):
            continue
        bounds = [metrics.get(f"{name}{bound}") for bound in ("_low", "_high")]
        interval = "" if None in bounds else " .. ".join(_number(bound) for bound in bounds if bound is not None)
        real = metrics.get(f"{name}_floor", metrics.get(f"{name}_of_test"))
        table.add_row(name, _number(value), interval, "" if real is None else _number(real), _meaning(name))
    return table


def _meaning(name: str) -> str:
    if name in _MEANING:
        return _MEANING[name]
    return next((_MEANING[start] for start in _MEANING if name.startswith(f"{start}_")), "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) > 1 else f"{value:.4f}"
