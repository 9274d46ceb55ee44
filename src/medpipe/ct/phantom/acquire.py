"""The scanner: blur of its kernel, correlated noise, streaks, the round field of view, rounding to integers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import fft

from medpipe.ct.phantom.anatomy import Anatomy
from medpipe.ct.phantom.fields import Field, Points, smoothstep


@dataclass(frozen=True)
class Kernel:
    """A reconstruction kernel.

    Attributes:
        name: Convolution kernel as scanners name it.
        sigma_mm: Blur in the plane.
        overshoot: Weight of the edge enhancement, 0 for none.
        noise_hu: Standard deviation of the noise deep in soft tissue, at 2 mm slices.
        noise_peak_per_mm: Spatial frequency of the strongest noise.
    """

    name: str
    sigma_mm: float
    overshoot: float
    noise_hu: float
    noise_peak_per_mm: float


SOFT_KERNELS = (
    Kernel("B30f", 0.62, 0.0, 13.0, 0.20),
    Kernel("STANDARD", 0.58, 0.0, 15.0, 0.23),
    Kernel("B40f", 0.56, 0.08, 16.0, 0.25),
)
SHARP_KERNELS = (
    Kernel("B70f", 0.42, 0.45, 44.0, 0.48),
    Kernel("LUNG", 0.45, 0.35, 36.0, 0.42),
    Kernel("B60f", 0.46, 0.25, 28.0, 0.38),
)


SLICE_SIGMA = 0.42
"""Standard deviation of the slice profile in slices: neighbours overlap a little."""

NOISE_SLICES = 24
"""Independent slices of noise a scan is mixed from: each slice takes one, shifted by chance, and carries some of the
slice before."""


@njit(cache=True, fastmath=True)
def _along_rows(volume, taps, line, total):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Convolves along x, in place; ``line`` and ``total`` are scratch rows."""
    nz, ny, nx = volume.shape
    half = len(taps) // 2
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                line[half + i] = volume[k, j, i]
                total[i] = 0.0
            for i in range(half):
                line[i] = volume[k, j, 0]
                line[half + nx + i] = volume[k, j, nx - 1]
            for t in range(len(taps)):
                weight = taps[t]
                for i in range(nx):
                    total[i] += weight * line[i + t]
            for i in range(nx):
                volume[k, j, i] = total[i]


@njit(cache=True, fastmath=True)
def _across_rows(volume, taps, ring, total):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Convolves along y, in place; ``ring`` holds the rows still needed, ``total`` is a scratch row."""
    nz, ny, nx = volume.shape
    n = len(taps)
    half = n // 2
    for k in range(nz):
        for t in range(n):
            source = min(max(t - half, 0), ny - 1)
            for i in range(nx):
                ring[t, i] = volume[k, source, i]
        first = 0
        for j in range(ny):
            if j > 0:
                source = min(j + half, ny - 1)
                for i in range(nx):
                    ring[first, i] = volume[k, source, i]
                first = (first + 1) % n
            for i in range(nx):
                total[i] = 0.0
            for t in range(n):
                weight = taps[t]
                row = (first + t) % n
                for i in range(nx):
                    total[i] += weight * ring[row, i]
            for i in range(nx):
                volume[k, j, i] = total[i]


def _taps(sigma: float, overshoot: float) -> npt.NDArray[np.float32]:
    """Gaussian of ``sigma`` samples, sharpened by subtracting a wider one."""
    half = max(1, int(np.ceil(3.0 * sigma * (1.6 if overshoot else 1.0))))
    t = np.arange(-half, half + 1)
    narrow = np.exp(-0.5 * (t / max(sigma, 0.2)) ** 2)
    wide = np.exp(-0.5 * (t / max(1.7 * sigma, 0.3)) ** 2)
    taps = (1.0 + overshoot) * narrow / narrow.sum() - overshoot * wide / wide.sum()
    return taps.astype(np.float32)


def blur(volume: Field, spacing_zyx: Points, kernel: Kernel) -> None:
    """Applies the scanner's point spread to ``volume`` (z, y, x) in place: kernel, and slice profile along z."""
    nx = volume.shape[2]
    total = np.empty(nx, dtype=np.float32)
    taps_x = _taps(kernel.sigma_mm / float(spacing_zyx[2]), kernel.overshoot)
    taps_y = _taps(kernel.sigma_mm / float(spacing_zyx[1]), kernel.overshoot)
    taps_z = _taps(SLICE_SIGMA, 0.0)
    _along_rows(volume, taps_x, np.empty(nx + len(taps_x), dtype=np.float32), total)
    for view, taps in ((volume, taps_y), (volume.transpose(1, 0, 2), taps_z)):
        _across_rows(view, taps, np.empty((len(taps), nx), dtype=np.float32), total)


@njit(cache=True, fastmath=True)
def _finish(  # type: ignore[no-untyped-def]  # pragma: no cover
    volume, grains, streaks, chosen, rolls, carry, streak_levels, level, start, step, centre, radius, pad, out
):
    """Adds noise by the depth in the body, cuts the field of view, rounds."""
    nz, ny, nx = volume.shape
    cz, cy, cx = level.shape
    noise = np.zeros((ny, nx), dtype=np.float32)
    row = np.empty(cx, dtype=np.float32)
    kept, fresh = np.float32(carry), np.float32(np.sqrt(1.0 - carry * carry))
    for k in range(nz):
        grain, streak = grains[chosen[k]], streaks[chosen[k]]
        share = np.float32(streak_levels[k])
        gz = min(max(start[0] + k * step[0], 0.0), cz - 1.001)
        iz = int(gz)
        wz = np.float32(gz - iz)
        for j in range(ny):
            gy = min(max(start[1] + j * step[1], 0.0), cy - 1.001)
            iy = int(gy)
            wy = np.float32(gy - iy)
            for i in range(cx):
                row[i] = (1 - wz) * ((1 - wy) * level[iz, iy, i] + wy * level[iz, iy + 1, i]) + wz * (
                    (1 - wy) * level[iz + 1, iy, i] + wy * level[iz + 1, iy + 1, i]
                )
            source = (j + rolls[k, 0]) % ny
            half_chord = radius * radius - (j - centre[0]) ** 2
            for i in range(nx):
                shifted = i + rolls[k, 1]
                if shifted >= nx:
                    shifted -= nx
                noise[j, i] = kept * noise[j, i] + fresh * grain[source, shifted]
                if radius > 0 and (i - centre[1]) ** 2 > half_chord:
                    out[k, j, i] = pad
                    continue
                gx = min(max(start[2] + i * step[2], 0.0), cx - 1.001)
                ix = int(gx)
                amount = row[ix] + np.float32(gx - ix) * (row[ix + 1] - row[ix])
                value = volume[k, j, i] + amount * (noise[j, i] + share * streak[source, shifted])
                out[k, j, i] = int(np.floor(min(max(value, np.float32(-1024.0)), np.float32(3071.0)) + np.float32(0.5)))


def _noise_filters(shape: tuple[int, int], pixel_mm: float, peak: float) -> tuple[Field, Field]:
    """Amplitudes of the noise's spectrum: ramp times a soft cut-off, and the same for horizontal streaks.

    Filtered back-projection leaves a noise power spectrum that rises with frequency and falls with the kernel
    (Riederer, Pelc and Chesler, Phys Med Biol 1978, 23:446).
    """
    fy = np.fft.fftfreq(shape[0], pixel_mm)[:, None]
    fx = np.fft.rfftfreq(shape[1], pixel_mm)[None, :]
    f = np.hypot(fy, fx)
    power = (f + 0.015) * np.exp(-((f / peak) ** 2) * 0.5)
    streaks = np.sqrt(np.abs(fy)) * np.exp(-((fx / 0.012) ** 2) - (fy / (0.7 * peak)) ** 2)

    def normal(amplitude: npt.NDArray[np.float64]) -> Field:
        scale = np.sqrt((2 * amplitude**2).sum() / 2)
        return np.asarray(amplitude / scale * np.sqrt(shape[0] * shape[1]), dtype=np.float32)

    return normal(np.sqrt(power)), normal(streaks)


def noise_level(anatomy: Anatomy) -> Field:
    """Relative noise on the coarse grid: 1 deep in soft tissue, less in the lungs, little in air."""
    depth = -anatomy.layer("body")
    level = 0.3 + 0.7 * smoothstep(depth, -10.0, 0.3 * 200 * anatomy.scale)
    level = level * (1.0 - 0.3 * smoothstep(-anatomy.layer("lung"), 0.0, 30.0))
    return np.ascontiguousarray(level, dtype=np.float32)


def digitise(
    volume: Field,
    anatomy: Anatomy,
    origin_zyx: Points,
    spacing_zyx: Points,
    kernel: Kernel,
    rng: np.random.Generator,
    pad_hu: int | None,
) -> npt.NDArray[np.int16]:
    """Adds noise and rounds.

    Args:
        volume: Blurred HU, (z, y, x).
        anatomy: The patient, for how much noise there is where.
        origin_zyx: Position of voxel (0, 0, 0), mm.
        spacing_zyx: Voxel size, mm.
        kernel: Decides strength and grain of the noise.
        rng: Source of the noise.
        pad_hu: Value outside the round field of view; None for a square one.
    """
    nz, ny, nx = volume.shape
    pixel, thickness = float(spacing_zyx[2]), float(spacing_zyx[0])
    strength = kernel.noise_hu * np.sqrt(2.0 / thickness) * min(1.0, 0.9 / pixel) * rng.uniform(0.75, 1.25)
    level = noise_level(anatomy) * np.float32(strength)
    grid = anatomy.grid
    start = (np.asarray(origin_zyx) - np.asarray(grid.origin_zyx_mm)) / grid.step_mm
    step = np.asarray(spacing_zyx) / grid.step_mm
    heights = (np.asarray(origin_zyx)[0] + thickness * np.arange(nz)) / anatomy.scale
    shoulders = 0.15 + 0.85 * smoothstep(heights, 60.0, 110.0)
    grains, streaks = _noise_pool((ny, nx), pixel, min(kernel.noise_peak_per_mm, 0.45 / pixel), rng)
    out = np.empty(volume.shape, dtype=np.int16)
    _finish(
        volume,
        grains,
        streaks,
        rng.integers(NOISE_SLICES, size=nz),
        np.column_stack([rng.integers(ny, size=nz), rng.integers(nx, size=nz)]),
        float(np.exp(-thickness / 0.9)),
        0.5 * shoulders,
        level,
        start,
        step,
        np.array([0.5 * (ny - 1), 0.5 * (nx - 1)]),
        0.5 * nx if pad_hu is not None else 0.0,
        pad_hu or 0,
        out,
    )
    return out


def _noise_pool(shape: tuple[int, int], pixel_mm: float, peak: float, rng: np.random.Generator) -> tuple[Field, Field]:
    """``NOISE_SLICES`` slices of noise and of streaks, unit variance, periodic."""
    grain, streak = _noise_filters(shape, pixel_mm, peak)
    spectrum = fft.rfft2(rng.standard_normal((NOISE_SLICES, *shape), dtype=np.float32))
    return fft.irfft2(spectrum * grain, s=shape), fft.irfft2(spectrum * streak, s=shape)
