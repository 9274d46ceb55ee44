"""The nodes of ``imaging``: each calls the library."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.ct.masks import MaskStore
from medpipe.ct.params import CTSourceParams, IngestCTParams, PreprocessParams
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.params import DetectParams, TrainDetectorParams
from medpipe.nodules.evaluation.params import EvaluateParams
from medpipe.training.checkpoint import Checkpoint


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


def train_cnn(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    params: TrainDetectorParams,
    pretrained: str,
    work: Path,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains the detector, or takes a trained one."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.detection.pretrained import take_detector
    from medpipe.nodules.detection.train import train_detector

    if pretrained:
        return take_detector(Path(pretrained))
    return train_detector(store, nodules, series_by_split(scans, splits, store.series_uids), params, work)


def detect(
    store: ScanStore, scans: pd.DataFrame, splits: pd.DataFrame, checkpoint: Checkpoint, params: DetectParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Candidates on the test scans, by the trained network and by the same network before training."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.detection.inference import detect, untrained

    test = series_by_split(scans, splits, store.series_uids)["test"]
    return detect(store, test, checkpoint, params), detect(store, test, untrained(checkpoint), params)


def evaluate(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    candidates: pd.DataFrame,
    control: pd.DataFrame,
    checkpoint: Checkpoint,
    params: EvaluateParams,
) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """FROC, CPM and the measures at the operating point on the test scans, with the untrained control."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.evaluation.control import evaluate_with_control

    test = series_by_split(scans, splits, store.series_uids)["test"]
    threshold = checkpoint.params["operating_threshold"]
    result = evaluate_with_control(candidates, control, nodules, test, params, threshold)
    return result.metrics, result.curve, result.matches


def draw_froc(curves: pd.DataFrame) -> Figure:
    """Sensitivity against false alarms a scan, of the detector and of the untrained control."""
    from medpipe.reporting.froc import froc_figure

    of = dict(list(curves.groupby("network")))
    return froc_figure(of["trained"], of.get("untrained"))


def draw_findings(store: ScanStore, outcomes: pd.DataFrame) -> tuple[Figure, Figure, Figure]:
    """Hits, misses and false alarms in three orthogonal slices each."""
    from medpipe.nodules.pictures import outcome_gallery

    hits, misses, false_alarms = (outcome_gallery(store, outcomes, name) for name in ("hit", "miss", "false alarm"))
    return hits, misses, false_alarms
