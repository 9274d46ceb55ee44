"""``medpipe status`` on projects with something to tell, with nothing yet, and with a store that does not answer."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medpipe.cli import cli
from medpipe.cli.status_tables import duration, size
from tests.registry.conftest import Shelf
from tests.scratch import make_project

PASSWORD = "secret-of-the-database"


@pytest.fixture(scope="module")
def gone() -> str:
    """Host and number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{socket.gethostname()}:{process.pid}"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, gone: str) -> Path:
    """A project with runs of all kinds, a champion, a challenger and data."""
    project = make_project(tmp_path_factory.mktemp("used") / "project")
    shelf = Shelf(project)
    client, start = shelf.client, int(time.time() * 1000)  # a run is not older than its process
    experiment = client.get_run(shelf.run_id).info.experiment_id
    runs = [
        ("FINISHED", {"kedro.pipeline": "imaging", "kedro.env": "base"}),
        ("FAILED", {"kedro.pipeline": "molecules", "kedro.env": "test", "error": "InputError: [no] <path>"}),
        ("RUNNING", {"kedro.pipeline": "gone", "kedro.env": "test", "process": gone}),
        ("RUNNING", {"kedro.pipeline": "going", "process": f"{socket.gethostname()}:{os.getpid()}"}),
    ]
    for number, (status, tags) in enumerate(runs):
        run_id = client.create_run(experiment, start_time=start + number * 1000, tags=tags).info.run_id
        client.log_metric(run_id, "test/cpm", 0.75)
        client.log_metric(run_id, "resources/train_cnn/wall_s", 1.0)
        if status != "RUNNING":
            client.set_terminated(run_id, status, start + number * 1000 + 200_000)
    uri, later = shelf.log("weights 1"), shelf.log("weights 2")
    shelf.registry.promote(
        "nodule_models", shelf.registry.register("nodule_models", uri, shelf.run_id, {}).version, "first"
    )
    shelf.registry.register("nodule_models", later, shelf.run_id, {})
    client.delete_run(shelf.run_id)
    (project / "data" / "01_raw").mkdir(parents=True)
    (project / "data" / "01_raw" / "scan.raw").write_bytes(b"x" * 3_000_000)
    return project


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def status(project: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = CliRunner().invoke(cli, ["status", *options])
    assert done.exit_code == 0, done.output
    return done


def as_json(project: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict:
    found: dict = json.loads(status(project, monkeypatch, "--json", *options).stdout)
    return found


def test_runs_are_told_with_their_fate(used, monkeypatch):
    runs = as_json(used, monkeypatch)["runs"]
    assert [(run["pipelines"], run["status"]) for run in runs] == [
        ("going", "RUNNING"), ("gone", "KILLED"), ("molecules", "FAILED"), ("imaging", "FINISHED"),
    ]  # fmt: skip
    assert runs[3]["seconds"] == 200
    assert runs[3]["metrics"] == {"test/cpm": 0.75}  # a headline of the catalog, unlike what the node took


def test_as_many_runs_as_wanted(used, monkeypatch):
    assert len(as_json(used, monkeypatch, "-n", "2")["runs"]) == 2


def test_champion_and_challenger(used, monkeypatch):
    (model,) = as_json(used, monkeypatch)["models"]
    told = {name: model[name] for name in ("name", "champion", "challenger", "versions", "reason")}
    assert told == {"name": "nodule_models", "champion": "1", "challenger": "2", "versions": 2, "reason": "first"}


def test_models_are_those_of_the_environment(used, monkeypatch):
    found = as_json(used, monkeypatch, "--env", "test")
    assert found["models"] == []
    assert "'test'" in found["notes"]["models"]


def test_jobs_with_their_next_time(used, monkeypatch):
    jobs = as_json(used, monkeypatch)["schedule"]["jobs"]
    assert any(job["next"] for job in jobs)


def test_disk_by_layer(used, monkeypatch):
    found = as_json(used, monkeypatch)
    uses = {Path(use["path"]).name: use for use in found["disk"]}
    assert uses["01_raw"]["size_bytes"] == 3_000_000
    assert uses.keys() >= {"mlruns", "mlflow.db"}
    assert found["free_bytes"] > 0


def test_tables_show_all_parts(used, monkeypatch):
    shown = status(used, monkeypatch).output
    for told in ("imaging", "3 min 20 s", "cpm 0.75", "InputError: [no] <path>", "killed", "nodule_models", "2.9 MiB"):
        assert told in shown, told


def test_a_new_project_says_what_is_not_there_yet(empty, monkeypatch):
    found = as_json(empty, monkeypatch)
    assert found["runs"] == found["models"] == found["disk"] == []
    assert found["notes"].keys() >= {"runs", "models", "disk"}
    assert not (empty / "mlflow.db").exists()


@pytest.mark.parametrize(
    "uri", [f"postgresql+psycopg://medpipe:{PASSWORD}@127.0.0.1:9/mlflow", f"http://medpipe:{PASSWORD}@127.0.0.1:9"]
)
def test_a_store_that_does_not_answer_costs_its_part_only(empty, monkeypatch, uri):
    (empty / "conf" / "local" / "mlflow.yml").write_text(f"tracking_uri: {uri}\n")
    (empty / "data" / "01_raw").mkdir(parents=True)
    (empty / "data" / "01_raw" / "file").write_bytes(b"x")
    done = status(empty, monkeypatch, "--json")
    found = json.loads(done.stdout)
    assert "could not be read" in found["notes"]["runs"]
    assert found["disk"]
    assert PASSWORD not in done.output


def test_a_mistake_in_the_schedule_is_told_and_costs_its_part_only(empty, monkeypatch):
    (empty / "conf" / "local" / "schedules.yml").write_text("nightly: {cron: never, pipelines: [imaging]}\n")
    found = as_json(empty, monkeypatch)
    assert "nightly" in found["notes"]["schedule"]


def test_outside_of_a_project_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["status"])
    assert done.exit_code == 1
    assert "no Kedro project" in done.output


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (18_600, "5 h 10 min")],
)
def test_durations_read_well(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("n_bytes", "told"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**51, "2048.0 TiB")],
)
def test_sizes_read_well(n_bytes, told):
    assert size(n_bytes) == told
