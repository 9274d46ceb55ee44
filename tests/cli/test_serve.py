"""``medpipe serve`` with the registry of a project."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from medpipe.cli import cli
from medpipe.cli.champion import choose_model
from medpipe.core.errors import InputError
from tests.serving.models import make_generator
from tests.serving.registry import ProjectRegistry
from tests.serving.server.http_server import Server, started, worker_of

NAME = "generator_checkpoint"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ProjectRegistry:
    """Two versions of a generator; nobody is champion."""
    models = ProjectRegistry(tmp_path_factory.mktemp("served") / "project")
    checkpoint = make_generator(tmp_path_factory.mktemp("generator"))
    assert [models.add("generator", NAME, checkpoint) for _ in range(2)] == ["1", "2"]
    return models


def test_without_a_champion_it_is_said_what_to_do(models: ProjectRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models.project)
    result = CliRunner().invoke(cli, ["serve", "properties", "--port", "0"])
    assert result.exit_code == 1
    assert "property_model: there is no champion yet" in result.output
    assert "kedro run --pipeline=properties" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "7"], "has no version 7"),
        (["--model", "best"], "has no best"),
        (["--model", "conf"], "conf holds no file MLmodel"),
        (["--model", f"runs:/{32 * '0'}/model"], "cannot be fetched"),
        (["--timeout", "0"], "--timeout is 0.0"),
        (["--max-wait", "inf"], "--max-wait is inf"),
        (["--workers", "0"], "0 is not in the range"),
        (["--scans", "nowhere"], "does not exist"),
    ],
)
def test_a_bad_option_is_named(
    models: ProjectRegistry, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(models.project)
    result = CliRunner().invoke(cli, ["serve", "generator", "--port", "0", *options])
    assert result.exit_code != 0
    assert said in " ".join(result.output.split())


def test_an_address_that_others_reach_is_warned_of(models: ProjectRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models.project)
    for host, warned in (("0.0.0.0", True), ("127.0.0.1", False)):
        result = CliRunner().invoke(cli, ["serve", "generator", "--host", host, "--model", "7"])
        assert ("opens this server to everybody who can reach the machine" in result.output) == warned


def test_a_port_that_is_taken_is_named(models: ProjectRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(models.project)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(cli, ["serve", "generator", "--model", "1", "--port", port])
    assert result.exit_code == 1
    assert f"--port {port}: cannot listen there" in result.output


def test_a_model_of_another_kind_is_refused(models: ProjectRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models.project)
    result = CliRunner().invoke(cli, ["serve", "properties", "--model", f"models:/{NAME}/1", "--port", "0"])
    assert result.exit_code == 1
    assert "it is no model of properties" in result.output


def test_a_version_is_fetched_whole(models: ProjectRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models.project)
    chosen = choose_model("generator", "2", None, tmp_path)
    assert chosen.title == f"{NAME} version 2"
    assert chosen.file("smiles_generator.safetensors").is_file()
    with pytest.raises(InputError, match="another kind"):
        chosen.file("property_model.safetensors")


@pytest.fixture(scope="module")
def following(models: ProjectRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the champion, version 1, that looks for another one again and again."""
    models.registry.promote(NAME, "1", "first")
    server = Server("generator", None, tmp_path_factory.mktemp("tmp"), "--follow", "0.3", project=models.project)
    with started(server):
        yield server.wait()


def test_a_new_champion_is_served_without_a_break(models: ProjectRegistry, following: Server) -> None:
    asked = {"n": 1}
    assert following.post("/molecules", json=asked).json()["model"]["version"] == "1"
    models.registry.promote(NAME, "2", "better")
    start = time.monotonic()
    while (answer := following.post("/molecules", json=asked)).json()["model"]["version"] == "1":
        assert answer.status_code == 200
        assert time.monotonic() - start < 60, following.log
        time.sleep(0.1)
    assert following.get("/health").json()["model"]["version"] == "2"
    assert following.get("/health").json()["workers"] == 1


def test_after_champions_that_cannot_be_loaded_the_old_one_can_still_be_started_again(
    models: ProjectRegistry, following: Server, tmp_path: Path
) -> None:
    served = following.get("/health").json()["model"]["version"]
    (tmp_path / "checkpoint").write_bytes(b"no checkpoint")
    for n_failed in (1, 2):
        models.registry.promote(NAME, models.add("generator", NAME, tmp_path / "checkpoint"), "untested")
        start = time.monotonic()
        while following.log.count("The model stays as it is") < n_failed:
            assert time.monotonic() - start < 60, following.log
            time.sleep(0.1)
    worker_of(following).kill()
    assert following.post("/molecules", json={"n": 1}).status_code == 503
    while following.get("/health").status_code == 503:
        time.sleep(0.1)
    assert following.post("/molecules", json={"n": 1}).json()["model"]["version"] == served
    assert following.log.count("The model stays as it is") == 2


def test_who_is_stopped_while_a_model_is_loaded_leaves_nothing_behind(models: ProjectRegistry, tmp_path: Path) -> None:
    server = Server("generator", None, tmp_path, "--model", "1", project=models.project)
    while "Loading" not in server.log:
        assert server.process.poll() is None, server.log
        time.sleep(0.05)
    assert server.terminate() == 0
    assert list(tmp_path.glob("medpipe-*")) == []
