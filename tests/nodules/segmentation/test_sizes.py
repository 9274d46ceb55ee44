import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.nodules.segmentation.sizes import long_axis_mm, mask_sizes
from tests.nodules.segmentation.conftest import ball


def test_a_ball_has_its_diameter_and_volume():
    shape, spacing_mm, diameter_mm = (60, 60, 60), 0.5, 24.0
    voxels = ball(shape, (30, 30, 30), diameter_mm / 2 / spacing_mm)
    sizes = mask_sizes(voxels, Geometry(shape, (spacing_mm,) * 3))
    assert sizes["volume_mm3"] == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.01)
    assert sizes["mask_diameter_mm"] == pytest.approx(diameter_mm, rel=0.005)
    assert sizes["long_axis_mm"] == pytest.approx(diameter_mm, abs=spacing_mm)


@pytest.mark.parametrize(
    ("points", "expected_mm"),
    [
        ([(0, 2, 2)], 1.0),
        ([(0, 0, 0), (0, 0, 4)], 4 + 1.0),
        ([(0, 0, 0), (0, 3, 4)], 5 + 1.0),
        ([(0, 3, 0), (0, 0, 4)], 5 + 1.0),
        ([(0, 0, 0), (4, 3, 4)], 1.0),  # not in one axial slice
    ],
)
def test_the_long_axis_lies_in_an_axial_slice(points: list[tuple[int, int, int]], expected_mm: float):
    voxels = np.zeros((5, 5, 5), dtype=bool)
    voxels[tuple(np.transpose(points))] = True
    assert long_axis_mm(voxels, (7.0, 1.0, 1.0)) == pytest.approx(expected_mm)


def test_an_empty_mask_has_no_size():
    empty = np.zeros((3, 3, 3), dtype=bool)
    assert set(mask_sizes(empty, Geometry((3, 3, 3), (1.0, 1.0, 1.0))).values()) == {0.0}
