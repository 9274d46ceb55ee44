"""A folder that is enough of a project for the schedule."""

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for env in ("base", "local", "test"):
        (tmp_path / "conf" / env).mkdir(parents=True)
    (tmp_path / "conf" / "base" / "parameters.yml").write_text("train: {trainer: {seed: 0}}\n")
    return tmp_path
