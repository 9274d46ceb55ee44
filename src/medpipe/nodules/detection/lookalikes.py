"""Places in a scan that look like a nodule at first sight: vessel crossings, knots, dents of the lung's wall.

They are the maxima of a difference of Gaussians (Lindeberg, "Feature detection with automatic scale selection", 1998)
on the scan at half resolution: fast enough to look at each training scan once.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medpipe.ct.store import StoredScan

HALF = 2
_SLAB = 64  # voxels along z in memory at full resolution
_FINE_SIGMA, _COARSE_SIGMA = 0.8, 1.6  # at half resolution: balls about 4 voxels of the scan wide answer most

IntArray = npt.NDArray[np.int64]


def lookalikes(scan: StoredScan) -> IntArray:
    """Voxels (n x 3: z, y, x) of blob-like places inside the lung mask, the most blob-like first."""
    image = half_resolution(scan)
    blobness = ndimage.gaussian_filter(image, _FINE_SIGMA) - ndimage.gaussian_filter(image, _COARSE_SIGMA)
    highest = ndimage.maximum_filter(blobness, size=3)
    cells = np.argwhere((blobness == highest) & (blobness > 0))
    order = np.argsort(-blobness[tuple(cells.T)], kind="stable")
    voxels = cells[order] * HALF + HALF // 2
    lung = np.asarray(scan.lung[:])
    return voxels[lung[tuple(voxels.T)] > 0] if len(voxels) else voxels


def half_resolution(scan: StoredScan) -> npt.NDArray[np.float32]:
    """Means of 2 x 2 x 2 voxels; an odd last layer is left out."""
    depth, height, width = (size // HALF for size in scan.shape)
    image = np.empty((depth, height, width), dtype=np.float32)
    for start in range(0, depth * HALF, _SLAB):
        thick = min(_SLAB, depth * HALF - start)
        slab = scan.patch((start, 0, 0), (thick, height * HALF, width * HALF))
        blocks = slab.reshape(thick // HALF, HALF, height, HALF, width, HALF)
        image[start // HALF : (start + thick) // HALF] = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return image
