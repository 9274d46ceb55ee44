from dataclasses import replace

import numpy as np
import pytest

from medpipe.ct.gate import check_geometry, check_hounsfield
from medpipe.ct.geometry import Geometry
from medpipe.ct.params import GateParams
from medpipe.ct.volume import Volume

SCAN = Geometry((121, 512, 512), (2.5, 0.7, 0.7))


def code(geometry: Geometry, **params) -> str | None:
    rejection = check_geometry(geometry, GateParams(**params))
    return rejection.code if rejection else None


@pytest.mark.parametrize(
    ("geometry", "params", "expected"),
    [
        (SCAN, {}, None),
        (SCAN, {"min_slices": 122}, "too_few_slices"),
        (replace(SCAN, shape_zyx=(121, 512, 5)), {}, "too_few_slices"),
        (SCAN, {"max_slice_spacing_mm": 2.4}, "thick_slices"),
        (SCAN, {"min_extent_mm": 301}, "short_extent"),
        (SCAN, {"min_extent_mm": 300}, None),
    ],
)
def test_a_grid_must_be_large_and_fine_enough(geometry: Geometry, params, expected: str | None):
    assert code(geometry, **params) == expected


def test_slices_may_be_stacked_along_any_world_axis():
    """Sagittal slices, 2.5 mm apart from left to right."""
    sagittal = Geometry((121, 512, 512), (2.5, 0.7, 0.7), direction=((0, 0, 1), (1, 0, 0), (0, 1, 0)))
    assert code(sagittal) is None
    assert code(sagittal, max_slice_spacing_mm=2.4) == "thick_slices"


def test_tilted_slices_are_as_far_apart_as_their_planes():
    """A lean of 3 in 4: centres 2.5 mm apart, planes 2 mm."""
    tilted = replace(SCAN, direction=((1, 0, 0), (0, 1, 0.6), (0, 0, 0.8)))
    assert code(tilted, max_slice_spacing_mm=2.01) is None
    assert code(tilted, max_slice_spacing_mm=1.99) == "thick_slices"
    assert code(tilted, min_extent_mm=241) == "short_extent"


def test_a_chest_has_air_and_tissue(chest: Volume):
    assert check_hounsfield(chest.array) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array + 1024,  # the intercept is lost
        lambda array: array * 0,
        lambda array: (array > 0).astype(np.int16),
        lambda array: np.full_like(array, -3024),
        lambda array: array // 16,
    ],
    ids=["intercept", "empty", "mask", "padding", "eight_bits"],
)
def test_what_holds_no_hounsfield_units_is_refused(chest: Volume, change):
    rejection = check_hounsfield(change(chest.array))
    assert rejection is not None
    assert rejection.code == "absurd_hu"
