from dataclasses import replace

import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import DIRECTIONS, LPS, plan_cohort
from medpipe.ct.phantom.scan import PhantomScan, make_scan, reorient
from medpipe.ct.volume import Volume


@pytest.fixture(scope="module")
def scan(small_params: PhantomParams) -> PhantomScan:
    return make_scan(small_params, plan_cohort(small_params)[0])


def _share(array: np.ndarray, low: float, high: float) -> float:
    return float(((array >= low) & (array < high)).mean())


def test_attenuation_is_that_of_a_chest(scan: PhantomScan) -> None:
    hu = scan.volume.array
    assert 0.10 < _share(hu, -950, -700) < 0.45  # lung
    assert _share(hu, -150, -50) > 0.02  # fat
    assert _share(hu, 0, 120) > 0.08  # muscle and organs
    assert _share(hu, 250, 1500) > 0.004  # bone
    assert np.median(hu[(hu > -950) & (hu < -700)]) == pytest.approx(-860, abs=40)


def test_same_plan_gives_the_same_voxels(small_params: PhantomParams, scan: PhantomScan) -> None:
    again = make_scan(small_params, scan.plan)
    np.testing.assert_array_equal(again.volume.array, scan.volume.array)
    assert again.volume.geometry == scan.volume.geometry
    assert again.labels == scan.labels


def test_follow_up_shows_the_same_findings(small_params: PhantomParams) -> None:
    visits = [plan for plan in plan_cohort(small_params) if plan.patient == 0]
    visits.append(replace(visits[0], visit=1))
    first, second = (make_scan(small_params, plan) for plan in (visits[0], visits[-1]))
    assert len(first.labels) == len(second.labels) > 0
    assert first.volume.geometry != second.volume.geometry
    for before, after in zip(first.labels, second.labels, strict=True):
        assert before.finding.centre_zyx == after.finding.centre_zyx
        assert 1.0 <= after.finding.diameter_mm / before.finding.diameter_mm <= 1.3 + 1e-9


@pytest.mark.parametrize("direction", [LPS, *DIRECTIONS])
def test_reorienting_keeps_every_voxel_where_it_is(direction: tuple[tuple[float, float, float], ...]) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(-1000, 1000, (4, 5, 6)).astype(np.int16)
    volume = Volume(array, Geometry((4, 5, 6), (2.5, 0.7, 0.9), (-100.0, 30.0, -250.0)))
    turned = reorient(volume, direction)
    assert turned.geometry.direction == direction
    index = np.argwhere(np.ones(array.shape, dtype=bool))
    there = np.rint(turned.geometry.to_voxel(volume.geometry.to_world(index))).astype(int)
    np.testing.assert_array_equal(turned.array[tuple(there.T)], array[tuple(index.T)])


@pytest.mark.parametrize("sharp", [False, True])
def test_noise_is_correlated_and_sharper_kernels_are_noisier(small_params: PhantomParams, sharp: bool) -> None:
    scan = make_scan(small_params, replace(plan_cohort(small_params)[0], sharp=sharp))
    hu = scan.volume.array.astype(float)
    lung = (hu > -920) & (hu < -800)
    step = np.diff(hu, axis=2)[lung[:, :, 1:] & lung[:, :, :-1]].std()
    assert (8 if sharp else 3) < step < (90 if sharp else 40)
