"""The wall of the chest: rib cage, muscles, fat and skin, as fields of distances."""

import numpy as np

from medpipe.ct.phantom.fields import (
    Axes,
    CoarseGrid,
    Field,
    Points,
    ellipsoid,
    smooth_intersection,
    smooth_noise,
    smooth_union,
    smoothstep,
)
from medpipe.ct.phantom.habitus import (
    BODY_BACK,
    BODY_FRONT,
    BODY_WIDTH,
    CAGE_BACK,
    CAGE_FRONT,
    Habitus,
    level,
)


def _outline(x: Field, y: Field, half_width: Field, front: Field, back: Field, power: float) -> Field:
    """Signed radial distance to a rounded cross section."""
    v = y - 0.5 * (front + back)
    half_depth = 0.5 * (back - front)
    reach = (np.abs(x / half_width) ** power + np.abs(v / half_depth) ** power) ** np.float32(1.0 / power)
    reach = np.maximum(reach, 1e-3)
    return np.asarray(np.hypot(x, v) * (1.0 - 1.0 / reach), dtype=np.float32)


def build_cage(habitus: Habitus, axes: Axes, heights: Field) -> Field:
    """Inner wall of the rib cage.

    Args:
        habitus: The patient's build.
        axes: Warped coordinates (z, y, x).
        heights: Unwarped z.
    """
    z, y, x = axes
    top = np.clip((128.0 - z) / 152.0, 0.0, 1.0)
    narrowing = np.maximum(1.0 - (1.0 - top) ** 2.2, 0.012) ** 0.58
    front = level(heights, CAGE_FRONT) * habitus.depth * narrowing**0.4
    cage = _outline(x, y, habitus.width * narrowing, front, level(heights, CAGE_BACK), 2.35)
    return smooth_intersection(cage, z - 126.0, 10.0)


def build_body(habitus: Habitus, axes: Axes, heights: Field) -> Field:
    """Skin.

    Args:
        habitus: The patient's build.
        axes: Gently warped coordinates (z, y, x).
        heights: Unwarped z.
    """
    fat = habitus.fat
    front = level(heights, BODY_FRONT) * habitus.depth - 0.8 * fat
    back = level(heights, BODY_BACK) + 0.8 * fat
    body = _outline(axes[2], axes[1], habitus.width + level(heights, BODY_WIDTH) + fat, front, back, 2.3)
    return _with_breasts(habitus, axes, body, float(np.interp(-45.0, heights.ravel(), front.ravel())))


def _with_breasts(habitus: Habitus, axes: Axes, body: Field, front_mm: float) -> Field:
    """Flattened to the sides, as they lie on a patient's back."""
    if habitus.breasts <= 0:
        return body
    size = habitus.breasts
    for side in (-1.0, 1.0):
        lump = ellipsoid(axes, (-45.0, front_mm + 16.0, side * 88.0), (52 * size, 34 * size, 58 * size))
        body = smooth_union(body, lump, 30.0)
    return body


def build_spine(habitus: Habitus) -> Points:
    """Centres of the vertebral bodies, from below to above, n x 3 (z, y, x)."""
    z = np.linspace(-185.0, 165.0, 60)
    y = level(z, CAGE_BACK) - 22.0
    y[z > 90] += np.linspace(0, 14, int((z > 90).sum()))
    return np.column_stack([z, y, habitus.scoliosis * np.sin(z / 55.0)])


def build_muscle(
    rng: np.random.Generator,
    grid: CoarseGrid,
    habitus: Habitus,
    axes: Axes,
    cage: Field,
    body: Field,
) -> Field:
    """Outer boundary of the muscles: paraspinal, pectoral, latissimus and shoulder over the rib cage."""
    z, y, x = axes
    side = np.abs(x)
    shoulder = smoothstep(z, 10.0, 80.0)
    paraspinal = 22.0 * smoothstep(-side, -62.0, -38.0) * smoothstep(y, 30.0, 62.0)
    pectoral = 13.0 * smoothstep(-y, 5.0, 40.0) * smoothstep(side, 8.0, 38.0) * smoothstep(z, -40.0, 40.0)
    latissimus = 9.0 * smoothstep(y, -10.0, 40.0) * smoothstep(side, 60.0, 100.0)
    blade = 26.0 * smoothstep(y, -8.0, 30.0) + 12.0 * smoothstep(-y, 12.0, 40.0) + 5.0
    thickness = 9.5 + habitus.muscle * (paraspinal + pectoral + latissimus + blade * shoulder)
    muscle = cage - thickness + 2.2 * smooth_noise(rng, grid, 34.0)
    under_skin = body + np.float32(0.75 * habitus.fat + 2.5) + 2.0 * smooth_noise(rng, grid, 50.0)
    return smooth_intersection(muscle, under_skin, 8.0)
