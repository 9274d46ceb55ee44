"""Bones: ribs with their cartilages, vertebrae, sternum, scapulae and clavicles, drawn with cortex and marrow."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from medpipe.ct.phantom.anatomy import Anatomy
from medpipe.ct.phantom.fields import Field, Points, smooth_path
from medpipe.ct.phantom.paint import paint_segments, tube
from medpipe.ct.phantom.trees import Segments

VERTEBRA_MM = 24.0
"""Height of a thoracic vertebra with its disc in the reference adult."""

_RAY_MM = np.arange(4.0, 230.0, 2.0)


@dataclass(frozen=True)
class Skeleton:
    """Bones of one patient: tubes by material, each with the height of its cross section relative to the width."""

    bones: tuple[tuple[Segments, float], ...]
    cartilages: tuple[tuple[Segments, float], ...]
    spine_zyx: Points
    first_disc_mm: float
    cortex_hu: float
    marrow_hu: float


def _on_cage(anatomy: Anatomy, z: Points, angle: Points, outside_mm: float) -> Points:
    """Points ``outside_mm`` outside the rib cage's inner wall, at heights ``z``, at angles from the back."""
    s = anatomy.scale
    cage = anatomy.layer("cage")
    ray = _RAY_MM * s
    y = 8.0 * s + np.cos(angle)[:, None] * ray
    x = np.sin(angle)[:, None] * ray
    points = np.stack([np.broadcast_to(z[:, None], y.shape), y, x], axis=-1)
    values = anatomy.grid.sample(cage, points.reshape(-1, 3)).reshape(y.shape) - outside_mm
    index = np.argmax(values > 0, axis=1)
    index = np.where(values.max(axis=1) > 0, np.maximum(index, 1), len(ray) - 1)
    rows = np.arange(len(z))
    before, after = values[rows, index - 1], values[rows, index]
    share = np.clip(-before / np.maximum(after - before, 1e-6), 0, 1)
    radius = ray[index - 1] + share * (ray[index] - ray[index - 1])
    return np.column_stack([z, 8.0 * s + np.cos(angle) * radius, np.sin(angle) * radius])


def build_skeleton(anatomy: Anatomy, rng: np.random.Generator) -> Skeleton:
    """Draws the bones that fit a patient's rib cage."""
    s = anatomy.scale
    bones: list[tuple[Segments, float]] = []
    cartilages: list[tuple[Segments, float]] = []
    spine = anatomy.spine_zyx
    phase = rng.uniform(0, VERTEBRA_MM) * s

    for number in range(12):
        at_spine = (132.0 - 23.5 * number + rng.normal(0, 1.5)) * s
        drop = (42.0 + 13.0 * min(number, 5)) * s
        reach = np.pi * (0.93 if number < 7 else 0.93 - 0.09 * (number - 6))
        for side in (-1.0, 1.0):
            t = np.linspace(0.0, 1.0, 44)
            angle = 0.17 + t * (reach - 0.17)
            z = at_spine - drop * np.sin(0.5 * np.pi * np.clip(t * 1.25, 0, 1)) ** 1.3 + rng.normal(0, 1.0) * s
            rib = _on_cage(anatomy, z, side * angle, 5.0 * s)
            head = np.array([[at_spine + 3 * s, *_spine_at(spine, at_spine)]])
            head[0, 1] += 9 * s
            head[0, 2] += side * 17 * s
            bend = smooth_path(np.vstack([head, rib[2:6:3], rib[7:]]), 56)
            end = 56 if number > 8 else int(56 * (0.78 - 0.01 * number))
            width = (3.5 + rng.normal(0, 0.15)) * s
            bones.append((tube(bend[:end], np.full(end, width)), 1.75))
            if number <= 8:
                rest = bend[end - 1 :].copy()
                lift = np.linspace(0, 1, len(rest)) ** 1.5
                rest[:, 0] += lift * (10.0 + 7.0 * max(number - 3, 0)) * s
                cartilages.append((tube(rest, np.full(len(rest), width * 1.1)), 1.6))

    bones += _sternum(anatomy, s) + _shoulder(anatomy, rng, s) + _processes(spine, phase, s)
    return Skeleton(tuple(bones), tuple(cartilages), spine, phase, rng.uniform(650, 1000), rng.uniform(70, 170))


def _spine_at(spine: Points, z: float) -> tuple[float, float]:
    return float(np.interp(z, spine[:, 0], spine[:, 1])), float(np.interp(z, spine[:, 0], spine[:, 2]))


def _sternum(anatomy: Anatomy, s: float) -> list[tuple[Segments, float]]:
    z = np.linspace(62.0, -62.0, 16) * s
    front = _on_cage(anatomy, z, np.full(16, np.pi), 7.0 * s)
    shape = np.interp(z / s, [-62, -40, 20, 45, 62], [4.0, 10.0, 11.0, 17.0, 20.0]) * s
    parts: list[tuple[Segments, float]] = []
    for offset in np.linspace(-1, 1, 15):
        line = front.copy()
        line[:, 2] += offset * shape
        parts.append((tube(line, np.full(len(line), 4.6 * s)), 1.0))
    return parts


def _shoulder(anatomy: Anatomy, rng: np.random.Generator, s: float) -> list[tuple[Segments, float]]:
    """Scapula blades over the upper back ribs, clavicles and the heads of the raised arms."""
    parts: list[tuple[Segments, float]] = []
    tilt = rng.normal(0, 3.0) * s
    for side in (-1.0, 1.0):
        levels = np.linspace(18.0, 112.0, 13) * s + side * tilt
        for share in np.linspace(0, 1, 30):
            spread = np.interp(levels / s, [18, 50, 112], [0.05, 0.55, 0.85])
            angle = 0.62 + share * spread
            blade = _on_cage(anatomy, levels, side * angle, (17.0 + 5.0 * share) * s)
            blade[:, 2] += side * 2 * s
            thickness = 1.5 + 2.0 * (share > 0.96) + 0.8 * (share < 0.03)
            parts.append((tube(blade, np.full(len(blade), thickness * s)), 1.0))
        ridge = _on_cage(anatomy, np.linspace(78, 122, 9) * s, side * np.linspace(0.7, 1.35, 9), 27.0 * s)
        parts.append((tube(ridge, np.full(9, 4.0 * s)), 1.2))
        socket = ridge[-1] + np.array([4.0, -6.0, side * 16.0]) * s
        humerus = smooth_path(np.vstack([socket, socket + np.array([40.0, -4.0, side * 2.0]) * s]), 6)
        parts.append((tube(humerus, np.array([20.0, 21.0, 18.0, 14.0, 12.0, 11.0]) * s), 1.0))
        clavicle = smooth_path(
            np.array(
                [
                    [66.0, -58, side * 18],
                    [84.0, -62, side * 52],
                    [108.0, -34, side * 88],
                    [124.0, -10, side * 122],
                ]
            )
            * s,
            24,
        )
        parts.append((tube(clavicle, np.full(24, 5.2 * s)), 1.0))
    return parts


def _processes(spine: Points, phase: float, s: float) -> list[tuple[Segments, float]]:
    """Spinous and transverse processes, laminae and pedicles of every vertebra."""
    parts: list[tuple[Segments, float]] = []
    pitch = VERTEBRA_MM * s
    bottom = np.floor((spine[0, 0] - phase) / pitch) * pitch + phase
    for z in np.arange(bottom + 0.5 * pitch, spine[-1, 0], pitch):
        y, x = _spine_at(spine, float(z))
        z, y, x = z / s, y / s, x / s
        lines = [([[z, y + 27, x], [z - 10, y + 40, x], [z - 20, y + 50, x]], [3.4, 2.6, 3.6], 2.4)]
        for side in (-1.0, 1.0):
            lines.append(([[z + 3, y + 9, x + side * 12], [z + 3, y + 18, x + side * 12.5]], [4.2, 4.0], 1.4))
            lines.append(([[z, y + 19, x + side * 12], [z - 2, y + 28, x + side * 1.5]], [3.2, 3.0], 2.6))
            lines.append(([[z + 2, y + 19, x + side * 13], [z + 5, y + 27, x + side * 33]], [5.0, 4.4], 1.2))
        parts += [(tube(np.array(line) * s, np.array(radii) * s), stretch) for line, radii, stretch in lines]
    return parts


def _shrunk(segments: Segments, wall_mm: float) -> Segments:
    radii = np.maximum(segments.radii_mm - wall_mm, 0.05)
    return Segments(segments.start_zyx, segments.end_zyx, radii, segments.tips)


def paint_skeleton(volume: Field, origin_zyx: Points, spacing_zyx: Points, skeleton: Skeleton, scale: float) -> None:
    """Draws the bones into a HU volume, (z, y, x), in place."""
    place = (volume, np.asarray(origin_zyx), np.asarray(spacing_zyx))
    for segments, stretch in skeleton.cartilages:
        paint_segments(*place, segments, 105.0, 20.0, stretch=stretch)
    for segments, stretch in skeleton.bones:
        paint_segments(*place, segments, skeleton.cortex_hu, 20.0, stretch=stretch)
    for segments, stretch in skeleton.bones:
        inner = _shrunk(segments, 1.15 * scale)
        wide = inner.radii_mm.max(axis=1) > 1.2 * scale
        if wide.any():
            paint_segments(*place, inner.where(wide), skeleton.marrow_hu, skeleton.cortex_hu, mode=-1, stretch=stretch)
    spine = skeleton.spine_zyx
    z = place[1][0] + place[2][0] * np.arange(volume.shape[0])
    _vertebrae(
        volume,
        place[1],
        place[2],
        np.interp(z, spine[:, 0], spine[:, 1]),
        np.interp(z, spine[:, 0], spine[:, 2]),
        ((z - skeleton.first_disc_mm) / (VERTEBRA_MM * scale)) % 1.0,
        float(scale),
        float(skeleton.cortex_hu),
        float(skeleton.marrow_hu),
    )


@njit(cache=True, fastmath=True)
def _vertebrae(  # type: ignore[no-untyped-def]  # pragma: no cover
    volume, origin, spacing, centre_y, centre_x, phase, s, cortex, marrow
):
    """Vertebral bodies with end plates, discs between them, and the canal behind."""
    nz, ny, nx = volume.shape
    unit = (spacing[1] + spacing[2]) / 2.0
    for k in range(nz):
        cy, cx = centre_y[k], centre_x[k]
        at = phase[k]
        edge = min(at, 1.0 - at) * 24.0 * s  # distance to the middle of the nearest disc
        disc = min(max(0.5 + (2.4 * s - edge) / spacing[0], 0.0), 1.0)
        plate = min(max(1.0 - abs(edge - 3.2 * s) / max(1.1 * s, 0.6 * spacing[0]), 0.0), 1.0)
        waist = 1.0 - 0.09 * np.sin(np.pi * at)
        for j in range(ny):
            y = origin[1] + j * spacing[1] - cy
            if y < -22 * s or y > 32 * s:
                continue
            for i in range(nx):
                x = origin[2] + i * spacing[2] - cx
                if abs(x) > 24 * s:
                    continue
                u = abs(x) / (17.5 * s * waist)
                v = y / (14.5 * s * waist)
                if v > 0:
                    v = max(v + 0.18 * max(0.0, 1.0 - 1.4 * u), 0.0)
                reach = (u**2.5 + abs(v) ** 2.5) ** 0.4 + 1e-6
                d = np.sqrt(x * x + y * y) * (1.0 - 1.0 / reach)
                inside = min(max(0.5 - d / unit, 0.0), 1.0)
                if inside > 0.0:
                    rim = min(max(1.0 + d / (1.1 * s), 0.0), 1.0)
                    mesh = np.sin(1.9 * x / s + 1.3 * k) * np.sin(2.3 * y / s + 0.9 * k)  # trabeculae
                    bone = marrow * (1.15 + 0.35 * mesh) + max(rim, 0.6 * plate) * (0.6 * cortex - marrow)
                    value = bone + disc * (88.0 - bone)
                    volume[k, j, i] += inside * (value - volume[k, j, i])
                canal = np.sqrt((x / 1.12) ** 2 + (y - 21.5 * s) ** 2) - 8.2 * s
                hollow = min(max(0.5 - canal / unit, 0.0), 1.0)
                if hollow > 0.0:
                    sac = min(max(0.5 - (canal + 2.0 * s) / unit, 0.0), 1.0)
                    value = -60.0 + sac * 92.0
                    volume[k, j, i] += hollow * (value - volume[k, j, i])
