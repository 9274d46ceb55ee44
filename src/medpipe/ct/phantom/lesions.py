"""Draws findings and vessel knots into a HU volume."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from medpipe.ct.phantom.fields import CoarseGrid, Field, Points, smooth_path
from medpipe.ct.phantom.findings import Finding
from medpipe.ct.phantom.paint import paint_blob, paint_segments, tube
from medpipe.ct.phantom.trees import Segments

LUNG_HU = -860.0


@dataclass(frozen=True)
class Canvas:
    """A HU volume with its place and the lungs' boundary.

    Attributes:
        volume: Float32 HU, (z, y, x), changed in place.
        origin_zyx: Position of voxel (0, 0, 0) in the patient's frame, mm.
        spacing_zyx: Voxel size, mm.
        lung: Signed distance to the lungs on the coarse grid, contiguous.
        grid: The coarse grid.
    """

    volume: Field
    origin_zyx: Points
    spacing_zyx: Points
    lung: Field
    grid: CoarseGrid

    def blob(self, centre: Points, radius: float, value: float, rng: np.random.Generator, **options: object) -> None:
        """``paint_blob`` on this canvas."""
        paint_blob(
            self.volume,
            self.origin_zyx,
            self.spacing_zyx,
            self.lung,
            self.grid,
            centre_zyx=centre,
            radius_mm=radius,
            value_hu=value,
            ground_hu=LUNG_HU,
            rng=rng,
            **options,  # type: ignore[arg-type]
        )

    def strands(self, segments: Segments, value: float) -> None:
        """Tubes of lung-bound tissue."""
        paint_segments(self.volume, self.origin_zyx, self.spacing_zyx, segments, value, LUNG_HU)

    def around(self, centre: Points, reach_mm: float) -> tuple["Canvas", tuple[int, int, int]]:
        """An empty lung on the part of this grid that lies within a distance, and its first voxel (z, y, x)."""
        place = (centre - self.origin_zyx) / self.spacing_zyx
        low = np.clip(np.floor(place - reach_mm / self.spacing_zyx).astype(int), 0, self.volume.shape)
        high = np.clip(np.ceil(place + reach_mm / self.spacing_zyx).astype(int) + 1, low, self.volume.shape)
        volume = np.full(high - low, LUNG_HU, dtype=np.float32)
        start = (int(low[0]), int(low[1]), int(low[2]))
        return Canvas(volume, self.origin_zyx + low * self.spacing_zyx, self.spacing_zyx, self.lung, self.grid), start


MASK_REACH = 1.5
"""A nodule's outline stays within this many mean radii of its centre."""


def nodule_mask(canvas: Canvas, finding: Finding) -> tuple[tuple[int, int, int], npt.NDArray[np.bool_]]:
    """The voxels that a nodule fills by at least half, without its spicules: what its diameter is of.

    Args:
        canvas: The scan's grid; its voxels are not looked at.
        finding: A nodule.

    Returns:
        First voxel (z, y, x) of a box, and the box.
    """
    centre = np.asarray(finding.centre_zyx)
    part, start = canvas.around(centre, MASK_REACH * finding.diameter_mm / 2 + float(canvas.spacing_zyx.max()))
    body = replace(finding, spiculated=False)
    contrast = _nodule(part, body, centre, np.random.default_rng(finding.seed), 0.0)
    inside = part.volume >= LUNG_HU + contrast / 2
    middle = np.rint((centre - part.origin_zyx) / part.spacing_zyx).astype(int)
    parts, _ = label(inside, structure=np.ones((3, 3, 3)))
    if parts[tuple(middle)] == 0:  # smaller than the voxels, or pressed flat by the pleura
        inside[tuple(middle)] = True
        parts, _ = label(inside, structure=np.ones((3, 3, 3)))
    return start, parts == parts[tuple(middle)]


def paint_finding(canvas: Canvas, finding: Finding, solid_shift_hu: float) -> None:
    """Draws one finding.

    Args:
        canvas: Where.
        finding: What.
        solid_shift_hu: Added to soft tissue in this scan (contrast medium taken up).
    """
    rng = np.random.default_rng(finding.seed)
    centre = np.asarray(finding.centre_zyx)
    normal = np.asarray(finding.normal_zyx)
    if finding.kind == "nodule":
        _nodule(canvas, finding, centre, rng, solid_shift_hu)
    elif finding.form == "micronodule":
        canvas.blob(centre, 0.5 * finding.diameter_mm, rng.uniform(-20, 80), rng)
    elif finding.form == "plaque":
        canvas.blob(centre, 0.5 * finding.diameter_mm, rng.uniform(20, 90), rng, squash=0.22, normal_zyx=normal)
    else:
        _scar(canvas, finding, centre, normal, rng)


def _nodule(canvas: Canvas, finding: Finding, centre: Points, rng: np.random.Generator, shift: float) -> float:
    """Draws a nodule; returns how much brighter than the lung one of its hazy, or else its solid lumps is."""
    radius = 0.5 * finding.diameter_mm
    rough = float(rng.uniform(0.06, 0.14) + 0.012 * min(radius, 8.0))
    solid = float(rng.uniform(5, 60) + shift)
    if finding.texture == "solid" and radius < 4.5 and rng.random() < 0.08:
        solid = float(rng.uniform(180, 450))  # calcified granuloma
    contrast = solid - LUNG_HU
    if finding.texture == "solid":
        canvas.blob(centre, radius, solid, rng, roughness=rough)
    else:
        haze = float(rng.uniform(-660, -450))
        contrast = (haze - LUNG_HU) / 2.4
        for _ in range(3):  # uneven, as ground glass is
            canvas.blob(
                centre + rng.normal(0, 0.1 * radius, 3),
                radius * rng.uniform(0.88, 1.0),
                LUNG_HU + contrast,
                rng,
                roughness=rough,
                soft_mm=0.8,
                faint=True,
            )
        if finding.texture == "part-solid":
            core = radius * rng.uniform(0.35, 0.62)
            canvas.blob(centre + rng.normal(0, 0.12 * radius, 3), core, solid, rng, roughness=1.6 * rough)
    if finding.spiculated:
        _spicules(canvas, centre, radius, rng)
    return contrast


def _spicules(canvas: Canvas, centre: Points, radius: float, rng: np.random.Generator) -> None:
    """Strands that taper outwards from the surface."""
    n = int(rng.integers(18, 34))
    way = rng.standard_normal((n, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    reach = radius * rng.uniform(1.4, 2.2, (n, 1))
    bend = 0.15 * radius * rng.standard_normal((n, 3))
    middle = centre + way * (radius * 0.9 + reach) / 2 + bend
    base = np.clip(radius * rng.uniform(0.17, 0.3, n), 0.8, 2.0)
    start, end = centre + way * radius * 0.75, centre + way * reach + bend
    canvas.strands(
        Segments(
            np.vstack([start, middle]),
            np.vstack([middle, end]),
            np.vstack([np.column_stack([base, 0.7 * base]), np.column_stack([0.7 * base, 0.35 * base])]),
            np.ones(2 * n, dtype=np.int64),
        ),
        0.0,
    )


def _scar(canvas: Canvas, finding: Finding, centre: Points, axis: Points, rng: np.random.Generator) -> None:
    half = 0.5 * finding.diameter_mm
    across = np.cross(axis, rng.standard_normal(3))
    across /= np.linalg.norm(across)
    for offset in np.linspace(-1.2, 1.2, 3):
        knots = [centre + t * half * axis + offset * across + rng.normal(0, 0.6, 3) for t in (-1.0, -0.4, 0.3, 1.0)]
        radii = np.array([0.25, 0.9, 1.0, 0.2]) * rng.uniform(0.7, 1.2)
        path = smooth_path(np.column_stack([np.array(knots), radii]), 12)
        canvas.strands(tube(path[:, :3], np.maximum(path[:, 3], 0.1)), -20.0)


def paint_knot(canvas: Canvas, centre_zyx: Points, radius_mm: float, seed: int, blood_hu: float) -> None:
    """Draws vessels that cross at a point: a bright spot on the slice that other slices show to be tubes."""
    rng = np.random.default_rng(seed)
    for share in (1.0, 0.8)[: 1 + int(rng.random() < 0.6)]:
        axis = rng.standard_normal(3) * np.array([1.6, 1.0, 1.0])
        axis /= np.linalg.norm(axis)
        half = rng.uniform(9.0, 17.0)
        knots = [
            centre_zyx + t * half * axis + rng.normal(0, 0.12 * half, 3) * (t != 0)
            for t in (-1.0, -0.45, 0.0, 0.5, 1.0)
        ]
        radii = radius_mm * share * np.array([0.4, 0.8, 1.0, 0.75, 0.3])
        path = smooth_path(np.column_stack([np.array(knots), radii]), 24)
        canvas.strands(tube(path[:, :3], np.maximum(path[:, 3], 0.2)), blood_hu)
