"""The scheduler in a thread, with the real clock."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event, Thread

import pytest
import yaml

from medpipe.core.errors import InputError
from medpipe.schedule import state
from medpipe.schedule.jobs import load_jobs
from medpipe.schedule.scheduler import POLL_S, Scheduler, run_once, scheduler_lock
from medpipe.schedule.state import State
from tests.schedule.fakes import eventually, executor, make_job, ran, write_jobs

HOURLY = "0 * * * *"


@contextmanager
def scheduler(project):
    stop = Event()
    thread = Thread(target=Scheduler(executor(project)).run, args=(stop,))
    thread.start()
    eventually(scheduler_lock(project).holder)
    try:
        yield State(project)
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def outcomes(kept, job="job"):
    return [run.outcome for run in kept.runs(job)]


def seen_first(project, cron, ago, job="job"):
    """As if the job had been there for a while, and the scheduler down."""
    now = datetime.now(UTC)
    State(project).due_since(job, cron, now - ago)
    return now


def soon():
    """A cron that is due in two seconds, and then tomorrow."""
    moment = datetime.now() + timedelta(seconds=2)
    return f"{moment.second} {moment.minute} {moment.hour} * * *"


def test_a_cron_of_two_seconds(project):
    write_jobs(project, {"job": make_job("quick", cron="*/2 * * * * *")})
    with scheduler(project) as kept:
        eventually(lambda: outcomes(kept).count(state.FINISHED) >= 2)
        first, second = [run for run in reversed(kept.runs("job")) if run.outcome == state.FINISHED][:2]
    assert [first.planned.second % 2, second.planned.second % 2] == [0, 0]
    assert first.planned < second.planned
    assert (first.started - first.planned).total_seconds() < 5
    assert first.trigger == state.CLOCK


def test_a_second_scheduler_is_refused(project):
    write_jobs(project, {"job": make_job("quick")})
    with scheduler(project), pytest.raises(InputError, match="already: process"):
        Scheduler(executor(project)).run(Event())


def test_a_wrong_file_stops_it_before_anything_runs(project):
    write_jobs(project, {"job": make_job("quick", cron="* *")})
    with pytest.raises(InputError, match="'cron'"):
        Scheduler(executor(project)).run(Event())


@pytest.mark.parametrize("grace", [7200, 0.5])
def test_what_was_missed_runs_once_within_the_grace_or_is_written_down(project, grace):
    now = seen_first(project, HOURLY, timedelta(hours=5))
    if now.minute == 0:
        pytest.skip("the full hour itself")
    write_jobs(project, {"job": make_job("quick", cron=HOURLY, misfire_grace_s=grace)})
    with scheduler(project) as kept:
        last = eventually(lambda: kept.last("job"))
    assert last.planned == now.replace(minute=0, second=0, microsecond=0)
    assert outcomes(kept) == [state.FINISHED if grace > 1 else state.MISSED]  # five due times, one run
    assert len(ran(project)) == (1 if grace > 1 else 0)
    if grace < 1:
        assert "late, the grace is" in last.reason


def test_what_is_due_while_another_job_runs_waits_whatever_its_grace(project):
    seen_first(project, HOURLY, timedelta(hours=2), "slow")
    slow = make_job("until_told", cron=HOURLY, misfire_grace_s=10**6)
    write_jobs(project, {"slow": slow, "job": make_job("quick")})
    with scheduler(project) as kept:
        eventually(lambda: ran(project) == ["begin"])
        write_jobs(project, {"slow": slow, "job": make_job("quick", cron=soon(), misfire_grace_s=0)})
        (waiting,) = eventually(kept.waiting)
        eventually(lambda: datetime.now(UTC) - waiting.planned > timedelta(seconds=3 * POLL_S))
        (project / "goes_on").touch()
        eventually(lambda: outcomes(kept) == [state.FINISHED])
    assert kept.last("job").started > kept.last("slow").ended


def test_a_failure_is_tried_again(project):
    retries = {"times": 1, "first_wait_s": 0.5}
    now = seen_first(project, HOURLY, timedelta(hours=1))
    write_jobs(project, {"job": make_job("fail", cron=HOURLY, misfire_grace_s=7200, retries=retries)})
    with scheduler(project) as kept:
        eventually(lambda: outcomes(kept) == [state.FAILED, state.FAILED])
    second, first = kept.runs("job")
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.planned == second.planned <= now
    assert (second.started - first.ended).total_seconds() >= 0.5


def test_a_changed_file_takes_effect_and_a_broken_one_does_not(project):
    write_jobs(project, {"job": make_job("quick")})
    with scheduler(project):
        write_jobs(project, {"job": {"cron": "* *"}})
        write_jobs(project, {"job": make_job("second", cron="*/2 * * * * *")})
        eventually(lambda: ran(project))
        write_jobs(project, {"job": {"cron": "* *"}})
        count = len(ran(project))
        eventually(lambda: len(ran(project)) > count)
    assert {line.split()[0] for line in ran(project)} == {"second"}


def test_a_job_that_is_switched_off_does_not_run(project):
    write_jobs(project, {"off": make_job("second", cron="* * * * * *", enabled=False)})
    write_jobs(project, {"off": make_job("second", cron="* * * * * *", enabled=False), "on": make_job("quick")})
    with scheduler(project) as kept:
        kept.wait_for_turn("off", datetime.now(UTC))  # from before it was switched off
        (run,) = eventually(lambda: kept.runs("off"))
        eventually(lambda: kept.last("off"))
    assert (kept.last("off").id, kept.last("off").outcome) == (run.id, state.MISSED)
    assert ran(project) == []


def test_once_and_the_scheduler_take_turns(project):
    write_jobs(project, {"job": make_job("quick", cron="*/2 * * * * *")})
    runner = executor(project)
    with scheduler(project) as kept:
        eventually(lambda: ran(project))
        assert run_once(runner, load_jobs(project), "job", Event()).status == 0
    finished = sorted((run for run in kept.runs("job") if run.outcome == state.FINISHED), key=lambda run: run.started)
    assert {run.trigger for run in finished} == {state.CLOCK, state.ONCE}
    assert all(before.ended <= after.started for before, after in pairwise(finished))


def test_a_fault_of_the_host_s_ends_nothing(project, monkeypatch):
    monkeypatch.setattr("medpipe.schedule.scheduler.FAULT_PAUSE_S", 0.2)
    write_jobs(project, {"job": make_job("quick", cron="* * * * * *")})
    database = project / "data" / ".schedule" / "schedule.sqlite"
    with scheduler(project):
        eventually(lambda: ran(project))
        hidden = database.rename(database.with_suffix(".away"))
        database.mkdir()
        time.sleep(1)
        database.rmdir()
        hidden.rename(database)
        count = len(ran(project))
        eventually(lambda: len(ran(project)) > count + 1)


def test_a_folder_of_schedules_takes_effect_too(project):
    write_jobs(project, {"job": make_job("quick")})
    with scheduler(project):
        folder = project / "conf" / "local" / "schedules"
        folder.mkdir()
        (folder / "more.yml").write_text(yaml.safe_dump({"more": make_job("second", cron="* * * * * *")}))
        eventually(lambda: ran(project))
