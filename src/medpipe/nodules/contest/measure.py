"""Measures of networks on the test scans, and on sets of patients that are the same for all networks."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.fingerprint import digest
from medpipe.nodules.contest.search import PROBLEM, Found
from medpipe.nodules.evaluation.froc import FROC_RATES, bootstrap, drawn_scans, froc
from medpipe.nodules.evaluation.intervals import auc_of_draws
from medpipe.nodules.evaluation.matching import Matching, match
from medpipe.promotion.frozen import unseen
from medpipe.promotion.params import GateParams
from medpipe.promotion.scores import Scores

UNIT, ILL_UNIT = "patients", "patients with nodules"
_OF_ALL = "scan_dice"
"""The measure that every patient has a say in: an organ is in every scan. The others rest on those with nodules."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def measure(found: Found, nodules: pd.DataFrame, test: pd.DataFrame, params: GateParams, max_marks: int) -> Scores:
    """Measures what networks found.

    Patients are drawn with all their scans, since scans of one patient are alike. As units count those on whom the
    headline rests: many patients without a nodule do not make the few with one more certain.

    Args:
        found: Of `search_test`.
        nodules: Findings.
        test: Of `scans_of_test`.
        params: Of the gate: how many sets are drawn.
        max_marks: Marks a scan that count.

    Returns:
        ``cpm`` and ``sensitivity_at_<rate>_fp`` where a test scan has a nodule; ``roi_dice`` or ``scan_dice`` where
        there is a segmenter; ``auc`` where there is a classifier and findings of both classes.
    """
    scans = unseen(test)
    patients = pd.factorize(scans["patient"])[0]
    here = nodules[nodules["series_uid"].isin(scans["series_uid"])].sort_values("finding_id").reset_index(drop=True)
    content = digest(scans.drop(columns="patient"), here, test.attrs)
    number = dict(zip(scans["series_uid"], patients, strict=True))
    n_patients = len(set(number.values()))
    n_ill = here.loc[here["kind"] == "nodule", "series_uid"].map(number).nunique()
    unit, n_units = (UNIT, n_patients) if params.headline.metric == _OF_ALL else (ILL_UNIT, n_ill)
    about = Scores(content, unit, n_units, problem=found.candidates.attrs.get(PROBLEM, ""))
    if about.problem or not n_patients:
        return about
    sets = drawn_scans(n_patients, params.n_bootstraps, params.seed)
    sets = np.concatenate([np.ones((1, n_patients), dtype=np.int64), sets])
    matching = match(found.candidates, here, scans["series_uid"].tolist(), max_marks)
    metrics = _froc_metrics(matching, patients, params)
    for name, rows in found.outlines.groupby("measure"):
        metrics[str(name)] = mean_of_sets(rows["value"], rows["series_uid"].map(number), sets)
    if found.classes["target"].nunique() > 1:
        owner = found.classes["series_uid"].map(number).to_numpy(np.int64)
        ill = found.classes["target"].to_numpy() == 1
        metrics["auc"] = auc_of_draws(found.classes["class_probability"].to_numpy(np.float64), ill, sets[:, owner])
    return Scores.of_sets(about.test, about.unit, about.n_units, metrics)


def mean_of_sets(values: "pd.Series[float]", patients: "pd.Series[int]", sets: IntArray) -> FloatArray:
    """Mean of rows, each drawn with its patient, in each set: (sets,); not a number where a set has no row."""
    number, row = patients.to_numpy(np.int64), values.to_numpy(np.float64)
    n_patients = sets.shape[1]
    sums, counts = np.bincount(number, weights=row, minlength=n_patients), np.bincount(number, minlength=n_patients)
    with np.errstate(invalid="ignore"):
        return np.asarray((sets @ sums) / (sets @ counts))


def _froc_metrics(matching: Matching, patients: IntArray, params: GateParams) -> dict[str, FloatArray]:
    if matching.nodules.empty:
        return {}
    drawn = bootstrap(matching, FROC_RATES, params.n_bootstraps, params.seed, patients.tolist()).samples
    sensitivity = np.concatenate([froc(matching).sensitivity_at()[None], drawn])
    rates = {f"sensitivity_at_{rate:g}_fp": sensitivity[:, column] for column, rate in enumerate(FROC_RATES)}
    return {"cpm": sensitivity.mean(axis=1), **rates}
