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

    @staticmethod
    def join(parts: list["Segments"]) -> "Segments":
        """All pieces of several sets."""
        return Segments(
            np.concatenate([p.start_zyx for p in parts]),
            np.concatenate([p.end_zyx for p in parts]),
            np.concatenate([p.radii_mm for p in parts]),
            np.concatenate([p.tips for p in parts]),
        )


@njit(cache=True)
def _grow(  # type: ignore[no-untyped-def]  # pragma: no cover
    points, root, direction, chances
):
    """Nodes of the tree that joins ``root`` to all ``points`` (which it reorders): places, parents, tips below."""
    n = len(points)
    places = np.empty((2 * n + 2, 3))
    parents = np.empty(2 * n + 2, dtype=np.int64)
    tips = np.empty(2 * n + 2, dtype=np.int64)
    places[0] = root
    parents[0] = -1
    tips[0] = n
    used = 1
    stack = [(0, n, 0, direction[0], direction[1], direction[2])]
    side = np.empty(n, dtype=np.bool_)
    while len(stack) > 0:
        low, high, parent, d0, d1, d2 = stack.pop()
        count = high - low
        node = used
        used += 1
        parents[node] = parent
        tips[node] = count
        if count == 1:
            places[node] = points[low]
            continue
        centre = np.zeros(3)
        for i in range(low, high):
            centre += points[i]
        centre /= count
        way = centre - places[parent]
        length = np.sqrt((way**2).sum()) + 1e-9
        old = np.array([d0, d1, d2])
        heading = way / length + 0.3 * old
        heading /= np.sqrt((heading**2).sum()) + 1e-9
        share = 0.3 + 0.22 * chances[node, 0]
        places[node] = places[parent] + heading * length * share

        spread = np.zeros((3, 3))
        for i in range(low, high):
            off = points[i] - centre
            off = off - heading * (off * heading).sum()
            for a in range(3):
                for b in range(3):
                    spread[a, b] += off[a] * off[b]
        normal = chances[node, 2:5] - 0.5
        for _ in range(6):
            normal = spread @ normal + 1e-9 * normal
            normal /= np.sqrt((normal**2).sum()) + 1e-12
        width = 0.0
        for i in range(low, high):
            width += abs(((points[i] - centre) * normal).sum())
        shift = 1.1 * (2.0 * chances[node, 1] - 1.0) * width / count
        split = 0
        for i in range(low, high):
            side[i] = ((points[i] - centre) * normal).sum() < shift
            split += side[i]
        if split == 0 or split == count:
            for i in range(low, high):
                side[i] = i < low + count // 2
            split = count // 2
        left, right = low, high - 1
        while left < right:
            if side[left]:
                left += 1
            elif not side[right]:
                right -= 1
            else:
                for a in range(3):
                    points[left, a], points[right, a] = points[right, a], points[left, a]
                side[left], side[right] = side[right], side[left]
                left += 1
                right -= 1
        stack.append((low, low + split, node, heading[0], heading[1], heading[2]))
        stack.append((low + split, high, node, heading[0], heading[1], heading[2]))
    return places[:used], parents[:used], tips[:used]


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
    places, parents, tips = _grow(
        np.array(points_zyx, dtype=np.float64),
        np.asarray(root_zyx, dtype=np.float64),
        np.asarray(direction_zyx, dtype=np.float64),
        rng.random((2 * len(points_zyx) + 2, 5)),
    )
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
