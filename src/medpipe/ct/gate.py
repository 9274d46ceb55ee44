"""The gate: whether a volume is a chest CT that can be used. Every refusal has a code and a sentence."""

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.params import GateParams
from medpipe.ct.readers.base import Rejection
from medpipe.ct.resample import canonical_axes

AIR_HU = (-1100, -600)
"""The room, the airways and most of the lung."""

TISSUE_HU = (-200, 300)
"""Fat, muscle, blood and organs."""

MIN_SHARE = 0.03
"""Smallest share of air, and of tissue, in the voxels looked at; a chest has far more of both."""


def check_geometry(geometry: Geometry, params: GateParams) -> Rejection | None:
    """Whether there are enough slices, near enough to each other and far enough from first to last.

    Distances are those between the planes of voxels, which under gantry tilt are nearer than the voxels' centres.
    """
    canonical, _, _ = canonical_axes(geometry)
    slices = canonical.shape_zyx[0]
    distances_zyx_mm = _plane_distances_zyx_mm(canonical)
    if min(canonical.shape_zyx) < params.min_slices:
        shape = " x ".join(map(str, canonical.shape_zyx))
        return Rejection(
            "too_few_slices", f"The scan has {shape} voxels, at least {params.min_slices} each way expected."
        )
    if (widest := max(distances_zyx_mm)) > params.max_slice_spacing_mm:
        return Rejection(
            "thick_slices",
            f"Neighbouring slices are {widest:.2f} mm apart, at most {params.max_slice_spacing_mm:g} mm allowed.",
        )
    if (extent := (slices - 1) * distances_zyx_mm[0]) < params.min_extent_mm:
        return Rejection(
            "short_extent",
            f"The scan is {extent:.0f} mm long, at least {params.min_extent_mm:g} mm expected.",
        )
    return None


def _plane_distances_zyx_mm(geometry: Geometry) -> list[float]:
    """Distance of neighbouring planes along each array axis; the spacing, where the axes are at right angles."""
    steps = geometry.to_world(np.eye(3)) - geometry.to_world([(0, 0, 0)])
    return [float(distance) for distance in 1 / np.linalg.norm(np.linalg.inv(steps), axis=0)]


def check_hounsfield(voxels: NDArray[np.int16]) -> Rejection | None:
    """Whether sampled voxels look like Hounsfield units of a body: some air, some tissue.

    It catches a lost rescale intercept, masks, colour maps and empty files.
    """
    for name, (low, high) in (("air", AIR_HU), ("tissue", TISSUE_HU)):
        share = float(((voxels >= low) & (voxels <= high)).mean())
        if share < MIN_SHARE:
            return Rejection(
                "absurd_hu",
                f"{share:.1%} of the voxels looked at are {name} ({low} to {high} HU), at least {MIN_SHARE:.0%} "
                f"expected; the values run from {voxels.min()} to {voxels.max()}.",
            )
    return None
