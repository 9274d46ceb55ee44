"""Measures of a generator as the report's tiles and tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medpipe.reporting.page import Table, Tile, interval, number

DEFINITIONS = {
    "valid": ("Valid", "of all strings as they came out, nothing filtered"),
    "unique_at_1000": ("Unique among 1,000", "distinct molecules among the first valid ones"),
    "unique_at_10000": ("Unique among 10,000", "distinct molecules among the first valid ones"),
    "novelty": ("Novel", "distinct valid molecules that are not in train or val"),
    "FCD_Test": ("FCD to test", "Fréchet ChemNet distance; lower is nearer"),
    "FCD_TestSF": ("FCD to scaffold test", "to molecules of scaffolds that train does not have"),
    "SNN_Test": ("SNN to test", "mean similarity to the nearest test molecule"),
    "IntDiv": ("Internal diversity", "1 - mean similarity of all pairs"),
    "Filters": ("Pass the filters", "MCF, PAINS and MOSES's elements"),
    "KL_score": ("KL score", "GuacaMol: nine descriptors and nearest similarity; 1 is best"),
    "FCD_score": ("FCD score", "GuacaMol: exp(-FCD / 5); 1 is best"),
}
"""Measure to its name and its definition in words, in the order of the tiles."""
LABELS = {
    "IntDiv2": "Internal diversity, p = 2",
    "logP": "Distance in logP",
    "SA": "Distance in SA",
    "QED": "Distance in QED",
    "weight": "Distance in weight (g/mol)",
    "Frag_Test": "Fragments as in test",
    "Scaf_Test": "Scaffolds as in test",
    "SNN_TestSF": "SNN to scaffold test",
    "Frag_TestSF": "Fragments as in scaffold test",
    "Scaf_TestSF": "Scaffolds as in scaffold test",
}
"""Names of the measures that have no tile."""
FATES = {
    "n_kept": "novel and valid: these are kept",
    "dropped_known": "valid, but a molecule of train or val",
    "dropped_repeated": "valid, but drawn before",
    "dropped_syntax": "invalid: no SMILES syntax",
    "dropped_valence": "invalid: an atom with too many bonds",
    "dropped_aromaticity": "invalid: an aromatic ring that cannot be",
    "dropped_empty": "invalid: empty",
    "dropped_length": "invalid: too long to be read",
    "dropped_other": "invalid otherwise",
}
"""Count of `medpipe.molecules.generation.novel` to what it counts."""
MEMORY = {
    "memorised": "distinct molecules that are in train or val",
    "near_train": "molecules that have one of train at a similarity of 0.9 or more",
    "similarity_train_q50": "similarity to the nearest of train: median",
    "similarity_train_q95": "similarity to the nearest of train: 95 % have less",
}
"""Measure of memorisation to its definition in words."""
FLOOR, UNSEEN = "_floor", "_of_test"
"""Endings of what as many train molecules score, and of what test molecules, which nobody has seen, score."""


def label(measure: str) -> str:
    """What a measure is called on the page; one without a name keeps that of the file of metrics."""
    return DEFINITIONS[measure][0] if measure in DEFINITIONS else LABELS.get(measure, measure)


def tiles(metrics: Mapping[str, float]) -> list[Tile]:
    """One tile a headline that is there, with its interval; the floor is told in its note."""
    result = []
    for name in (name for name in DEFINITIONS if name in metrics):
        note = DEFINITIONS[name][1]
        if f"{name}{FLOOR}" in metrics:
            note = f"{note}; as many train molecules reach {number(metrics[f'{name}{FLOOR}'])}"
        result.append(Tile(label(name), number(metrics[name]), interval(metrics, name), note))
    return result


def measures_table(comparison: pd.DataFrame, metrics: Mapping[str, float]) -> Table:
    """Every measure of generator and control, their difference, and what train molecules reach where it is known."""
    rows = [_measure_row(dict(row), metrics) for _, row in comparison.iterrows()]
    columns = ["measure", "GAN", "interval", "train", "control", "interval", "difference", "GAN is"]
    note = (
        "Train: what as many molecules of train reach, the best to hope for. Control: the same budget by likelihood "
        "alone. Distance: Wasserstein, to the test molecules; nearer is better."
    )
    return Table("All measures, with 95 % intervals", columns, rows, note)


def _measure_row(row: Mapping[Any, Any], metrics: Mapping[str, float]) -> list[str]:
    return [
        label(row["metric"]),
        number(row["generator"]),
        interval(row, "generator"),
        number(metrics.get(f"{row['metric']}{FLOOR}", np.nan)),
        number(row["control"]),
        interval(row, "control"),
        f"{round(row['difference'], 4) + 0.0:+.4f}",  # without the 0, tiny differences would be -0.0000
        row["verdict"] or "–",
    ]


def memory_table(metrics: Mapping[str, float]) -> Table:
    """How much was learnt by heart; test molecules, which the generator has never seen, stand beside."""
    rows = [
        [
            text,
            number(metrics[name]),
            interval(metrics, name),
            number(metrics.get(f"{name}{UNSEEN}", np.nan)),
        ]
        for name, text in MEMORY.items()
        if name in metrics
    ]
    note = "A generator that has learnt by heart is nearer to train than test molecules are."
    return Table("Learnt by heart?", ["", "generated", "interval", "test molecules"], rows, note)


def fates_table(counts: Mapping[str, float]) -> Table:
    """What became of each string."""
    drawn = counts.get("n_drawn", 0)
    rows = [
        [text, f"{counts[name]:,.0f}", f"{100 * counts[name] / drawn:.1f} %" if drawn else "–"]
        for name, text in FATES.items()
        if name in counts
    ]
    return Table(f"What became of the {drawn:,.0f} strings", ["", "strings", "share"], rows)


def rejects_table(rejected: pd.DataFrame) -> Table:
    """Raw molecules that were refused, by reason.

    Args:
        rejected: Columns code and reason.
    """
    groups = rejected.groupby("code")["reason"].agg(["size", "first"]).sort_values("size", ascending=False)
    rows = [[str(code), f"{row['size']:,}", str(row["first"])] for code, row in groups.iterrows()]
    return Table("Refused at intake, by reason", ["reason", "molecules", "for instance"], rows)


def splits_table(splits: Mapping[Any, int]) -> Table:
    """Molecules of each split."""
    return Table("Molecules", ["split", "molecules"], [[name, f"{n:,}"] for name, n in splits.items()])
