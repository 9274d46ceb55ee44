"""How often each stored value occurs, counted in one pass."""

import numba
import numpy as np
from numpy.typing import NDArray

BINS = 256


def histograms(image: NDArray[np.uint8], lung: NDArray[np.uint8]) -> tuple[list[int], list[int]]:
    """Counts of the values 0 to 255 in the whole image, and where the mask is set.

    Args:
        image: Any shape.
        lung: 0 or 1, same shape.
    """
    counts = _count(np.ascontiguousarray(image).reshape(-1), np.ascontiguousarray(lung).reshape(-1))
    return counts.sum(axis=0).tolist(), counts[1].tolist()


@numba.njit(cache=True, nogil=True)
def _count(image, lung):  # type: ignore[no-untyped-def]  # pragma: no cover
    # Two tables in turn: neighbours are often equal, and a counter cannot be raised twice at once.
    even, odd = np.zeros(2 * BINS, np.int64), np.zeros(2 * BINS, np.int64)
    last = image.size - image.size % 2
    for index in range(0, last, 2):
        even[image[index] + BINS * (lung[index] != 0)] += 1
        odd[image[index + 1] + BINS * (lung[index + 1] != 0)] += 1
    if last < image.size:
        even[image[last] + BINS * (lung[last] != 0)] += 1
    return (even + odd).reshape(2, BINS)
