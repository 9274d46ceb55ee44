"""``medpipe shared-run`` and ``medpipe export`` as typed, in one process for all: each start costs seconds."""

import pytest
from click.testing import CliRunner

from medpipe.cli import cli
from tests.scratch import make_project


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Types a command in a scratch project."""
    monkeypatch.chdir(make_project(tmp_path / "project"))

    def type_command(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(cli, list(words))
        return found.exit_code, found.stdout if found.exit_code == 0 else found.output

    return type_command


def test_a_run_is_begun_for_others_and_ended_with_their_outcome(typed, tmp_path):
    from mlflow import MlflowClient

    status, run_id = typed("shared-run", "begin", "--env=test", "--pipeline=imaging")
    assert status == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/project/mlflow.db")
    run = client.get_run(run_id.strip())
    assert run.info.status == "RUNNING"
    assert run.data.tags["kedro.pipeline"] == "imaging"
    assert typed("shared-run", "end", "--env=test", run_id.strip(), "FAILED") == (0, "")
    assert client.get_run(run_id.strip()).info.status == "FAILED"
    status, told = typed("shared-run", "end", "--env=test", "abc", "FINISHED")
    assert status == 1
    assert "'abc' is no run of the MLflow store" in told


def test_each_schedule_becomes_a_dag(typed, tmp_path):
    status, told = typed("export", "airflow", "--output=dags")
    assert status == 0, told
    files = sorted(file.name.split(".", 1)[1] for file in (tmp_path / "project" / "dags").iterdir())
    assert files == ["imaging_weekly.local.py", "molecules_weekly.local.py", "properties_weekly.local.py"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pipeline=imagin"], "--pipeline 'imagin' is none of"),
        (["--env=test"], "has seconds"),
        (["--env=nowhere"], "there is no folder"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(typed, options: list[str], message: str):
    status, told = typed("export", "airflow", "--output=dags", *options)
    assert status == 1
    assert message in told
    assert "Traceback" not in told
