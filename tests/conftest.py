"""Fixtures for all tests."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scans, golden results and property tables that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data with real scans and golden results is not beside this checkout")
    return SHARED_DATA
