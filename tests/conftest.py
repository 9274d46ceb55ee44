"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

from tests.scratch import Run, make_project, run_to_the_end

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"

for _variable in ("MEDPIPE_TRACKING_URI", "MEDPIPE_ARTIFACTS"):
    os.environ.pop(_variable, None)  # tests and what they start never write into the server of those who run them


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scans, golden results and property tables that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data with real scans and golden results is not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch copy of the project in which both pipelines run, once for all tests."""
    return make_project(tmp_path_factory.mktemp("end_to_end") / "project")


@pytest.fixture(scope="session")
def imaging(project: Path) -> Run:
    """The first run of ``imaging`` in ``project``."""
    return run_to_the_end(project, "imaging")


@pytest.fixture(scope="session")
def molecules(project: Path) -> Run:
    """The first run of ``molecules`` in ``project``."""
    return run_to_the_end(project, "molecules")
