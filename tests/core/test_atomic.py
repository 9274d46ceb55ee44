import signal
import subprocess
import sys

import pytest

from medpipe.core.atomic import atomic_path, remove_leftovers, write_json, write_text


def test_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "a.txt"
    write_text(target, "text")
    assert target.read_text() == "text"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_failed_write_leaves_the_old_file_and_no_leftovers(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(TypeError), atomic_path(target) as temporary:
        temporary.write_bytes(b"half" + None)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folder_replaces_a_filled_folder(tmp_path):
    target = tmp_path / "store"
    target.mkdir()
    (target / "old").touch()
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"auc": float("nan")})
    assert not list(tmp_path.iterdir())


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    (tmp_path / ".tmp-abc").mkdir()
    (tmp_path / ".tmp-abc" / "half").touch()
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


KILLED_WHILE_WRITING = """
import os, signal, sys
from medpipe.core.atomic import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_writer_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
