import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest

from medpipe.registry.database import make_database

MAKE = "import sys; from medpipe.registry.database import make_database; make_database(sys.argv[1])"


def experiments(file: Path) -> list[str]:
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}")
    return [experiment.name for experiment in client.search_experiments()]


def test_a_new_database_is_complete_and_an_old_one_is_kept(tmp_path: Path):
    file = tmp_path / "deep" / "mlflow.db"
    make_database(f"sqlite:///{file}")
    assert [path.name for path in file.parent.iterdir()] == ["mlflow.db"]
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}").create_experiment("mine")
    make_database(f"sqlite:///{file}")
    assert sorted(experiments(file)) == ["Default", "mine"]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "file:///somewhere"])
def test_other_stores_are_left_alone(uri: str):
    make_database(uri)


def test_a_maker_that_is_killed_leaves_no_database_or_a_whole_one(tmp_path: Path):
    file = tmp_path / "mlflow.db"
    process = subprocess.Popen([sys.executable, "-c", MAKE, f"sqlite:///{file}"], start_new_session=True)
    while process.poll() is None and not list(tmp_path.glob("mlflow.db.*.new")):
        time.sleep(0.01)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not file.exists()
    make_database(f"sqlite:///{file}")
    assert experiments(file) == ["Default"]


def test_two_makers_at_once_make_one_database(tmp_path: Path):
    file = tmp_path / "mlflow.db"
    makers = [subprocess.Popen([sys.executable, "-c", MAKE, f"sqlite:///{file}"]) for _ in range(2)]
    assert [maker.wait() for maker in makers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert experiments(file) == ["Default"]
