import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from medpipe.schedule import state
from medpipe.schedule.state import Baseline, State

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def kept(tmp_path):
    return State(tmp_path)


def finish(kept, outcome=state.FINISHED, baselines=(), again=None):
    run = kept.add("job")
    kept.write_look(run.id, "job", True, "why", baselines)
    kept.end(run, outcome, "why", again=again)
    return run


def test_one_waiting_run_stands_for_all_due_times_of_its_job(kept):
    for planned in (NOW, NOW + HOUR, NOW + 2 * HOUR):
        kept.wait_for_turn("job", planned)
    kept.wait_for_turn("other", NOW + HOUR)
    first, second = kept.waiting()
    assert (first.job, first.planned, first.due) == ("job", NOW + 2 * HOUR, NOW)
    assert kept.next_waiting(NOW + HOUR) == first
    assert second.job == "other"


def test_nothing_runs_before_it_is_due(kept):
    kept.wait_for_turn("job", NOW + HOUR)
    assert kept.next_waiting(NOW) is None


def test_a_retry_and_a_due_time_that_came_meanwhile_are_one_run(kept):
    kept.wait_for_turn("job", NOW)
    (run,) = kept.waiting()
    kept.begin(run, "log")
    kept.wait_for_turn("job", NOW + HOUR)
    kept.end(run, state.FAILED, "why", again=(NOW + 2 * HOUR, 2))
    (waiting,) = kept.waiting()
    assert (waiting.planned, waiting.due, waiting.attempt) == (NOW + HOUR, NOW + 2 * HOUR, 2)


def test_everything_survives_another_opening(kept, tmp_path):
    kept.wait_for_turn("job", NOW)
    (run,) = kept.waiting()
    kept.begin(run, "log")
    kept.set_process(run, 42)
    (found,) = State(tmp_path).running()
    assert (found.id, found.pid, found.log, found.planned) == (run.id, 42, "log", NOW)


def test_due_times_begin_when_a_cron_is_first_seen(kept):
    assert kept.due_since("job", "0 3 * * *", NOW) == NOW
    assert kept.due_since("job", "0 3 * * *", NOW + HOUR) == NOW
    assert kept.due_since("job", "0 4 * * *", NOW + HOUR) == NOW + HOUR


def test_due_times_begin_after_the_last_one_seen_to(kept):
    kept.due_since("job", "0 3 * * *", NOW)
    kept.miss("job", NOW + HOUR, "why")
    assert kept.due_since("job", "0 3 * * *", NOW + 2 * HOUR) == NOW + HOUR
    assert kept.last("job").outcome == state.MISSED


def test_a_job_that_was_switched_off_has_missed_nothing(kept):
    kept.due_since("job", "0 3 * * *", NOW)
    kept.forget_cron("job")
    assert kept.due_since("job", "0 3 * * *", NOW + HOUR) == NOW + HOUR


def test_what_a_finished_run_saw_is_the_baseline(kept):
    assert kept.baselines("job") is None
    finish(kept, baselines=[Baseline("a", b"1", None), Baseline("b", b"1", "{}")])
    finish(kept, baselines=[Baseline("a", b"2", None)])
    assert kept.baselines("job") == {"a": Baseline("a", b"2", None)}


@pytest.mark.parametrize("outcome", [state.FAILED, state.KILLED, state.SKIPPED, state.STOPPED, state.TIMEOUT])
def test_what_another_run_saw_is_not(kept, outcome):
    finish(kept, baselines=[Baseline("a", b"1", None)])
    finish(kept, outcome, baselines=[Baseline("a", b"2", None)])
    assert kept.baselines("job") == {"a": Baseline("a", b"1", None)}


def test_a_transaction_that_fails_leaves_nothing(kept, monkeypatch):
    run = kept.add("job")
    monkeypatch.setattr(state, "_retry", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        kept.end(run, state.FAILED, "why", again=(NOW, 2))
    assert kept.running() == [run]


def test_what_was_planned_while_the_clock_was_wrong_holds_nothing_up(kept):
    ahead = NOW + timedelta(days=3650)
    kept.due_since("job", "0 3 * * *", ahead)
    kept.miss("job", ahead, "why")
    assert kept.due_since("job", "0 3 * * *", NOW) == NOW
    assert kept.due_since("job", "0 3 * * *", NOW + HOUR) == NOW


def test_a_retry_from_while_the_clock_was_wrong_is_due(kept):
    kept.wait_for_turn("job", NOW + timedelta(days=3650))
    kept.wait_for_turn("job", NOW)
    assert kept.next_waiting(NOW).planned == NOW


def test_a_clock_that_is_set_back_a_little_makes_nothing_due_twice(kept):
    kept.due_since("job", "0 3 * * *", NOW)
    kept.wait_for_turn("job", NOW + HOUR)
    assert kept.due_since("job", "0 3 * * *", NOW + HOUR - timedelta(minutes=5)) == NOW + HOUR


def test_the_newest_run_is_the_last_whatever_the_clock_said(kept):
    first = finish(kept)
    with sqlite3.connect(kept.folder / "schedule.sqlite") as database:
        database.execute("UPDATE runs SET ended = ? WHERE id = ?", ("2036-01-01T00:00:00.000000+00:00", first.id))
    assert kept.last("job").id != finish(kept, state.FAILED).id == kept.last("job").id


def test_reading_does_not_wait_for_a_writer(kept, tmp_path):
    with closing(sqlite3.connect(kept.folder / "schedule.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert State(tmp_path).runs() == []
        assert State(tmp_path).baselines("job") is None
        assert time.monotonic() - began < 5
