"""Runs in several processes that were started together: the first one saves, the others take part."""

import pytest

from medpipe.core.errors import InputError
from tests.runners.test_incremental import Project, second


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


def started_together(monkeypatch, number: int) -> None:
    monkeypatch.setenv("RANK", str(number))
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_only_the_first_process_saves_and_calls_hooks(project, monkeypatch):
    took_part = []

    def training(table, digits):
        took_part.append(digits)
        return second(table, digits)

    project.run()
    before = (project.folder / "metrics.json").stat().st_mtime_ns
    started_together(monkeypatch, 1)
    assert project.run(second=training, only="second") == []
    assert took_part == [3]
    assert (project.folder / "metrics.json").stat().st_mtime_ns == before
    started_together(monkeypatch, 0)
    assert project.run(second=training, only="second") == ["second"]


def test_several_nodes_are_refused(project, monkeypatch):
    started_together(monkeypatch, 0)
    with pytest.raises(InputError, match=r"2 processes of a run of 2 nodes.*--nodes"):
        project.run()
