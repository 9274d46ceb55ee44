"""The HTML report of a molecule generator: how good it is, whether playing paid, and what it draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from medpipe.reporting import chemical_space, comparison
from medpipe.reporting.generator_training import training_curves
from medpipe.reporting.molecule_numbers import (
    fates_table,
    measures_table,
    memory_table,
    rejects_table,
    splits_table,
    tiles,
)
from medpipe.reporting.molecules import molecule_grid, nearest_train, property_histograms
from medpipe.reporting.page import Block, Figure, Page, Section, figure_uri, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_NOTICE = (
    "Made by medpipe for research. The molecules are drawn by a computer: none was made or tested, and whether they "
    "can be made, or are safe, is unknown."
)
_GRID_COLUMNS = 4  # as many as can be read on a page


@dataclass(frozen=True)
class GeneratorResults:
    """All that the report tells.

    Attributes:
        metrics: Of the generator's sample, with intervals and floors.
        comparison: Generator against control, of `medpipe.molecules.metrics.comparison.compare`.
        profile: One row a distinct valid molecule of the sample.
        reference: Properties of the test molecules.
        space: The map, of `medpipe.molecules.metrics.chemical_space.chemical_space`.
        counts: What became of each string, of `medpipe.molecules.generation.novel.novel_and_valid`.
        history: Course of the training.
        splits: Molecules of each split.
        rejected: Columns code and reason: what was refused at intake.
        provenance: JSON-able: what made the generator, and how the sample was drawn.
    """

    metrics: Mapping[str, float]
    comparison: pd.DataFrame
    profile: pd.DataFrame
    reference: pd.DataFrame
    space: pd.DataFrame
    counts: Mapping[str, float]
    history: pd.DataFrame
    splits: Mapping[Any, int]
    rejected: pd.DataFrame
    provenance: Mapping[Any, Any] = field(default_factory=dict)


def molecule_report(results: GeneratorResults, *, title: str = "New molecules: what the generator can do") -> str:
    """One page that works offline.

    Returns:
        HTML.
    """
    sections = [
        _measures(results),
        _molecules(results),
        _memory(results),
        _distribution(results),
        _training(results),
        Section("Counts", [fates_table(results.counts), splits_table(results.splits), rejects_table(results.rejected)]),
    ]
    return render(Page(title, _subtitle(results), tiles(results.metrics), sections, None, results.provenance, _NOTICE))


def _subtitle(results: GeneratorResults) -> str:
    sample = results.provenance.get("sample", {})
    temperature = f" at temperature {sample['temperature']:g}" if "temperature" in sample else ""
    metrics = results.metrics
    return (
        f"{metrics.get('n', 0):,.0f} strings drawn{temperature}, {metrics.get('n_valid', 0):,.0f} valid, "
        f"{metrics.get('n_distinct', 0):,.0f} distinct molecules. Intervals: 95 %, of the draw."
    )


def _measures(results: GeneratorResults) -> Section:
    chart = _picture(
        "GAN against likelihood control",
        f"Of the measures with an interval: {comparison.verdicts(results.comparison)}",
        comparison.comparison_chart(results.comparison),
        comparison.CAPTION,
    )
    return Section("Measures", [measures_table(results.comparison, results.metrics), chart])


def _molecules(results: GeneratorResults) -> Section:
    grid = molecule_grid(results.profile, columns=_GRID_COLUMNS)
    return Section("Molecules", [_picture("As they came", "Structures; the profile has their SMILES", grid)])


def _memory(results: GeneratorResults) -> Section:
    caption = (
        "Novel molecules from the most to the least similar to a molecule of train, at even steps of rank. At 1.00 two "
        "molecules have the same Morgan fingerprint, as rings of six and seven atoms may, and are still not the same."
    )
    figure = nearest_train(results.profile)
    picture = _picture("Nearest molecules of train", caption, figure, caption)
    return Section("Memory", [memory_table(results.metrics), picture])


def _distribution(results: GeneratorResults) -> Section:
    blocks = [
        _picture(
            "Properties",
            "Distributions of logP, SA, QED and weight; their distances are among the measures",
            property_histograms(results.profile, results.reference),
        ),
        _picture(
            "Chemical space",
            chemical_space.verdict(results.space),
            chemical_space.space_map(results.space),
            chemical_space.CAPTION,
        ),
    ]
    return Section("Against the test molecules", blocks)


def _training(results: GeneratorResults) -> Section:
    alt = "Likelihood, validity, accuracy of the discriminator and losses against optimizer steps"
    return Section("Training", [_picture("Course", alt, training_curves(results.history))])


def _picture(title: str, alt: str, figure: "MatplotlibFigure", caption: str = "") -> Block:
    return Figure(title, alt, source=figure_uri(figure), caption=caption)
