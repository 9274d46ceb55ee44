"""The tables of a cohort, joined."""

from collections.abc import Iterable

import pandas as pd

from medpipe.ct.splits import SPLIT_NAMES


def series_by_split(scans: pd.DataFrame, splits: pd.DataFrame, prepared: Iterable[str]) -> dict[str, list[str]]:
    """Series of each split that can be used: accepted at intake and prepared.

    Args:
        scans: ``ct_scans``.
        splits: ``ct_splits``.
        prepared: Series uids in the scan store.

    Returns:
        "train", "val" and "test" to sorted series uids.
    """
    usable = scans[scans["accepted"] & scans["series_uid"].isin(list(prepared))]
    joined = usable.merge(splits, on="patient_id", validate="many_to_one")
    return {name: sorted(joined.loc[joined["split"] == name, "series_uid"]) for name in SPLIT_NAMES}


def by_series(scans: pd.DataFrame, column: str) -> dict[str, str]:
    """Series uid to the text in a column of ``ct_scans``, such as its patient or its source."""
    return dict(zip(scans["series_uid"].astype(str), scans[column].astype(str), strict=True))
