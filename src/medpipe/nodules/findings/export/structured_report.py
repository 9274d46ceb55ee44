"""Findings as a DICOM structured report: a measurement report of template TID 1500 (PS3.16 A)."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.fingerprint import digest
from medpipe.ct.geometry import Geometry
from medpipe.nodules.findings.algorithm import Algorithm, PositiveClass
from medpipe.nodules.findings.export.segmentation import (
    MANUFACTURER,
    MAX_LABEL,
    mask_numbers,
    tracking_uid,
    uid_of,
)
from medpipe.nodules.findings.export.source import SourceImages

SERIES_NUMBER = 9002
"""Of the report's series: behind the segmentation."""

PRIVATE_SCHEME = "99MEDPIPE"
"""Coding scheme (PS3.16 8.2: 99 and a name of one's own) of classes that have no code in the standard."""

MALIGNANCY = "malignancy"
"""Rating whose probability has a code of its own: Probability of cancer (DCM 111047)."""

_PERCENT = 100.0

Row = Mapping[Hashable, Any]


def structured_report(
    findings: pd.DataFrame,
    labels: NDArray[np.uint16],
    seg: Any | None,
    images: SourceImages,
    geometry: Geometry,
    algorithm: Algorithm,
) -> Any:
    """The findings of one scan with their measurements, and the segments that they are measured on.

    A finding with voxels is a volumetric region of interest (TID 1411); one without is a circle of its diameter on
    the slice through its centre (TID 1410).

    Args:
        findings: At least one row of the table of findings.
        labels: On the grid of the source (z, y, x), values as in the column mask_number.
        seg: Their segmentation; None where none has voxels.
        images: The source.
        geometry: Grid of the source.
        algorithm: What made them.

    Returns:
        ``highdicom.sr.ComprehensiveSR`` with patient and study of the source.
    """
    import highdicom
    from pydicom.sr.codedict import codes

    numbers = mask_numbers(labels, findings)
    groups = [_group(row, numbers, seg, images, geometry, algorithm) for row in findings.to_dict("records")]
    content = digest(findings.drop(columns="series_uid"), str(images.data[0].SeriesInstanceUID), algorithm.networks)
    observer = highdicom.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=highdicom.sr.DeviceObserverIdentifyingAttributes(
            uid=uid_of("device", algorithm.name, algorithm.version, algorithm.networks),
            name=algorithm.name,
            manufacturer_name=MANUFACTURER,
            model_name=algorithm.version,
        ),
    )
    report = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.cid100.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
    )
    return highdicom.sr.ComprehensiveSR(
        evidence=[*images.data, *([] if seg is None else [seg])],
        content=report,
        series_instance_uid=uid_of("report series", content),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("report", content),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=algorithm.name,
        software_versions=algorithm.version,
        series_description="Lung nodules, measurements",
        is_complete=True,
        is_verified=False,  # nobody has looked at it
    )


def _group(
    row: Row, numbers: list[int], seg: Any | None, images: SourceImages, geometry: Geometry, algorithm: Algorithm
) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    number = int(str(row["finding_id"]).rpartition("-")[2])
    common = {
        "tracking_identifier": highdicom.sr.TrackingIdentifier(
            uid=tracking_uid(images, number, algorithm), identifier=f"Nodule {number}"
        ),
        "finding_type": codes.SCT.Nodule,
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "finding_sites": [highdicom.sr.FindingSite(anatomic_location=codes.SCT.Lung)],
        "algorithm_id": highdicom.sr.AlgorithmIdentification(name=algorithm.name, version=algorithm.version),
        "measurements": _measurements(row, algorithm.positive_class),
        "qualitative_evaluations": _evaluations(row, algorithm.positive_class),
    }
    if seg is None or row["mask_number"] not in numbers:
        region = _circle(row, images, geometry)
        return highdicom.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **common)
    segment = highdicom.sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=numbers.index(row["mask_number"]) + 1,
        source_series=highdicom.sr.SourceSeriesForSegmentation(str(images.data[0].SeriesInstanceUID)),
    )
    return highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **common)


def _measurements(row: Row, positive_class: PositiveClass | None) -> list[Any]:
    import highdicom
    from pydicom.sr.codedict import codes

    millimetre, cubic, percent = codes.UCUM.Millimeter, codes.UCUM.CubicMillimeter, codes.UCUM.Percent
    has_mask = row["mask_number"] > 0
    diameter = row["mask_diameter_mm"] if has_mask else row["diameter_mm"]
    values = [(codes.SCT.Diameter, diameter, millimetre)]
    if has_mask:
        values += [(codes.SCT.Volume, row["volume_mm3"], cubic), (codes.SCT.LongAxis, row["long_axis_mm"], millimetre)]
    values.append((codes.DCM.CertaintyOfFinding, _PERCENT * row["probability"], percent))
    if positive_class is not None and pd.notna(row["class_probability"]):
        values.append((_probability_name(positive_class), _PERCENT * row["class_probability"], percent))
    return [
        highdicom.sr.Measurement(name=name, value=round(float(value), 3), unit=unit) for name, value, unit in values
    ]


def _probability_name(positive_class: PositiveClass) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    if positive_class.column == MALIGNANCY:
        return codes.DCM.ProbabilityOfCancer
    meaning = f"Probability of {positive_class.name}"[:MAX_LABEL]
    return highdicom.sr.CodedConcept("class-p", PRIVATE_SCHEME, meaning)


def _evaluations(row: Row, positive_class: PositiveClass | None) -> list[Any]:
    import highdicom
    from pydicom.sr.codedict import codes

    if positive_class is None or pd.isna(row["class_probability"]):
        return []
    name = highdicom.sr.CodedConcept("class", PRIVATE_SCHEME, positive_class.name[:MAX_LABEL])
    is_positive = row["class_probability"] >= positive_class.threshold
    value = codes.SCT.Present if is_positive else codes.SCT.Absent
    return [highdicom.sr.QualitativeEvaluation(name=name, value=value)]


def _circle(row: Row, images: SourceImages, geometry: Geometry) -> Any:
    """A circle around the centre, in columns and rows, whose first pixel has its centre at 0.5 (PS3.3 C.18.6.1.2)."""
    import highdicom

    z, y, x = geometry.to_voxel([[row["x_mm"], row["y_mm"], row["z_mm"]]])[0]
    sop_class, sop_instance, frame = images.at(int(np.clip(np.rint(z), 0, geometry.shape_zyx[0] - 1)))
    radius = row["diameter_mm"] / 2 / geometry.spacing_zyx_mm[2]
    frames = None if frame is None else [frame]
    return highdicom.sr.ImageRegion(
        graphic_type=highdicom.sr.GraphicTypeValues.CIRCLE,
        graphic_data=np.array([[x, y], [x + radius, y]]) + 0.5,
        source_image=highdicom.sr.SourceImageForRegion(sop_class, sop_instance, frames),
    )
