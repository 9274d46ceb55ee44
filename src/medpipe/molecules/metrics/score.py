"""The table of generated molecules: MOSES's measures, GuacaMol's two scores, and how much was learnt by heart.

| key | range | what it says |
|---|---|---|
| n, n_valid, n_distinct | | strings, valid ones among them, distinct molecules |
| valid | 0..1 | valid strings of all n |
| unique_at_k | 0..1 | distinct molecules among the first k valid ones (of all, where there are fewer) |
| novelty, memorised | 0..1 | distinct molecules that are not, that are in the training set |
| FCD_X | >= 0 | Fréchet ChemNet distance to reference X |
| SNN_X | 0..1 | mean similarity to the nearest molecule of X |
| Frag_X, Scaf_X | 0..1 | cosine similarity of BRICS fragments, of Murcko scaffolds |
| IntDiv, IntDiv2 | 0..1 | 1 - mean similarity of all pairs, 1 - mean of root mean squares |
| Filters | 0..1 | molecules that pass MCF, PAINS and element filters |
| logP, SA, QED, weight | >= 0 | Wasserstein distance to the first reference |
| KL_score, FCD_score | 0..1 | GuacaMol's, against as many training molecules |
| near_train | 0..1 | molecules with a training molecule at a similarity of 0.9 or more |
| similarity_train_q50, _q95 | 0..1 | quantiles of the similarity to the nearest training molecule |

Keys are MOSES's names made fit for MLflow: ``@`` became ``_at_``, ``/`` became ``_``, ``Novelty`` is ``novelty``.
Where not said otherwise repeated molecules count each time. ``name_low`` and ``name_high`` bound a 95 % interval by
resampling the molecules (``bootstrap``). ``name_floor`` is what as many training molecules score, ``name_of_test`` what
molecules of the reference score that nobody has seen (``training``). A measure that does not exist (all strings
invalid, no scaffold at all, one molecule for FCD) is absent: no NaN is reported.

Where MOSES itself is wrong: with today's SciPy (1.17) its Frag and Scaf multiply sums of squares as 64-bit integers,
which overflow for large sets; the number is wrong, with a warning at most. Counts are floating point numbers here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.molecules.metrics import guacamol
from medpipe.molecules.metrics.bootstrap import N_BLOCKS, half_sample_interval, quantile_interval
from medpipe.molecules.metrics.fingerprints import mean_similarities, nearest
from medpipe.molecules.metrics.fragments import cosine_similarities, cosine_similarity, count_names
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.parse import Molecules, read_molecules
from medpipe.molecules.metrics.properties import PROPERTIES, wasserstein
from medpipe.molecules.metrics.reference import Reference, References, load_references, scaffold_lists
from medpipe.molecules.metrics.sample import Sample
from medpipe.molecules.metrics.table import Table
from medpipe.molecules.metrics.training import NEAR, SHARES, Training

_HALF_SAMPLES = 200  # half samples cost a permutation each; their quantiles settle long before 1000
_TINY = 1e-12


@dataclass(frozen=True)
class Score:
    """Result of scoring.

    Attributes:
        metrics: Name to number, with interval bounds as ``name_low`` and ``name_high``.
        profile: One row a distinct valid molecule, in the order generated: ``smiles``, ``count``, ``novel``,
            ``passes_filters``, logP, SA, QED, weight, ``scaffold`` (null without two rings), ``similarity_X`` to the
            nearest molecule of reference X and ``nearest_X``, its row there. Where training molecules are compared,
            ``similarity_train`` and ``nearest_train``, the SMILES of the nearest one; null beyond the first
            ``ScoreParams.nearest_train`` molecules.
    """

    metrics: dict[str, float]
    profile: pd.DataFrame


def score(
    generated: Sequence[str],
    train: Sequence[str],
    references: References,
    params: ScoreParams | None = None,
    folder: Path | None = None,
) -> Score:
    """Scores generated SMILES.

    Args:
        generated: Strings as they came out, invalid and repeated ones among them.
        train: Canonical SMILES of the molecules the generator has seen; without any there is no novelty.
        references: Sets to compare with, by name; the first gives the property distances (MOSES: ``Test``).
        params: How to score.
        folder: Where statistics of the training molecules are kept. Without one the measures that need more than
            their names are left out: GuacaMol's scores, floors and nearest training molecules.

    Raises:
        InputError: If ``generated`` is empty or no reference is given.
    """
    params = params or ScoreParams()
    if not len(generated):
        raise InputError("generated molecules: 0 strings received, expected at least one; sample some first.")
    if not references:
        raise InputError("references: none received, expected at least one set such as Test; see load_references.")
    table = Table(params)
    training = Training(train, folder, params) if folder is not None and len(train) else None
    molecules = read_molecules(
        list(generated),
        n_jobs=params.n_jobs,
        with_physchem=training is not None,
        description="reading generated molecules",
    )
    novel = _novel(molecules, train)
    profile = _profile(molecules, novel)
    _add_counts(table, molecules)
    if molecules.n_valid:
        _add_fractions(table, molecules, novel if len(train) else None)
        _add_diversity(table, molecules)
        sample = Sample(molecules, params)
        _add_properties(table, sample, next(iter(references.values())))
        for name, reference in references.items():
            similarity, row = nearest(molecules.fingerprints, reference.fingerprints, params.n_jobs)
            profile[f"similarity_{name}"], profile[f"nearest_{name}"] = similarity, row
            _add_comparison(table, name, sample, reference, similarity)
        if training is not None:
            _add_nearest(table, profile, molecules, training)
            _add_guacamol(table, sample, training.draw(molecules.n))
            table.metrics |= training.floors(molecules.n, references)
    return Score(table.metrics, profile)


def score_against_test(
    generated: Sequence[str], smiles: pd.DataFrame, raw: Path, params: ScoreParams, folder: Path
) -> tuple[Score, pd.DataFrame]:
    """Scores generated molecules against the test molecules of the data the generator was trained on.

    Novel is what is in no other split than test. The reference is MOSES's own statistics of its whole test sets where
    they lie in ``raw``, else the molecules of the test split; see ``ScoreParams.reference``.

    Args:
        generated: Strings as they came out.
        smiles: Columns ``smiles`` (canonical) and ``split``.
        raw: Where the raw molecules lie: MOSES's folder, or a file.
        params: How to score.
        folder: Where reference statistics are kept.

    Returns:
        The score, and the properties of the reference molecules.

    Raises:
        InputError: If nothing was generated or there is no reference.
    """
    is_test = smiles["split"] == "test"
    test = {"Test": smiles.loc[is_test, "smiles"].tolist()}
    references = load_references(test, kept=folder, params=params, shipped=raw if raw.is_dir() else None)
    result = score(list(generated), smiles.loc[~is_test, "smiles"].tolist(), references, params, folder)
    return result, next(iter(references.values())).profile()


def _novel(molecules: Molecules, train: Sequence[str]) -> npt.NDArray[np.bool_]:
    seen = set(molecules.smiles).intersection(train)
    return np.array([smiles not in seen for smiles in molecules.smiles], dtype=np.bool_)


def _profile(molecules: Molecules, novel: npt.NDArray[np.bool_]) -> pd.DataFrame:
    columns = {
        "smiles": pd.Series(molecules.smiles, dtype="str"),
        "count": molecules.counts,
        "novel": novel,
        "passes_filters": molecules.passes_filters,
        **dict(zip(PROPERTIES, molecules.properties.T, strict=True)),
        "scaffold": pd.Series(molecules.scaffolds, dtype="str"),
    }
    return pd.DataFrame(columns)


def _add_counts(table: Table, molecules: Molecules) -> None:
    table.add("n", molecules.n)
    table.add("n_valid", molecules.n_valid)
    table.add("n_distinct", len(molecules.smiles))
    table.add_fraction("valid", molecules.n_valid, molecules.n)


def _add_fractions(table: Table, molecules: Molecules, novel: npt.NDArray[np.bool_] | None) -> None:
    half_samples = min(table.params.bootstrap_replicates, _HALF_SAMPLES)
    for k in table.params.unique_at:
        rows = molecules.row_of[:k]
        interval = (
            (lambda rng, rows=rows: half_sample_interval(_distinct, rows, half_samples, rng)) if len(rows) > 1 else None
        )
        table.add(f"unique_at_{k}", _distinct(rows), interval)
    if novel is not None:
        table.add_fraction("novelty", int(novel.sum()), len(novel))
        table.add_fraction("memorised", int((~novel).sum()), len(novel))
    table.add_fraction("Filters", int(molecules.counts[molecules.passes_filters].sum()), molecules.n_valid)


def _distinct(rows: npt.NDArray[np.int64]) -> float:
    return float(np.count_nonzero(np.bincount(rows))) / len(rows)


def _add_diversity(table: Table, molecules: Molecules) -> None:
    mean, mean_square = mean_similarities(molecules.fingerprints, molecules.counts, table.params.n_jobs)
    value = 1 - float(np.average(mean, weights=molecules.counts))
    table.add_mean("IntDiv", value, 1 - mean, molecules.counts, spread=2.0)
    # A molecule also moves the root mean squares of the others: the second term, to first order.
    root = np.sqrt(mean_square)
    mean_root = float(np.average(root, weights=molecules.counts))
    influence = -root - mean_square / (2 * max(mean_root, _TINY))
    influence += 1 - mean_root - np.average(influence, weights=molecules.counts)
    table.add_mean("IntDiv2", 1 - mean_root, influence, molecules.counts)


def _add_properties(table: Table, sample: Sample, reference: Reference) -> None:
    for i, name in enumerate(PROPERTIES):
        expected, found = reference.properties[:, i], sample.molecules.properties[:, i]
        distance: Callable[[npt.NDArray[np.int64]], float] = partial(wasserstein, expected, found)
        table.add_smooth(name, distance(sample.molecules.counts), partial(_each, distance, sample.without))


def _each(measure: Callable[[npt.NDArray[np.int64]], float], weights: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """A measure of each weighting of the molecules; none where a weighting is empty."""
    return np.array([measure(row) for row in weights]) if weights.any(axis=1).all() else np.zeros(0)


def _add_comparison(
    table: Table, name: str, sample: Sample, reference: Reference, similarity: npt.NDArray[np.float64]
) -> None:
    molecules = sample.molecules
    counts = molecules.counts
    if (chemnet_moments := reference.chemnet) is not None:
        distance = sample.frechet(chemnet_moments)
        table.add_smooth(f"FCD_{name}", distance, lambda: sample.frechet_without(chemnet_moments))
    table.add_mean(f"SNN_{name}", float(np.average(similarity, weights=counts)), similarity, counts)
    for measure, expected, names in (
        ("Frag", reference.fragments, molecules.fragments),
        ("Scaf", reference.scaffolds, scaffold_lists(molecules)),
    ):
        value = cosine_similarity(expected, count_names(names, counts.tolist()))
        replicates = partial(cosine_similarities, expected, names, sample.without)
        table.add_smooth(f"{measure}_{name}", value, replicates, highest=1.0)


def _add_nearest(table: Table, profile: pd.DataFrame, molecules: Molecules, training: Training) -> None:
    """Nearest training molecules of the first distinct ones."""
    replicates, looked_at = table.params.bootstrap_replicates, molecules.fingerprints[: table.params.nearest_train]
    if not len(looked_at):
        return
    similarity, row = training.nearest(looked_at)
    profile["similarity_train"] = pd.Series(similarity)
    profile["nearest_train"] = pd.Series([training.smiles[i] for i in row], dtype="str")
    table.add("n_nearest_train", len(looked_at))
    table.add_fraction("near_train", int((similarity >= NEAR).sum()), len(similarity))
    for name, share in SHARES.items():
        interval = partial(quantile_interval, similarity, share, replicates)
        table.add(f"similarity_train_{name}", float(np.quantile(similarity, share)), interval)


def _add_guacamol(table: Table, sample: Sample, draw: Reference) -> None:
    """GuacaMol's scores against a draw of training molecules."""
    if (baseline := draw.physchem) is not None:
        found = guacamol.measures(sample.molecules.physchem, table.params.n_jobs)
        part_of = np.random.default_rng(table.params.seed).permutation(len(found)) % max(min(N_BLOCKS, len(found)), 1)
        table.add_smooth(
            "KL_score",
            guacamol.kl_score(baseline, found),
            lambda: guacamol.kl_scores_without(baseline, found, part_of),
            highest=1.0,
        )
    if (expected := draw.chemnet) is not None and (distance := sample.frechet(expected)) is not None:
        table.add_smooth(
            "FCD_score",
            guacamol.fcd_score(distance),
            lambda: np.array([guacamol.fcd_score(value) for value in sample.frechet_without(expected)]),
            highest=1.0,
        )
