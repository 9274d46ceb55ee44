"""The MOSES table of generated molecules.

| key | range | what it says |
|---|---|---|
| n, n_valid, n_distinct | | strings, valid ones among them, distinct molecules |
| valid | 0..1 | valid strings of all n |
| unique_at_k | 0..1 | distinct molecules among the first k valid ones (of all, where there are fewer) |
| novelty | 0..1 | distinct molecules that are not in the training set |
| FCD_X | >= 0 | Fréchet ChemNet distance to reference X |
| SNN_X | 0..1 | mean similarity to the nearest molecule of X |
| Frag_X, Scaf_X | 0..1 | cosine similarity of BRICS fragments, of Murcko scaffolds |
| IntDiv, IntDiv2 | 0..1 | 1 - mean similarity of all pairs, 1 - mean of root mean squares |
| Filters | 0..1 | molecules that pass MCF, PAINS and element filters |
| logP, SA, QED, weight | >= 0 | Wasserstein distance to the first reference |

Keys are MOSES's names made fit for MLflow: ``@`` became ``_at_``, ``/`` became ``_``, ``Novelty`` is ``novelty``.
Where not said otherwise repeated molecules count each time. ``name_low`` and ``name_high`` bound a 95 % bootstrap
interval. A measure that does not exist (all strings invalid, no scaffold at all, one molecule for FCD) is absent: no
NaN is reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.molecules.metrics.bootstrap import Interval, fraction_interval, half_sample_interval, mean_interval
from medpipe.molecules.metrics.fcd import Moments, frechet_distance
from medpipe.molecules.metrics.fingerprints import mean_similarities, nearest
from medpipe.molecules.metrics.fragments import cosine_similarity, count_names
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.parse import Molecules, read_molecules
from medpipe.molecules.metrics.properties import PROPERTIES, wasserstein
from medpipe.molecules.metrics.reference import (
    Reference,
    References,
    chemnet_moments,
    load_references,
    scaffold_counts,
)

_HALF_SAMPLES = 200  # half samples cost a permutation each; their quantiles settle long before 1000


@dataclass(frozen=True)
class Score:
    """Result of scoring.

    Attributes:
        metrics: Name to number, with interval bounds as ``name_low`` and ``name_high``.
        profile: One row a distinct valid molecule, in the order generated: ``smiles``, ``count``, ``novel``,
            ``passes_filters``, logP, SA, QED, weight, ``scaffold`` (null without two rings), ``similarity_X`` to the
            nearest molecule of reference X and ``nearest_X``, its row there.
    """

    metrics: dict[str, float]
    profile: pd.DataFrame


def score(
    generated: Sequence[str], train: Sequence[str], references: References, params: ScoreParams | None = None
) -> Score:
    """Scores generated SMILES by MOSES's measures.

    Args:
        generated: Strings as they came out, invalid and repeated ones among them.
        train: Canonical SMILES of the molecules the generator has seen.
        references: Sets to compare with, by name; the first gives the property distances (MOSES: ``Test``).
        params: How to score.

    Raises:
        InputError: If ``generated`` is empty or no reference is given.
    """
    params = params or ScoreParams()
    if not len(generated):
        raise InputError("generated molecules: 0 strings received, expected at least one; sample some first.")
    if not references:
        raise InputError("references: none received, expected at least one set such as Test; see load_references.")
    table = _Table(params)
    molecules = read_molecules(list(generated), n_jobs=params.n_jobs, description="reading generated molecules")
    novel = _novel(molecules, train)
    profile = _profile(molecules, novel)
    _add_counts(table, molecules)
    if molecules.n_valid:
        _add_fractions(table, molecules, novel)
        _add_diversity(table, molecules)
        _add_properties(table, molecules, next(iter(references.values())))
        activations = _moments(molecules, params)
        for name, reference in references.items():
            similarity, row = nearest(molecules.fingerprints, reference.fingerprints, params.n_jobs)
            profile[f"similarity_{name}"], profile[f"nearest_{name}"] = similarity, row
            _add_comparison(table, name, molecules, reference, similarity, activations)
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
    references = load_references(
        {"Test": smiles.loc[is_test, "smiles"].tolist()},
        kept=folder,
        shipped=raw if raw.is_dir() else None,
        reference=params.reference,
        fcd=params.fcd,
        device=torch_device(params.device),
        batch=params.chemnet_batch,
        n_jobs=params.n_jobs,
    )
    result = score(list(generated), smiles.loc[~is_test, "smiles"].tolist(), references, params)
    return result, next(iter(references.values())).profile()


def torch_device(device: str) -> str:
    """``"auto"`` becomes ``"cuda"`` where there is such a device, else ``"cpu"``."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


class _Table:
    """Metrics under way: values, with intervals where replicates are asked for."""

    def __init__(self, params: ScoreParams) -> None:
        self.params = params
        self.metrics: dict[str, float] = {}

    def add(
        self, name: str, value: float | None, interval: Callable[[np.random.Generator], Interval] | None = None
    ) -> None:
        """Adds a value if it exists, and its interval from a stream of random numbers of its own."""
        if value is None:
            return
        self.metrics[name] = float(value)
        if interval is not None and self.params.bootstrap_replicates:
            seed = [self.params.seed, *name.encode()]
            self.metrics[f"{name}_low"], self.metrics[f"{name}_high"] = interval(np.random.default_rng(seed))

    def add_fraction(self, name: str, hits: int, n: int) -> None:
        """Adds ``hits / n`` with its binomial interval."""
        self.add(name, hits / n, lambda rng: fraction_interval(hits, n, self.params.bootstrap_replicates, rng))

    def add_mean(
        self,
        name: str,
        value: float,
        values: npt.NDArray[np.float64],
        counts: npt.NDArray[np.int64],
        spread: float = 1.0,
    ) -> None:
        """Adds a mean over molecules with its interval around ``value``."""
        replicates = self.params.bootstrap_replicates
        self.add(name, value, lambda rng: mean_interval(values, counts, replicates, rng, spread))


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


def _add_counts(table: _Table, molecules: Molecules) -> None:
    table.add("n", molecules.n)
    table.add("n_valid", molecules.n_valid)
    table.add("n_distinct", len(molecules.smiles))
    table.add_fraction("valid", molecules.n_valid, molecules.n)


def _add_fractions(table: _Table, molecules: Molecules, novel: npt.NDArray[np.bool_]) -> None:
    half_samples = min(table.params.bootstrap_replicates, _HALF_SAMPLES)
    for k in table.params.unique_at:
        rows = molecules.row_of[:k]
        interval = (
            (lambda rng, rows=rows: half_sample_interval(_distinct, rows, half_samples, rng)) if len(rows) > 1 else None
        )
        table.add(f"unique_at_{k}", _distinct(rows), interval)
    table.add_fraction("novelty", int(novel.sum()), len(novel))
    table.add_fraction("Filters", int(molecules.counts[molecules.passes_filters].sum()), molecules.n_valid)


def _distinct(rows: npt.NDArray[np.int64]) -> float:
    return float(np.count_nonzero(np.bincount(rows))) / len(rows)


def _add_diversity(table: _Table, molecules: Molecules) -> None:
    mean, mean_square = mean_similarities(molecules.fingerprints, molecules.counts, table.params.n_jobs)
    value = 1 - float(np.average(mean, weights=molecules.counts))
    table.add_mean("IntDiv", value, 1 - mean, molecules.counts, spread=2.0)
    table.add("IntDiv2", 1 - float(np.average(np.sqrt(mean_square), weights=molecules.counts)))


def _add_properties(table: _Table, molecules: Molecules, reference: Reference) -> None:
    for i, name in enumerate(PROPERTIES):
        table.add(name, wasserstein(reference.properties[:, i], molecules.properties[:, i], molecules.counts))


def _moments(molecules: Molecules, params: ScoreParams) -> Moments | None:
    if not params.fcd:
        return None
    return chemnet_moments(molecules, device=torch_device(params.device), batch=params.chemnet_batch)


def _add_comparison(
    table: _Table,
    name: str,
    molecules: Molecules,
    reference: Reference,
    similarity: npt.NDArray[np.float64],
    activations: Moments | None,
) -> None:
    if activations is not None and reference.chemnet is not None:
        table.add(f"FCD_{name}", frechet_distance(reference.chemnet, activations))
    counts = molecules.counts
    table.add_mean(f"SNN_{name}", float(np.average(similarity, weights=counts)), similarity, counts)
    fragments = count_names(molecules.fragments, counts.tolist())
    table.add(f"Frag_{name}", cosine_similarity(reference.fragments, fragments))
    table.add(f"Scaf_{name}", cosine_similarity(reference.scaffolds, scaffold_counts(molecules)))
