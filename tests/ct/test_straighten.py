import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.geometry import Geometry
from medpipe.ct.resample import PADDING_HU
from medpipe.ct.straighten import SkewedSlicesError, straighten
from medpipe.ct.volume import Volume


def tilted(shape=(40, 60, 70), spacing=(3.0, 0.9, 0.8), lean_deg=(20.0, 0.0), first_normal=1.0) -> Geometry:
    """Slices tilted about x (as by a gantry) and about y, stacked along the table."""
    rotation = sitk.Euler3DTransform((0, 0, 0), np.radians(lean_deg[0]), np.radians(lean_deg[1]), 0.0).GetMatrix()
    direction = np.reshape(rotation, (3, 3)).copy()
    direction[:, 2] = (0.0, 0.0, first_normal)
    return Geometry(shape, spacing, (-30.0, 12.0, -200.0), tuple(map(tuple, direction.tolist())))


def world_of(geometry: Geometry) -> np.ndarray:
    """World places of all voxels, (z, y, x, 3)."""
    return geometry.to_world(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1).reshape(-1, 3)).reshape(
        *geometry.shape_zyx, 3
    )


def ball(geometry: Geometry, centre_xyz_mm: np.ndarray, radius_mm: float) -> Volume:
    """A soft ball of 1000 HU in water, sampled at the voxels' places."""
    away = np.linalg.norm(world_of(geometry) - centre_xyz_mm, axis=-1)
    return Volume(np.rint(1000 * np.clip((radius_mm - away) / 2 + 0.5, 0, 1)).astype(np.int16), geometry)


@pytest.mark.parametrize("lean_deg", [(20.0, 0.0), (-25.0, 0.0), (0.0, 12.0), (15.0, -9.0)])
@pytest.mark.parametrize("upward", [1.0, -1.0], ids=["head last", "head first"])
def test_a_ball_stays_at_its_place(lean_deg: tuple[float, float], upward: float):
    geometry = tilted(lean_deg=lean_deg, first_normal=upward)
    centre = geometry.to_world([(19.3, 31.4, 33.7)])[0]
    upright = straighten(ball(geometry, centre, 12.0))
    assert upright.geometry.is_orthogonal
    weights = np.maximum(upright.array, 0).astype(float)
    found = np.tensordot(weights, world_of(upright.geometry), 3) / weights.sum()
    np.testing.assert_allclose(found, centre, atol=0.1)


@pytest.mark.parametrize("lean_deg", [(20.0, 0.0), (15.0, -9.0)])
def test_it_agrees_with_simpleitk(lean_deg: tuple[float, float]):
    geometry = tilted(lean_deg=lean_deg)
    array = np.random.default_rng(0).integers(-1024, 1500, geometry.shape_zyx, dtype=np.int16)
    upright = straighten(Volume(array, geometry))
    reference = upright.geometry.apply_to_sitk(sitk.GetImageFromArray(np.zeros(upright.array.shape, np.float32)))
    image = geometry.apply_to_sitk(sitk.GetImageFromArray(array.astype(np.float32)))
    expected = sitk.GetArrayFromImage(
        sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, float(PADDING_HU))
    )
    near_edge = sitk.GetArrayFromImage(
        sitk.Resample(image * 0 + 1, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    )
    inside = near_edge > 0
    inside[0] = inside[-1] = False  # rounding decides whether ITK takes the outermost slices for inside
    assert inside.mean() > 0.4
    assert np.abs(upright.array - expected)[inside].max() <= 0.51
    outside = sitk.GetArrayFromImage(
        sitk.BinaryDilate(sitk.GetImageFromArray((near_edge > 0).astype(np.uint8)), (1, 1, 0))
    )
    assert (upright.array[1:-1][outside[1:-1] == 0] == PADDING_HU).all()


def test_no_voxel_is_lost():
    geometry = tilted(lean_deg=(20.0, 5.0))
    upright = straighten(Volume(np.full(geometry.shape_zyx, 100, np.int16), geometry))
    assert upright.geometry.contains(world_of(geometry)[::39, ::59, ::69].reshape(-1, 3)).all()
    covered = (upright.array == 100).sum() * upright.geometry.voxel_mm3
    assert covered == pytest.approx(np.prod(geometry.shape_zyx) * geometry.voxel_mm3, rel=0.01)


def test_padding_is_clamped_before_it_can_bleed():
    geometry = tilted()
    array = np.full(geometry.shape_zyx, -3000, np.int16)
    assert (straighten(Volume(array, geometry)).array == PADDING_HU).all()


def test_an_upright_volume_is_left_alone():
    volume = Volume(np.zeros((3, 4, 5), np.int16), Geometry((3, 4, 5), (1.0, 1.0, 1.0)))
    assert straighten(volume) is volume


def test_slices_with_slanted_columns_are_refused():
    direction = ((1.0, 0.6, 0.0), (0.0, 0.8, 0.0), (0.0, 0.0, 1.0))
    volume = Volume(np.zeros((3, 4, 5), np.int16), Geometry((3, 4, 5), (1.0, 1.0, 1.0), direction=direction))
    with pytest.raises(SkewedSlicesError, match=r"a cosine of 0\.6"):
        straighten(volume)
