"""Findings as a DICOM segmentation (PS3.3 A.51) that joins the source study: one segment a finding."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.fingerprint import digest
from medpipe.nodules.findings.algorithm import Algorithm
from medpipe.nodules.findings.export.source import SourceImages

SERIES_NUMBER = 9001
"""Of the segmentation's series; far above those of scanners, so that it stands behind them."""

MANUFACTURER = "medpipe"
MAX_LABEL = 64
"""Characters of a label, and of the meaning of a code (LO, PS3.5 6.2)."""


def segmentation(
    labels: NDArray[np.uint16], findings: pd.DataFrame, images: SourceImages, algorithm: Algorithm
) -> Any | None:
    """The findings that have voxels, as segments numbered from 1 in the order of the rows.

    Args:
        labels: On the grid of the source (z, y, x), values as in the column mask_number.
        findings: Of one scan: finding_id, mask_number.
        images: The source.
        algorithm: What made them.

    Returns:
        ``highdicom.seg.Segmentation``, binary, with patient and study of the source; None where nothing has voxels.
    """
    import highdicom

    numbers = mask_numbers(labels, findings)
    if not numbers:
        return None
    segment_of = np.zeros(int(labels.max()) + 1, dtype=np.uint16)
    segment_of[numbers] = np.arange(1, len(numbers) + 1)
    content = digest(labels, str(images.data[0].SeriesInstanceUID), algorithm.networks)
    return highdicom.seg.Segmentation(
        source_images=images.data,
        pixel_array=_frames(segment_of[labels], images),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(segment, number, algorithm, images) for segment, number in enumerate(numbers, start=1)
        ],
        series_instance_uid=uid_of("segmentation series", content),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("segmentation", content),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=algorithm.name,
        software_versions=algorithm.version,
        device_serial_number=digest(algorithm.networks)[:16],
        content_label="NODULES",
        content_description="Lung nodules found by neural networks",
        series_description="Lung nodules, segmentation",
    )


def mask_numbers(labels: NDArray[np.uint16], findings: pd.DataFrame) -> list[int]:
    """The mask numbers of the findings that have voxels, in the order of the rows: number k is segment k + 1."""
    present = set(np.unique(labels).tolist()) - {0}
    return [int(number) for number in findings["mask_number"] if number in present]


def uid_of(*content: Any) -> str:
    """A DICOM uid (root 2.25, PS3.5 B.2) that follows from the content: the same object gets the same name again."""
    return f"2.25.{int(digest(*content), 16)}"


def tracking_uid(images: SourceImages, number: int, algorithm: Algorithm) -> str:
    """The uid by which a finding is known in the segmentation and in the report."""
    return uid_of("finding", str(images.data[0].SeriesInstanceUID), int(number), algorithm.networks)


def _frames(segments: NDArray[np.uint16], images: SourceImages) -> NDArray[np.uint8]:
    """Frames in the order of the images."""
    kind = np.uint8 if segments.max() <= np.iinfo(np.uint8).max else np.uint16
    if images.frames is None:
        return segments.astype(kind)
    frames = np.zeros((int(images.data[0].NumberOfFrames), *segments.shape[1:]), dtype=kind)
    frames[list(images.frames)] = segments
    return frames


def _description(segment: int, number: int, algorithm: Algorithm, images: SourceImages) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    return highdicom.seg.SegmentDescription(
        segment_number=segment,
        segment_label=f"Nodule {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Nodule,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=algorithm.name,
            family=codes.cid7162.ArtificialIntelligence,
            version=algorithm.version,
            source=MANUFACTURER,
            parameters=dict(algorithm.networks),
        ),
        tracking_uid=tracking_uid(images, number, algorithm),
        tracking_id=f"Nodule {number}",
        anatomic_regions=[codes.SCT.Lung],
    )
