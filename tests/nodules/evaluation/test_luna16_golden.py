"""The official LUNA16 evaluation's outputs, reproduced (shared/data/luna16_froc_golden)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.nodules.evaluation.evaluate import evaluate
from medpipe.nodules.evaluation.froc import FROC_RATES, bootstrap, froc
from medpipe.nodules.evaluation.matching import Matching, match
from medpipe.nodules.evaluation.params import EvaluateParams

WRITTEN_TO = 0.5e-9  # the official files have nine decimals
SMALL = ["dpn26_50", "doubles_and_edges", "excluded_hits", "over100marks", "perfect_plus_fp"]
FULL = "dpn26bs32_luna16ids"
COLUMNS = {"seriesuid": "series_uid", "coordX": "x_mm", "coordY": "y_mm", "coordZ": "z_mm"}


@dataclass
class Submission:
    candidates: pd.DataFrame
    findings: pd.DataFrame
    series_uids: list[str]
    official: Path
    name: str

    def read(self, prefix: str, suffix: str = "") -> np.ndarray:
        skip = 1 if suffix == "_bootstrapping" else 0
        ending = ".csv" if suffix else ".txt"
        return np.loadtxt(self.official / f"{prefix}{self.name}{suffix}{ending}", delimiter=",", skiprows=skip)

    def counts(self) -> dict[str, int]:
        lines = (self.official / "CADAnalysis.txt").read_text().splitlines()
        pairs = [line.split(":") for line in lines if line.startswith("    ")]
        return {name.strip(): float(value) for name, value in pairs}


def read_findings(nodules: Path, excluded: Path) -> pd.DataFrame:
    parts = [
        pd.read_csv(path).rename(columns=COLUMNS).assign(kind=kind)
        for path, kind in ((nodules, "nodule"), (excluded, "irrelevant"))
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(finding_id=table.index.astype(str))


def submission(shared_data: Path, name: str) -> Submission:
    golden = shared_data / "luna16_froc_golden"
    if name == FULL:
        luna = shared_data / "luna16_csv"
        findings = read_findings(luna / "annotations.csv", luna / "annotations_excluded.csv")
        uids = (luna / "seriesuids.csv").read_text().split()
        marks, official = golden / f"{name}.csv", golden / "official_out_dpn26"
    else:
        small = golden / "small50"
        findings = read_findings(small / "annotations50.csv", small / "annotations_excluded50.csv")
        uids = (small / "seriesuids50.csv").read_text().split()
        marks, official = small / f"{name}.csv", small / f"out_{name}"
    return Submission(pd.read_csv(marks).rename(columns=COLUMNS), findings, uids, official, name)


@pytest.fixture(scope="module", params=[FULL, *SMALL])
def case(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Submission, Matching]:
    found = submission(shared_data, request.param)
    return found, match(found.candidates, found.findings, found.series_uids)


def test_counts_are_the_official_ones(case: tuple[Submission, Matching]):
    given, matching = case
    official = given.counts()
    assert matching.nodules["hit"].sum() == official["True positives"]
    assert len(matching.false_alarms) == official["False positives"]
    assert (~matching.nodules["hit"]).sum() == official["False negatives"]
    assert len(matching.candidates) == official["Total number of candidates"]
    assert len(matching.nodules) == official["Total number of nodules"]
    assert matching.n_ignored == official["Ignored candidates on excluded nodules"]
    assert matching.n_doubles == official["Ignored candidates which were double detections on a nodule"]
    assert official["True negatives"] == 0  # FROC has none
    sensitivity = matching.nodules["hit"].mean()
    assert sensitivity == pytest.approx(official["Sensitivity"], rel=0, abs=WRITTEN_TO * 1.01)
    per_scan = len(matching.candidates) / len(matching.series_uids)
    assert per_scan == pytest.approx(official["Average number of candidates per scan"], rel=0, abs=WRITTEN_TO * 1.01)


def test_every_line_of_the_official_counts_is_checked(case: tuple[Submission, Matching]):
    assert len(case[0].counts()) == 10


def test_the_seven_sensitivities_and_the_cpm_are_those_of_the_official_curve(case: tuple[Submission, Matching]):
    given, matching = case
    official = given.read("froc_")
    ours = froc(matching)
    expected = np.interp(FROC_RATES, official[:, 0], official[:, 1])
    np.testing.assert_allclose(ours.sensitivity_at(), expected, rtol=0, atol=1e-9)
    assert ours.cpm == pytest.approx(expected.mean(), rel=0, abs=1e-9)


def test_the_curve_is_the_official_one(case: tuple[Submission, Matching]):
    given, matching = case
    official = given.read("froc_")
    ours = froc(matching).corners()
    np.testing.assert_allclose(ours.false_alarms_per_scan, official[:, 0], rtol=0, atol=WRITTEN_TO * 1.01)
    np.testing.assert_allclose(ours.sensitivity, official[:, 1], rtol=0, atol=WRITTEN_TO * 1.01)
    np.testing.assert_allclose(ours.threshold, official[:, 2], rtol=0, atol=WRITTEN_TO * 1.01)


def test_missed_nodules_are_the_official_ones(case: tuple[Submission, Matching]):
    given, matching = case
    path = given.official / f"nodulesWithoutCandidate_{given.name}.txt"
    official = {tuple(line.split(",")[i] for i in (0, 2, 3, 4)) for line in path.read_text().splitlines()}
    missed = matching.nodules[~matching.nodules["hit"]]
    ours = {
        (row.series_uid, *(float(value) for value in (row.x_mm, row.y_mm, row.z_mm))) for row in missed.itertuples()
    }
    assert ours == {(uid, float(x), float(y), float(z)) for uid, x, y, z in official}


def test_scored_marks_are_the_official_ones(case: tuple[Submission, Matching]):
    given, matching = case
    official = np.loadtxt(given.official / f"froc_gt_prob_vectors_{given.name}.csv", delimiter=",", ndmin=2)
    hit = matching.nodules[matching.nodules["hit"]]["probability"]
    np.testing.assert_allclose(
        np.sort(hit),
        np.sort(official[(official[:, 0] == 1) & (official[:, 1] > -1e8), 1]),
        rtol=0,
        atol=WRITTEN_TO * 1.01,
    )
    np.testing.assert_allclose(
        np.sort(matching.false_alarms["probability"]), np.sort(official[official[:, 0] == 0, 1]), rtol=0,
        atol=WRITTEN_TO * 1.01,
    )  # fmt: skip


def test_the_bootstrap_agrees_with_the_official_one(case: tuple[Submission, Matching]):
    """The official draws have no fixed seed: both agree within the sampling error of its few draws.

    The scatter of the official means between the cases is that of some hundred draws; where every drawn set gives the
    same sensitivity, mean and limits have to be exact.
    """
    given, matching = case
    official = given.read("froc_", "_bootstrapping")[[0, 1_000, -1]]
    drawn = bootstrap(matching, official[:, 0])
    assert (np.abs(drawn.mean - official[:, 1]) <= 4 * drawn.samples.std(axis=0) / np.sqrt(100) + 1e-6).all()
    lowest, low = np.quantile(drawn.samples, [0.0, 0.09], axis=0)
    high, highest = np.quantile(drawn.samples, [0.91, 1.0], axis=0)
    assert ((lowest - 1e-6 <= official[:, 2]) & (official[:, 2] <= low + 1e-6)).all()
    assert ((high - 1e-6 <= official[:, 3]) & (official[:, 3] <= highest + 1e-6)).all()


def test_the_seven_sensitivities_and_the_cpm(shared_data: Path):
    given = submission(shared_data, FULL)
    metrics = evaluate(given.candidates, given.findings, given.series_uids, EvaluateParams(n_bootstraps=20)).metrics
    written = {0.125: 0.692243, 0.25: 0.768971, 0.5: 0.823777, 1: 0.865093, 2: 0.892917, 4: 0.917369, 8: 0.933390}
    for rate, sensitivity in written.items():
        assert metrics[f"sensitivity_at_{rate:g}_fp"] == pytest.approx(sensitivity, abs=5.1e-7)
    assert metrics["cpm"] == pytest.approx(0.841966, abs=5.1e-7)
    official = given.read("froc_")
    exact = np.interp(list(written), official[:, 0], official[:, 1]).mean()
    assert metrics["cpm"] == pytest.approx(exact, abs=1e-9)
    assert metrics["cpm_low"] < metrics["cpm"] < metrics["cpm_high"]
