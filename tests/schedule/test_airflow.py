"""DAG files, read as Airflow reads them, but for Airflow itself: stand-ins note what they are given."""

import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from medpipe.core.errors import InputError
from medpipe.datasets import MetricsDataset
from medpipe.schedule.airflow import Host, dag_id, plan, write_dag
from medpipe.schedule.jobs import Job

HOST = Host(Path("/srv/lung project"), Path("/srv/venv/bin/python"), "Europe/Berlin")


def pass_on(*values: Any) -> Any:
    return values[0]


PIPELINES = {
    "imaging": Pipeline(
        [
            Node(pass_on, "scans", "table", name="ingest"),
            Node(pass_on, "table", "model", name="train", namespace="net"),
            Node(pass_on, "table", "picture", name="draw"),
        ]
    ),
    "promotion": Pipeline([Node(pass_on, "model", "decision", name="decide")]),
}
CATALOG = DataCatalog(
    {name: MetricsDataset(filepath=f"{name}.json") for one in PIPELINES.values() for name in one.datasets()}
)


class Task:
    """Stands for an operator."""

    def __init__(self, **settings: Any) -> None:
        self.settings, self.after = settings, set[str]()

    def set_upstream(self, others: list["Task"]) -> None:
        self.after |= {other.settings["task_id"] for other in others}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads a DAG file: settings of the DAG, and tasks by name."""

    def reader(file: Path) -> tuple[dict[str, Any], dict[str, Task]]:
        tasks: dict[str, Task] = {}
        settings: dict[str, Any] = {}

        class Dag:
            def __init__(self, **given: Any) -> None:
                settings.update(given)

            def __enter__(self) -> "Dag":
                return self

            def __exit__(self, *_: object) -> None:
                pass

        def operator(**given: Any) -> Task:
            tasks[given["task_id"]] = Task(**given)
            return tasks[given["task_id"]]

        pendulum = SimpleNamespace(datetime=lambda *date, tz: (date, tz))
        modules: dict[str, Any] = {
            "pendulum": pendulum,
            "airflow": ModuleType("airflow"),
            "airflow.sdk": SimpleNamespace(DAG=Dag),
            "airflow.providers.standard.operators.bash": SimpleNamespace(BashOperator=operator),
        }
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        for name in ("airflow.providers", "airflow.providers.standard", "airflow.providers.standard.operators"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        exec(compile(file.read_text(), str(file), "exec"), {})
        return settings, tasks

    return reader


def written(folder: Path, env: str | None = None, scheduled: bool = True, **job: Any) -> Path:
    values = {"cron": "0 3 * * sun", "pipelines": ("imaging",), **job}
    dag = plan("weekly", Job(**values), PIPELINES, CATALOG, scheduled=scheduled)
    return write_dag(dag, HOST, env, folder, side_by_side=2)


def test_tasks_follow_the_data_between_the_begin_and_the_end_of_the_run(tmp_path, read):
    _, tasks = read(written(tmp_path))
    assert {name: task.after for name, task in tasks.items()} == {
        "begin": set(),
        "ingest": {"begin"},
        "net": {"ingest"},
        "draw": {"ingest"},
        "finish": {"ingest", "net", "draw"},
        "fail": {"ingest", "net", "draw"},
    }
    assert tasks["fail"].settings["trigger_rule"] == "one_failed"


def test_tasks_call_the_projects_python_and_share_one_run(tmp_path, read):
    file = written(tmp_path, env="gpu", parameters={"train_cnn.trainer.max_steps": 5})
    _, tasks = read(file)
    command = shlex.split(tasks["net"].settings["bash_command"])
    assert command == [
        *("/srv/venv/bin/python", "-m", "medpipe", "run", "--pipeline=imaging", "--env=gpu"),
        *("--params=train_cnn.trainer.max_steps=5", "--nodes=net.train"),
    ]
    assert tasks["net"].settings["cwd"] == "/srv/lung project"
    assert tasks["net"].settings["env"] == {"MLFLOW_RUN_ID": "{{ ti.xcom_pull(task_ids='begin') or '' }}"}
    assert "shared-run begin --env=gpu --pipeline=imaging" in tasks["begin"].settings["bash_command"]
    assert tasks["finish"].settings["bash_command"].endswith('shared-run end --env=gpu "$RUN_ID" FINISHED')


def test_the_second_pipeline_begins_when_the_first_is_done(tmp_path, read):
    _, tasks = read(written(tmp_path, pipelines=("imaging", "promotion")))
    assert tasks["promotion.decide"].after == {"imaging.net", "imaging.draw"}


def test_clock_retries_and_timeout_are_the_jobs(tmp_path, read):
    retries = {"times": 3, "first_wait_s": 10, "factor": 2, "longest_wait_s": 60}
    settings, _ = read(written(tmp_path, timeout_s=90, retries=retries))
    assert settings["schedule"] == "0 3 * * sun"
    assert settings["start_date"][1] == "Europe/Berlin"
    assert (settings["catchup"], settings["max_active_runs"], settings["max_active_tasks"]) == (False, 1, 2)
    given = settings["default_args"]
    assert (given["retries"], given["retry_exponential_backoff"]) == (3, 2)
    seconds = [given[name].total_seconds() for name in ("retry_delay", "max_retry_delay", "execution_timeout")]
    assert seconds == [10, 60, 90]


def test_a_pipeline_without_schedule_waits_for_a_trigger(tmp_path, read):
    assert read(written(tmp_path, scheduled=False))[0]["schedule"] is None


def test_seconds_are_refused():
    with pytest.raises(InputError, match=r"job 'weekly': field 'cron': '\*/2 \* \* \* \* \*' has seconds"):
        plan("weekly", Job(cron="*/2 * * * * *", pipelines=("imaging",)), PIPELINES, CATALOG)


def test_identifiers_differ_by_checkout_job_and_environment():
    names = {
        dag_id(Path(project), job, env)
        for project in ("/a/medpipe", "/b/medpipe")
        for job in ("imaging", "molecules")
        for env in (None, "gpu")
    }
    assert len(names) == 8


def test_files_pass_a_linter(tmp_path):
    written(tmp_path)
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", str(tmp_path)], check=True)
