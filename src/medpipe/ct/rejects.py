"""What a sheet of rejected scans shows of each: its reason, and a slice where no name can be burned into it."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.ct.readers import ScanReadError, ScanRef, find_reader
from medpipe.reporting.rejects import MAX_TILES, PICTURED_CODES, RejectTile, spread


def reject_tiles(
    raw: Path | str, scans: pd.DataFrame, locations: pd.DataFrame, not_prepared: pd.DataFrame
) -> list[RejectTile]:
    """Tiles of the scans that intake or preprocessing rejected, of every code some.

    Args:
        raw: The raw folder.
        scans: The manifest (``medpipe.ct.ingest.SCAN_COLUMNS``).
        locations: Where each series lies (``medpipe.ct.identity.LOCATION_COLUMNS``).
        not_prepared: ``rejections`` of the scan store: series_uid, code, reason.
    """
    names = {"rejection_code": "code", "rejection_reason": "reason"}
    at_intake = scans.loc[~scans["accepted"], ["series_uid", *names]].rename(columns=names)
    rejected = pd.concat([at_intake, not_prepared], ignore_index=True).merge(
        locations, on="series_uid", validate="one_to_one"
    )
    counts = rejected["code"].value_counts()
    shown = rejected.iloc[spread(rejected["code"].tolist(), MAX_TILES)]
    return [
        RejectTile(
            code=row["code"],
            reason=row["reason"],
            image=_slice(Path(raw), row) if row["code"] in PICTURED_CODES else None,
            n_scans=int(counts[row["code"]]),
        )
        for row in shown.to_dict("records")
    ]


def _slice(raw: Path, row: Mapping[Hashable, Any]) -> NDArray[np.int16] | None:
    """The series' middle slice as it lies in the files; None where it cannot be read."""
    samples = () if pd.isna(row["sample"]) else (row["sample"],)
    scan = ScanRef(row["source_series_uid"], "", row["reader"], row["path"], samples=samples)
    try:
        slices = find_reader(row["reader"]).read_samples(raw, scan)
    except ScanReadError:
        return None
    return slices[len(slices) // 2]
