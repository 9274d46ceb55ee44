"""The inside of one patient: where body wall, lungs, mediastinum and upper abdomen lie.

Everything is formed at the size of an adult 1.75 m tall and scaled at the end. The frame is LPS with its origin near
the carina.
"""

from dataclasses import dataclass, replace

import numpy as np

from medpipe.ct.phantom.bodywall import build_body, build_cage, build_muscle, build_spine
from medpipe.ct.phantom.fields import Axes, CoarseGrid, Field, Points, smooth_noise, smoothstep
from medpipe.ct.phantom.habitus import Habitus
from medpipe.ct.phantom.organs import build_organs
from medpipe.ct.phantom.tubes import Tube, great_tubes

_LOW_ZYX_MM = (-185.0, -138.0, -208.0)
_HIGH_ZYX_MM = (167.0, 146.0, 208.0)

STEP_MM = 4.0
"""Step of the coarse grid."""

_SMALL_CHEST = 0.9
"""Smaller chests get fewer nodes instead of a finer step."""

LAYERS = (
    "body", "muscle", "cage", "lung", "heart", "chambers", "diaphragm", "liver", "spleen", "stomach",
    "oblique", "horizontal", "texture", "coarse_texture", "density",
)  # fmt: skip
"""Fields of an anatomy; the first twelve are signed distances in mm."""

N_DISTANCES = 12


@dataclass(frozen=True)
class Anatomy:
    """One patient.

    Attributes:
        grid: Coarse grid of the fields.
        fields: Fields of ``LAYERS`` by name, float32, (z, y, x).
        tubes: Great vessels, oesophagus, windpipe and main bronchi.
        spine_zyx: Centres of the vertebral bodies' column, from below to above, n x 3.
        hila_zyx: Right and left hilum.
        scale: Size relative to the reference adult.
    """

    grid: CoarseGrid
    fields: dict[str, Field]
    tubes: tuple[Tube, ...]
    spine_zyx: Points
    hila_zyx: tuple[Points, Points]
    scale: float

    def layer(self, name: str) -> Field:
        """One field."""
        return self.fields[name]

    def scaled(self, scale: float) -> "Anatomy":
        """The same patient, every length multiplied by ``scale``."""
        factor = np.float32(scale)
        fields = {n: self.fields[n] * factor if i < N_DISTANCES else self.fields[n] for i, n in enumerate(LAYERS)}
        grid = CoarseGrid(
            tuple(scale * value for value in self.grid.origin_zyx_mm),  # type: ignore[arg-type]
            self.grid.shape_zyx,
            scale * self.grid.step_mm,
        )
        tubes = tuple(replace(t, path_zyx=t.path_zyx * scale, radii_mm=t.radii_mm * scale) for t in self.tubes)
        hila = (self.hila_zyx[0] * scale, self.hila_zyx[1] * scale)
        return Anatomy(grid, fields, tubes, self.spine_zyx * scale, hila, self.scale * scale)


def _grid(scale: float) -> CoarseGrid:
    """Grid in the frame of the reference adult whose step is about ``STEP_MM`` once scaled."""
    step = STEP_MM * max(1.0, _SMALL_CHEST / scale)
    shape = tuple(int((high - low) / step) + 1 for low, high in zip(_LOW_ZYX_MM, _HIGH_ZYX_MM, strict=True))
    return CoarseGrid(_LOW_ZYX_MM, (shape[0], shape[1], shape[2]), step)


def _warp(rng: np.random.Generator, grid: CoarseGrid) -> Field:
    """Displacement in mm that makes no two patients' outlines alike."""
    return np.asarray(5.0 * smooth_noise(rng, grid, 110.0) + 1.6 * smooth_noise(rng, grid, 42.0), dtype=np.float32)


def build_anatomy(rng: np.random.Generator, scale: float) -> Anatomy:
    """Draws one patient.

    Args:
        rng: Source of chance; the patient is a function of it alone.
        scale: Size relative to the reference adult.
    """
    habitus = Habitus.draw(rng)
    grid = _grid(scale)
    z, y, x = grid.axes()
    dz, dy, dx = (_warp(rng, grid) for _ in range(3))
    warped: Axes = (z + np.float32(0.8) * dz, y + dy, x + dx)
    gently: Axes = (warped[0], y + np.float32(0.7) * dy, x + np.float32(0.7) * dx)
    cage = build_cage(habitus, warped, z)
    body = build_body(habitus, gently, z)
    spine = build_spine(habitus)
    tubes = great_tubes(rng)
    midline = warped[2] - np.float32(habitus.scoliosis) * np.sin(z / 55.0)
    coarse = smooth_noise(rng, grid, 46.0)
    fields = {
        "body": body,
        "cage": cage,
        **build_organs(rng, grid, habitus, warped, cage, spine, tubes),
        "muscle": build_muscle(rng, grid, habitus, (z, warped[1], midline), cage, body),
        "texture": smooth_noise(rng, grid, 15.0),
        "coarse_texture": coarse,
        "density": _density(rng, grid, coarse),
    }
    whole = {
        name: np.ascontiguousarray(np.broadcast_to(field, grid.shape_zyx), dtype=np.float32)
        for name, field in fields.items()
    }
    hila = (np.array([-6.0, 8.0, -36.0]), np.array([-2.0, 12.0, 38.0]))
    return Anatomy(grid, whole, tubes, spine, hila, 1.0).scaled(scale)


def _density(rng: np.random.Generator, grid: CoarseGrid, coarse: Field) -> Field:
    """Attenuation of the parenchyma in HU: denser where it lies, airier in front, lobules of varying aeration."""
    z, y, _ = grid.axes()
    level = rng.uniform(-885.0, -835.0)
    gradient = rng.uniform(0.15, 0.45)  # HU per mm from front to back
    emphysema = rng.random() < 0.2
    field = level + gradient * y + 9.0 * coarse + 10.0 * smooth_noise(rng, grid, 22.0) - 0.05 * z
    if emphysema:
        holes = smoothstep(smooth_noise(rng, grid, 26.0), 0.7, 1.3) * smoothstep(z, -20.0, 70.0)
        field = field - 70.0 * holes
    return np.asarray(np.clip(field, -970.0, -740.0), dtype=np.float32)
