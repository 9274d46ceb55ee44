import numpy as np
import pytest

from medpipe.ct.phantom.fields import (
    CoarseGrid,
    capsules,
    ellipsoid,
    smooth_intersection,
    smooth_noise,
    smooth_path,
    smooth_union,
)

GRID = CoarseGrid((-40.0, -40.0, -40.0), (41, 41, 41), 2.0)


def test_sampling_a_linear_field_is_exact() -> None:
    z, y, x = GRID.axes()
    field = np.ascontiguousarray(np.broadcast_to(2 * z - y + 0.5 * x, GRID.shape_zyx), dtype=np.float32)
    points = np.random.default_rng(0).uniform(-38, 38, (50, 3))
    np.testing.assert_allclose(GRID.sample(field, points), points @ [2, -1, 0.5], atol=1e-4)
    slope = np.array([2, -1, 0.5])
    np.testing.assert_allclose(
        GRID.gradient(field, points / 2), np.tile(slope / np.linalg.norm(slope), (50, 1)), atol=1e-4
    )


def test_sampling_outside_gives_the_edge() -> None:
    z, _, _ = GRID.axes()
    field = np.ascontiguousarray(np.broadcast_to(z, GRID.shape_zyx), dtype=np.float32)
    assert GRID.sample(field, [[100.0, 0.0, 0.0]])[0] == pytest.approx(40.0, abs=0.01)


def test_noise_has_unit_variance_and_no_fine_detail() -> None:
    field = smooth_noise(np.random.default_rng(1), GRID, 12.0)
    assert field.std() == pytest.approx(1.0, abs=0.15)
    assert np.abs(np.diff(field, axis=0)).std() < 0.8 * field.std()


def test_capsule_is_a_distance() -> None:
    path = np.array([[0.0, 0.0, -20.0], [0.0, 0.0, 20.0]])
    field = capsules(GRID, path, np.array([5.0, 5.0]), reach_mm=15.0)
    points = np.array([[0.0, 0.0, 0.0], [0.0, 10.0, 4.0], [8.0, 0.0, -4.0], [0.0, 36.0, 0.0]])
    np.testing.assert_allclose(GRID.sample(field, points), [-5, 5, 3, 15], atol=1e-3)


def test_ellipsoid_turns_with_its_frame() -> None:
    frame = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    field = ellipsoid(GRID.axes(), (0, 0, 0), (20, 8, 8), frame)
    assert GRID.sample(field, [[0.0, 16.0, 0.0]])[0] < 0 < GRID.sample(field, [[16.0, 0.0, 0.0]])[0]


def test_smooth_union_contains_both_and_intersection_neither_outside() -> None:
    a = ellipsoid(GRID.axes(), (0, 0, -8), (12, 12, 12))
    b = ellipsoid(GRID.axes(), (0, 0, 8), (12, 12, 12))
    assert np.all(smooth_union(a, b, 6.0) <= np.minimum(a, b) + 1e-5)
    assert np.all(smooth_intersection(a, b, 6.0) >= np.maximum(a, b) - 1e-5)


def test_path_goes_through_its_knots() -> None:
    knots = np.array([[0.0, 0, 0], [5, 1, 0], [9, -2, 3]])
    path = smooth_path(knots, 21)
    np.testing.assert_allclose(path[[0, 10, 20]], knots, atol=1e-6)
