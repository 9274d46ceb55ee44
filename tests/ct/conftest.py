"""A tiny chest."""

import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.volume import Volume

CHEST_SHAPE = (44, 64, 80)
CHEST_SPACING = (3.0, 4.0, 4.0)
NODULE_ZYX = (22, 32, 14)
"""A nodule on the outer pleura of the first lung."""


@pytest.fixture(scope="session")
def chest() -> Volume:
    """An elliptic body of water with two ellipsoid lungs and a nodule on the pleura, 132 x 256 x 320 mm, LPS axes."""
    z, y, x = np.indices(CHEST_SHAPE).astype(float)
    array = np.full(CHEST_SHAPE, -1000, dtype=np.int16)
    array[((y - 32) / 26) ** 2 + ((x - 40) / 36) ** 2 <= 1] = 40
    for middle in (24, 56):
        array[((z - 22) / 19) ** 2 + ((y - 32) / 18) ** 2 + ((x - middle) / 12) ** 2 <= 1] = -850
    k, j, i = NODULE_ZYX
    array[((z - k) * 3) ** 2 + ((y - j) * 4) ** 2 + ((x - i) * 4) ** 2 <= 8**2] = 40
    array += np.random.default_rng(0).normal(0, 20, CHEST_SHAPE).astype(np.int16)
    return Volume(array, Geometry(CHEST_SHAPE, CHEST_SPACING, (-158.0, -126.0, -60.0)))
