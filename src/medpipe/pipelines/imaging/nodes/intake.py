"""Nodes from raw scans to the scan store, and pictures of them."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.ct.masks import MaskStore
from medpipe.ct.params import CTSourceParams, IngestCTParams, PreprocessParams
from medpipe.ct.store import ScanStore


def provide_ct(params: CTSourceParams, work: Path) -> Path:
    """Makes the phantom cohort, fetches a public scan, or takes the user's folder; returns the folder."""
    from medpipe.ct.sources import provide

    return provide(params, work)


def ingest_ct(
    raw: Path, params: IngestCTParams, masks_work: Path, identity_work: Path
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, MaskStore]:
    """Finds and checks the scans and their findings, and splits the patients."""
    from medpipe.ct.ingest import ingest

    intake = ingest(raw, params, masks_work, identity_work)
    return intake.scans, intake.nodules, intake.splits, intake.locations, intake.masks


def preprocess(
    raw: Path, scans: pd.DataFrame, locations: pd.DataFrame, masks: MaskStore, params: PreprocessParams, work: Path
) -> ScanStore:
    """Resamples, windows and crops every accepted scan and its masks into the store."""
    from medpipe.ct.preprocess import preprocess

    return preprocess(raw, scans, locations, masks, params, work)


def draw_rejects(raw: Path, scans: pd.DataFrame, locations: pd.DataFrame, store: ScanStore) -> Figure:
    """A sheet of the scans that were rejected, each with its reason."""
    from medpipe.ct.rejects import reject_tiles
    from medpipe.reporting.rejects import rejects_sheet

    return rejects_sheet(reject_tiles(raw, scans, locations, store.rejections))


def report_cohort(
    scans: pd.DataFrame, nodules: pd.DataFrame, splits: pd.DataFrame, store: ScanStore
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """What the scans of each split are like, and whether val and test differ from train."""
    from medpipe.ct.cohort_report import describe
    from medpipe.reporting.cohort import cohort_figure

    report = describe(scans, nodules, splits, store)
    return report.statistics, report.drift, cohort_figure(report)


def draw_scans(store: ScanStore, scans: pd.DataFrame, nodules: pd.DataFrame, splits: pd.DataFrame) -> Figure:
    """A sheet of slices with their findings, from every split."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.pictures import cohort_sheet

    return cohort_sheet(store, nodules, series_by_split(scans, splits, store.series_uids))
