"""Attempts at jobs whose pipelines are lines of shell."""

import sqlite3
import time
from threading import Event, Timer

import pytest

from medpipe.schedule import state
from medpipe.schedule.execution import INTERRUPTED, LOGS_KEPT, TIMED_OUT, Executor, kedro_run
from medpipe.schedule.jobs import Job
from medpipe.schedule.scheduler import BUSY, run_once
from tests.schedule.fakes import executor, make_job, ran
from tests.schedule.test_processes import alive


def once(project, *pipelines, stop=None, **fields):
    """The result and the runs, the newest first, of a job that is run once."""
    runner = executor(project)
    result = run_once(runner, {"job": Job(**make_job(*pipelines, **fields))}, "job", stop or Event())
    return result, runner.state.runs("job")


def test_pipelines_run_in_order_and_know_their_run(project):
    result, (run,) = once(project, "quick", "second")
    assert (result.outcome, result.status) == (state.FINISHED, 0)
    assert ran(project) == [f"quick job {run.id}", f"second job {run.id}"]


def test_what_became_of_a_run_is_kept(project):
    _, (run,) = once(project, "quick")
    assert (run.outcome, run.trigger, run.attempt) == (state.FINISHED, state.ONCE, 1)
    assert run.reason == "each due time trains: min_new is 0"
    assert run.planned <= run.started <= run.ended
    assert run.pid > 0


def test_the_first_failure_ends_the_attempt(project):
    result, (run,) = once(project, "fail", "quick")
    assert (result.outcome, result.status) == (state.FAILED, 3)
    assert run.reason == "fail: exit status 3; see the log"
    assert ran(project) == ["fail"]


def test_the_log_tells_commands_output_and_outcome(project):
    _, (run,) = once(project, "fail")
    log = (project / run.log).read_text()
    assert log.startswith("[schedule] fail: sh -c ")
    assert "\nout of luck\n" in log
    assert log.endswith("[schedule] failed: fail: exit status 3; see the log\n")


def test_old_logs_are_removed(project):
    folder = project / "data" / ".schedule" / "logs" / "job"
    folder.mkdir(parents=True)
    for number in range(LOGS_KEPT + 5):
        (folder / f"2020{number:04}.log").touch()
    once(project, "quick")
    names = sorted(file.name for file in folder.iterdir())
    assert len(names) == LOGS_KEPT
    assert names[0] == "20200006.log"


@pytest.mark.parametrize(("script", "number", "said"), [("crash", 11, "SIGSEGV;"), ("starve", 9, "memory runs out")])
def test_a_pipeline_that_a_signal_ended(project, script, number, said):
    result, _ = once(project, script)
    assert (result.outcome, result.status) == (state.FAILED, 128 + number)
    assert said in result.reason


def test_after_the_timeout_no_process_is_left(project):
    began = time.monotonic()
    result, _ = once(project, "stubborn", timeout_s=2.0)
    assert (result.outcome, result.status) == (state.TIMEOUT, TIMED_OUT)
    assert time.monotonic() - began < 60
    pids = [int(line) for line in (project / "pids").read_text().split()]
    assert len(pids) == 2
    assert not [pid for pid in pids if alive(pid)]


def test_what_a_pipeline_leaves_behind_is_ended(project):
    result, _ = once(project, "leaves")
    assert result.outcome == state.FINISHED
    assert not alive(int((project / "pids").read_text()))


def test_failures_are_tried_again_after_growing_waits(project):
    result, runs = once(project, "fail", retries={"times": 2, "first_wait_s": 0.3, "factor": 3})
    assert result.status == 3
    third, second, first = runs
    assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]
    assert (second.started - first.ended).total_seconds() >= 0.3
    assert (third.started - second.ended).total_seconds() >= 0.9


def test_a_stop_ends_the_run_and_is_not_tried_again(project):
    stop = Event()
    Timer(0.5, stop.set).start()
    result, runs = once(project, "long", stop=stop, retries={"times": 3})
    assert (result.outcome, result.status) == (state.STOPPED, INTERRUPTED)
    assert len(runs) == 1


def test_never_two_jobs_at_once(project):
    first, second = executor(project), executor(project)
    jobs = {"job": Job(**make_job("quick"))}
    assert first.take(jobs)
    busy = run_once(second, jobs, "job", Event(), wait=False)
    assert (busy.outcome, busy.status) == (state.SKIPPED, BUSY)
    assert "process" in busy.reason
    assert ran(project) == []
    first.release()
    assert run_once(second, jobs, "job", Event(), wait=False).status == 0


def test_once_waits_for_the_job_before(project):
    first, second = executor(project), executor(project)
    jobs = {"job": Job(**make_job("quick"))}
    first.take(jobs)
    released = []
    Timer(0.7, lambda: (released.append(time.monotonic()), first.release())).start()
    assert run_once(second, jobs, "job", Event()).status == 0
    assert released


def test_the_look_at_the_data_decides_unless_forced(project):
    runner = executor(project)
    job = Job(**make_job("quick", min_new=1))  # "quick" reads no data of the user's
    (project / "conf" / "base" / "schedules.yml").write_text('job: {cron: "0 0 1 1 *", pipelines: [quick]}')
    first, second, forced = (
        run_once(runner, {"job": job}, "job", Event(), force=force) for force in (False, False, True)
    )
    assert (first.outcome, first.reason) == (state.FINISHED, "no run of this job has finished yet")
    assert second.outcome == state.SKIPPED
    assert second.reason.startswith("nothing new can come: quick make or fetch their data themselves")
    assert (forced.outcome, forced.reason) == (state.FINISHED, "forced")
    assert len(ran(project)) == 2


def test_data_that_cannot_be_looked_at_are_a_failure(project):
    runner = executor(project)
    job = Job(**make_job("imaging", min_new=1))  # which is not in the file
    (project / "conf" / "base" / "schedules.yml").write_text("job: {}")
    result = run_once(runner, {"job": job}, "job", Event())
    assert (result.outcome, result.reason) == (state.FAILED, "looking for new data: exit status 1; see the log")


def test_a_pipeline_is_run_by_the_project_s_own_command():
    job = Job(**make_job("imaging", parameters={"train_cnn.trainer.seed": 1}))
    assert kedro_run(job, "imaging", "test")[1:] == [
        "-m", "medpipe", "run", "--pipeline=imaging", "--env=test", "--params=train_cnn.trainer.seed=1",
    ]  # fmt: skip


def test_a_program_that_is_not_there_is_a_failure_of_the_attempt_alone(project):
    runner = Executor(project, command=lambda *_: ["/nowhere/python"])
    result = run_once(runner, {"job": Job(**make_job("quick"))}, "job", Event())
    assert (result.outcome, result.status) == (state.FAILED, 1)
    assert "No such file or directory: '/nowhere/python'" in runner.state.last("job").reason


def test_a_fault_while_the_project_is_taken_gives_it_back(project):
    first, second = executor(project), executor(project)
    database = project / "data" / ".schedule" / "schedule.sqlite"
    hidden = database.rename(database.with_suffix(".away"))
    database.mkdir()
    with pytest.raises(sqlite3.Error):
        first.take({})
    database.rmdir()
    hidden.rename(database)
    assert second.take({})
    second.release()
