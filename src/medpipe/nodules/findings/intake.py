"""Scans without labels: where they lie, which can be read, and how they must be prepared."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.ct.ingest import ingest
from medpipe.ct.params import IngestCTParams, LabelParams, PreprocessParams
from medpipe.ct.store import ScanStore
from medpipe.nodules.findings.params import InferenceSourceParams
from medpipe.training.checkpoint import Checkpoint


def scans_folder(params: InferenceSourceParams) -> Path:
    """The user's folder.

    Raises:
        InputError: If none is given, or it does not exist.
    """
    if params.folder is None:
        raise InputError(
            "inference_source.folder is not given; name the folder of the scans, e.g. "
            "kedro run --pipeline=imaging_inference --params=inference_source.folder=/data/scans"
        )
    folder = params.folder.expanduser()
    if not folder.is_dir():
        raise InputError(f"inference_source.folder: {folder} is no folder; give one with scans in any subfolders")
    return folder


def ingest_unlabelled(
    raw: Path, params: IngestCTParams, identity_folder: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Finds and checks scans; labels that lie beside them are not looked at, so that damaged ones reject no scan.

    Args:
        raw: The raw folder.
        params: Of the intake; the sources of labels are left out.
        identity_folder: Where the key of the pseudonyms is kept; None where none are needed.

    Returns:
        The manifest (``medpipe.ct.ingest.SCAN_COLUMNS``) and where each series lies
        (``medpipe.ct.identity.LOCATION_COLUMNS``).
    """
    labels = LabelParams(**{**params.labels.model_dump(), "sources": ()})
    with TemporaryDirectory() as no_masks:
        intake = ingest(raw, params.model_copy(update={"labels": labels}), no_masks, identity_folder)
    return intake.scans, intake.locations


def as_trained(params: PreprocessParams, detector: Checkpoint) -> PreprocessParams:
    """Parameters of the preparation with the spacing and the HU window that a detector was trained with."""
    trained = {name: detector.params[name] for name in ("spacing_mm", "hu_window")}
    return PreprocessParams(**{**params.model_dump(), **trained})


def unread(scans: pd.DataFrame, store: ScanStore) -> pd.DataFrame:
    """The scans that were not searched: columns series_uid and reason."""
    at_intake = scans.loc[~scans["accepted"], ["series_uid", "rejection_reason"]]
    return pd.concat(
        [at_intake.rename(columns={"rejection_reason": "reason"}), store.rejections[["series_uid", "reason"]]],
        ignore_index=True,
    )
