import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from medpipe.registry.runs import is_gone

NOW = datetime.now(UTC)
HERE = socket.gethostname()


@pytest.fixture(scope="module")
def ended() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_process_that_runs_is_not_gone():
    assert not is_gone(f"{HERE}:{os.getpid()}", NOW)


def test_a_process_that_ended_is_gone(ended):
    assert is_gone(f"{HERE}:{ended}", NOW)


def test_a_younger_process_of_the_same_number_is_another_one():
    assert is_gone(f"{HERE}:{os.getpid()}", NOW - timedelta(days=30))


@pytest.mark.parametrize("process", ["", "elsewhere:1", f"{HERE}:x"])
def test_of_other_hosts_nothing_is_known(process):
    assert not is_gone(process, NOW)
