"""From fields of distances to Hounsfield units: skin, fat, muscle, organs, lung, air, table.

Attenuation values follow common CT tables (fat -100, muscle 50, blood 40, liver 60, lung -850 HU).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from medpipe.ct.phantom.anatomy import LAYERS, Anatomy
from medpipe.ct.phantom.fields import Field, Points

AIR_HU = -1000.0


@dataclass(frozen=True)
class Attenuation:
    """HU of what contrast medium changes."""

    blood: float
    right_blood: float
    myocardium: float
    liver: float
    spleen: float

    @classmethod
    def draw(cls, rng: np.random.Generator, contrast: bool) -> "Attenuation":
        """Without contrast medium, or some seconds to a minute after it was given."""
        if not contrast:
            blood = rng.uniform(34, 46)
            return cls(blood, blood, rng.uniform(36, 48), rng.uniform(48, 64), rng.uniform(42, 54))
        return cls(
            rng.uniform(140, 300),
            rng.uniform(130, 330),
            rng.uniform(80, 120),
            rng.uniform(65, 110),
            rng.uniform(80, 130),
        )


@njit(cache=True, fastmath=True)
def _compose(  # type: ignore[no-untyped-def]  # pragma: no cover
    volume, start, step, stack, backdrop, hu, unit, seed, lobule
):
    nz, ny, nx = volume.shape
    cz, cy, cx, nf = stack.shape
    row = np.empty((cx, nf), dtype=np.float32)
    f = np.empty(nf, dtype=np.float32)
    sharp = np.float32(1.0 / unit)
    half = np.float32(0.5)
    state = np.uint64(seed)
    for k in range(nz):
        gz = min(max(start[0] + k * step[0], 0.0), cz - 1.001)
        iz = int(gz)
        wz = np.float32(gz - iz)
        for j in range(ny):
            gy = start[1] + j * step[1]
            within = 0.5 < gy < cy - 2.5
            gy = min(max(gy, 0.0), cy - 1.001)
            iy = int(gy)
            wy = np.float32(gy - iy)
            w00, w01, w10, w11 = (1 - wz) * (1 - wy), (1 - wz) * wy, wz * (1 - wy), wz * wy
            for i in range(cx):
                for c in range(nf):
                    row[i, c] = (
                        w00 * stack[iz, iy, i, c]
                        + w01 * stack[iz, iy + 1, i, c]
                        + w10 * stack[iz + 1, iy, i, c]
                        + w11 * stack[iz + 1, iy + 1, i, c]
                    )
            for i in range(nx):
                gx = min(max(start[2] + i * step[2], 0.0), cx - 1.001)
                ix = int(gx)
                wx = np.float32(gx - ix)
                body = row[ix, 0] + wx * (row[ix + 1, 0] - row[ix, 0])
                inside = min(max(half - body * sharp, np.float32(0)), np.float32(1))
                outside = backdrop[j, i]
                if inside <= 0.0:
                    if body < 24.0 and outside < -980.0 and within and 0.5 < gx < cx - 2.5:
                        fine = row[ix, 12] + wx * (row[ix + 1, 12] - row[ix, 12])
                        coarse = row[ix, 13] + wx * (row[ix + 1, 13] - row[ix, 13])
                        fold = min(abs(body - 9 - 7 * coarse), abs(body - 13 - 6 * fine))
                        outside += 150 * max(np.float32(0.9) - fold, np.float32(0))
                    volume[k, j, i] = outside
                    continue
                f[3] = row[ix, 3] + wx * (row[ix + 1, 3] - row[ix, 3])
                lung = min(max(half - f[3] * sharp, np.float32(0)), np.float32(1))
                tissue = np.float32(0)
                air = np.float32(0)
                if lung < 1.0:
                    for c in range(nf):
                        f[c] = row[ix, c] + wx * (row[ix + 1, c] - row[ix, c])
                    tissue = _tissue(f, hu, sharp, body)
                if lung > 0.0:
                    oblique = row[ix, 10] + wx * (row[ix + 1, 10] - row[ix, 10])
                    horizontal = row[ix, 11] + wx * (row[ix + 1, 11] - row[ix, 11])
                    air = row[ix, 14] + wx * (row[ix + 1, 14] - row[ix, 14])
                    state ^= state << np.uint64(13)
                    state ^= state >> np.uint64(7)
                    state ^= state << np.uint64(17)
                    air += lobule * np.float32(np.int64(state >> np.uint64(40)) - 8388608)
                    air += 110 * max(1 - abs(oblique), np.float32(0)) + 85 * max(1 - abs(horizontal), np.float32(0))
                value = tissue + lung * (air - tissue)
                volume[k, j, i] = outside + inside * (value - outside)


@njit(cache=True, fastmath=True)
def _share(distance, sharp):  # type: ignore[no-untyped-def]  # pragma: no cover
    return min(max(np.float32(0.5) - distance * sharp, np.float32(0)), np.float32(1))


@njit(cache=True, fastmath=True)
def _tissue(f, hu, sharp, body):  # type: ignore[no-untyped-def]  # pragma: no cover
    muscle, cage, heart, chambers, dia = f[1], f[2], f[4], f[5], f[6]
    fine, coarse = f[12], f[13]
    fat = -104.0 + 7.0 * fine
    if body > -1.9:
        fat = 10.0
    elif abs(fine + 0.4 * coarse) < 0.05:
        fat = -78.0
    value = fat
    wall = _share(cage, sharp)
    if wall < 1.0:
        flesh = 54.0 + 5.0 * fine
        layer = cage * 0.046 + 0.8 * coarse + 0.16 * fine
        layer -= np.floor(layer)
        gap = 0.03 + 0.09 * fine + 0.05 * coarse
        if cage > 8.0 and layer < gap:
            flesh = -75.0
        elif cage > 8.0 and layer < gap + 0.03:
            flesh = 0.0
        elif cage > 3.0 and cage <= 9.0 and fine > 0.7:
            flesh = -40.0
        share = _share(muscle, sharp)
        value = fat + share * (flesh - fat)
    if wall > 0.0:
        if dia > 0.0:
            inner = -98.0 + 8.0 * coarse
            inner += _share((0.95 - fine - 0.25 * coarse) * 5.0, sharp) * 130.0
            share = _share(heart + 2.5 + 1.5 * fine, sharp)
            inner += share * (hu[2] - inner)
            share = _share(chambers, sharp * 0.6)
            right = min(max(0.5 + f[15] / 22.0, 0.0), 1.0)
            inner += share * (hu[0] + right * (hu[1] - hu[0]) - inner)
            inner += _share(abs(heart) - 0.7, sharp) * 0.5 * (20.0 - inner)
        else:
            inner = -104.0 + 6.0 * coarse
            inner += _share((0.55 - coarse - 0.3 * fine) * 9.0, sharp) * (138.0 + 12.0 * fine)
            inner += _share(f[7], sharp) * (hu[3] + 4.0 * fine - inner)
            inner += _share(f[8], sharp) * (hu[4] + 3.0 * fine - inner)
            share = _share(f[9], sharp)
            inside = 35.0 + 16.0 * fine
            gas = _share((f[9] * 0.25 + 22.0 + f[16] * 0.8), sharp)
            inside += gas * (-960.0 - inside)
            wall_of = _share(f[9] + 4.5, sharp)
            inner += share * (42.0 + wall_of * (inside - 42.0) - inner)
            inner += _share(abs(dia + 1.5) - 1.3, sharp) * (48.0 - inner)
        value += wall * (inner - value)
    return value


def compose(
    anatomy: Anatomy,
    volume: Field,
    origin_zyx: Points,
    spacing_zyx: Points,
    backdrop: Field,
    attenuation: Attenuation,
    seed: int,
) -> None:
    """Fills ``volume`` with everything that has no finer structure than the coarse grid.

    Args:
        anatomy: The patient.
        volume: Float32 HU, (z, y, x), overwritten.
        origin_zyx: Position of voxel (0, 0, 0) in the patient's frame, mm.
        spacing_zyx: Voxel size, mm.
        backdrop: HU of what surrounds the patient, (y, x).
        attenuation: HU of blood and organs.
        seed: Of the fine grain of the parenchyma.
    """
    grid = anatomy.grid
    _, y, x = grid.axes()
    stack = np.empty((*grid.shape_zyx, len(LAYERS) + 2), dtype=np.float32)
    for i, name in enumerate(LAYERS):
        stack[..., i] = anatomy.layer(name)
    stack[..., -2] = -x + 0.5 * y + 4.0  # the right heart, where contrast arrives first
    stack[..., -1] = y  # gas floats to the front of a patient who lies on the back
    start = (np.asarray(origin_zyx) - np.asarray(grid.origin_zyx_mm)) / grid.step_mm
    unit = float(np.mean(spacing_zyx))
    hu = np.array(
        [
            attenuation.blood,
            attenuation.right_blood,
            attenuation.myocardium,
            attenuation.liver,
            attenuation.spleen,
        ],
        dtype=np.float32,
    )
    lobule = np.float32(55.0 / np.sqrt(float(np.prod(spacing_zyx))) / 2**23)
    _compose(volume, start, np.asarray(spacing_zyx) / grid.step_mm, stack, backdrop, hu, unit, seed * 2 + 1, lobule)


def backdrop(rng: np.random.Generator, y_mm: Points, x_mm: Points, back_mm: float, scale: float) -> Field:
    """Air, table top and mattress behind the patient, (y, x) in HU.

    Args:
        rng: Source of the table's form.
        y_mm: Positions of the rows.
        x_mm: Positions of the columns.
        back_mm: Where the patient's back lies.
        scale: Body size, for distances.
    """
    y, x = y_mm[:, None], x_mm[None, :]
    pixel = abs(float(y_mm[1] - y_mm[0]))
    curve = rng.uniform(2.0e-4, 9.0e-4) / scale
    depth = y + curve * x**2 - (back_mm + rng.uniform(9.0, 16.0) * scale)
    half_width = rng.uniform(165.0, 210.0) * scale

    def sheet(at: float, thickness: float, value: float) -> Field:
        share = np.clip((thickness - np.abs(depth - at)) / pixel + 0.5, 0, 1) * min(1.0, 2 * thickness / pixel)
        return np.asarray(share * (value - AIR_HU) * (np.abs(x) < half_width), dtype=np.float32)

    hu = np.full(np.broadcast_shapes(y.shape, x.shape), AIR_HU, dtype=np.float32)
    hu += np.where((depth > -6 * scale) & (depth < 0) & (np.abs(x) < half_width), rng.uniform(15, 70), 0).astype(
        np.float32
    )
    hu += sheet(0.0, 1.4, rng.uniform(-250, 150))
    hu += sheet(rng.uniform(22, 34), 1.0, rng.uniform(-500, -100))
    hu += np.where((depth > 0) & (depth < 24) & (np.abs(x) < half_width), rng.uniform(10, 60), 0).astype(np.float32)
    return hu
