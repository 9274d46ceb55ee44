from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection import train as training
from medpipe.nodules.detection.params import DetectorParams, DetectParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.evaluation.cross_validation import CrossValidation, FoldParams, cross_validate
from medpipe.nodules.evaluation.folds import folds_of
from medpipe.nodules.evaluation.params import CrossValidationParams, EvaluateParams
from medpipe.training.params import TrainerParams

FOLDS = {"fold0": ["scan0", "scan4"], "fold1": ["scan1", "scan2"], "fold2": ["scan3"]}
EVALUATION = EvaluateParams(n_bootstraps=50)


def fold_params(max_steps: int = 3) -> FoldParams:
    return FoldParams(
        TrainDetectorParams(
            detector=DetectorParams(channels=(8, 8)),
            trainer=TrainerParams(max_steps=max_steps, accelerator="cpu", log_every_n_steps=1),
            sampling=SamplingParams(patch_edge=16, batch_size=3, border_voxels=3),
            validate_every_n_steps=4,
            val_batches=1,
        ),
        DetectParams(min_probability=0.0),
    )


@pytest.fixture
def learned_from(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, list[str]]]:
    """The splits of every training that is done."""
    calls: list[dict[str, list[str]]] = []
    train = training.train_detector

    def noted(store, nodules, series, *rest):
        calls.append({name: list(uids) for name, uids in series.items()})
        return train(store, nodules, series, *rest)

    monkeypatch.setattr(training, "train_detector", noted)
    return calls


def run(blobs: tuple[ScanStore, pd.DataFrame], work: Path, max_steps: int = 3) -> CrossValidation:
    return cross_validate(*blobs, FOLDS, fold_params(max_steps), EVALUATION, work)


def test_every_scan_is_searched_once_by_a_network_that_did_not_see_it(blobs, tmp_path, learned_from):
    result = run(blobs, tmp_path)
    everything = set(blobs[0].series_uids)
    for split, test in zip(learned_from, FOLDS.values(), strict=True):
        assert set(split["train"]) | set(split["val"]) | set(test) == everything
        assert len(split["train"]) + len(split["val"]) + len(test) == len(everything)
        assert "test" not in split
    searched = result.candidates.groupby("series_uid")["fold"].unique()
    assert {uid: list(names) for uid, names in searched.items()} == {
        uid: [name] for name, uids in FOLDS.items() for uid in uids
    }
    assert result.pooled.metrics["n_scans"] == 5
    assert result.pooled.metrics["n_nodules"] == len(blobs[1])
    assert result.folds["n_nodules"].tolist() == [3, 6, 3]
    assert result.pooled.metrics["cpm_fold_mean"] == pytest.approx(result.folds["cpm"].mean())


def test_a_killed_run_goes_on_with_the_next_fold(blobs, tmp_path, learned_from, monkeypatch):
    noted = training.train_detector

    def killed_in_the_second(*args):
        if len(learned_from) == 1:
            raise KeyboardInterrupt
        return noted(*args)

    monkeypatch.setattr(training, "train_detector", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(blobs, tmp_path)
    monkeypatch.setattr(training, "train_detector", noted)
    resumed = run(blobs, tmp_path)
    assert len(learned_from) == 3  # one before, two after
    again = run(blobs, tmp_path)
    assert len(learned_from) == 3
    pd.testing.assert_frame_equal(again.candidates, resumed.candidates)
    assert again.pooled.metrics == resumed.pooled.metrics


def test_other_parameters_are_another_result(blobs, tmp_path, learned_from):
    run(blobs, tmp_path)
    run(blobs, tmp_path, max_steps=2)
    assert len(learned_from) == 6


def cohort(paths: list[str], patients: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    uids = [f"s{n}" for n in range(len(paths))]
    scans = pd.DataFrame({"series_uid": uids, "patient_id": patients, "accepted": True})
    return scans, pd.DataFrame({"series_uid": uids, "path": paths}), uids


def test_luna16s_subsets_are_the_folds():
    paths = ["luna16/subset0/a.mhd", "subset10/b.mhd", "subset2/c.mhd", "luna16/subset0/d.mhd"]
    folds = folds_of(*cohort(paths, list("abcd")), CrossValidationParams(folds="subsets"))
    assert folds == {"subset0": ["s0", "s3"], "subset10": ["s1"], "subset2": ["s2"]}


@pytest.mark.parametrize(
    ("paths", "patients", "message"),
    [
        (["subset0/a", "subset1/b", "dicom/c"], "abc", "1 of 3 scans lie in no folder .* the first s2"),
        (["subset0/a", "subset1/b", "subset2/c"], "aab", "2 scans are of patients .* the first s0"),
        (["subset0/a", "subset0/b", "subset1/c"], "abc", "at least 3 folds"),
    ],
)
def test_subsets_that_cannot_be_folds_are_refused(paths: list[str], patients: str, message: str):
    with pytest.raises(InputError, match=message):
        folds_of(*cohort(paths, list(patients)), CrossValidationParams(folds="subsets"))


def test_patients_are_dealt_out_evenly_and_stay_together():
    patients = [f"p{n % 22}" for n in range(44)]
    scans, locations, uids = cohort([""] * 44, patients)
    folds = folds_of(scans, locations, uids, CrossValidationParams(n_folds=5))
    patient_of = dict(zip(uids, patients, strict=True))
    people = [{patient_of[uid] for uid in fold} for fold in folds.values()]
    assert sorted(len(them) for them in people) == [4, 4, 4, 5, 5]
    assert len(set.union(*people)) == sum(map(len, people)) == 22
    other = folds_of(scans, locations, uids, CrossValidationParams(n_folds=5, seed=1))
    assert other != folds


def test_rejected_and_unprepared_scans_are_in_no_fold():
    scans, locations, uids = cohort([""] * 6, list("abcdef"))
    scans["accepted"] = np.arange(6) != 0
    folds = folds_of(scans, locations, uids[:5], CrossValidationParams(n_folds=3))
    assert sorted(uid for fold in folds.values() for uid in fold) == ["s1", "s2", "s3", "s4"]


def test_more_folds_than_patients_are_refused():
    with pytest.raises(InputError, match="n_folds is 5, but the cohort has 4 patients"):
        folds_of(*cohort([""] * 4, list("abcd")), CrossValidationParams())
