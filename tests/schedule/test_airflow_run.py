"""A DAG in a real Airflow 3, which lives in an environment of its own: AIRFLOW_BIN names its ``airflow`` command.

AIRFLOW_BIN=/srv/airflow/bin/airflow pytest tests/schedule/test_airflow_run.py
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scratch import environment, make_project

AIRFLOW = os.environ.get("AIRFLOW_BIN") or shutil.which("airflow")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(AIRFLOW is None, reason="Airflow is not installed; AIRFLOW_BIN names no airflow command"),
]


def airflow(project: Path, *arguments: str) -> str:
    """Runs a command of Airflow with the project's DAGs and a home of its own."""
    variables = {
        "AIRFLOW_HOME": str(project / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [str(AIRFLOW), *arguments],
        env=environment(False, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_dag_runs_to_the_end_in_one_mlflow_run(tmp_path):
    import mlflow

    project = make_project(tmp_path / "project")
    command = [sys.executable, "-m", "medpipe", "export", "airflow", "-p", "imaging", "-e", "test", "-o", "dags"]
    subprocess.run(command, cwd=project, env=environment(False), check=True)
    (file,) = (project / "dags").iterdir()
    airflow(project, "db", "migrate")
    assert airflow(project, "dags", "list-import-errors", "--local").rstrip().endswith("No data found")
    told = airflow(project, "dags", "test", file.stem)
    assert "state=success" in told
    runs = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db").search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"]
    assert {"test/cpm", "train/train_loss"} <= set(runs[0].data.metrics)
