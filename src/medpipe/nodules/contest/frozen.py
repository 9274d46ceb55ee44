"""The scans on which networks are compared."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from medpipe.core.fingerprint import digest
from medpipe.ct.cohort import by_series, series_by_split
from medpipe.ct.store import ScanStore
from medpipe.nodules.findings.models import Models
from medpipe.promotion.frozen import frozen_test

UNIT = "scans"


def scans_of_test(
    store: ScanStore, scans: pd.DataFrame, splits: pd.DataFrame, models: Mapping[str, Models]
) -> pd.DataFrame:
    """The test scans, whose they are, and whether any of the models was trained on a scan of that patient.

    Args:
        store: The prepared scans.
        scans: ``ct_scans``.
        splits: ``ct_splits``.
        models: Name to networks; in the order in which they are asked what is to be outlined and classified.

    Returns:
        Columns series_uid, patient (a number), content (digest of the prepared scan), seen_by (names of models). What
        the last of the models outlines and classifies stands in ``attrs``: both are judged by that.
    """
    uids = series_by_split(scans, splits, store.series_uids)["test"]
    patients = by_series(scans, "patient_id")
    table = pd.DataFrame({"series_uid": pd.Series(uids, dtype="str")})
    owner = table["series_uid"].map(patients)
    table = table.assign(
        patient=pd.factorize(owner)[0].astype("int64"),
        content=pd.Series([_content(store, uid) for uid in uids], dtype="str"),
    )
    seen = {}
    for name, networks in models.items():
        known = trained_on(networks)
        of_patients = {patients[uid] for uid in known if uid in patients}
        seen[name] = (owner.isin(of_patients) | table["series_uid"].isin(known)).to_numpy(dtype=bool)
    test = frozen_test(table, seen, UNIT)
    test.attrs = _targets(models)
    return test


def trained_on(models: Models) -> set[str]:
    """Series that any of the networks was trained on, or set its thresholds on."""
    return {
        uid
        for checkpoint in models.present.values()
        for uids in checkpoint.provenance.get("series", {}).values()
        for uid in uids
    }


def _content(store: ScanStore, uid: str) -> str:
    record = store.record(uid)
    return str(record.get("content") or digest(record["key"]))


def _targets(models: Mapping[str, Models]) -> dict[Any, Any]:
    """Of the last model that has one: what is outlined, and what is told apart."""
    found: dict[Any, Any] = {}
    for networks in models.values():
        for role in ("segmenter", "classifier"):
            if (checkpoint := networks.present.get(role)) is not None:
                found[role] = checkpoint.params["target"]
    return found
