"""``medpipe models`` in a scratch project with a real MLflow."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from medpipe.cli import cli
from tests.registry.shelf import Shelf
from tests.scratch import make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two models of the environment test."""
    folder = make_project(tmp_path_factory.mktemp("models") / "project")
    shelf = Shelf(folder, "test")
    uri = shelf.log("weights")
    shelf.client.log_param(shelf.run_id, "train.seed", 1)
    for name in ("nodule_models", "property_model"):
        for data in ("old", "new"):
            shelf.registry.register(name, uri, shelf.run_id, {"test_data": data * 10, "test/cpm": "0.5 (0.4 to 0.6)"})
    return folder


@pytest.fixture
def medpipe(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)

    def call(*arguments: str, fails: bool = False) -> str:
        result = CliRunner().invoke(cli, ["models", *arguments])
        assert (result.exit_code != 0) is fails, result.output
        return result.output

    return call


def test_list_names_models_of_the_environment(medpipe):
    shown = medpipe("list", "--env=test")
    assert "nodule_models" in shown
    assert "none yet" in shown


def test_other_environments_have_none(medpipe):
    assert "No model is registered yet" in medpipe("list")


def test_promote_show_and_rollback(medpipe):
    name = ("nodule_models", "--env=test")
    assert "version 1 is champion." in medpipe("promote", *name[:1], "1", "--reason=first", name[1])
    shown = medpipe("promote", "nodule_models", "challenger", "--reason=better", "-e", "test")
    assert "version 2 is champion instead of 1." in shown
    assert "better" in medpipe("show", *name)
    assert "version 1 is champion again instead of 2." in medpipe("rollback", *name, "--reason=drift")
    listed = json.loads(medpipe("list", "--json", "--env=test"))[0]
    assert (listed["champion"]["version"], listed["versions"]) == ("1", 2)
    history = json.loads(medpipe("show", *name, "--json"))["history"]
    assert [reign["reason"] for reign in history] == ["drift", "better", "first"]


def test_show_a_version(medpipe):
    assert "train.seed" in medpipe("show", "property_model", "2", "--env=test")
    about = json.loads(medpipe("show", "property_model", "challenger", "--env=test", "--json"))
    assert (about["version"], about["params"]) == ("2", {"train.seed": "1"})


def test_compare_says_loudly_that_test_data_differ(medpipe):
    shown = medpipe("compare", "property_model", "1", "2", "--env=test")
    assert "NOT COMPARABLE: they were measured on different test data (oldoldol and newnewne)" in shown
    assert json.loads(medpipe("compare", "property_model", "1", "2", "--env=test", "--json"))["comparable"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nobody"], "nobody: no such model is registered (names begin with 'test.')"),
        (["promote", "property_model", "9", "--reason=x"], "has no version 9; there are 1, 2"),
        (["rollback", "property_model", "--reason=x"], "has no champion, so there is nothing to roll back"),
        (["show", "property_model", "1", "--card"], "version 1 has no card yet"),
        (["promote", "property_model", "1"], "Missing option '--reason'"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(medpipe, arguments, message):
    shown = medpipe(*arguments, "--env=test", fails=True)
    assert message in shown
    assert "Traceback" not in shown


def test_outside_of_a_project(medpipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no Kedro project lies here or above" in medpipe("list", fails=True)


def test_a_server_that_does_not_answer_is_told(medpipe, monkeypatch):
    monkeypatch.setenv("MEDPIPE_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    shown = medpipe("list", fails=True)
    assert "Error: MLflow's store: " in shown
    assert "127.0.0.1:9" in shown
