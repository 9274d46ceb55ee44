"""A scan in memory."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medpipe.ct.geometry import Geometry


@dataclass(frozen=True)
class Volume:
    """Voxels of a CT scan and where they lie.

    Attributes:
        array: Hounsfield units, int16, (z, y, x).
        geometry: The grid; its shape is the array's.
    """

    array: npt.NDArray[np.int16]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape_zyx:
            raise ValueError(f"array of shape {self.array.shape} does not fit the grid {self.geometry.shape_zyx}")
