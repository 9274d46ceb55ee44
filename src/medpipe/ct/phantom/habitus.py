"""How one patient is built, and the profiles of a chest over its height that every patient shares.

Lengths are those of an adult 1.75 m tall; proportions were read off chest CT scans.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medpipe.ct.phantom.fields import Field


@dataclass(frozen=True)
class Habitus:
    """What varies between patients, mm unless said."""

    width: float
    depth: float
    fat: float
    muscle: float
    scoliosis: float
    right_dome: float
    left_dome: float
    heart: float  # factor
    heart_turn: float  # radians
    breasts: float  # factor, 0 for none

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Habitus":
        """One patient's build, by chance."""
        right_dome = rng.uniform(-72, -48)
        return cls(
            width=rng.uniform(126, 142),
            depth=rng.uniform(0.92, 1.1),
            fat=rng.gamma(3.0, 4.0) + 4,
            muscle=rng.uniform(0.7, 1.3),
            scoliosis=rng.normal(0, 3.0),
            right_dome=right_dome,
            left_dome=right_dome - rng.uniform(4, 22),
            heart=rng.uniform(0.84, 1.06),
            heart_turn=rng.uniform(-0.15, 0.2),
            breasts=rng.uniform(0.6, 1.1) if rng.random() < 0.45 else 0.0,
        )


_LEVELS_MM = np.array([-185.0, -120, -60, 0, 50, 90, 115, 150, 180])

CAGE_FRONT = np.array([-86.0, -91, -92, -85, -64, -42, -27, -18, -15])
"""Inner front of the rib cage (y, mm) at the levels of ``level``."""

CAGE_BACK = np.array([74.0, 82, 86, 84, 77, 64, 52, 40, 30])
"""Inner back of the rib cage."""

BODY_FRONT = np.array([-96.0, -101, -103, -99, -84, -70, -62, -58, -56])
"""Front of the skin of a thin patient."""

BODY_BACK = np.array([104.0, 108, 112, 114, 112, 106, 99, 90, 84])
"""Back of the skin of a thin patient."""

BODY_WIDTH = np.array([22.0, 22, 23, 26, 44, 58, 58, 46, 38])
"""Half width of the body beyond the rib cage's greatest half width; raised arms make the shoulders wide."""


def level(z: npt.NDArray[np.floating], values: npt.NDArray[np.float64]) -> Field:
    """A profile at heights ``z`` (mm), smooth between nine levels from the upper abdomen to the neck."""
    fine = np.linspace(_LEVELS_MM[0], _LEVELS_MM[-1], 200)
    line = np.interp(fine, _LEVELS_MM, values)
    kernel = np.hanning(23)
    line = np.convolve(np.pad(line, 11, mode="edge"), kernel / kernel.sum(), mode="valid")
    return np.asarray(np.interp(z, fine, line), dtype=np.float32)
