"""What work takes, measured on real processes."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from medpipe.core import usage
from medpipe.core.usage import Meter

GIB = 2**30
HOLD = "import sys, time; held = bytearray(b'x') * int(sys.argv[1]); print('ready', flush=True); time.sleep(60)"
BRIEF_PEAK = """
from medpipe.core import usage
usage.FIRST_PAUSE_S = 60.0
meter = usage.Meter(print)
meter.start()
base = meter.stop().peak_memory_gib
meter = usage.Meter(print)
meter.start()
bytearray(b"x") * (1 << 28)
print(meter.stop().peak_memory_gib - base)
"""
BURN = "import time\nwhile time.process_time() < 0.4: pass"


def nobody(points):
    """Has no interest in the course."""


@pytest.fixture
def meter():
    meter = Meter(nobody)
    meter.start()
    return meter


def held_by_a_process(n_bytes):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(n_bytes)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_time_by_the_clock_and_of_the_processor(meter):
    while time.process_time() < (begun := locals().get("begun", time.process_time())) + 0.2:
        pass
    time.sleep(0.2)
    used = meter.stop()
    assert 0.2 <= used.cpu_s < used.wall_s - 0.1


def test_peak_is_of_this_work_and_not_of_what_was_before():
    held = np.ones(GIB // 8 // 4)
    before = Meter(nobody)
    before.start()
    high = before.stop().peak_memory_gib
    del held
    after = Meter(nobody)
    after.start()
    assert after.stop().peak_memory_gib < high - 0.2


def test_peak_between_two_looks_is_seen():
    """In a process of its own: the system tells of new heights only."""
    done = subprocess.run([sys.executable, "-c", BRIEF_PEAK], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0.2


def test_memory_of_workers_counts(meter):
    base = meter.stop().peak_memory_gib
    worker = held_by_a_process(GIB // 4)
    meter = Meter(nobody)
    meter.start()
    used = meter.stop()
    worker.kill()
    worker.wait()
    assert 0.24 < used.peak_memory_gib - base < 0.35


def test_memory_shared_with_a_forked_worker_counts_once():
    held = np.ones(GIB // 8 // 4)
    if (worker := os.fork()) == 0:
        time.sleep(60)
    meter = Meter(nobody)
    meter.start()
    used = meter.stop().peak_memory_gib
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    meter = Meter(nobody)
    meter.start()
    assert used == pytest.approx(meter.stop().peak_memory_gib, abs=0.1)
    assert len(held)


def test_processor_time_of_workers_counts_whether_they_ended_or_not(meter):
    subprocess.run([sys.executable, "-c", BURN], check=True)
    living = subprocess.Popen([sys.executable, "-c", f"{BURN}\ntime.sleep(60)"])
    while sum(psutil.Process(living.pid).cpu_times()[:2]) < 0.35:  # which counts in ticks
        time.sleep(0.05)
    used = meter.stop()
    assert used.cpu_s > 0.65
    meter = Meter(nobody)
    meter.start()
    living.kill()
    living.wait()  # what it did before is now counted as this process's
    assert meter.stop().cpu_s < 0.2


def test_course_is_told_while_the_work_lasts(monkeypatch):
    monkeypatch.setattr(usage, "FIRST_POINT_S", 0.05)
    monkeypatch.setattr(usage, "TELL_EVERY_S", 0.1)
    told = []
    meter = Meter(told.append)
    meter.start()
    deadline = time.monotonic() + 10
    while not told and time.monotonic() < deadline:
        time.sleep(0.01)
    assert {name for _, name, _ in told[0]} >= {"memory_gib", "cpu_cores"}
    meter.stop()


def test_what_cannot_be_told_is_told_later(monkeypatch, caplog):
    monkeypatch.setattr(usage, "FIRST_POINT_S", 0.05)
    monkeypatch.setattr(usage, "TELL_EVERY_S", 0.1)
    tries = []

    def tell(points):
        tries.append(list(points))
        if len(tries) == 1:
            raise ConnectionError("http://127.0.0.1:5000 does not answer")

    meter = Meter(tell)
    meter.start()
    deadline = time.monotonic() + 10
    while len(tries) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    meter.stop()
    assert tries[1][: len(tries[0])] == tries[0]
    assert "ConnectionError" in caplog.text


def test_short_work_has_no_course():
    told = []
    meter = Meter(told.append)
    meter.start()
    meter.stop()
    assert told == []
