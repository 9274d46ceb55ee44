"""The gate of property models from end to end: real runs, a real registry."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.scratch import PROJECT, environment, make_project

NODES = {
    "freeze_test_molecules",
    "score_properties_champion",
    "score_properties_challenger",
    "decide_properties",
    "draw_properties_decision",
}


class Step(NamedTuple):
    ran: set[str]
    decision: dict[str, Any]
    champion: str | None
    challenger: str | None


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return make_project(tmp_path_factory.mktemp("promotion") / "project")


@pytest.fixture(scope="module")
def steps(project) -> dict[str, Step]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.replay_promotion", str(project)],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line.removeprefix("STEP ")) for line in done.stdout.splitlines() if line.startswith("STEP ")]
    return {name: Step(set(ran), *others) for name, ran, *others in lines}


def test_the_first_model_becomes_champion(steps):
    first = steps["first"]
    assert (first.decision["outcome"], first.champion, first.challenger) == ("promote", "1", None)
    assert first.ran == NODES


def test_a_worse_challenger_is_refused(steps):
    worse = steps["worse"]
    assert (worse.decision["outcome"], worse.champion, worse.challenger) == ("keep", "1", None)
    assert worse.decision["challenger"] == "2"
    headline = worse.decision["metrics"][0]
    assert (headline["metric"], headline["verdict"]) == ("mean/rmse", "worse")
    assert "a loss of" in worse.decision["reason"]


def test_a_better_challenger_is_promoted(steps):
    better = steps["better"]
    assert (better.decision["outcome"], better.champion, better.challenger) == ("promote", "3", None)
    assert better.decision["metrics"][0]["difference_high"] < 0


def test_a_champion_that_was_scored_on_this_test_set_is_not_scored_again(steps):
    assert "score_properties_champion" not in steps["better"].ran


@pytest.mark.parametrize("name", ["unchanged", "unchanged after promotion"])
def test_nothing_runs_again_when_nothing_changed(steps, name):
    assert steps[name].ran == set()


def test_the_gate_runs_again_after_a_roll_back(steps):
    back = steps["rolled back"]
    assert (back.decision["outcome"], back.champion) == ("nothing", "1")
    assert "decide_properties" in back.ran


def test_new_test_data_has_both_scored_anew(steps):
    new = steps["new data"]
    assert {"score_properties_champion", "score_properties_challenger"} <= new.ran
    assert new.decision["test"] != steps["better"].decision["test"]
    assert new.decision["n_units"] > steps["better"].decision["n_units"]
    assert (new.decision["champion"], new.decision["challenger"]) == ("1", "4")
    assert (new.decision["outcome"], new.champion) == ("promote", "4")


def test_comparison_and_figure_are_written(project, steps):
    reporting = project / "data" / "test" / "08_reporting"
    comparison = pd.read_parquet(reporting / "properties_promotion_comparison.parquet").set_index("metric")
    assert comparison.loc["mean/rmse", "role"] == "headline"
    assert comparison.loc["mean/coverage_error", "role"] == "guard"
    assert (reporting / "properties_promotion.png").read_bytes().startswith(b"\x89PNG")


def test_the_decision_is_in_mlflow(project, steps):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("medpipe")
    runs = client.search_runs([experiment.experiment_id], "tags.`kedro.pipeline` = 'properties_promotion'")
    assert len(runs) == 5
    metrics = runs[0].data.metrics
    assert metrics["promotion/promoted"] == 1.0
    assert metrics["promotion/mean/rmse_difference"] < 0
    files = {Path(each.path).name for each in client.list_artifacts(runs[0].info.run_id, "promotion")}
    assert files == {"properties_decision.json", "properties_promotion_comparison.parquet"}
