"""A scan's grid in several orientations."""

import pytest

from medpipe.ct.geometry import Geometry
from tests.ct.labels.shapes import GRIDS


@pytest.fixture(params=GRIDS, ids=list(GRIDS))
def grid(request: pytest.FixtureRequest) -> Geometry:
    """Right-handed grids: straight, turned about the long axis, oblique."""
    return GRIDS[request.param]
