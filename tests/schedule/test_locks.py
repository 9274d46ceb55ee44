import fcntl
import os
import subprocess
import sys
from threading import Timer

import pytest

from medpipe.schedule.locks import FileLock


def test_only_one_holds_it(tmp_path):
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.acquire("me")
    assert not second.acquire()
    assert second.holder() == "me"
    first.release()
    assert second.holder() is None
    assert second.acquire("you")


def test_it_is_free_after_a_kill(tmp_path):
    code = "import os, sys; from medpipe.schedule.locks import FileLock; from pathlib import Path;"
    code += "print(FileLock(Path(sys.argv[1])).acquire()); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.lock"], capture_output=True, text=True)
    assert done.stdout == "True\n"
    assert FileLock(tmp_path / "a.lock").acquire()


def test_a_child_that_inherited_it_holds_it_on(tmp_path):
    lock, other = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    lock.acquire()
    child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.descriptor,))
    lock.release()
    assert not other.acquire()
    child.kill()
    child.wait()
    assert other.acquire()


def test_a_lock_that_is_not_held_has_no_descriptor(tmp_path):
    with pytest.raises(RuntimeError, match="not held"):
        _ = FileLock(tmp_path / "a.lock").descriptor


def test_a_look_at_the_holder_keeps_nobody_from_taking_it(tmp_path):
    lock = FileLock(tmp_path / "a.lock")
    lock.acquire()
    lock.release()
    look = os.open(tmp_path / "a.lock", os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)  # as `holder` does, for a moment
    Timer(0.03, os.close, [look]).start()
    assert lock.acquire()
