import os
import signal
import subprocess

import psutil

from medpipe.schedule import processes
from tests.schedule.fakes import eventually

RUN = "cafe01"


def start(code, tmp_path):
    with (tmp_path / "log").open("ab") as output, (tmp_path / "lock").open("w") as lock:
        return processes.start(["sh", "-c", code], tmp_path, {processes.RUN_VARIABLE: RUN}, output, lock.fileno())


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_command_leads_a_group_of_its_own(tmp_path):
    process = start("echo out; echo err >&2; pwd", tmp_path)
    assert os.getpgid(process.pid) == process.pid != os.getpgrp()
    assert processes.wait(process, lambda: False) == 0
    assert (tmp_path / "log").read_text() == f"out\nerr\n{tmp_path}\n"


def test_waiting_can_be_interrupted(tmp_path):
    process = start("sleep 600", tmp_path)
    assert processes.wait(process, lambda: True) is None
    processes.end_run(RUN, process.pid, 1)
    assert process.wait() == -signal.SIGTERM


def test_grandchildren_that_ignore_sigterm_or_left_the_group_are_ended(tmp_path):
    code = (
        "trap '' TERM; setsid sh -c \"trap '' TERM; echo \\$\\$ > away; sleep 600; sleep 600\" & sleep 600; sleep 600"
    )
    process = start(code, tmp_path)
    away = int(eventually(lambda: (tmp_path / "away").exists() and (tmp_path / "away").read_text()))
    family = [process.pid, away, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    assert len(set(family)) >= 3
    processes.end_run(RUN, process.pid, 0.3)
    assert process.wait() == -signal.SIGKILL
    assert not [pid for pid in family if alive(pid)]


def test_a_group_member_without_the_mark_is_ended_with_the_group(tmp_path):
    process = start("env -i sleep 600 & echo $! > bare; wait", tmp_path)
    bare = int(eventually(lambda: (tmp_path / "bare").exists() and (tmp_path / "bare").read_text()))
    processes.end_run(RUN, process.pid, 1)
    process.wait()
    assert not alive(bare)


def test_other_processes_are_left_alone():
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, processes.RUN_VARIABLE: "beef02"})
    processes.end_run(RUN, termination_s=0.1)
    assert alive(other.pid)
    other.kill()
    other.wait()


def test_ending_what_is_over_is_quick():
    assert processes.end_run("nobody") == 0
