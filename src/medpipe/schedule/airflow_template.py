"""The text of a DAG file. It imports Airflow alone; what the project knows is written into it."""

TEMPLATE = '''\
"""__NAME__: made by ``medpipe export airflow``; make it anew when pipelines or schedules change."""

import shlex
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

SETTINGS = __SETTINGS__

TASKS = __TASKS__

RUN_ID = "{{ ti.xcom_pull(task_ids='begin') or '' }}"


def command(*words: str) -> str:
    """A command of the project, in the shell's words."""
    return shlex.join([SETTINGS["python"], "-m", "medpipe", *words])


def operator(task_id: str, bash_command: str, **more) -> BashOperator:
    """A task that runs in the project's folder."""
    return BashOperator(task_id=task_id, bash_command=bash_command, cwd=SETTINGS["project"], append_env=True, **more)


env = [f"--env={SETTINGS['env']}"] if SETTINGS["env"] else []

with DAG(
    dag_id=SETTINGS["dag_id"],
    description=f"{SETTINGS['pipelines']} of {SETTINGS['project']}",
    schedule=SETTINGS["schedule"] or None,  # none: triggered by hand
    start_date=pendulum.datetime(2026, 1, 1, tz=SETTINGS["timezone"]),
    catchup=False,
    max_active_runs=1,  # two runs would write the same files
    max_active_tasks=SETTINGS["side_by_side"],
    default_args={
        "retries": SETTINGS["retries"],
        "retry_delay": timedelta(seconds=SETTINGS["retry_delay_s"]),
        "retry_exponential_backoff": SETTINGS["retry_factor"],
        "max_retry_delay": timedelta(seconds=SETTINGS["longest_retry_delay_s"]),
        "execution_timeout": timedelta(seconds=SETTINGS["timeout_s"]),
    },
    tags=["medpipe"],
) as dag:
    # The last line that a task writes is what the others read: nothing may follow the number of the MLflow run.
    begun = command("shared-run", "begin", *env, f"--pipeline={SETTINGS['pipelines']}")
    begin = operator("begin", f'run_id=$({begun}) || exit 1; echo "$run_id"')
    tasks = {
        task["task_id"]: operator(
            task["task_id"],
            command("run", *task["options"], f"--nodes={','.join(task['nodes'])}"),
            env={"MLFLOW_RUN_ID": RUN_ID},
        )
        for task in TASKS
    }
    finish = operator("finish", f'{command("shared-run", "end", *env)} "$RUN_ID" FINISHED', env={"RUN_ID": RUN_ID})
    # As soon as a task has failed for good. Where the first one did, there is no run to end.
    fail = operator(
        "fail",
        f'test -z "$RUN_ID" || {command("shared-run", "end", *env)} "$RUN_ID" FAILED',
        env={"RUN_ID": RUN_ID},
        trigger_rule="one_failed",
    )
    for task in TASKS:
        tasks[task["task_id"]].set_upstream([tasks[name] for name in task["after"]] or [begin])
    for last in (finish, fail):
        last.set_upstream(list(tasks.values()))
'''
