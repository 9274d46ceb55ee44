"""Schedulers in processes of their own that are killed, stopped, and started again."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from medpipe.schedule import state
from medpipe.schedule.processes import end_run
from medpipe.schedule.state import State
from tests.schedule.fakes import eventually, make_job, ran, start_scheduler, write_jobs
from tests.schedule.test_processes import alive

HOURLY = "0 * * * *"


@pytest.fixture
def due(project):
    """A project with a job that came due before the scheduler was started, and runs until `goes_on` is there."""
    retries = {"times": 1, "first_wait_s": 0.2}
    write_jobs(project, {"job": make_job("once_long", cron=HOURLY, misfire_grace_s=10**6, retries=retries)})
    State(project).due_since("job", HOURLY, datetime.now(UTC) - timedelta(hours=2))
    return project


def running(project):
    return eventually(lambda: ran(project) and [run for run in State(project).running() if run.pid])[0]


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


@pytest.mark.parametrize("job_dies_too", [False, True], ids=["scheduler", "host"])
def test_nothing_is_lost_and_nothing_runs_twice_after_a_kill(due, job_dies_too):
    first = start_scheduler(due)
    run = running(due)
    first.kill()
    first.wait()
    if job_dies_too:
        os.killpg(run.pid, signal.SIGKILL)
    else:
        assert alive(run.pid)
    (due / "goes_on").touch()
    second = start_scheduler(due)
    eventually(lambda: "end" in ran(due))
    stop(second)
    again, killed = State(due).runs("job")
    assert (killed.id, killed.outcome, killed.attempt) == (run.id, state.KILLED, 1)
    assert (again.outcome, again.attempt, again.planned) == (state.FINISHED, 2, killed.planned)
    assert again.started >= killed.ended
    assert ran(due) == ["begin", "begin", "end"]
    assert not alive(run.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])  # systemd, the end of a terminal
def test_a_stop_ends_the_job_and_the_next_scheduler_begins_it_anew(due, number):
    first = start_scheduler(due)
    run = running(due)
    stop(first, number)
    assert not alive(run.pid)
    waiting, stopped = State(due).runs("job")
    assert (stopped.outcome, waiting.outcome, waiting.attempt) == (state.STOPPED, state.WAITING, 1)
    (due / "goes_on").touch()
    second = start_scheduler(due)
    eventually(lambda: "end" in ran(due))
    stop(second)
    assert State(due).last("job").outcome == state.FINISHED


def test_a_job_that_outlived_its_scheduler_holds_the_project_until_it_is_ended(due, monkeypatch):
    first = start_scheduler(due)
    run = running(due)
    first.kill()
    first.wait()
    from tests.schedule import fakes

    runner = fakes.executor(due)
    monkeypatch.setattr("medpipe.schedule.processes.end_run", lambda *_, **__: 0)  # as if it were another user's
    assert not runner.take({})
    assert State(due).running() == [run]
    monkeypatch.undo()
    assert runner.take({})
    runner.release()
    assert State(due).last("job").outcome == state.KILLED
    assert not alive(run.pid)


def test_the_mark_finds_processes_of_a_run_whose_number_was_not_yet_written_down(due):
    first = start_scheduler(due)
    run = running(due)
    first.kill()
    first.wait()
    assert end_run(run.id, group=None) >= 1
    assert not alive(run.pid)
