"""The nodes of ``imaging_cv``: each calls the library."""

from pathlib import Path

import pandas as pd

from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.params import DetectParams, TrainDetectorParams, TrainReducerParams
from medpipe.nodules.evaluation.params import CrossValidationParams, EvaluateParams


def cross_validate(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    locations: pd.DataFrame,
    division: CrossValidationParams,
    train: TrainDetectorParams,
    reduce: TrainReducerParams,
    detect: DetectParams,
    evaluate: EvaluateParams,
    work: Path,
) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Trains and tests the detector fold by fold; every scan is searched by networks that never saw its patient."""
    from medpipe.ct.cohort import by_series
    from medpipe.nodules.evaluation.cross_validation import FoldParams, cross_validate
    from medpipe.nodules.evaluation.folds import folds_of

    result = cross_validate(
        store,
        nodules,
        folds_of(scans, locations, store.series_uids, division),
        FoldParams(train, detect, reduce),
        evaluate,
        work,
        sources=by_series(scans, "source"),
        patients=by_series(scans, "patient_id"),
    )
    curve = result.pooled.curve.assign(network="trained")
    return result.pooled.metrics, curve, result.pooled.matches, result.folds
