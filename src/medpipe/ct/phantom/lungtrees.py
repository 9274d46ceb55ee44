"""The trees of one patient's lungs: arteries beside bronchi, veins between them, lobe by lobe."""

from dataclasses import dataclass

import numpy as np

from medpipe.ct.phantom.anatomy import Anatomy
from medpipe.ct.phantom.fields import Points
from medpipe.ct.phantom.trees import Segments, grow_tree

TIP_SPACING_MM = 6.0
"""Distance of neighbouring ends of the arterial tree in the reference adult."""

SMALLEST_SCALE = 0.8
"""Below this size vessels get fewer, not finer: no CT would show them."""

MIN_BRONCHUS_TIPS = 35
"""Bronchi that supply fewer arterial tips are too thin for a CT."""


BRONCHUS_TO_ARTERY = 0.62
"""Inner radius of a bronchus relative to its artery (0.6 to 0.7 in healthy lungs)."""


@dataclass(frozen=True)
class LungTrees:
    """What branches in the lungs."""

    arteries: Segments
    veins: Segments
    bronchi: Segments


def _tips(anatomy: Anatomy, rng: np.random.Generator, spacing_mm: float) -> Points:
    """Evenly scattered points inside the lungs."""
    grid = anatomy.grid
    lows = np.asarray(grid.origin_zyx_mm)
    extent = grid.step_mm * (np.asarray(grid.shape_zyx) - 1)
    counts = (extent / spacing_mm).astype(int)
    lattice = np.stack(np.meshgrid(*[np.arange(n) for n in counts], indexing="ij"), axis=-1).reshape(-1, 3)
    points = lows + (lattice + rng.uniform(0.0, 1.0, lattice.shape)) * spacing_mm
    depth = anatomy.grid.sample(anatomy.layer("lung"), points)
    return np.asarray(points[depth < -3.0 * anatomy.scale])


def _into_lung(anatomy: Anatomy, segments: Segments) -> Segments:
    """Bends branches of the outer lung that would leave it back inside."""
    lung = anatomy.layer("lung")
    margin = 2.5 * anatomy.scale
    few = segments.tips < 40
    ends = []
    for points in (segments.start_zyx, segments.end_zyx):
        points = points.copy()
        for _ in range(2):
            depth = anatomy.grid.sample(lung, points) + margin
            push = np.where(few & (depth > 0), np.minimum(depth, 12.0 * anatomy.scale), 0.0)
            moved = push > 0
            if moved.any():
                points[moved] -= push[moved, None] * anatomy.grid.gradient(lung, points[moved])
        ends.append(points)
    return Segments(ends[0], ends[1], segments.radii_mm, segments.tips)


def build_trees(anatomy: Anatomy, rng: np.random.Generator) -> LungTrees:
    """Grows the trees of both lungs."""
    s = anatomy.scale
    spacing_mm = TIP_SPACING_MM * max(s, SMALLEST_SCALE)
    arteries, veins, bronchi = [], [], []
    for tree, spacing in (("artery", spacing_mm), ("vein", 1.1 * spacing_mm)):
        points = _tips(anatomy, rng, spacing)
        above = anatomy.grid.sample(anatomy.layer("oblique"), points) > 0
        middle = above & (anatomy.grid.sample(anatomy.layer("horizontal"), points) < 0)
        for side, hilum in ((-1.0, anatomy.hila_zyx[0]), (1.0, anatomy.hila_zyx[1])):
            own = points[:, 2] * side > 0
            for lobe, shift in ((above & ~middle, 8.0), (middle, -8.0), (~above, -14.0)):
                chosen = points[own & lobe]
                if len(chosen) < 8:
                    continue
                root = hilum + np.array([shift * 0.7, 0.0, 0.0]) * s
                if tree == "vein":
                    root = root + np.array([-10.0, -6.0, -side * 6.0]) * s
                heading = np.array([np.sign(shift) * 0.5, 0.1, 0.86 * side])
                grown = grow_tree(chosen, root, heading, 0.31 * s, rng)
                if tree == "vein":
                    veins.append(grown)
                    continue
                arteries.append(grown)
                thick = grown.where(grown.tips >= MIN_BRONCHUS_TIPS)
                aside = 1.7 * np.max(thick.radii_mm, axis=1, keepdims=True) * np.array([[0.45, 0.75, -0.48 * side]])
                bronchi.append(
                    Segments(
                        thick.start_zyx + aside,
                        thick.end_zyx + aside,
                        BRONCHUS_TO_ARTERY * thick.radii_mm,
                        thick.tips,
                    )
                )
    return LungTrees(
        _into_lung(anatomy, Segments.join(arteries)),
        _into_lung(anatomy, Segments.join(veins)),
        Segments.join(bronchi),
    )
