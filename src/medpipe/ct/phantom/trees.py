"""Branching trees that fill a lung: arteries, veins and airways.

A tree grows by halving: from its root it heads for the centre of the points it has to supply, stops part of the way,
splits the points by a plane that holds its direction, and goes on with each half (after Tawhai et al., J Appl Physiol
2004, 97:2310, there for airways). Radii follow Murray's law from the tips to the root.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Points = npt.NDArray[np.float64]

MURRAY_EXPONENT = 2.7
"""Radius of a parent is (sum of children's radii ^ e) ^ (1 / e); 2.5 to 3 in lungs (Huang et al., 1996)."""

PIECES = 4
"""Straight pieces that draw one curved branch."""


@dataclass(frozen=True)
class Segments:
    """Tapered straight pieces: starts and ends n x 3 (z, y, x) mm, radii n x 2 mm, supplied tips n."""

    start_zyx: Points
    end_zyx: Points
    radii_mm: Points
    tips: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tips)

    def where(self, mask: npt.NDArray[np.bool_]) -> "Segments":
        """The pieces that ``mask`` picks."""
        return Segments(self.start_zyx[mask], self.end_zyx[mask], self.radii_mm[mask], self.tips[mask])

    def gap(self, point: Points) -> Points:
        """Distance in mm from a point to the surface of each piece, n; negative inside."""
        along = self.end_zyx - self.start_zyx
        squared = np.maximum((along**2).sum(axis=1), np.finfo(np.float64).tiny)
        share = np.clip(((point - self.start_zyx) * along).sum(axis=1) / squared, 0.0, 1.0)
        nearest = self.start_zyx + share[:, None] * along
        radius = self.radii_mm[:, 0] + share * (self.radii_mm[:, 1] - self.radii_mm[:, 0])
        return np.asarray(np.linalg.norm(point - nearest, axis=1) - radius)

    @staticmethod
    def join(parts: list["Segments"]) -> "Segments":
        """All pieces of several sets."""
        return Segments(
            np.concatenate([p.start_zyx for p in parts]),
            np.concatenate([p.end_zyx for p in parts]),
            np.concatenate([p.radii_mm for p in parts]),
            np.concatenate([p.tips for p in parts]),
        )


@njit(cache=True, fastmath=True)
def _grow(  # type: ignore[no-untyped-def]  # pragma: no cover
    points, direction, chances, places, parents, tips, side, todo, headings
):
    """Grows the tree from ``places[0]`` to all ``points`` (which it reorders); returns the number of nodes.

    ``todo`` is a stack of (first point, last point + 1, parent node); a node's heading lies in ``headings``. Scalar
    loops: array expressions would take numba ten times as long to compile.
    """
    parents[0] = -1
    tips[0] = len(points)
    for a in range(3):
        headings[0, a] = direction[a]
    used = 1
    todo[0, 0], todo[0, 1], todo[0, 2] = 0, len(points), 0
    waiting = 1
    while waiting > 0:
        waiting -= 1
        low, high, parent = todo[waiting, 0], todo[waiting, 1], todo[waiting, 2]
        count = high - low
        node = used
        used += 1
        parents[node] = parent
        tips[node] = count
        if count == 1:
            for a in range(3):
                places[node, a] = points[low, a]
            continue
        cz, cy, cx = 0.0, 0.0, 0.0
        for i in range(low, high):
            cz += points[i, 0]
            cy += points[i, 1]
            cx += points[i, 2]
        cz, cy, cx = cz / count, cy / count, cx / count
        hz, hy, hx = cz - places[parent, 0], cy - places[parent, 1], cx - places[parent, 2]
        length = np.sqrt(hz * hz + hy * hy + hx * hx) + 1e-9
        hz = hz / length + 0.3 * headings[parent, 0]
        hy = hy / length + 0.3 * headings[parent, 1]
        hx = hx / length + 0.3 * headings[parent, 2]
        norm = np.sqrt(hz * hz + hy * hy + hx * hx) + 1e-9
        hz, hy, hx = hz / norm, hy / norm, hx / norm
        headings[node, 0], headings[node, 1], headings[node, 2] = hz, hy, hx
        reach = length * (0.3 + 0.22 * chances[node, 0])
        places[node, 0] = places[parent, 0] + hz * reach
        places[node, 1] = places[parent, 1] + hy * reach
        places[node, 2] = places[parent, 2] + hx * reach

        zz, zy, zx, yy, yx, xx = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(low, high):
            z, y, x = points[i, 0] - cz, points[i, 1] - cy, points[i, 2] - cx
            along = z * hz + y * hy + x * hx
            z, y, x = z - along * hz, y - along * hy, x - along * hx
            zz += z * z
            zy += z * y
            zx += z * x
            yy += y * y
            yx += y * x
            xx += x * x
        nz, ny, nx = chances[node, 2] - 0.5, chances[node, 3] - 0.5, chances[node, 4] - 0.5
        for _ in range(6):  # power iteration to the direction in which the points spread most
            pz = zz * nz + zy * ny + zx * nx + 1e-9 * nz
            py = zy * nz + yy * ny + yx * nx + 1e-9 * ny
            px = zx * nz + yx * ny + xx * nx + 1e-9 * nx
            norm = np.sqrt(pz * pz + py * py + px * px) + 1e-12
            nz, ny, nx = pz / norm, py / norm, px / norm
        width = 0.0
        for i in range(low, high):
            width += abs((points[i, 0] - cz) * nz + (points[i, 1] - cy) * ny + (points[i, 2] - cx) * nx)
        shift = 1.1 * (2.0 * chances[node, 1] - 1.0) * width / count
        split = 0
        for i in range(low, high):
            side[i] = (points[i, 0] - cz) * nz + (points[i, 1] - cy) * ny + (points[i, 2] - cx) * nx < shift
            split += side[i]
        if split == 0 or split == count:
            split = count // 2
            for i in range(low, high):
                side[i] = i < low + split
        left, right = low, high - 1
        while left < right:
            if side[left]:
                left += 1
            elif not side[right]:
                right -= 1
            else:
                for a in range(3):
                    swap = points[left, a]
                    points[left, a] = points[right, a]
                    points[right, a] = swap
                side[left], side[right] = True, False
                left += 1
                right -= 1
        todo[waiting, 0], todo[waiting, 1], todo[waiting, 2] = low, low + split, node
        todo[waiting + 1, 0], todo[waiting + 1, 1], todo[waiting + 1, 2] = low + split, high, node
        waiting += 2
    return used


def grow_tree(
    points_zyx: Points,
    root_zyx: Points,
    direction_zyx: Points,
    tip_radius_mm: float,
    rng: np.random.Generator,
) -> Segments:
    """Tree from a root to every point.

    Args:
        points_zyx: n x 3 places to reach, mm; n >= 2.
        root_zyx: Where the tree starts.
        direction_zyx: Unit direction in which it starts.
        tip_radius_mm: Radius of the last branches.
        rng: Source of chance.
    """
    points = np.array(points_zyx, dtype=np.float64)
    n = len(points)
    places = np.empty((2 * n + 2, 3))
    places[0] = root_zyx
    parents = np.empty(2 * n + 2, dtype=np.int64)
    tips = np.empty(2 * n + 2, dtype=np.int64)
    used = _grow(
        points,
        np.asarray(direction_zyx, dtype=np.float64),
        rng.random((2 * n + 2, 5)),
        places,
        parents,
        tips,
        np.empty(n, dtype=np.bool_),
        np.empty((2 * n + 2, 3), dtype=np.int64),
        np.empty((2 * n + 2, 3)),
    )
    places, parents, tips = places[:used], parents[:used], tips[:used]
    return _curved(places, parents, tips, tip_radius_mm, rng)


def _curved(
    places: Points,
    parents: npt.NDArray[np.int64],
    tips: npt.NDArray[np.int64],
    tip_radius_mm: float,
    rng: np.random.Generator,
) -> Segments:
    """Hermite curves along the branches, a little tortuous, as straight pieces."""
    child = np.arange(1, len(places))
    parent = parents[child]
    chord = places[child] - places[parent]
    length = np.linalg.norm(chord, axis=1, keepdims=True)
    heading = np.zeros_like(places)
    heading[child] = chord / np.maximum(length, 1e-9)
    heading[0] = heading[1]
    leave = 0.75 * (heading[parent] * 0.5 + heading[child] * 0.5)
    arrive = 0.75 * heading[child]
    radius = tip_radius_mm * tips.astype(np.float64) ** (1.0 / MURRAY_EXPONENT)
    r_start = np.minimum(radius[parent], 1.25 * radius[child])
    r_end = radius[child]

    bend = rng.standard_normal(chord.shape) * 0.035 * length
    curve = []
    for t in np.linspace(0.0, 1.0, PIECES + 1):
        h00, h10 = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
        h01, h11 = -2 * t**3 + 3 * t**2, t**3 - t**2
        point = h00 * places[parent] + h01 * places[child] + (h10 * leave + h11 * arrive) * length
        curve.append(point + bend * np.sin(np.pi * t) ** 2)
    line = np.stack(curve, axis=1)
    t = np.linspace(0.0, 1.0, PIECES + 1)
    radii = r_start[:, None] * (1 - t) + r_end[:, None] * t
    return Segments(
        line[:, :-1].reshape(-1, 3),
        line[:, 1:].reshape(-1, 3),
        np.stack([radii[:, :-1], radii[:, 1:]], axis=-1).reshape(-1, 2),
        np.repeat(tips[child], PIECES),
    )
