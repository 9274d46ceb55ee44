from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import rtstruct
from medpipe.ct.labels.base import Finding, LabelError, finding_of_mask
from medpipe.ct.params import IngestCTParams, LabelParams
from medpipe.ct.readers.base import ScanRef
from tests.ct.labels.shapes import CENTRES_ZYX, GRIDS, RADIUS_MM, check_balls, files_in, run
from tests.ct.labels.test_dicom_seg import FRAME_UID, SERIES_UID, write_series

AXIAL = GRIDS["axial"]
Contours = Sequence[tuple[str, NDArray[np.float64]]]


def sequence_item(**values: Any) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def write_rtstruct(file: Path, regions: dict[str, Contours], series_uid: str | None = SERIES_UID) -> Path:
    """A structure set; contours are (type, world points n x 3)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[file.name])
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    data.Modality, data.PatientID, data.SeriesInstanceUID = "RTSTRUCT", "patient", "1.2.826.0.1.9.4"
    frame = sequence_item(FrameOfReferenceUID=FRAME_UID)
    if series_uid is not None:
        series = sequence_item(SeriesInstanceUID=series_uid)
        frame.RTReferencedStudySequence = [sequence_item(RTReferencedSeriesSequence=[series])]
    data.ReferencedFrameOfReferenceSequence = [frame]
    data.StructureSetROISequence = [
        sequence_item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=FRAME_UID)
        for number, name in enumerate(regions, start=1)
    ]
    data.ROIContourSequence = [
        sequence_item(
            ReferencedROINumber=number,
            ContourSequence=[
                sequence_item(
                    ContourGeometricType=kind,
                    NumberOfContourPoints=len(points),
                    ContourData=[f"{value:.6f}" for value in np.ravel(points)],
                )
                for kind, points in contours
            ],
        )
        for number, contours in enumerate(regions.values(), start=1)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(file)
    return file


def circle(geometry: Geometry, k: float, centre_zyx: NDArray[np.float64], radius_mm: float) -> NDArray[np.float64]:
    """World points of a circle in the plane of a slice."""
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    _, dy, dx = geometry.spacing_zyx_mm
    y = centre_zyx[1] + radius_mm / dy * np.sin(angles)
    x = centre_zyx[2] + radius_mm / dx * np.cos(angles)
    return geometry.to_world(np.column_stack([np.full(len(angles), k), y, x]))


def ball_contours(
    geometry: Geometry,
    centre_zyx: NDArray[np.float64],
    slices: NDArray[np.float64] | None = None,
    radius: float = RADIUS_MM,
) -> list[tuple[str, NDArray[np.float64]]]:
    slices = np.arange(geometry.shape_zyx[0], dtype=float) if slices is None else slices
    apart = (slices - centre_zyx[0]) * geometry.spacing_zyx_mm[0]
    return [
        ("CLOSED_PLANAR", circle(geometry, k, centre_zyx, float(np.sqrt(radius**2 - mm**2))))
        for k, mm in zip(slices, apart, strict=True)
        if abs(mm) < radius
    ]


def find(raw: Path, scans: list[ScanRef], **labels: Any) -> dict[str, list[Finding]]:
    jobs = rtstruct.discover(raw, files_in(raw), scans, IngestCTParams(labels=LabelParams(**labels)))
    geometry = {scan.series_uid: scan.geometry for scan in scans}
    return {uid: run(found, geometry[uid]) for uid, found in jobs.items()}


def scan_of(geometry: Geometry = AXIAL) -> ScanRef:
    return ScanRef(SERIES_UID, "p", "dicom", "case/ct", geometry)


def found_in(tmp_path: Path, contours: Contours, geometry: Geometry = AXIAL) -> list[Finding]:
    file = write_rtstruct(tmp_path / "r.dcm", {"GTV": contours})
    return rtstruct.findings_of_rtstruct(file, geometry, LabelParams())


def test_balls_are_found_where_they_are(tmp_path: Path, grid: Geometry):
    scan = write_series(tmp_path / "ct", grid)
    regions = {f"Nodule {n}": ball_contours(grid, centre)[::-1] for n, centre in enumerate(CENTRES_ZYX)}
    write_rtstruct(tmp_path / "deep" / "any name", regions | {"Heart": ball_contours(grid, CENTRES_ZYX[0])})
    found = find(tmp_path, [scan])[SERIES_UID]
    assert scan.geometry is not None
    check_balls(found, scan.geometry, wrong=0.01)
    assert [item.label for item in found] == ["Nodule 0", "Nodule 1"]


def test_slices_against_the_normal_give_the_same(tmp_path: Path):
    """A stack stored from head to foot: the third axis points down."""
    down = replace(AXIAL, direction=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)))
    write_rtstruct(tmp_path / "r.dcm", {"GTV": [c for centre in CENTRES_ZYX for c in ball_contours(down, centre)]})
    check_balls(find(tmp_path, [scan_of(down)])[SERIES_UID], down, wrong=0.01)


@pytest.mark.parametrize("step", [0.3, 0.5, 2.0, 3.0])
def test_outlines_finer_or_coarser_than_the_slices_keep_the_volume(tmp_path: Path, step: float):
    """Contours drawn on a series with another distance of slices in the same frame of reference."""
    (found,) = found_in(tmp_path, ball_contours(AXIAL, CENTRES_ZYX[0], np.arange(0.2, 24, step)))
    assert found.diameter_mm == pytest.approx(2 * RADIUS_MM, rel=0.06)
    assert np.abs(AXIAL.to_voxel([found.centre_xyz_mm])[0] - CENTRES_ZYX[0]).max() < 0.6


def test_outlines_midway_between_slices_are_not_counted_twice(tmp_path: Path):
    square = [("CLOSED_PLANAR", circle(AXIAL, k, CENTRES_ZYX[0], 5.0)) for k in (3.5, 4.5, 5.5)]
    (found,) = found_in(tmp_path, square)
    assert found.mask is not None
    assert len(found.mask.voxels) == 3


@pytest.mark.parametrize("keyhole", [False, True], ids=["nested", "keyhole"])
def test_holes_are_cut_by_both_ways_of_writing_them(tmp_path: Path, keyhole: bool):
    middle = np.array([5.0, 20.1, 20.1])
    outer, inner = circle(AXIAL, 5, middle, 9.0), circle(AXIAL, 5, middle, 4.0)
    if keyhole:
        path = np.concatenate([outer, outer[:1], inner[:1], inner[::-1], outer[:1]])
        (found,) = found_in(tmp_path, [("CLOSED_PLANAR", path)])
    else:
        (found,) = found_in(tmp_path, [("CLOSEDPLANAR_XOR", outer), ("CLOSEDPLANAR_XOR", inner)])
    assert found.mask is not None
    area_mm2 = found.mask.voxels.sum() * 1.2 * 1.0
    assert area_mm2 == pytest.approx(np.pi * (9.0**2 - 4.0**2), rel=0.03)


def test_two_parts_in_one_slice_are_one_region_or_two_findings(tmp_path: Path):
    parts = [("CLOSED_PLANAR", circle(AXIAL, 5, np.array([5.0, 20, x]), 5.0)) for x in (8.0, 30.0)]
    assert len(found_in(tmp_path, parts)) == 2
    write_rtstruct(tmp_path / "r.dcm", {"GTV": parts})
    assert len(find(tmp_path, [scan_of()], split_components=False)[SERIES_UID]) == 1


def test_a_leaning_stack_is_drawn_on(tmp_path: Path):
    step = np.array([0.0, 2.0 * np.tan(0.3), 2.0])
    length = float(np.linalg.norm(step))
    axes = np.column_stack([[1, 0, 0], [0, 1, 0], step / length])
    leaning = replace(AXIAL, spacing_zyx_mm=(length, 1.2, 1.0), direction=tuple(map(tuple, axes.tolist())))
    middle = leaning.to_world(CENTRES_ZYX[:1])[0]
    outlines = []
    for k in range(24):
        z = leaning.to_world([(k, 0, 0)])[0, 2]
        if (radius := RADIUS_MM**2 - (z - middle[2]) ** 2) > 0:
            angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
            x, y = (middle[axis] + np.sqrt(radius) * turn(angles) for axis, turn in enumerate((np.cos, np.sin)))
            outlines.append(("CLOSED_PLANAR", np.column_stack([x, y, np.full(360, z)])))
    (found,) = found_in(tmp_path, outlines, leaning)
    assert found.diameter_mm == pytest.approx(2 * RADIUS_MM, rel=0.015)
    assert np.abs(np.subtract(found.centre_xyz_mm, middle)).max() < 0.5
    assert found.mask is not None
    assert finding_of_mask(found.mask, leaning).diameter_mm == found.diameter_mm


def test_points_and_what_lies_outside_keep_their_place(tmp_path: Path):
    seed, outside = (
        AXIAL.to_world([(5, 6, 7)]),
        ball_contours(AXIAL, np.array([100.0, 20.0, 20.0]), np.arange(96.0, 105)),
    )
    first, second = found_in(tmp_path, [("POINT", seed), *outside])
    assert first == Finding(tuple(np.round(seed[0], 6).tolist()), label="GTV")
    assert second.mask is None
    assert not AXIAL.contains([second.centre_xyz_mm])[0]


def test_an_outline_smaller_than_a_pixel_keeps_its_place(tmp_path: Path):
    (found,) = found_in(tmp_path, [("CLOSED_PLANAR", circle(AXIAL, 5, np.array([5.0, 20.5, 20.5]), 0.2))])
    assert found.mask is None
    assert AXIAL.to_voxel([found.centre_xyz_mm])[0] == pytest.approx([5.0, 20.5, 20.5], abs=1e-3)


def test_open_outlines_enclose_nothing(tmp_path: Path):
    assert found_in(tmp_path, [("OPEN_PLANAR", circle(AXIAL, 5, CENTRES_ZYX[0], 5.0))]) == []


@pytest.mark.parametrize(("series", "found"), [(SERIES_UID, True), (None, True), ("1.2.9", True)])
def test_a_structure_set_finds_its_series(tmp_path: Path, series: str | None, found: bool):
    """By the series that it names, or else by its frame of reference."""
    scans = [write_series(tmp_path / "ct", AXIAL), write_series(tmp_path / "other", AXIAL, "1.2.826.7", "1.2.826.8")]
    write_rtstruct(tmp_path / "r", {"GTV": ball_contours(AXIAL, CENTRES_ZYX[0])}, series)
    assert set(find(tmp_path, scans)) == {SERIES_UID}


def test_regions_are_chosen_by_the_pattern(tmp_path: Path):
    names = ("Left Lung", "GTV-1", "external", "lung metastasis")
    write_rtstruct(tmp_path / "r", {name: ball_contours(AXIAL, CENTRES_ZYX[0]) for name in names})
    assert [item.label for item in find(tmp_path, [scan_of()])[SERIES_UID]] == ["GTV-1", "lung metastasis"]
    assert [item.label for item in find(tmp_path, [scan_of()], pattern="^left")[SERIES_UID]] == ["Left Lung"]
    assert find(tmp_path, [scan_of()], pattern="liver") == {}


@pytest.mark.filterwarnings("ignore:.*VR DS")
@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.full((4, 3), np.nan), "list of places"),
        (np.zeros((1, 2)), "list of places"),
        (np.array([(0, 20, -110), (5, 20, -110), (5, 25, -80)]), "do not lie in slices"),
        (np.full((4, 3), 1e30), "far from the scan"),
    ],
    ids=["no-number", "pairs", "tilted", "far"],
)
def test_damaged_outlines_are_told_without_names(tmp_path: Path, points: NDArray[np.float64], words: str):
    file = write_rtstruct(tmp_path / "Doe", {"GTV": [("CLOSED_PLANAR", points)]})
    with pytest.raises(LabelError, match=words) as caught:
        rtstruct.findings_of_rtstruct(file, AXIAL, LabelParams())
    assert "Doe" not in str(caught.value)


def test_a_cut_header_fails_the_series_beside_it(tmp_path: Path):
    file = write_rtstruct(tmp_path / "case" / "rt" / "r", {"GTV": ball_contours(AXIAL, CENTRES_ZYX[0])})
    file.write_bytes(file.read_bytes()[:420])
    jobs = rtstruct.discover(
        tmp_path, [file], [scan_of(), replace(scan_of(), series_uid="1.2", path="far")], IngestCTParams()
    )
    assert set(jobs) == {SERIES_UID}
    with pytest.raises(LabelError, match="beside the series"):
        run(jobs[SERIES_UID], AXIAL)


def test_a_structure_set_that_was_cut_is_never_read_in_part(tmp_path: Path):
    file = write_rtstruct(tmp_path / "case" / "r", {"GTV": ball_contours(AXIAL, CENTRES_ZYX[0])})
    whole = file.read_bytes()
    for end in np.linspace(350, len(whole) - 2, 60, dtype=int):
        file.write_bytes(whole[:end])
        with pytest.raises(LabelError):
            find(tmp_path, [scan_of()])
