import json
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from rich.console import Console

from medpipe.schedule import state
from medpipe.schedule.jobs import load_jobs
from medpipe.schedule.locks import FileLock
from medpipe.schedule.scheduler import run_once
from medpipe.schedule.status import read_status, runs_table, status_table
from tests.schedule.fakes import executor, make_job, write_jobs


@pytest.fixture
def known(project):
    jobs = {"good": make_job("quick"), "bad": make_job("fail"), "off": make_job("quick", enabled=False)}
    write_jobs(project, jobs)
    for name in ("good", "bad"):
        run_once(executor(project), load_jobs(project), name, Event())
    return project


def shown(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_project_in_which_nothing_ran_yet(project):
    write_jobs(project, {"job": make_job("quick")})
    found = read_status(project)
    (job,) = found.jobs
    assert (found.scheduler, job.running, job.waiting, job.last) == (None, None, None, None)
    assert job.next > datetime.now(UTC)


def test_last_outcomes_and_what_comes_next(known):
    good, bad, off = read_status(known).jobs
    assert (good.last.outcome, bad.last.outcome, off.last) == (state.FINISHED, state.FAILED, None)
    assert (good.next is not None, off.next) == (True, None)


def test_what_runs_and_what_waits_now(known):
    kept = state.State(known)
    kept.add("good", attempt=2)
    kept.wait_for_turn("bad", datetime.now(UTC) + timedelta(hours=1))
    good, bad, _ = read_status(known).jobs
    assert good.running.attempt == 2
    assert bad.waiting.outcome == state.WAITING
    text = shown(status_table(read_status(known)))
    assert "attempt 2 since" in text
    assert "waits from" in text


def test_the_scheduler_is_named(known):
    lock = FileLock(known / "data" / ".schedule" / "scheduler.lock")
    lock.acquire("process 1 on here")
    assert read_status(known).scheduler == "process 1 on here"
    assert "Scheduler: process 1 on here" in shown(status_table(read_status(known)))
    lock.release()


def test_scripts_get_json(known):
    found = json.loads(json.dumps(read_status(known).to_json()))
    good, bad, off = found["jobs"]
    assert good["pipelines"] == ["quick"]
    assert bad["last"]["reason"] == "fail: exit status 3; see the log"
    assert datetime.fromisoformat(good["last"]["started"])
    assert off["enabled"] is False


def test_the_table_of_runs_names_the_logs(known):
    text = shown(runs_table(state.State(known).runs()))
    assert "data/.schedule/logs/good/" in text
    assert text.index("bad") < text.index("good")  # the newest first
