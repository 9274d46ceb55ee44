"""Schedules as DAGs of Airflow 3.

Tasks call this project's own Python by its absolute path, so Airflow's environment needs neither Kedro nor this
package; the plugin kedro-airflow would import both there, and makes an MLflow run of each task.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpipe.core.atomic import write_text
from medpipe.core.errors import InputError
from medpipe.schedule.airflow_template import TEMPLATE
from medpipe.schedule.groups import Group, group_nodes
from medpipe.schedule.jobs import Job

_SECONDS_FIRST = 6  # fields of a cron expression; Airflow would take the sixth for something else


@dataclass(frozen=True)
class Dag:
    """What is written of one schedule.

    Attributes:
        name: Of the job or the pipeline.
        job: When it runs, and what.
        scheduled: Whether Airflow starts it by the clock; False waits for somebody to trigger it.
        groups: The tasks of each pipeline.
    """

    name: str
    job: Job
    scheduled: bool
    groups: dict[str, list[Group]]


@dataclass(frozen=True)
class Host:
    """Where tasks run.

    Attributes:
        project: Folder of the project, by the path it has on Airflow's workers.
        python: Python of the project's environment there.
        timezone: In which cron expressions are meant, such as ``Europe/Berlin``.
    """

    project: Path
    python: Path
    timezone: str


def plan(name: str, job: Job, pipelines: Any, catalog: Any, *, scheduled: bool = True) -> Dag:
    """Divides the pipelines of a job into tasks.

    Args:
        name: Of the job.
        job: The job.
        pipelines: Kedro's registered pipelines.
        catalog: Of the job's environment.
        scheduled: Whether its cron expression is used.

    Raises:
        InputError: The job is due in seconds, which Airflow is not made for.
    """
    if scheduled and len(job.cron.split()) == _SECONDS_FIRST:
        raise InputError(
            f"schedules.yml: job {name!r}: field 'cron': {job.cron!r} has seconds, which Airflow does not know; "
            "give it five fields"
        )
    return Dag(name, job, scheduled, {one: group_nodes(pipelines[one], catalog) for one in job.pipelines})


def dag_id(project: Path, name: str, env: str | None) -> str:
    """Unique among all projects of an Airflow, of several checkouts of one, too."""
    place = hashlib.sha256(str(project).encode()).hexdigest()[:6]
    return re.sub(r"[^\w.-]", "_", f"{project.name}-{place}.{name}.{env or 'local'}")


def write_dag(dag: Dag, host: Host, env: str | None, folder: Path, side_by_side: int = 1) -> Path:
    """Writes the file of a DAG and returns its path.

    Args:
        dag: What is written.
        host: Where its tasks run.
        env: Kedro environment of jobs that name none.
        folder: Airflow's folder of DAGs; made where it is missing.
        side_by_side: Most tasks at a time; more than one only where there is memory, and a GPU for each.
    """
    env = dag.job.in_env(env)
    project = host.project
    identifier = dag_id(project, dag.name, env)
    retries = dag.job.retries
    settings = {
        "dag_id": identifier,
        "project": str(project),
        "python": str(host.python),
        "env": env or "",
        "pipelines": ", ".join(dag.job.pipelines),
        "schedule": dag.job.cron if dag.scheduled else "",
        "timezone": host.timezone,
        "side_by_side": side_by_side,
        "timeout_s": dag.job.timeout_s,
        "retries": retries.times,
        "retry_delay_s": retries.first_wait_s,
        "retry_factor": retries.factor,
        "longest_retry_delay_s": retries.longest_wait_s,
    }
    text = TEMPLATE.replace("__NAME__", dag.name).replace("__SETTINGS__", _literal(settings))
    file = folder / f"{identifier}.py"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, text.replace("__TASKS__", _literal(_tasks(dag, env))))
    return file


def _tasks(dag: Dag, env: str | None) -> list[dict[str, Any]]:
    """Tasks of all pipelines; those of one begin when all of the one before are done."""
    tasks: list[dict[str, Any]] = []
    before: list[str] = []
    for pipeline, groups in dag.groups.items():
        names = {group.name: _task_id(pipeline, group.name, len(dag.groups) > 1) for group in groups}
        for group in groups:
            task: dict[str, Any] = {"task_id": names[group.name]}
            task["after"] = [names[name] for name in group.after] or before
            tasks.append(task | {"options": dag.job.run_options(pipeline, env), "nodes": list(group.nodes)})
        waited_for = {name for group in groups for name in group.after}
        before = [names[group.name] for group in groups if group.name not in waited_for]
    return tasks


def _task_id(pipeline: str, group: str, several: bool) -> str:
    return f"{pipeline}.{group}" if several else group


def _literal(value: Any) -> str:
    """As Python text: that of JSON is the same, where nothing is None, true or false."""
    return json.dumps(value, indent=4, ensure_ascii=False)
