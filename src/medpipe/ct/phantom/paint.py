"""Compiled painters: what is drawn at the resolution of the scan itself.

Every painter mixes a structure into the volume by the share of the voxel that it fills. All work on float32 HU
volumes whose voxel (z, y, x) lies at ``origin + index * spacing`` in the patient's frame. Blur and noise come later,
once, over everything, so that nothing betrays what was drawn by which painter.
"""

import numpy as np
from numba import njit

from medpipe.ct.phantom.fields import CoarseGrid, Field, Points
from medpipe.ct.phantom.trees import Segments

BRIGHTEN, DARKEN = 1, -1


@njit(cache=True, fastmath=True)
def _segments(  # type: ignore[no-untyped-def]  # pragma: no cover
    volume, origin, spacing, starts, ends, radii, values, grounds, mode, stretch
):
    nz, ny, nx = volume.shape
    unit = (spacing[0] + spacing[1] + spacing[2]) / 3.0
    low = np.empty(3, dtype=np.int64)
    high = np.empty(3, dtype=np.int64)
    size = np.array([nz, ny, nx])
    for s in range(len(starts)):
        r0, r1 = radii[s, 0], radii[s, 1]
        reach = max(r0, r1) * max(1.0, stretch) + unit
        for a in range(3):
            p, q = min(starts[s, a], ends[s, a]), max(starts[s, a], ends[s, a])
            low[a] = max(0, int(np.ceil((p - reach - origin[a]) / spacing[a])))
            high[a] = min(size[a] - 1, int(np.floor((q + reach - origin[a]) / spacing[a])))
        az, ay, ax = starts[s, 0], starts[s, 1], starts[s, 2]
        bz, by, bx = ends[s, 0] - az, ends[s, 1] - ay, ends[s, 2] - ax
        square = bz * bz + by * by + bx * bx + 1e-9
        value, ground = values[s], grounds[s]
        for k in range(low[0], high[0] + 1):
            pz = (origin[0] + k * spacing[0] - az) / 1.0
            for j in range(low[1], high[1] + 1):
                py = origin[1] + j * spacing[1] - ay
                for i in range(low[2], high[2] + 1):
                    px = origin[2] + i * spacing[2] - ax
                    t = (pz * bz + py * by + px * bx) / square
                    t = min(max(t, 0.0), 1.0)
                    dz, dy, dx = (pz - t * bz) / stretch, py - t * by, px - t * bx
                    r = r0 + t * (r1 - r0)
                    d = np.sqrt(dz * dz + dy * dy + dx * dx)
                    filled = min(max(0.5 + (r - d) / unit, 0.0), 1.0)
                    if r < 0.5 * unit:
                        filled *= 4.0 * r * r / (unit * unit)
                    if filled > 0.0:
                        new = ground + filled * (value - ground)
                        if mode > 0:
                            if new > volume[k, j, i]:
                                volume[k, j, i] = new
                        elif new < volume[k, j, i]:
                            volume[k, j, i] = new


def paint_segments(
    volume: Field,
    origin_zyx: Points,
    spacing_zyx: Points,
    segments: Segments,
    value_hu: float | Points,
    ground_hu: float | Points,
    mode: int = BRIGHTEN,
    stretch: float = 1.0,
) -> None:
    """Draws tapered tubes into ``volume``.

    Args:
        volume: HU, changed in place.
        origin_zyx: Position of voxel (0, 0, 0), mm.
        spacing_zyx: Voxel size, mm.
        segments: The tubes.
        value_hu: What they are filled with, one value or one a piece.
        ground_hu: What a partly filled voxel is mixed with.
        mode: ``BRIGHTEN`` keeps the higher, ``DARKEN`` the lower of old and new.
        stretch: Height of the cross section (along z) relative to its width.
    """
    n = len(segments)
    _segments(
        volume,
        np.asarray(origin_zyx, dtype=np.float64),
        np.asarray(spacing_zyx, dtype=np.float64),
        segments.start_zyx,
        segments.end_zyx,
        segments.radii_mm,
        np.broadcast_to(np.asarray(value_hu, dtype=np.float64), n).copy(),
        np.broadcast_to(np.asarray(ground_hu, dtype=np.float64), n).copy(),
        mode,
        float(stretch),
    )


def tube(path_zyx: Points, radii_mm: Points) -> Segments:
    """A centre line, n x 3, with n radii as pieces."""
    return Segments(
        np.ascontiguousarray(path_zyx[:-1], dtype=np.float64),
        np.ascontiguousarray(path_zyx[1:], dtype=np.float64),
        np.stack([radii_mm[:-1], radii_mm[1:]], axis=-1).astype(np.float64),
        np.ones(len(path_zyx) - 1, dtype=np.int64),
    )


@njit(cache=True, fastmath=True)
def _blob(  # type: ignore[no-untyped-def]  # pragma: no cover
    volume,
    origin,
    spacing,
    centre,
    radius,
    waves,
    phases,
    heights,
    squash,
    normal,
    value,
    ground,
    soft,
    faint,
    lung,
    grid_origin,
    grid_step,
):
    nz, ny, nx = volume.shape
    unit = (spacing[0] + spacing[1] + spacing[2]) / 3.0
    reach = 1.45 * radius + soft + unit
    low = np.empty(3, dtype=np.int64)
    high = np.empty(3, dtype=np.int64)
    size = np.array([nz, ny, nx])
    for a in range(3):
        low[a] = max(0, int(np.ceil((centre[a] - reach - origin[a]) / spacing[a])))
        high[a] = min(size[a] - 1, int(np.floor((centre[a] + reach - origin[a]) / spacing[a])))
    for k in range(low[0], high[0] + 1):
        for j in range(low[1], high[1] + 1):
            for i in range(low[2], high[2] + 1):
                z = origin[0] + k * spacing[0]
                y = origin[1] + j * spacing[1]
                x = origin[2] + i * spacing[2]
                pz, py, px = z - centre[0], y - centre[1], x - centre[2]
                along = pz * normal[0] + py * normal[1] + px * normal[2]
                extra = (1.0 / squash - 1.0) * along
                pz, py, px = pz + extra * normal[0], py + extra * normal[1], px + extra * normal[2]
                d = np.sqrt(pz * pz + py * py + px * px)
                shape = 1.0
                for w in range(len(phases)):
                    dot = (pz * waves[w, 0] + py * waves[w, 1] + px * waves[w, 2]) / (d + 1e-6)
                    shape += heights[w] * np.cos(dot + phases[w])
                filled = min(max(0.5 + (radius * shape - d) / (unit + soft), 0.0), 1.0)
                if filled <= 0.0:
                    continue
                fz, fy, fx = (
                    (z - grid_origin[0]) / grid_step,
                    (y - grid_origin[1]) / grid_step,
                    (x - grid_origin[2]) / grid_step,
                )
                c, b, a_ = int(fz), int(fy), int(fx)
                if (
                    c < 0
                    or b < 0
                    or a_ < 0
                    or c + 1 >= lung.shape[0]
                    or b + 1 >= lung.shape[1]
                    or a_ + 1 >= lung.shape[2]
                ):
                    continue
                fz, fy, fx = fz - c, fy - b, fx - a_
                depth = 0.0
                for dc in range(2):
                    for db in range(2):
                        for da in range(2):
                            weight = (fz if dc else 1 - fz) * (fy if db else 1 - fy) * (fx if da else 1 - fx)
                            depth += weight * lung[c + dc, b + db, a_ + da]
                filled *= min(max(0.5 + (1.0 - depth) / unit, 0.0), 1.0)
                old = volume[k, j, i]
                if faint:
                    room = min(max((-250.0 - old) / 500.0, 0.0), 1.0)
                    volume[k, j, i] = old + filled * room * (value - ground)
                else:
                    new = ground + filled * (value - ground)
                    if new > old:
                        volume[k, j, i] = new


def paint_blob(
    volume: Field,
    origin_zyx: Points,
    spacing_zyx: Points,
    lung: Field,
    grid: CoarseGrid,
    *,
    centre_zyx: Points,
    radius_mm: float,
    value_hu: float,
    ground_hu: float,
    rng: np.random.Generator,
    roughness: float = 0.12,
    squash: float = 1.0,
    normal_zyx: Points | None = None,
    soft_mm: float = 0.0,
    faint: bool = False,
) -> None:
    """Draws a lump of irregular outline inside the lung.

    Args:
        volume: HU, changed in place.
        origin_zyx: Position of voxel (0, 0, 0), mm.
        spacing_zyx: Voxel size, mm.
        lung: Signed distance to the lungs on the coarse grid; nothing is drawn outside them.
        grid: The coarse grid.
        centre_zyx: Centre, mm.
        radius_mm: Mean radius.
        value_hu: Attenuation of the lump.
        ground_hu: Attenuation of the lung around it.
        rng: Source of the outline.
        roughness: Standard deviation of the radius, relative.
        squash: Thickness along ``normal_zyx`` relative to the width.
        normal_zyx: Unit direction in which it is squashed.
        soft_mm: Width of a blurred margin beyond the voxel's own.
        faint: Add to what is there and spare vessels (ground glass) instead of covering it (solid).
    """
    n_waves = 7
    waves = rng.standard_normal((n_waves, 3)) * 2.2
    heights = np.abs(rng.standard_normal(n_waves)) * roughness * np.sqrt(2.0 / n_waves)
    _blob(
        volume,
        np.asarray(origin_zyx, dtype=np.float64),
        np.asarray(spacing_zyx, dtype=np.float64),
        np.asarray(centre_zyx, dtype=np.float64),
        float(radius_mm),
        waves,
        rng.uniform(0, 2 * np.pi, n_waves),
        heights,
        float(squash),
        np.asarray(normal_zyx if normal_zyx is not None else (1.0, 0.0, 0.0), dtype=np.float64),
        float(value_hu),
        float(ground_hu),
        float(soft_mm),
        bool(faint),
        lung,
        np.asarray(grid.origin_zyx_mm, dtype=np.float64),
        float(grid.step_mm),
    )
