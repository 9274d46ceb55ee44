"""What lies inside the rib cage, as fields of distances."""

import numpy as np

from medpipe.ct.phantom.fields import (
    Axes,
    CoarseGrid,
    Field,
    Points,
    capsules,
    ellipsoid,
    smooth_intersection,
    smooth_noise,
    smooth_union,
    smoothstep,
)
from medpipe.ct.phantom.habitus import Habitus
from medpipe.ct.phantom.tubes import Tube


def build_organs(
    rng: np.random.Generator,
    grid: CoarseGrid,
    habitus: Habitus,
    axes: Axes,
    cage: Field,
    spine: Points,
    tubes: tuple[Tube, ...],
) -> dict[str, Field]:
    """Lungs and what bounds them: heart, great vessels, spine, diaphragm with liver, spleen and stomach.

    Args:
        rng: Source of chance.
        grid: The coarse grid.
        habitus: The patient's build.
        axes: Warped coordinates (z, y, x).
        cage: Inner wall of the rib cage.
        spine: Centres of the vertebral bodies, n x 3.
        tubes: Great vessels and airways.
    """
    z, y, x = axes
    heart, chambers = _heart(habitus, axes)
    diaphragm = _diaphragm(habitus, axes)
    septum = _outside_mediastinum(axes) + 2.5 * smooth_noise(rng, grid, 40.0)
    lung = smooth_intersection(cage, septum, 18.0)
    lung = smooth_intersection(lung, 1.5 - heart, 14.0)
    bodies = capsules(grid, spine[::4], np.full(len(spine[::4]), 25.0))
    lung = smooth_intersection(lung, -bodies, 12.0)
    for tube in tubes:
        if tube.kind in ("aorta", "vein", "pulmonary", "trachea"):
            lung = smooth_intersection(lung, 2.5 - capsules(grid, tube.path_zyx, tube.radii_mm), 7.0)
    lung = smooth_intersection(lung, -diaphragm, 3.0)

    liver = smooth_intersection(cage + 4.0, diaphragm + 3.0, 5.0)
    liver = smooth_intersection(liver, x - (22.0 + 16.0 * smoothstep(-y, 0.0, 60.0)), 16.0)
    liver = smooth_intersection(liver, y - 62.0 + 0.25 * (x + 60), 14.0)
    spleen = smooth_intersection(ellipsoid(axes, (-118, 52, 92), (52, 36, 40)), cage + 4.0, 6.0)
    spleen = smooth_intersection(spleen, diaphragm + 3.5, 5.0)
    stomach = smooth_intersection(ellipsoid(axes, (-112, -10, 66), (66, 58, 54)), diaphragm + 2.0, 5.0)
    stomach = smooth_intersection(smooth_intersection(stomach, cage + 5.0, 6.0), 4.0 - spleen, 5.0)
    stomach = smooth_intersection(stomach, 5.0 - liver, 6.0)

    oblique_right = (z + 22.0) - 1.15 * (y - 5.0)
    oblique_left = (z + 12.0) - 1.25 * (y - 5.0)
    oblique = np.where(x < 0, oblique_right / 1.52, oblique_left / 1.6)
    horizontal = np.where((x < 0) & (oblique > 0), z + 12.0 - 0.12 * y, 40.0)
    return {
        "lung": lung,
        "heart": heart,
        "chambers": chambers,
        "diaphragm": diaphragm,
        "liver": liver,
        "spleen": spleen,
        "stomach": stomach,
        "oblique": oblique,
        "horizontal": horizontal,
    }


def _heart(habitus: Habitus, axes: Axes) -> tuple[Field, Field]:
    """Pericardium and blood pool."""
    turn = 0.75 + habitus.heart_turn
    long_axis = np.array([-0.45, -np.cos(turn) * 0.89, np.sin(turn) * 0.89])
    across = np.cross(long_axis, [0.0, 0.6, 0.8])
    across /= np.linalg.norm(across)
    frame = np.vstack([long_axis, across, np.cross(long_axis, across)])
    size = habitus.heart
    left_ventricle = ellipsoid(axes, (-64, -22, 40), np.array([56, 42, 38]) * size, frame)
    right_ventricle = ellipsoid(axes, (-64, -45, 12), np.array([40, 32, 42]) * size)
    right_atrium = ellipsoid(axes, (-50, -14, -20), np.array([36, 32, 26]) * size)
    left_atrium = ellipsoid(axes, (-36, 18, 8), np.array([26, 20, 34]) * size)
    heart = smooth_union(left_ventricle, right_ventricle, 22.0)
    heart = smooth_union(heart, smooth_union(right_atrium, left_atrium, 14.0), 20.0)
    cavity = ellipsoid(axes, (-62, -22, 40), np.array([44, 29, 25]) * size, frame)
    pool = np.minimum(np.minimum(cavity, right_ventricle + 7.0), np.minimum(right_atrium, left_atrium) + 5.0)
    return heart, pool


def _diaphragm(habitus: Habitus, axes: Axes) -> Field:
    """Height above the diaphragm: two domes, the heart's saddle between them, a deep sulcus behind."""
    z, y, x = axes
    sulcus = 34.0 + 48.0 * smoothstep(y, -45.0, 65.0)  # how much lower than the dome the rim is, deepest behind

    def dome(centre_x: float, top: float) -> Field:
        rho = ((x - centre_x) / 84.0) ** 2 + ((y + 12.0) / np.where(y > -12.0, 92.0, 98.0)) ** 2
        return np.asarray(top - sulcus * rho**1.2, dtype=np.float32)

    height = -smooth_union(-dome(-64.0, habitus.right_dome), -dome(66.0, habitus.left_dome), 16.0)
    return np.asarray((z - np.maximum(height, -172.0)) * np.float32(0.8), dtype=np.float32)


def _outside_mediastinum(axes: Axes) -> Field:
    """Negative where a lung may be: beside a septum thin in front, wide at the hila and at the inlet."""
    z, y, x = axes
    middle = np.interp(z, [-150, -60, 0, 45, 85, 125], [22, 24, 25, 24, 28, 30]).astype(np.float32)
    anterior = np.interp(z, [-150, -60, 0, 45, 85, 125], [26, 14, 5, 6, 22, 30]).astype(np.float32)
    half_width = anterior + (middle - anterior) * smoothstep(y, -46.0, -16.0)
    half_width = half_width - 9.0 * smoothstep(y, 18.0, 44.0)
    return np.asarray(half_width - np.abs(x - 2.0), dtype=np.float32)
