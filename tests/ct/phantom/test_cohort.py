import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from medpipe.ct.ingest import ingest
from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.phantom.cohort import FINDING_COLUMNS, write_cohort
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import DIRECTIONS, plan_cohort
from medpipe.ct.phantom.scan import make_scan, reorient
from medpipe.ct.phantom.writers import write_metaimage

ONE = {"n_patients": 1, "second_scan_fraction": 0.0, "dicom_fraction": 0.0, "healthy_fraction": 0.0}


def _read(cohort: Path, series_uid: str, patient_id: str) -> sitk.Image:
    header = cohort / "luna16" / "subset0" / f"{series_uid}.mhd"
    if header.exists():
        return sitk.ReadImage(str(header))
    return sitk.ReadImage(
        sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(cohort / "dicom" / patient_id / series_uid))
    )


def _mean_hu(image: sitk.Image, xyz_mm: tuple[float, float, float]) -> float:
    x, y, z = image.TransformPhysicalPointToIndex(xyz_mm)
    hu = sitk.GetArrayFromImage(image)
    assert 1 <= z < hu.shape[0] - 1
    return float(hu[z, y - 1 : y + 2, x - 1 : x + 2].mean())


def test_tables_agree_with_the_labels_and_the_files(cohort: Path, small_params: PhantomParams) -> None:
    labels = pd.read_csv(cohort / "phantom_labels.csv")
    base = cohort / "luna16"
    patients = pd.read_csv(base / "patients.csv")
    nodules, excluded = pd.read_csv(base / "annotations.csv"), pd.read_csv(base / "annotations_excluded.csv")
    uids = (base / "seriesuids.csv").read_text(encoding="utf-8").split()
    assert sorted(uids) == sorted(path.stem for path in (base / "subset0").glob("*.mhd"))
    assert list(patients["series_uid"]) == uids
    assert len(excluded)
    assert (excluded["diameter_mm"] == -1).all()
    low, high = small_params.nodule_diameter_mm
    assert nodules["diameter_mm"].between(low, high).all()
    findings = pd.read_csv(cohort / "findings.csv")
    assert list(findings.columns) == FINDING_COLUMNS
    in_dicom = ~labels["series_uid"].isin(uids)
    assert len(labels) == len(nodules) + len(excluded) + in_dicom.sum()
    told = labels[in_dicom | (labels["kind"] == "nodule")]
    assert sorted(findings["finding_id"]) == sorted(told["finding_id"])
    graded = findings.merge(labels[["finding_id", "spiculated"]], on="finding_id")
    assert graded.loc[graded["kind"] == "irrelevant", ["spiculation", "texture_rating"]].isna().all(axis=None)
    nodule = graded[graded["kind"] == "nodule"]
    assert (nodule["spiculation"] == nodule["spiculated"].map({True: 5, False: 1})).all()
    assert (nodule["texture_rating"] == nodule["texture"].map({"ground-glass": 1, "part-solid": 3, "solid": 5})).all()
    assert labels["finding_id"].is_unique
    assert set(labels.loc[labels["kind"] == "nodule", "texture"]) <= {"solid", "part-solid", "ground-glass"}


def test_solid_nodules_are_bright_where_the_tables_say(cohort: Path) -> None:
    labels = pd.read_csv(cohort / "phantom_labels.csv")
    solid = labels[(labels["kind"] == "nodule") & (labels["texture"] == "solid") & (labels["diameter_mm"] > 8)]
    assert {"luna16", "dicom"} <= {
        "luna16" if (cohort / "luna16" / "subset0" / f"{uid}.mhd").exists() else "dicom" for uid in labels["series_uid"]
    }
    assert len(solid) >= 3
    for row in solid.itertuples():
        image = _read(cohort, row.series_uid, row.patient_id)
        assert _mean_hu(image, (row.x_mm, row.y_mm, row.z_mm)) > -150


def test_outlines_are_of_the_size_and_at_the_place_of_the_tables(cohort: Path) -> None:
    labels = pd.read_csv(cohort / "phantom_labels.csv")
    ratios = []
    for (uid, patient_id), part in labels.groupby(["series_uid", "patient_id"]):
        (file,) = cohort.glob(f"*/*/{uid}_seg.nrrd")
        scan, outlines = _read(cohort, uid, patient_id), sitk.ReadImage(str(file))
        assert outlines.GetSize() == scan.GetSize()
        np.testing.assert_allclose(outlines.GetDirection(), scan.GetDirection(), atol=1e-6)
        np.testing.assert_allclose(outlines.GetOrigin(), scan.GetOrigin(), atol=1e-4)
        shapes = sitk.LabelShapeStatisticsImageFilter()
        shapes.Execute(outlines)
        numbers = {int(name.rsplit("-", 1)[1]) + 1: row for name, row in part.set_index("finding_id").iterrows()}
        nodules = {number for number, row in numbers.items() if row["kind"] == "nodule"}
        assert set(shapes.GetLabels()) <= nodules
        assert len(shapes.GetLabels()) == len(nodules)
        for number in shapes.GetLabels():
            row = numbers[number]
            offset = np.linalg.norm(np.subtract(shapes.GetCentroid(number), row[["x_mm", "y_mm", "z_mm"]].to_list()))
            assert offset < 0.3 * row["diameter_mm"]
            if row["attachment"] != "juxtapleural":
                ratios.append(2 * shapes.GetEquivalentSphericalRadius(number) / row["diameter_mm"])
    assert len(ratios) > 5
    assert 0.85 < min(ratios) <= max(ratios) < 1.2
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.07)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_world_coordinates_hold_in_every_orientation(
    small_params: PhantomParams, tmp_path: Path, direction: tuple[tuple[float, float, float], ...]
) -> None:
    scan = _scan_once(small_params)
    write_metaimage(tmp_path / "scan.mhd", reorient(scan.volume, direction))
    image = sitk.ReadImage(str(tmp_path / "scan.mhd"))
    assert np.array_equal(np.reshape(image.GetDirection(), (3, 3)), np.asarray(direction))
    straight = sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS"))
    np.testing.assert_array_equal(straight, scan.volume.array)
    label = max((lb for lb in scan.labels if lb.finding.texture == "solid"), key=lambda lb: lb.finding.diameter_mm)
    assert _mean_hu(image, label.xyz_mm) > -150


def _scan_once(params: PhantomParams, _cache: dict = {}):  # type: ignore[no-untyped-def,type-arg]  # noqa: B006
    if not _cache:
        _cache["scan"] = make_scan(params, plan_cohort(params)[0])
    return _cache["scan"]


def test_dicom_series_is_valid_and_shuffled(cohort: Path) -> None:
    series = next((cohort / "dicom").glob("PHANTOM-*/*/"))
    slices = [pydicom.dcmread(path) for path in sorted(series.glob("*.dcm"))]
    z = np.array([float(s.ImagePositionPatient[2]) for s in slices])
    assert len(np.unique(np.sign(np.diff(z)))) == 2
    gaps = np.diff(np.sort(z))
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-4)
    assert len({s.SOPInstanceUID for s in slices}) == len(slices)
    assert {s.SeriesInstanceUID for s in slices} == {series.name}
    assert slices[0].PatientID == series.parent.name
    hu = slices[0].pixel_array * slices[0].RescaleSlope + slices[0].RescaleIntercept
    assert -2048 <= hu.min() < -800


def test_nothing_is_made_twice_and_the_broken_is_made_again(
    cohort: Path, small_params: PhantomParams, tmp_path: Path
) -> None:
    copy = tmp_path / "cohort"
    shutil.copytree(cohort, copy)
    raws = sorted((copy / "luna16" / "subset0").glob("*.raw"))
    broken, whole = raws[0], raws[1]
    content, stamp = broken.read_bytes(), whole.stat().st_mtime_ns
    broken.write_bytes(content[: len(content) // 2])
    (copy / "luna16" / "subset0" / ".tmp-killed").mkdir()
    write_cohort(copy, small_params, n_jobs=1)
    assert broken.read_bytes() == content
    assert whole.stat().st_mtime_ns == stamp
    assert not (copy / "luna16" / "subset0" / ".tmp-killed").exists()


def test_scan_without_its_record_is_made_again(small_params: PhantomParams, tmp_path: Path) -> None:
    params = small_params.model_copy(update=ONE)
    write_cohort(tmp_path, params, n_jobs=1)
    record = next((tmp_path / ".scans").glob("*.json"))
    record.write_text('{"digest": ', encoding="utf-8")
    raw = next((tmp_path / "luna16" / "subset0").glob("*.raw"))
    before = raw.read_bytes()
    raw.unlink()
    write_cohort(tmp_path, params, n_jobs=1)
    assert raw.read_bytes() == before
    assert not (tmp_path / "dicom").exists()


def test_other_parameters_replace_the_scans(cohort: Path, small_params: PhantomParams, tmp_path: Path) -> None:
    copy = tmp_path / "cohort"
    shutil.copytree(cohort, copy)
    (copy / "luna16" / "subset0" / "2.25.1.mhd").touch()  # written by a run that was killed before its record
    write_cohort(copy, small_params.model_copy(update={"n_patients": 1}), n_jobs=1)
    left = {path.stem for path in (copy / "luna16" / "subset0").glob("*.mhd")}
    assert left == {plan.series_uid for plan in plan_cohort(small_params) if plan.patient == 0}
    assert not list((copy / "dicom").glob("PHANTOM-*/*"))
    assert set(pd.read_csv(copy / "findings.csv")["series_uid"]) <= left
    assert {path.name.removesuffix("_seg.nrrd") for path in copy.glob("*/*/*_seg.nrrd")} == left


def test_workers_write_what_this_process_makes(cohort: Path, small_params: PhantomParams) -> None:
    scan = _scan_once(small_params)
    raw = cohort / "luna16" / "subset0" / f"{scan.plan.series_uid}.raw"
    written = np.fromfile(raw, dtype="<i2").reshape(scan.volume.array.shape)
    np.testing.assert_array_equal(written, scan.volume.array)


def test_intake_knows_all_that_the_generator_wrote(cohort: Path, tmp_path: Path) -> None:
    params = IngestCTParams(n_jobs=1, gate=GateParams(min_extent_mm=30.0))
    intake = ingest(cohort, params, tmp_path / "masks", tmp_path / "identity")
    labels = pd.read_csv(cohort / "phantom_labels.csv")
    assert len(intake.nodules) == len(labels)
    nodules = intake.nodules[intake.nodules["kind"] == "nodule"]
    assert nodules[["texture", "spiculation", "texture_rating", "diameter_mm"]].notna().all(axis=None)
    assert nodules["has_mask"].all()
    assert intake.scans["accepted"].all()
