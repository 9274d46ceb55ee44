"""The nodes of ``imaging_inference``: each calls the library."""

from pathlib import Path
from typing import Any

import pandas as pd

from medpipe.ct.masks import MaskStore
from medpipe.ct.params import IngestCTParams, PreprocessParams
from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.params import ClassifyParams
from medpipe.nodules.findings.export.folder import FindingsFolder
from medpipe.nodules.findings.models import ModelFolder
from medpipe.nodules.findings.params import FindParams, InferenceSourceParams, ModelFiles
from medpipe.nodules.report_params import ReportParams
from medpipe.nodules.segmentation.params import SegmentParams


def provide_scans(params: InferenceSourceParams) -> Path:
    """The folder of the scans to be read."""
    from medpipe.nodules.findings.intake import scans_folder

    return scans_folder(params)


def take_models(trained: ModelFolder, given: ModelFiles, work: Path) -> ModelFolder:
    """The trained networks of this project, or those given by file."""
    from medpipe.nodules.findings.models import choose_models, write_models

    return write_models(choose_models(trained, given), work)


def ingest_scans(raw: Path, params: IngestCTParams, identity_work: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Finds and checks the scans; labels beside them are not read."""
    from medpipe.nodules.findings.intake import ingest_unlabelled

    return ingest_unlabelled(raw, params, identity_work)


def prepare_scans(
    raw: Path, scans: pd.DataFrame, locations: pd.DataFrame, models: ModelFolder, params: PreprocessParams, work: Path
) -> ScanStore:
    """Prepares every accepted scan as the detector's training scans were."""
    from medpipe.ct.preprocess import preprocess
    from medpipe.nodules.findings.intake import as_trained

    return preprocess(raw, scans, locations, None, as_trained(params, models.load().detector), work)


def find_findings(
    store: ScanStore,
    models: ModelFolder,
    find: FindParams,
    segment: SegmentParams,
    classify: ClassifyParams,
    work: Path,
) -> tuple[pd.DataFrame, MaskStore]:
    """Detects, outlines and classifies."""
    from medpipe.nodules.findings.instances import find_instances

    params = find.model_copy(update={"segment": segment, "classify": classify})
    return find_instances(store, store.series_uids, models.load(), params, work)


def write_findings(
    raw: Path,
    scans: pd.DataFrame,
    locations: pd.DataFrame,
    store: ScanStore,
    instances: pd.DataFrame,
    masks: MaskStore,
    models: ModelFolder,
    work: Path,
) -> tuple[pd.DataFrame, FindingsFolder]:
    """Writes CSV, NIfTI, DICOM segmentations and structured reports."""
    from medpipe.nodules.findings.algorithm import algorithm_of
    from medpipe.nodules.findings.export.write import write_findings
    from medpipe.nodules.findings.intake import unread

    rejected = unread(scans, store)
    algorithm = algorithm_of(models.load())
    return write_findings(raw, locations, store.series_uids, instances, masks, algorithm, work, rejected)


def report_findings(
    store: ScanStore, instances: pd.DataFrame, masks: MaskStore, models: ModelFolder, params: ReportParams
) -> str:
    """One page with all findings and a slice viewer; it works offline."""
    from medpipe.nodules.findings.algorithm import algorithm_of
    from medpipe.nodules.report import inference_report

    algorithm = algorithm_of(models.load())
    provenance: dict[str, Any] = {"version": algorithm.version, "networks": algorithm.networks}
    return inference_report(
        store,
        instances=instances,
        series_uids=store.series_uids,
        masks=masks,
        provenance=provenance,
        params=params,
    )
