"""Folds of a cohort: LUNA16's own, or patients dealt out."""

import re
from collections.abc import Iterable

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.ct.splits import hash_fraction
from medpipe.nodules.evaluation.params import CrossValidationParams

MIN_FOLDS = 3
"""One to test, one to set the operating threshold, one to train."""

_SUBSET = re.compile(r"(?:^|[/\\])(subset\d+)(?:[/\\]|$)")


def folds_of(
    scans: pd.DataFrame, locations: pd.DataFrame, prepared: Iterable[str], params: CrossValidationParams
) -> dict[str, list[str]]:
    """Divides the usable scans; all scans of a patient are in one fold.

    Args:
        scans: ``ct_scans``: series_uid, patient_id, accepted.
        locations: ``ct_locations``: series_uid, path. Read for LUNA16's subsets only.
        prepared: Series uids in the scan store.
        params: Of the division.

    Returns:
        Name of a fold to its sorted series uids.

    Raises:
        InputError: If scans lie in no subset, a patient's scans lie in several, or there are too few folds or patients.
    """
    usable = scans[scans["accepted"].astype(bool) & scans["series_uid"].isin(list(prepared))]
    names = _subsets(usable, locations) if params.folds == "subsets" else _dealt(usable, params)
    folds = {str(name): sorted(rows["series_uid"]) for name, rows in usable.groupby(names.to_numpy())}
    if len(folds) < MIN_FOLDS:
        raise InputError(f"cross-validation needs at least {MIN_FOLDS} folds with scans, got {sorted(folds)}")
    return folds


def _subsets(usable: pd.DataFrame, locations: pd.DataFrame) -> "pd.Series[str]":
    path = usable["series_uid"].map(locations.set_index("series_uid")["path"])
    subset = path.astype("str").str.extract(_SUBSET, expand=False)
    if subset.isna().any():
        first = usable.loc[subset.isna(), "series_uid"].iloc[0]
        raise InputError(
            f"{subset.isna().sum()} of {len(usable)} scans lie in no folder named subset0, subset1 ..., the first "
            f"{first}; set folds to patients, or keep LUNA16's folders."
        )
    several = subset.groupby(usable["patient_id"]).transform("nunique") > 1
    if several.any():
        first = usable.loc[several, "series_uid"].iloc[0]
        raise InputError(
            f"{several.sum()} scans are of patients with scans in several subsets, the first {first}: a network would "
            "be tested on patients it learned from; set folds to patients."
        )
    return subset


def _dealt(usable: pd.DataFrame, params: CrossValidationParams) -> "pd.Series[str]":
    """Patients in the order of their hash, dealt out one by one: folds of equal size, the same in every run."""
    patients = sorted(set(usable["patient_id"]), key=lambda patient: (hash_fraction(patient, params.seed), patient))
    if len(patients) < params.n_folds:
        raise InputError(f"n_folds is {params.n_folds}, but the cohort has {len(patients)} patients with usable scans")
    fold = {patient: f"fold{number % params.n_folds}" for number, patient in enumerate(patients)}
    return usable["patient_id"].map(fold)
