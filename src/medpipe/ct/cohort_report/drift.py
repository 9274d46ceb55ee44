"""Whether val and test are like train: a distance for every feature, its chance, and a flag.

The unit is the patient. Each patient is a distribution of his own (of the spacings of his scans, the diameters of his
nodules, the Hounsfield units of his voxels), a split is the mean of its patients' distributions, and the distance of
two splits is

- numbers: Kolmogorov-Smirnov, the largest gap of the cumulative distributions (0 to 1);
- categories: total variation, half the sum of the gaps of the shares (0 to 1);
- Hounsfield units: Wasserstein-1, the area between the cumulative distributions (HU).

With one value a patient the first is ``scipy.stats.ks_2samp``'s statistic. Its chance is that of a distance as large
when patients are dealt to the two splits at random (permutation test; all dealings where they are few, else random
ones with the observed one counted in: Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010). So ties, such as
equal spacings, and several scans or nodules of a patient are accounted for. All tests of a cohort are one family
(Holm, Scand. J. Stat. 6, 1979): a cohort split at random gets any flag at all with a probability of at most `ALPHA`.
"""

import math
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.ct.cohort_report.features import HU, Feature, Features, FloatArray, HuHistograms, mean_of_patients

ALPHA = 0.05
"""Chance that a cohort without drift gets a flag."""

N_PERMUTATIONS = 4999
"""Random dealings: the smallest chance is 1/5000, low enough for a flag after Holm's factor (some 20 tests)."""

MAX_GRID = 256
"""Most values at which cumulative distributions are compared; where there are more, evenly spaced quantiles."""

REFERENCE, COMPARED = "train", ("val", "test")

DRIFT_COLUMNS = {
    "split": "str",
    "feature": "str",
    "measure": "str",
    "distance": "float64",
    "p_value": "float64",
    "p_holm": "float64",
    "drifted": "bool",
    "enough_patients": "bool",
    "n_train_patients": "int64",
    "n_patients": "int64",
    "n_train": "int64",
    "n": "int64",
    "summary": "str",
}
"""Columns of the table of drift; one row a feature and split, null distances where a side has no value."""

_CHUNK = 512
_ROUNDING = 1e-9


@dataclass(frozen=True)
class _Sample:
    """A feature in the form in which it is compared.

    Attributes:
        rows: m x k, a (cumulative) distribution a patient.
        split: Of each patient, m.
        measure: Name of the distance.
        distance: From n x k differences of mean distributions to n distances.
        n: Split to number of values (scans or nodules).
        typical: What is usual in two splits, in words.
    """

    rows: FloatArray
    split: NDArray[np.object_]
    measure: str
    distance: Callable[[FloatArray], FloatArray]
    n: Mapping[Hashable, int]
    typical: Callable[[str, str], str]


def drift_table(features: Features, seed: int = 0, n_permutations: int = N_PERMUTATIONS) -> pd.DataFrame:
    """Compares val and test with train.

    Args:
        features: Of the cohort.
        seed: Of the random dealings; each feature has its own stream.
        n_permutations: How many random dealings.

    Returns:
        Columns as in `DRIFT_COLUMNS`. ``p_holm`` is corrected over all rows of features that vary; ``enough_patients``
        says whether any distance at all could have been flagged with so few patients; ``summary`` holds the medians
        of the values, or the patients' mean share in the category that differs most.
    """
    samples = {feature.name: _sample(feature) for feature in features.features}
    if features.histograms is not None:
        samples[HU] = _hu_sample(features.histograms)
    rows, floors = [], []
    for split in COMPARED:
        for name, sample in samples.items():
            row, floor = _row(split, name, sample, seed, n_permutations)
            rows.append(row)
            floors.append(floor)
    table = pd.DataFrame(rows, columns=list(DRIFT_COLUMNS))
    p_values = table["p_value"].to_numpy(np.float64)
    # What is the same for all patients cannot differ by chance either: no member of the family.
    varying = np.array([bool(np.ptp(samples[name].rows, axis=0).any()) for name in table["feature"]], dtype=bool)
    table["p_holm"] = np.where(varying, holm(np.where(varying, p_values, np.nan)), p_values)
    table["drifted"] = table["p_holm"] <= ALPHA
    n_tests = int((varying & np.isfinite(p_values)).sum())
    table["enough_patients"] = np.asarray(floors, dtype=np.float64) * n_tests <= ALPHA
    return table.astype(DRIFT_COLUMNS)


def _row(split: str, name: str, sample: _Sample, seed: int, n_permutations: int) -> tuple[dict[str, object], float]:
    """A row of the table, without what depends on the other rows, and the smallest chance it could have had."""
    train, other = sample.rows[sample.split == REFERENCE], sample.rows[sample.split == split]
    row: dict[str, object] = {
        "split": split,
        "feature": name,
        "measure": sample.measure,
        "distance": np.nan,
        "p_value": np.nan,
        "n_train_patients": len(train),
        "n_patients": len(other),
        "n_train": sample.n.get(REFERENCE, 0),
        "n": sample.n.get(split, 0),
        "summary": "no value in one of the two",
    }
    if not (len(train) and len(other)):
        return row, np.inf
    rng = np.random.default_rng([seed, zlib.crc32(f"{split} {name}".encode())])
    row["distance"], row["p_value"] = permutation_test(train, other, sample.distance, rng, n_permutations)
    row["summary"] = sample.typical(REFERENCE, split)
    return row, 1 / min(math.comb(len(train) + len(other), len(other)), n_permutations + 1)


def permutation_test(
    first: FloatArray,
    second: FloatArray,
    distance: Callable[[FloatArray], FloatArray],
    rng: np.random.Generator,
    n_permutations: int = N_PERMUTATIONS,
) -> tuple[float, float]:
    """Distance of two groups' means and its chance when the rows are dealt to the groups at random.

    Args:
        first: n x k, a row a patient.
        second: m x k.
        distance: From b x k differences of means to b distances.
        rng: Of the random dealings.
        n_permutations: How many; where no more than these exist, each is tried once and the chance is exact.

    Returns:
        The distance; the chance of one at least as large.
    """
    pooled = np.concatenate([first, second])
    total, observed = pooled.sum(axis=0), distance((second.mean(axis=0) - first.mean(axis=0))[None])[0]
    n_second, n_dealt, n_as_large = len(second), 0, 0
    exact = math.comb(len(pooled), n_second) <= n_permutations
    for dealt in _dealings(len(pooled), n_second, None if exact else rng, n_permutations):
        sums = dealt.astype(np.float64) @ pooled
        distances = distance(sums / n_second - (total - sums) / len(first))
        n_as_large += int((distances >= observed - _ROUNDING * (1 + observed)).sum())
        n_dealt += len(dealt)
    return float(observed), n_as_large / n_dealt if exact else (n_as_large + 1) / (n_dealt + 1)


def _dealings(n: int, n_second: int, rng: np.random.Generator | None, count: int) -> Iterator[NDArray[np.bool_]]:
    """Chunks of bool (b, n): who is in the second group; every choice once, or ``count`` random ones."""
    if rng is None:
        chosen = np.array(list(combinations(range(n), n_second)))
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK]
            dealt = np.zeros((len(part), n), dtype=bool)
            np.put_along_axis(dealt, part, True, axis=1)
            yield dealt
        return
    order = np.arange(n) < n_second
    for start in range(0, count, _CHUNK):
        yield rng.permuted(np.tile(order, (min(_CHUNK, count - start), 1)), axis=1)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's step-down adjusted p-values; NaN where a value is NaN, and not counted."""
    adjusted = np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int(np.isfinite(p_values).sum())]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0) if len(order) else []
    return adjusted


def _sample(feature: Feature) -> _Sample:
    of_value = feature.values["split"].to_numpy(dtype=object)
    patient = feature.values["patient"].to_numpy(np.int64)
    counts = pd.Series(of_value).value_counts().to_dict()
    if feature.kind == "number":
        numbers = feature.values["value"].to_numpy(np.float64)
        grid = np.unique(numbers)
        if len(grid) > MAX_GRID:
            grid = np.unique(np.quantile(numbers, np.linspace(0, 1, MAX_GRID), method="inverted_cdf"))
        rows, first = mean_of_patients((numbers[:, None] <= grid).astype(np.float64), patient)

        def medians(one: str, other: str) -> str:
            low, high = (np.median(numbers[of_value == split]) for split in (one, other))
            return f"median {low:.3g} in {one}, {high:.3g} in {other}"

        return _Sample(rows, of_value[first], "Kolmogorov-Smirnov", _largest_gap, counts, medians)
    codes, names = pd.factorize(feature.values["value"], sort=True)
    rows, first = mean_of_patients(np.eye(len(names))[codes], patient)
    split = of_value[first]

    def widest(one: str, other: str) -> str:
        shares = [rows[split == name].mean(axis=0) for name in (one, other)]
        place = int(np.abs(shares[0] - shares[1]).argmax())
        return f"{names[place]}: {shares[0][place]:.0%} of {one}, {shares[1][place]:.0%} of {other}"

    return _Sample(rows, split, "total variation", _half_sum, counts, widest)


def _hu_sample(histograms: HuHistograms) -> _Sample:
    bin_hu = float(histograms.hu[1] - histograms.hu[0])
    rows, first = mean_of_patients(np.cumsum(histograms.shares, axis=1), histograms.patient)
    split = histograms.split[first]
    means = mean_of_patients(histograms.shares, histograms.patient)[0] @ histograms.hu

    def typical(one: str, other: str) -> str:
        return f"mean {means[split == one].mean():.0f} HU in {one}, {means[split == other].mean():.0f} HU in {other}"

    counts = pd.Series(histograms.split).value_counts().to_dict()
    return _Sample(rows, split, "Wasserstein (HU)", lambda gaps: np.abs(gaps).sum(axis=1) * bin_hu, counts, typical)


def _largest_gap(gaps: FloatArray) -> FloatArray:
    return np.asarray(np.abs(gaps).max(axis=1))


def _half_sum(gaps: FloatArray) -> FloatArray:
    return np.asarray(np.abs(gaps).sum(axis=1) / 2)
