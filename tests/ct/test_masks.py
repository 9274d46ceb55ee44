from pathlib import Path

import numpy as np
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LesionMask, cropped, finding_of_mask
from medpipe.ct.masks import MaskStore, write_masks

GEOMETRY = Geometry((20, 30, 40), (2.0, 1.0, 0.5), (-5.0, 3.0, 7.0))


def ball(centre: tuple[int, int, int], radius_mm: float) -> LesionMask:
    places = (np.indices(GEOMETRY.shape_zyx).T - centre).T * np.reshape(GEOMETRY.spacing_zyx_mm, (3, 1, 1, 1))
    return cropped((places**2).sum(axis=0) <= radius_mm**2)


def test_what_is_written_is_read(tmp_path: Path):
    masks = {1: ball((10, 15, 20), 4), 3: ball((5, 5, 5), 2)}
    write_masks(tmp_path, "1.2", GEOMETRY, masks)
    found = MaskStore(tmp_path).read("1.2")
    assert found is not None
    assert found[0] == GEOMETRY
    assert list(found[1]) == [1, 3]
    for number, mask in masks.items():
        assert found[1][number].start_zyx == mask.start_zyx
        np.testing.assert_array_equal(found[1][number].voxels, mask.voxels)


def test_a_scan_without_masks_has_no_file(tmp_path: Path):
    write_masks(tmp_path, "1.2", GEOMETRY, {1: ball((10, 15, 20), 4)})
    before = MaskStore(tmp_path).fingerprint()
    write_masks(tmp_path, "1.2", GEOMETRY, {})
    assert MaskStore(tmp_path).read("1.2") is None
    assert MaskStore(tmp_path).fingerprint() != before


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="absent"):
        MaskStore(tmp_path / "absent")


def test_centre_and_diameter_of_a_ball():
    finding = finding_of_mask(ball((10, 15, 20), 6), GEOMETRY)
    assert finding.centre_xyz_mm == pytest.approx(tuple(GEOMETRY.to_world([(10, 15, 20)])[0]))
    assert finding.diameter_mm == pytest.approx(12, rel=0.05)


def test_an_empty_mask_is_none():
    with pytest.raises(ValueError, match="empty"):
        cropped(np.zeros((2, 2, 2), dtype=bool))
