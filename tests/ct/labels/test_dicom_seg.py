from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import dicom_seg
from medpipe.ct.labels.base import Finding, LabelError
from medpipe.ct.params import IngestCTParams, LabelParams
from medpipe.ct.readers import dicom
from medpipe.ct.readers.base import ScanRef
from tests.ct.labels.shapes import CENTRES_ZYX, GRIDS, SHAPE, ball, check_balls, files_in, run, scan_with_balls
from tests.ct.scans import write_dicom

AXIAL = GRIDS["axial"]
FRAME_UID, STUDY_UID, SERIES_UID = "1.2.826.0.1.9.1", "1.2.826.0.1.9.2", "1.2.826.0.1.9.3"
SEG_TYPES = ["BINARY", "FRACTIONAL", "LABELMAP"]


def write_series(folder: Path, geometry: Geometry, series_uid: str = SERIES_UID, frame_uid: str = FRAME_UID) -> ScanRef:
    """A CT series with all that a segmentation refers to, as the reader of DICOM finds it."""
    study = {"StudyInstanceUID": STUDY_UID, "StudyDate": "", "StudyTime": "", "StudyID": "", "AccessionNumber": ""}
    patient = {"PatientName": "", "PatientBirthDate": "", "PatientSex": "", "ReferringPhysicianName": ""}
    write_dicom(
        folder, scan_with_balls(geometry), series_uid, **study, **patient, FrameOfReferenceUID=frame_uid,
        SeriesNumber=1, InstanceNumber=lambda k: k + 1, SliceThickness=geometry.spacing_zyx_mm[0],
    )  # fmt: skip
    params = IngestCTParams(n_jobs=1, gate={"min_extent_mm": 0.0})
    (scan,) = dicom.discover(folder.parent, files_in(folder), params)
    assert scan.rejection is None
    assert scan.geometry is not None
    return scan


def write_seg(
    file: Path,
    series: Path,
    masks: np.ndarray,
    kind: str = "BINARY",
    labels: tuple[str, ...] = ("Nodule 1", "Nodule 2"),
    **more: Any,
) -> Any:
    """A segmentation by highdicom over the slices of a series in the order of their place; masks (z, y, x, segment)."""
    sources = [pydicom.dcmread(path) for path in files_in(series)]
    normal = np.cross(sources[0].ImageOrientationPatient[:3], sources[0].ImageOrientationPatient[3:])
    sources.sort(key=lambda data: float(np.dot(data.ImagePositionPatient, normal)))
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm if "type" in label else codes.SCT.Lung,
            algorithm_type="MANUAL",
        )
        for number, label in enumerate(labels, start=1)
    ]
    if kind == "LABELMAP":
        masks = (masks * np.arange(1, masks.shape[-1] + 1)).max(axis=-1)
    seg = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=masks.astype(np.float32 if kind == "FRACTIONAL" else np.uint8),
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=highdicom.UID(),
        series_number=2,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="maker",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="1",
        **more,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    seg.save_as(file)
    return seg


def two_balls(geometry: Geometry) -> np.ndarray:
    return np.stack([ball(geometry, centre, geometry) for centre in CENTRES_ZYX], axis=-1)


def find(raw: Path, scans: list[ScanRef], **labels: Any) -> dict[str, list[Finding]]:
    jobs = dicom_seg.discover(raw, files_in(raw), scans, IngestCTParams(labels=LabelParams(**labels)))
    geometry = {scan.series_uid: scan.geometry for scan in scans}
    return {uid: run(found, geometry[uid]) for uid, found in jobs.items()}


def shuffle_frames(file: Path) -> None:
    """The frames of a segmentation in another order, with their pixels."""
    data = pydicom.dcmread(file)
    order = np.random.default_rng(0).permutation(int(data.NumberOfFrames))
    frames = data.pixel_array[order]
    data.PerFrameFunctionalGroupsSequence = [data.PerFrameFunctionalGroupsSequence[index] for index in order]
    flat = np.packbits(frames.ravel(), bitorder="little") if data.BitsAllocated == 1 else frames
    content = flat.tobytes()
    data.PixelData = content + b"\0" * (len(content) % 2)
    data.save_as(file)


@pytest.mark.parametrize("kind", SEG_TYPES)
@pytest.mark.parametrize("shuffled", [False, True], ids=["ordered", "shuffled"])
def test_balls_are_found_where_they_are(tmp_path: Path, grid: Geometry, kind: str, shuffled: bool):
    scan = write_series(tmp_path / "ct", grid)
    write_seg(tmp_path / "seg" / "any name", tmp_path / "ct", two_balls(grid), kind)
    if shuffled:
        shuffle_frames(tmp_path / "seg" / "any name")
    found = find(tmp_path, [scan])[SERIES_UID]
    assert scan.geometry is not None
    check_balls(found, scan.geometry)
    assert [item.label for item in found] == ["Nodule 1", "Nodule 2"]


def test_half_of_the_largest_value_is_inside(tmp_path: Path):
    scan = write_series(tmp_path / "ct", AXIAL)
    soft = np.zeros((*SHAPE, 1), np.float32)
    soft[3, 3, 3:8, 0] = [0.2, 0.45, 0.55, 0.7, 1.0]
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", soft, "FRACTIONAL", ("Nodule",))
    (found,) = find(tmp_path, [scan])[SERIES_UID]
    assert found.mask is not None
    assert (found.mask.start_zyx, found.mask.voxels.shape) == ((3, 3, 5), (1, 1, 3))


def test_segments_are_chosen_by_label_or_type(tmp_path: Path):
    scan = write_series(tmp_path / "ct", AXIAL)
    masks = two_balls(AXIAL)
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", masks, labels=("Left lung", "marked by its type"))
    (found,) = find(tmp_path, [scan])[SERIES_UID]
    assert found.label == "marked by its type"
    check_balls([found], AXIAL, CENTRES_ZYX[1:])
    assert len(find(tmp_path, [scan], pattern="left")[SERIES_UID]) == 1
    assert find(tmp_path, [scan], pattern="heart") == {}


@pytest.mark.parametrize(("split", "count"), [(True, 2), (False, 1)])
def test_parts_of_a_segment_are_split_by_parameter(tmp_path: Path, split: bool, count: int):
    scan = write_series(tmp_path / "ct", AXIAL)
    both = two_balls(AXIAL).any(axis=-1, keepdims=True)
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", both, labels=("Nodules",))
    assert len(find(tmp_path, [scan], split_components=split)[SERIES_UID]) == count


def test_two_single_frames_far_apart_stay_thin(tmp_path: Path):
    scan = write_series(tmp_path / "ct", AXIAL)
    masks = np.zeros((*SHAPE, 1), bool)
    masks[[4, 20], 10:14, 10:14] = True
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", masks, labels=("Nodules",))
    found = find(tmp_path, [scan])[SERIES_UID]
    assert [item.mask.start_zyx for item in found if item.mask] == [(4, 10, 10), (20, 10, 10)]
    assert [item.mask.voxels.shape for item in found if item.mask] == [(1, 4, 4)] * 2


def test_a_segmentation_on_another_grid_is_looked_up(tmp_path: Path):
    """Frames across the CT's slices, twice as fine, in the same frame of reference."""
    scan = write_series(tmp_path / "ct", AXIAL)
    sagittal = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    fine = Geometry((30, 30, 30), (0.8, 0.8, 0.8), direction=sagittal)
    shift = AXIAL.to_world(CENTRES_ZYX[:1])[0] - fine.to_world([(14.5, 14.5, 14.5)])[0]
    fine = replace(fine, origin_xyz_mm=tuple(shift.tolist()))
    positions = [
        highdicom.PlanePositionSequence("PATIENT", [round(value, 9) for value in fine.to_world([(k, 0, 0)])[0]])
        for k in range(30)
    ]
    axes = np.asarray(fine.direction)
    write_seg(
        tmp_path / "s.dcm", tmp_path / "ct", ball(fine, CENTRES_ZYX[0], AXIAL)[..., None], labels=("Nodule",),
        plane_positions=positions,
        plane_orientation=highdicom.PlaneOrientationSequence("PATIENT", [*axes[:, 0], *axes[:, 1]]),
        pixel_measures=highdicom.PixelMeasuresSequence([0.8, 0.8], slice_thickness=0.8),
    )  # fmt: skip
    check_balls(find(tmp_path, [scan])[SERIES_UID], AXIAL, CENTRES_ZYX[:1], wrong=0.12)


def changed(file: Path, change: Any) -> None:
    data = pydicom.dcmread(file)
    change(data)
    data.save_as(file)


def without_derivation(data: Any) -> None:
    for group in data.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence


def referring_to(data: Any, *, series: str | None, slices: bool, frame: str) -> None:
    if series is None:
        del data.ReferencedSeriesSequence
    else:
        data.ReferencedSeriesSequence[0].SeriesInstanceUID = series
    if not slices and series is not None:
        del data.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    data.FrameOfReferenceUID = frame
    without_derivation(data)


@pytest.mark.parametrize(
    ("series", "slices", "frame", "expected"),
    [
        (SERIES_UID, False, "9.9", {SERIES_UID}),
        ("1.2.9", True, "9.9", {SERIES_UID}),
        ("1.2.9", False, FRAME_UID, {SERIES_UID}),
        (None, False, FRAME_UID, {SERIES_UID}),
        ("1.2.9", False, "9.9", set()),
    ],
    ids=["series", "slices", "frame-of-reference", "only-frame-of-reference", "none"],
)
def test_a_segmentation_finds_its_series(
    tmp_path: Path, series: str | None, slices: bool, frame: str, expected: set[str]
):
    scans = [write_series(tmp_path / "ct", AXIAL), write_series(tmp_path / "other", AXIAL, "1.2.826.7", "1.2.826.8")]
    write_seg(tmp_path / "deep" / "s.dcm", tmp_path / "ct", two_balls(AXIAL))
    changed(tmp_path / "deep" / "s.dcm", partial(referring_to, series=series, slices=slices, frame=frame))
    assert set(find(tmp_path, scans)) == expected


def test_a_scan_of_another_reader_is_found_by_its_series_uid(tmp_path: Path):
    write_series(tmp_path / "ct", AXIAL)
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", two_balls(AXIAL))
    check_balls(find(tmp_path, [ScanRef(SERIES_UID, "p", "luna16", "a.mhd", AXIAL)])[SERIES_UID], AXIAL)


def test_copies_of_a_segmentation_count_once(tmp_path: Path):
    scan = write_series(tmp_path / "ct", AXIAL)
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", two_balls(AXIAL))
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "s.dcm").read_bytes())
    assert len(find(tmp_path, [scan])[SERIES_UID]) == 2


def far_frame(data: Any) -> None:
    data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = [0, 0, 1.234567e5]


def no_frame(data: Any) -> None:
    del data.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence


def no_groups(data: Any) -> None:
    del data.PerFrameFunctionalGroupsSequence


def short(data: Any) -> None:
    data.PixelData = data.PixelData[:100]


def huge(data: Any) -> None:
    data.Rows = data.Columns = 65535


def elsewhere(data: Any) -> None:
    for group in data.PerFrameFunctionalGroupsSequence:
        position = group.PlanePositionSequence[0]
        position.ImagePositionPatient = [position.ImagePositionPatient[0] + 900, *position.ImagePositionPatient[1:]]


@pytest.mark.parametrize("damage", [no_frame, no_groups, short, huge, elsewhere])
def test_a_damaged_segmentation_is_told_without_names(tmp_path: Path, damage: Any):
    scan = write_series(tmp_path / "ct", AXIAL)
    write_seg(tmp_path / "Doe.dcm", tmp_path / "ct", two_balls(AXIAL))
    changed(tmp_path / "Doe.dcm", damage)
    with pytest.raises(LabelError) as caught:
        find(tmp_path, [scan])
    assert "Doe" not in str(caught.value)


def test_a_frame_far_away_is_no_reason_to_fill_the_memory(tmp_path: Path):
    scan = write_series(tmp_path / "ct", AXIAL)
    write_seg(tmp_path / "s.dcm", tmp_path / "ct", two_balls(AXIAL))
    changed(tmp_path / "s.dcm", far_frame)
    with pytest.raises(LabelError):
        find(tmp_path, [scan])


def test_a_cut_header_fails_the_series_beside_it(tmp_path: Path):
    scans = [write_series(tmp_path / "a" / "ct", AXIAL), write_series(tmp_path / "b" / "ct", AXIAL, "1.2.826.7")]
    scans = [replace(scan, path=f"{name}/ct") for scan, name in zip(scans, "ab", strict=True)]
    write_seg(tmp_path / "a" / "seg" / "s.dcm", tmp_path / "a" / "ct", two_balls(AXIAL))
    file = tmp_path / "a" / "seg" / "s.dcm"
    file.write_bytes(file.read_bytes()[:460])
    jobs = dicom_seg.discover(tmp_path, files_in(tmp_path), scans, IngestCTParams())
    assert set(jobs) == {SERIES_UID}
    with pytest.raises(LabelError, match="beside the series"):
        run(jobs[SERIES_UID], AXIAL)


@pytest.mark.parametrize("kind", SEG_TYPES)
def test_a_segmentation_that_was_cut_is_never_read_in_part(tmp_path: Path, kind: str):
    scan = replace(write_series(tmp_path / "case" / "ct", AXIAL), path="case/ct")
    write_seg(tmp_path / "case" / "s", tmp_path / "case" / "ct", two_balls(AXIAL), kind)
    whole = (tmp_path / "case" / "s").read_bytes()
    for end in np.linspace(350, len(whole) - 1, 40, dtype=int):
        (tmp_path / "case" / "s").write_bytes(whole[:end])
        jobs = dicom_seg.discover(tmp_path, [tmp_path / "case" / "s"], [scan], IngestCTParams())
        with pytest.raises(LabelError):
            run(jobs[SERIES_UID], AXIAL)
