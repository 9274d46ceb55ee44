"""What `froc.py` measures, each in a fresh process: ``python froc_tasks.py TASK ARGUMENTS-AS-JSON``."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import timed

from medpipe.nodules.evaluation.evaluate import evaluate
from medpipe.nodules.evaluation.froc import FROC_RATES, bootstrap, drawn_scans, froc
from medpipe.nodules.evaluation.matching import MAX_MARKS, Matching, diameters_mm, match
from medpipe.nodules.evaluation.params import EvaluateParams

N_BOOTSTRAPS = 1_000
SEED = 0
SLOW_REPEATS = 1  # of what takes minutes

_COLUMNS = {"seriesuid": "series_uid", "coordX": "x_mm", "coordY": "y_mm", "coordZ": "z_mm"}

Tables = tuple[pd.DataFrame, pd.DataFrame, list[str]]


def tables(data: str) -> Tables:
    """Candidates, findings and scans of the full submission."""
    luna, golden = Path(data) / "luna16_csv", Path(data) / "luna16_froc_golden"
    kinds = {"annotations.csv": "nodule", "annotations_excluded.csv": "irrelevant"}
    parts = [pd.read_csv(luna / file).rename(columns=_COLUMNS).assign(kind=kind) for file, kind in kinds.items()]
    findings = pd.concat(parts, ignore_index=True)
    candidates = pd.read_csv(golden / "dpn26bs32_luna16ids.csv").rename(columns=_COLUMNS)
    uids = (luna / "seriesuids.csv").read_text(encoding="ascii").split()
    return candidates, findings.assign(finding_id=findings.index.astype(str)), uids


def measured(work: Callable[[], Any], repeats: int, told: Callable[[Any], dict[str, float]]) -> dict[str, Any]:
    results: list[Any] = []

    def once() -> None:
        results[:] = [work()]

    return {**timed(once, repeats), **told(results[0])}


def of_matching(given: Matching) -> dict[str, float]:
    hit = int(given.nodules["hit"].sum())
    return {"tp": hit, "fp": len(given.false_alarms), "ignored": given.n_ignored, "doubles": given.n_doubles}


def of_samples(samples: np.ndarray) -> dict[str, float]:
    """Mean and 95 % interval of the CPM of drawn sets, one row a set."""
    cpm = np.sort(samples.mean(axis=1))
    return {
        "cpm": float(cpm.mean()),
        "low": float(cpm[int(0.025 * len(cpm))]),
        "high": float(cpm[int(0.975 * len(cpm))]),
    }


def match_(data: str, repeats: int) -> dict[str, Any]:
    given = tables(data)
    return measured(lambda: match(*given), repeats, of_matching)


def plain_match(data: str, repeats: int) -> dict[str, Any]:
    """The rules of the challenge as nested loops."""
    candidates, findings, uids = tables(data)

    def work() -> dict[str, float]:
        counts = dict.fromkeys(("tp", "fp", "ignored", "doubles"), 0)
        marks_of = dict(list(candidates.groupby("series_uid")))
        findings_of = dict(list(findings.groupby("series_uid")))
        for uid in uids:
            marks = marks_of.get(uid, candidates.iloc[:0])[["x_mm", "y_mm", "z_mm", "probability"]].to_numpy()
            if len(marks) > MAX_MARKS:
                limit = np.sort(marks[:, 3])[::-1][MAX_MARKS]
                marks = marks[marks[:, 3] > limit]
            known = findings_of.get(uid, findings.iloc[:0])
            free = [True] * len(marks)
            on_irrelevant = [False] * len(marks)
            radii = diameters_mm(known) / 2
            for (x, y, z), radius, kind in zip(
                known[["x_mm", "y_mm", "z_mm"]].to_numpy(), radii, known["kind"], strict=True
            ):
                n_hits = 0
                for number, mark in enumerate(marks):
                    if (mark[0] - x) ** 2 + (mark[1] - y) ** 2 + (mark[2] - z) ** 2 < radius**2:
                        if kind == "nodule":
                            n_hits += 1
                            free[number] = False
                        else:
                            on_irrelevant[number] = True
                counts["tp"] += n_hits > 0
                counts["doubles"] += max(n_hits - 1, 0)
            for is_free, irrelevant in zip(free, on_irrelevant, strict=True):
                counts["ignored" if irrelevant else "fp"] += is_free
        return counts

    return measured(work, SLOW_REPEATS, lambda counts: counts)


def curve(data: str, repeats: int) -> dict[str, Any]:
    matching = match(*tables(data))
    return measured(lambda: froc(matching), repeats, lambda result: {"cpm": result.cpm})


def bootstraps(data: str, repeats: int) -> dict[str, Any]:
    matching = match(*tables(data))
    return measured(
        lambda: bootstrap(matching, n_samples=N_BOOTSTRAPS, seed=SEED), repeats, lambda drawn: of_samples(drawn.samples)
    )


def everything(data: str, repeats: int) -> dict[str, Any]:
    given = tables(data)
    params = EvaluateParams(n_bootstraps=N_BOOTSTRAPS, seed=SEED)
    names = {"cpm": "cpm", "low": "cpm_low", "high": "cpm_high"}
    return measured(
        lambda: evaluate(*given, params, 0.5),
        repeats,
        lambda done: {key: done.metrics[name] for key, name in names.items()},
    )


def _marks(matching: Matching) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability, whether a nodule, and the number of the scan of every mark that counts; missed nodules have -1."""
    number = {uid: n for n, uid in enumerate(matching.series_uids)}
    nodules, false = matching.nodules, matching.false_alarms
    probability = np.concatenate([np.where(nodules["hit"], nodules["probability"], -1.0), false["probability"]])
    scan = np.concatenate([part["series_uid"].map(number).to_numpy() for part in (nodules, false)])
    return probability, np.arange(len(probability)) < len(nodules), scan


def _roc_sensitivities(probability: np.ndarray, is_nodule: np.ndarray, n_scans: int) -> np.ndarray:
    """At LUNA16's rates; the last point, where missed nodules would be marked too, is left out."""
    from sklearn.metrics import roc_curve

    false, hit, threshold = roc_curve(is_nodule, probability, drop_intermediate=False)
    marked = threshold >= 0
    return np.interp(FROC_RATES, false[marked] * (~is_nodule).sum() / n_scans, hit[marked])


def plain_curve(data: str, repeats: int) -> dict[str, Any]:
    matching = match(*tables(data))
    probability, is_nodule, _ = _marks(matching)
    n_scans = len(matching.series_uids)
    return measured(
        lambda: _roc_sensitivities(probability, is_nodule, n_scans), repeats, lambda found: {"cpm": float(found.mean())}
    )


def plain_bootstraps(data: str, repeats: int) -> dict[str, Any]:
    """Each drawn set is put together from copies of its scans' marks."""
    matching = match(*tables(data))
    probability, is_nodule, scan = _marks(matching)
    n_scans = len(matching.series_uids)

    def work() -> np.ndarray:
        rows_of = [np.flatnonzero(scan == number) for number in range(n_scans)]
        samples = []
        for draw in drawn_scans(n_scans, N_BOOTSTRAPS, SEED):
            rows = np.concatenate([rows_of[number] for number in np.repeat(np.arange(n_scans), draw)])
            samples.append(_roc_sensitivities(probability[rows], is_nodule[rows], n_scans))
        return np.array(samples)

    return measured(work, SLOW_REPEATS, of_samples)


def monai_curve(data: str, repeats: int) -> dict[str, Any]:
    from monai.metrics import compute_froc_curve_data

    matching = match(*tables(data))
    hit = matching.nodules.loc[matching.nodules["hit"], "probability"].to_numpy()
    false = matching.false_alarms["probability"].to_numpy()
    sizes = len(matching.nodules), len(matching.series_uids)

    def work() -> float:
        per_scan, sensitivity = compute_froc_curve_data(false, hit, *sizes)
        return float(np.interp(FROC_RATES, per_scan[::-1], sensitivity[::-1]).mean())

    return measured(work, SLOW_REPEATS, lambda cpm: {"cpm": cpm})


TASKS = {
    "match": match_,
    **{
        task.__name__: task
        for task in (plain_match, curve, plain_curve, monai_curve, bootstraps, plain_bootstraps, everything)
    },
}

if __name__ == "__main__":
    name, arguments = sys.argv[1:]
    print(json.dumps(TASKS[name](**json.loads(arguments))))
