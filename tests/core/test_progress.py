import logging
import re

import pytest

from medpipe.core import progress
from medpipe.core.parallel import parallel
from medpipe.core.progress import Progress, track


def test_items_pass_through_and_the_end_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        assert list(track([1, 2, 3], "counting")) == [1, 2, 3]
    assert "counting: 3 in" in caplog.text


def test_time_left_is_logged(caplog, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    with caplog.at_level(logging.INFO), Progress("working", total=4) as bar:
        bar.advance(2, "loss 0.5")
    assert "working: 2 of 4, 0 s left loss 0.5" in caplog.text


def test_things_in_items_are_counted_with_their_rate(caplog, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    with caplog.at_level(logging.INFO):
        list(track(["abc", "defg"], "reading", total=7, size=len))
    assert "reading: 3 of 7" in caplog.text
    assert re.search(r"reading: 7 of 7, 0 s left [\d,]+/s", caplog.text)


def test_what_an_earlier_run_did_takes_no_time_of_this_one(caplog, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    now = iter([0.0, 0.0, 1.0, 3.0])  # made, opened, and after each count
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now, 3.0))
    with caplog.at_level(logging.INFO), Progress("training", total=100) as bar:
        bar.skip(90)
        bar.advance(5)
    assert "training: 95 of 100, 3 s left" in caplog.text


def test_listeners_hear_how_fast_a_step_was(monkeypatch):
    heard = []
    monkeypatch.setattr(progress, "LISTENERS", [lambda *told: heard.append(told)])
    with Progress("training", total=10) as bar:
        bar.skip(4)
        bar.advance(6)
    with pytest.raises(ValueError, match="no"), Progress("failing"):
        raise ValueError("no")
    ((description, done, seconds),) = heard
    assert (description, done) == ("training", 6)
    assert 0 <= seconds < 1


def test_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(track(range(3), "counting")) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(n_jobs):
    assert list(parallel(abs, [-3, 2, -1], description="abs", n_jobs=n_jobs)) == [3, 2, 1]


def test_error_of_a_worker_is_raised():
    with pytest.raises(TypeError, match="bad operand"):
        list(parallel(abs, [1, None, 2], description="abs", n_jobs=2))
