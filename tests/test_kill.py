"""A run killed with SIGKILL at any point goes on, and ends with what an uninterrupted run gives."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from medpipe.training.checkpoint import Checkpoint
from tests.scratch import command, environment, make_project, nodes_that_ran, run_to_the_end

KILLS = {  # in the order in which the nodes run
    "imaging": [
        ("provide_ct", 3.0),
        ("ingest_ct", 0.2),
        ("preprocess", 1.0),
        ("train_classifier", 0.5),
        ("train_cnn", 2.0),
        ("train_segmenter", 1.0),
        ("train_reducer", 1.0),
        ("detect", 0.2),
        ("find_instances", 0.1),
    ],
    "molecules": [("ingest_smiles", 1.0), ("encode", 0.5), ("train_gan", 4.0), ("sample", 0.2)],
}
METRICS = {
    "imaging": ["detection_metrics.json", "segmentation_metrics.json", "classification_metrics.json"],
    "molecules": ["generation_metrics.json"],
}


def run_and_kill(project: Path, pipeline: str, node: str, after_s: float) -> str:
    """Starts a run, waits until ``node`` has begun and ``after_s`` more, and kills the whole process group."""
    process = subprocess.Popen(
        command("run", f"--pipeline={pipeline}", "--env=test"),
        cwd=project,
        env=environment(covered=False),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    log = ""
    for line in process.stdout:
        log += line
        if f"{node} (" in line:
            break
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return log


def assert_nothing_is_half_written(data: Path) -> None:
    for file in data.rglob("*"):
        if any(part.startswith(".") for part in file.relative_to(data).parts):
            continue
        if file.suffix == ".parquet":
            pd.read_parquet(file)
        elif file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".safetensors":
            Checkpoint.load(file)


@pytest.mark.parametrize("pipeline", KILLS)
def test_killed_at_every_stage_and_gone_on(pipeline, tmp_path, request):
    uninterrupted = request.getfixturevalue(pipeline).metrics
    project = make_project(tmp_path / "killed")
    hit = []
    for node, after_s in KILLS[pipeline]:
        log = run_and_kill(project, pipeline, node, after_s)
        hit += [node] if node in nodes_that_ran(log) else []  # on a fast machine the kill before may come after it
        assert_nothing_is_half_written(project / "data")
    assert len(hit) > len(KILLS[pipeline]) / 2, log
    killed = run_to_the_end(project, pipeline, covered=False).metrics
    for name in METRICS[pipeline]:
        assert killed[name] == pytest.approx(uninterrupted[name], rel=1e-6)
