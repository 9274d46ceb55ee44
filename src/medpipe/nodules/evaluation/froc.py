"""Free-response ROC as the LUNA16 challenge computes it, with scan-level bootstrap.

Sensitivity over all nodules against the mean number of false alarms a scan, as the threshold falls. The score of a
system (CPM, competition performance metric) is the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms a scan
(Niemeijer et al., "On combining computer-aided detection systems", IEEE TMI 30 (2011)).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.nodules.evaluation.matching import Matching

FROC_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""LUNA16: the false alarms a scan at which sensitivity is read."""

N_BOOTSTRAPS = 1000
CONFIDENCE = 0.95

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Froc:
    """A FROC curve: points from the highest threshold (infinity, no mark at all) to the lowest.

    Attributes:
        false_alarms_per_scan: Never falls.
        sensitivity: Never falls; ends below 1 where nodules have no candidate.
        threshold: Candidates at least this probable are marked.
    """

    false_alarms_per_scan: FloatArray
    sensitivity: FloatArray
    threshold: FloatArray

    def sensitivity_at(self, rates: npt.ArrayLike = FROC_RATES) -> FloatArray:
        """Sensitivity at false alarms a scan, linear between points and constant beyond the last."""
        return np.interp(np.asarray(rates, dtype=np.float64), self.false_alarms_per_scan, self.sensitivity)

    @property
    def cpm(self) -> float:
        """Mean sensitivity at LUNA16's seven rates."""
        return float(self.sensitivity_at().mean())

    def corners(self) -> "Froc":
        """The curve without points in the middle of a straight line of even steps.

        This is what the official evaluation writes: scikit-learn's ``roc_curve`` leaves such points out. The origin is
        put before the curve only then, so the first point of a threshold always stays.
        """
        false, hit = self.false_alarms_per_scan[1:], self.sensitivity[1:]
        if len(hit) <= 2:
            return self
        # Steps are counts divided by a constant: compare with a tolerance far below one count.
        bent = ~np.isclose(np.diff(false, 2), 0, atol=1e-9) | ~np.isclose(np.diff(hit, 2), 0, atol=1e-9)
        keep = np.concatenate([[0, 1], np.flatnonzero(bent) + 2, [len(hit)]])
        return Froc(self.false_alarms_per_scan[keep], self.sensitivity[keep], self.threshold[keep])

    def threshold_at(self, rate: float) -> float:
        """The lowest threshold with at most ``rate`` false alarms a scan: the operating point for that rate."""
        return float(self.threshold[self.false_alarms_per_scan <= rate].min())


@dataclass(frozen=True)
class Bootstrap:
    """What sensitivity is at each rate in sets of scans drawn with replacement.

    Attributes:
        rates: False alarms a scan.
        samples: Sensitivity, one row a drawn set that has nodules, one column a rate.
    """

    rates: FloatArray
    samples: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Mean sensitivity at each rate."""
        return np.asarray(self.samples.mean(axis=0))

    def interval(self, confidence: float = CONFIDENCE) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limit of the sensitivity at each rate."""
        return percentile_interval(self.samples, confidence)

    def cpm_interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Lower and upper limit of the mean over the rates."""
        low, high = percentile_interval(self.samples.mean(axis=1, keepdims=True), confidence)
        return float(low[0]), float(high[0])


@dataclass(frozen=True)
class _Marks:
    """Nodules that were hit and false alarms, sorted by falling probability."""

    scan: IntArray  # number of the scan in Matching.series_uids
    is_nodule: npt.NDArray[np.bool_]
    probability: FloatArray
    last_of_threshold: IntArray  # rows where the probability changes next
    nodules_of_scan: IntArray  # nodules in each scan, hit or not


def froc(matching: Matching) -> Froc:
    """The FROC curve of a matching; without nodules its sensitivity is not a number."""
    marks = _sorted_marks(matching)
    hit, false = _steps(marks, np.ones(len(matching.series_uids), dtype=np.int64))
    n_nodules = marks.nodules_of_scan.sum()
    with np.errstate(invalid="ignore"):
        sensitivity = hit / np.float64(n_nodules)
    threshold = np.concatenate([[np.inf], marks.probability[marks.last_of_threshold]])
    return Froc(false / max(len(matching.series_uids), 1), sensitivity, threshold)


def bootstrap(
    matching: Matching,
    rates: npt.ArrayLike = FROC_RATES,
    n_samples: int = N_BOOTSTRAPS,
    seed: int = 0,
    patients: Sequence[str] | None = None,
) -> Bootstrap:
    """Draws sets of as many scans with replacement and reads the sensitivity of each at ``rates``.

    Sets without any nodule have no sensitivity and are left out.

    Args:
        matching: Candidates and findings.
        rates: False alarms a scan.
        n_samples: Sets drawn.
        seed: Of the draws.
        patients: Whose each scan is, in the order of the scans: patients are drawn, each with all scans. None draws
            scans, as LUNA16 does.

    Raises:
        ValueError: If no scan has a nodule.
    """
    marks = _sorted_marks(matching)
    if not marks.nodules_of_scan.any():
        raise ValueError("no scan has a nodule: sensitivity is not defined")
    wanted = np.asarray(rates, dtype=np.float64)
    n_scans = len(matching.series_uids)
    draws = drawn_scans(n_scans, n_samples, seed) if patients is None else drawn_patients(patients, n_samples, seed)
    n_nodules = draws @ marks.nodules_of_scan
    samples = np.empty((n_samples, len(wanted)))
    for sample in np.flatnonzero(n_nodules):
        hit, false = _steps(marks, draws[sample])
        samples[sample] = np.interp(wanted, false / draws[sample].sum(), hit / n_nodules[sample])
    return Bootstrap(wanted, samples[n_nodules > 0])


def drawn_scans(n_scans: int, n_samples: int, seed: int) -> IntArray:
    """How often each scan is drawn: n_samples x n_scans, each row sums to ``n_scans``."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(n_scans, np.full(n_scans, 1.0 / n_scans), size=n_samples)


def drawn_patients(patients: Sequence[str], n_samples: int, seed: int) -> IntArray:
    """How often each scan is in sets of as many patients, drawn with all their scans: n_samples x n_scans.

    Scans of one patient are alike: drawing them one by one would give intervals that are too narrow.
    """
    patient_of_scan, names = pd.factorize(np.asarray(patients, dtype=object))
    return drawn_scans(len(names), n_samples, seed)[:, patient_of_scan]


def percentile_interval(samples: FloatArray, confidence: float = CONFIDENCE) -> tuple[FloatArray, FloatArray]:
    """Limits of each column of ``samples``, as LUNA16 takes them: entries of the sorted column, not interpolated."""
    ordered = np.sort(samples, axis=0)
    tail = (1.0 - confidence) / 2.0
    low, high = (int(np.floor(share * len(ordered))) for share in (tail, 1.0 - tail))
    return ordered[low], ordered[min(high, len(ordered) - 1)]


def _sorted_marks(matching: Matching) -> _Marks:
    number = {uid: index for index, uid in enumerate(matching.series_uids)}
    hit = matching.nodules[matching.nodules["hit"]]
    false = matching.false_alarms
    scan = np.concatenate([part["series_uid"].map(number).to_numpy(dtype=np.int64) for part in (hit, false)])
    probability = np.concatenate([part["probability"].to_numpy(dtype=np.float64) for part in (hit, false)])
    is_nodule = np.arange(len(scan)) < len(hit)
    order = np.argsort(-probability, kind="stable")
    probability = probability[order]
    changes = np.flatnonzero(np.diff(probability, append=-np.inf))
    all_nodules = matching.nodules["series_uid"].map(number).to_numpy(dtype=np.int64)
    nodules_of_scan = np.bincount(all_nodules, minlength=len(number)).astype(np.int64)
    return _Marks(scan[order], is_nodule[order], probability, changes, nodules_of_scan)


def _steps(marks: _Marks, times_drawn: IntArray) -> tuple[FloatArray, FloatArray]:
    """Nodules hit and false alarms at each threshold, starting with none; scan i counts ``times_drawn[i]`` times."""
    weight = times_drawn[marks.scan]
    hit = np.cumsum(np.where(marks.is_nodule, weight, 0))[marks.last_of_threshold]
    both = np.cumsum(weight)[marks.last_of_threshold]
    zero = np.zeros(1)
    return np.concatenate([zero, hit]), np.concatenate([zero, both - hit])
