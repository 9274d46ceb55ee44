"""Findings as a NIfTI label map that ITK-SNAP, 3D Slicer and nibabel lay over the source scan."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.core.atomic import atomic_path
from medpipe.ct.geometry import Geometry

SUFFIX = ".nii.gz"


def write_label_map(file: Path, labels: NDArray[np.uint16], geometry: Geometry) -> None:
    """Writes numbers of findings.

    ITK takes LPS coordinates to NIfTI's RAS, and sets both of its transforms.

    Args:
        file: With the ending ``.nii.gz``.
        labels: (z, y, x), 0 for none.
        geometry: Of the array, with axes at right angles: NIfTI's readers refuse others.
    """
    import SimpleITK as sitk

    small = labels.astype(np.uint8) if labels.max(initial=0) <= np.iinfo(np.uint8).max else labels
    image = geometry.apply_to_sitk(sitk.GetImageFromArray(small))
    with atomic_path(file) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)
