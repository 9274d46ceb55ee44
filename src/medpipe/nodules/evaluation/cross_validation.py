"""Cross-validation: every scan is searched once, by a detector that never saw its patient."""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.atomic import atomic_path, write_json
from medpipe.core.code_version import code_digest
from medpipe.core.fingerprint import digest
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.params import DetectParams, TrainDetectorParams, TrainReducerParams
from medpipe.nodules.evaluation.evaluate import Evaluation, evaluate
from medpipe.nodules.evaluation.params import EvaluateParams

FOLD_COLUMNS = ("n_scans", "n_nodules", "cpm", "cpm_low", "cpm_high", "sensitivity", "precision", "fp_per_scan")
"""Metrics of each fold that are told."""

_CANDIDATES, _RECORD, _TRAINING, _REDUCTION = "candidates.parquet", "fold.json", "training", "reduction"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CrossValidation:
    """Result of `cross_validate`.

    Attributes:
        pooled: Evaluation of all scans together, each scan's alarms judged at the threshold of its fold; its metrics
            also have ``n_folds``, ``cpm_fold_mean`` and ``cpm_fold_sd`` (between folds with nodules).
        folds: One row a fold: fold, operating_threshold and `FOLD_COLUMNS`, missing where not defined.
        candidates: Of all scans, with column ``fold``.
    """

    pooled: Evaluation
    folds: pd.DataFrame
    candidates: pd.DataFrame


@dataclass(frozen=True)
class FoldParams:
    """What is done in each fold.

    Attributes:
        train: Training of the detector.
        detect: Search of the test scans.
        reducer: Training of the second stage; None leaves it out.
    """

    train: TrainDetectorParams
    detect: DetectParams
    reducer: TrainReducerParams | None = None


def cross_validate(
    store: ScanStore,
    nodules: pd.DataFrame,
    folds: Mapping[str, Sequence[str]],
    params: FoldParams,
    evaluation: EvaluateParams,
    work_dir: Path,
    *,
    sources: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
) -> CrossValidation:
    """Trains as many detectors as there are folds; the fold after the one tested sets the operating threshold.

    The candidates of all folds are pooled and evaluated once, as LUNA16 does with its ten subsets.

    Args:
        store: The scans.
        nodules: Findings.
        folds: Name to series uids, as `medpipe.nodules.evaluation.folds.folds_of` gives them.
        params: Of training and search.
        evaluation: Of the evaluation.
        work_dir: Keeps the result of each fold, so that a killed run goes on with the next one, and a finished one is
            not done again while data, parameters and code stay the same.
        sources: Series uid to where the scan comes from.
        patients: Series uid to patient.
    """
    names = list(folds)
    found: list[pd.DataFrame] = []
    thresholds: dict[str, float] = {}
    rows: list[dict[str, str | float]] = []
    for number, name in enumerate(names):
        series = {"val": list(folds[names[(number + 1) % len(names)]]), "test": list(folds[name])}
        held_out = {*series["val"], *series["test"]}
        series["train"] = [uid for uids in folds.values() for uid in uids if uid not in held_out]
        _logger.info("Fold %d of %d: %d test scans", number + 1, len(names), len(series["test"]))
        candidates, threshold = _fold(store, nodules, series, params, work_dir / name)
        metrics = evaluate(candidates, nodules, series["test"], evaluation, threshold).metrics
        found.append(candidates.assign(fold=name))
        thresholds |= dict.fromkeys(series["test"], threshold)
        told = {column: metrics.get(column, np.nan) for column in FOLD_COLUMNS}
        rows.append({"fold": name, "operating_threshold": threshold, **told})
    candidates = pd.concat(found, ignore_index=True)
    pooled = evaluate(candidates, nodules, list(thresholds), evaluation, thresholds, sources=sources, patients=patients)
    table = pd.DataFrame(rows).astype({"fold": "str"})
    cpm = table["cpm"].dropna()
    between = {"n_folds": float(len(names))}
    between |= {"cpm_fold_mean": float(cpm.mean())} if len(cpm) else {}
    between |= {"cpm_fold_sd": float(cpm.std())} if len(cpm) > 1 else {}
    return CrossValidation(Evaluation(pooled.metrics | between, pooled.curve, pooled.matches), table, candidates)


def _fold(
    store: ScanStore, nodules: pd.DataFrame, series: Mapping[str, Sequence[str]], params: FoldParams, folder: Path
) -> tuple[pd.DataFrame, float]:
    """Candidates of the test scans and the operating threshold: those kept, where they are of the same making."""
    inputs = [params.train, params.detect, *([params.reducer] if params.reducer is not None else [])]
    key = digest(store.fingerprint(), nodules, dict(series), code_digest(_search_fold), *inputs)
    record = folder / _RECORD
    if record.is_file() and (kept := json.loads(record.read_text(encoding="utf-8")))["key"] == key:
        return pd.read_parquet(folder / _CANDIDATES), float(kept["threshold"])
    record.unlink(missing_ok=True)
    candidates, threshold = _search_fold(store, nodules, series, params, folder)
    with atomic_path(folder / _CANDIDATES) as temporary:
        candidates.to_parquet(temporary)
    write_json(record, {"key": key, "threshold": threshold})  # last: with it the fold is done
    for name in (_TRAINING, _REDUCTION):
        shutil.rmtree(folder / name, ignore_errors=True)
    return candidates, threshold


def _search_fold(
    store: ScanStore, nodules: pd.DataFrame, series: Mapping[str, Sequence[str]], params: FoldParams, folder: Path
) -> tuple[pd.DataFrame, float]:
    from medpipe.nodules.detection.inference import detect
    from medpipe.nodules.detection.operating_point import operating_threshold
    from medpipe.nodules.detection.train import train_detector

    # The test scans' uids stay away from training: it must not even fingerprint them as its own.
    learned_from = {name: series[name] for name in ("train", "val")}
    detector, _ = train_detector(store, nodules, learned_from, params.train, folder / _TRAINING)
    reducer = None
    if params.reducer is not None:
        from medpipe.nodules.detection.reduction import train_reducer

        reducer, _ = train_reducer(store, nodules, learned_from, detector, params.reducer, folder / _REDUCTION)
    candidates = detect(store, series["test"], detector, params.detect, reducer)
    return candidates, operating_threshold(detector, reducer)
