"""Smooth fields on a coarse grid: the clay from which the anatomy is formed.

A structure is a field of signed distances in millimetres, negative inside. Fields live on a coarse grid (3 mm), where
smooth shapes lose nothing, and are interpolated to the voxels of a scan.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Field = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Axes = tuple[Field, Field, Field]
"""Coordinates (z, y, x) in mm that broadcast to a grid."""


@njit(cache=True, fastmath=True)
def _trilinear(field, index):  # type: ignore[no-untyped-def]  # pragma: no cover
    """``field`` at fractional indices, n x 3, clamped to the grid."""
    nz, ny, nx = field.shape
    out = np.empty(len(index))
    for p in range(len(index)):
        z = min(max(index[p, 0], 0.0), nz - 1.001)
        y = min(max(index[p, 1], 0.0), ny - 1.001)
        x = min(max(index[p, 2], 0.0), nx - 1.001)
        k, j, i = int(z), int(y), int(x)
        z, y, x = z - k, y - j, x - i
        low = (1 - y) * ((1 - x) * field[k, j, i] + x * field[k, j, i + 1]) + y * (
            (1 - x) * field[k, j + 1, i] + x * field[k, j + 1, i + 1]
        )
        k += 1
        high = (1 - y) * ((1 - x) * field[k, j, i] + x * field[k, j, i + 1]) + y * (
            (1 - x) * field[k, j + 1, i] + x * field[k, j + 1, i + 1]
        )
        out[p] = (1 - z) * low + z * high
    return out


@dataclass(frozen=True)
class CoarseGrid:
    """Regular grid in the patient's own frame (mm, axes LPS, origin near the carina).

    Attributes:
        origin_zyx_mm: Position of node (0, 0, 0).
        shape_zyx: Number of nodes.
        step_mm: Distance of nodes along every axis.
    """

    origin_zyx_mm: tuple[float, float, float]
    shape_zyx: tuple[int, int, int]
    step_mm: float

    def axes(self) -> tuple[Field, Field, Field]:
        """Coordinates (z, y, x) in mm, shaped to broadcast to the grid."""
        lines = [
            (origin + self.step_mm * np.arange(n)).astype(np.float32)
            for origin, n in zip(self.origin_zyx_mm, self.shape_zyx, strict=True)
        ]
        return lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]

    def sample(self, field: Field, points_zyx: npt.ArrayLike) -> Points:
        """``field`` at points, n x 3 (z, y, x) in mm, by trilinear interpolation (edge values outside)."""
        index = (np.asarray(points_zyx, dtype=np.float64) - np.asarray(self.origin_zyx_mm)) / self.step_mm
        return np.asarray(_trilinear(field, np.ascontiguousarray(index)))

    def gradient(self, field: Field, points_zyx: npt.ArrayLike) -> Points:
        """Unit gradient of ``field`` at points, n x 3 (z, y, x)."""
        points = np.asarray(points_zyx, dtype=np.float64)
        slope = np.empty_like(points)
        for axis in range(3):
            step = np.zeros(3)
            step[axis] = self.step_mm
            slope[:, axis] = self.sample(field, points + step) - self.sample(field, points - step)
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)


def _spline_weights(n: int, step: float, wavelength: float) -> tuple[npt.NDArray[np.int64], Field]:
    """First knot and weights (n x 4) of the cubic B-splines, knots half a wavelength apart, at ``n`` nodes."""
    position = np.arange(n) * step / (0.5 * wavelength)
    first = np.floor(position).astype(np.int64)
    t = position - first
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return first, (np.stack(weights, axis=1) / 6.0).astype(np.float32)


@njit(cache=True, fastmath=True)
def _refine(coarse, first, weights, fine):  # type: ignore[no-untyped-def]  # pragma: no cover
    """``fine[m, i]`` is the spline through ``coarse[:, m]`` at node i.

    Plain loops, not a matrix product: that one rounds differently with other numbers of threads.
    """
    for i in range(len(first)):
        k = first[i]
        a, b, c, d = weights[i, 0], weights[i, 1], weights[i, 2], weights[i, 3]
        for m in range(coarse.shape[1]):
            fine[m, i] = a * coarse[k, m] + b * coarse[k + 1, m] + c * coarse[k + 2, m] + d * coarse[k + 3, m]


def smooth_noise(rng: np.random.Generator, grid: CoarseGrid, wavelength_mm: float) -> Field:
    """Random field of zero mean and about unit variance without detail finer than half ``wavelength_mm``.

    Args:
        rng: Source of chance.
        grid: Where to evaluate it.
        wavelength_mm: Twice the distance of the random knots.
    """
    splines = [_spline_weights(n, grid.step_mm, wavelength_mm) for n in grid.shape_zyx]
    field = rng.standard_normal([int(first[-1]) + 4 for first, _ in splines], dtype=np.float32)
    variance = 1.0
    for first, weights in splines:
        columns = field.reshape(field.shape[0], -1)
        fine = np.empty((columns.shape[1], len(first)), dtype=np.float32)
        _refine(columns, first, weights, fine)
        field = fine.reshape(*field.shape[1:], len(first))
        variance *= float(np.mean(np.sum(weights**2, axis=1)))
    return field / np.float32(np.sqrt(variance))


def smooth_union(a: Field, b: Field, radius_mm: float) -> Field:
    """Union of two structures with the crease filled to about ``radius_mm``."""
    blend = np.maximum(radius_mm - np.abs(a - b), 0.0)
    return np.asarray(np.minimum(a, b) - blend * blend / (4.0 * radius_mm), dtype=np.float32)


def smooth_intersection(a: Field, b: Field, radius_mm: float) -> Field:
    """Intersection of two structures with the edge rounded to about ``radius_mm``."""
    return -smooth_union(-a, -b, radius_mm)


def ellipsoid(
    axes: tuple[Field, Field, Field],
    centre_zyx: npt.ArrayLike,
    radii_zyx: npt.ArrayLike,
    rotation: npt.NDArray[np.float64] | None = None,
) -> Field:
    """Approximate signed distance to an ellipsoid.

    Args:
        axes: Coordinates (z, y, x) that broadcast, mm.
        centre_zyx: Centre, mm.
        radii_zyx: Half axes, mm.
        rotation: 3 x 3, rows are the ellipsoid's own axes in (z, y, x); none means aligned.
    """
    offset = [axis - np.float32(c) for axis, c in zip(axes, np.asarray(centre_zyx), strict=True)]
    radii = np.asarray(radii_zyx, dtype=np.float32)
    if rotation is not None:
        turn = rotation.astype(np.float32)
        offset = [turn[i, 0] * offset[0] + turn[i, 1] * offset[1] + turn[i, 2] * offset[2] for i in range(3)]
    squares = sum((component / r) ** 2 for component, r in zip(offset, radii, strict=True))
    return np.asarray((np.sqrt(squares) - 1.0) * np.float32(np.min(radii)), dtype=np.float32)


def smoothstep(values: npt.ArrayLike, low: float, high: float) -> Field:
    """0 below ``low``, 1 above ``high``, a cubic ramp between."""
    t = np.clip((np.asarray(values, dtype=np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def capsules(grid: CoarseGrid, path_zyx: Points, radii_mm: Points, reach_mm: float = 30.0) -> Field:
    """Signed distance to a chain of tapered capsules, cut off at ``reach_mm``.

    Args:
        grid: Where to evaluate it.
        path_zyx: n x 3 points (z, y, x), mm.
        radii_mm: n radii.
        reach_mm: Greater distances read as this one; only nodes within it are computed.
    """
    field = np.full(grid.shape_zyx, reach_mm, dtype=np.float32)
    axes = grid.axes()
    for i in range(len(path_zyx) - 1):
        start, end = path_zyx[i], path_zyx[i + 1]
        margin = reach_mm + max(radii_mm[i], radii_mm[i + 1])
        low = (np.minimum(start, end) - margin - grid.origin_zyx_mm) / grid.step_mm
        high = (np.maximum(start, end) + margin - grid.origin_zyx_mm) / grid.step_mm
        box = tuple(
            slice(max(0, int(lo)), max(0, min(n, int(hi) + 2)))
            for lo, hi, n in zip(low, high, grid.shape_zyx, strict=True)
        )
        offset = [
            axis[tuple(box[k] if j == k else slice(None) for j in range(3))] - np.float32(start[k])
            for k, axis in enumerate(axes)
        ]
        along = (end - start).astype(np.float32)
        t = (offset[0] * along[0] + offset[1] * along[1] + offset[2] * along[2]) / max(float(along @ along), 1e-6)
        t = np.clip(t, 0.0, 1.0)
        square = sum((o - t * a) ** 2 for o, a in zip(offset, along, strict=True))
        radius = np.float32(radii_mm[i]) + t * np.float32(radii_mm[i + 1] - radii_mm[i])
        field[box] = np.minimum(field[box], np.sqrt(square) - radius)
    return field


def smooth_path(knots: npt.ArrayLike, n: int) -> Points:
    """Catmull-Rom curve through ``knots`` (m x k columns), resampled to ``n`` rows."""
    knots = np.asarray(knots, dtype=np.float64)
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    position = np.linspace(0, len(knots) - 1 - 1e-9, n)
    i = position.astype(int)
    t = (position - i)[:, None]
    a, b, c, d = padded[i], padded[i + 1], padded[i + 2], padded[i + 3]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.asarray(curve, dtype=np.float64)
