"""Sources that are no plain DICOM series: tilted, multi-frame, no DICOM at all."""

from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from medpipe.ct.components import label
from medpipe.ct.geometry import Geometry
from medpipe.ct.ingest import ingest
from medpipe.ct.labels import dicom_seg, label_maps
from medpipe.ct.labels.base import LesionMask, cropped
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.ct.params import GateParams, IngestCTParams, LabelParams, PreprocessParams
from medpipe.ct.preprocess import preprocess
from medpipe.ct.readers import dicom
from medpipe.nodules.findings.export.source import open_source
from medpipe.nodules.findings.export.write import write_findings
from medpipe.nodules.findings.instances import INSTANCE_DTYPES
from medpipe.nodules.segmentation.sizes import mask_sizes
from tests.ct.labels.shapes import files_in, scan_with_balls
from tests.ct.scans import write_dicom, write_mhd
from tests.nodules.findings.conftest import ALGORITHM, Case
from tests.nodules.findings.test_export import check_findings, export
from tests.nodules.findings.test_grid import LEANING, STORED, stored_ball

STUDY = {
    "StudyInstanceUID": "1.2.826.0.1.9.2", "FrameOfReferenceUID": "1.2.826.0.1.9.1", "SeriesNumber": 1,
    "SliceThickness": 2.5,
}  # fmt: skip


def location(path: Path, uid: str, reader: str) -> pd.DataFrame:
    return pd.DataFrame([{"series_uid": uid, "source_series_uid": uid, "reader": reader, "path": path.name}])


def instance_of(uid: str, mask: LesionMask, geometry: Geometry) -> pd.DataFrame:
    centre = geometry.to_world([np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx])[0]
    row = {
        "finding_id": f"{uid}-001", "series_uid": uid, **dict(zip(("x_mm", "y_mm", "z_mm"), centre, strict=True)),
        "diameter_mm": 12.0, "probability": 0.9, "alarm": True, "mask_number": 1,
        **mask_sizes(mask.voxels, geometry), "class_probability": np.nan,
    }  # fmt: skip
    return pd.DataFrame([row])[list(INSTANCE_DTYPES)].astype(INSTANCE_DTYPES)


def one_ball(uid: str, folder: Path) -> tuple[pd.DataFrame, MaskStore]:
    mask = stored_ball(6.0)
    write_masks(folder, uid, STORED, {1: mask})
    return instance_of(uid, mask, STORED), MaskStore(folder)


def test_a_tilted_series(tmp_path: Path):
    """The segmentation keeps the slices' own places; the label map, which no shear can be told in, is upright."""
    write_dicom(tmp_path / "raw" / "ct", scan_with_balls(LEANING), "1.2.3", **STUDY)
    instances, masks = one_ball("1.2.3", tmp_path / "masks")
    locations = location(tmp_path / "raw" / "ct", "1.2.3", "dicom")
    table, _ = write_findings(tmp_path / "raw", locations, ["1.2.3"], instances, masks, ALGORITHM, tmp_path / "out")
    ((_, row),) = table.iterrows()
    assert "slant" in row["note"]
    geometry = open_source(tmp_path / "raw", locations.iloc[0].to_dict()).geometry
    assert not geometry.is_orthogonal
    check_findings(
        dicom_seg.findings_of_seg(tmp_path / "out" / row["segmentation"], geometry, LabelParams()), instances
    )
    image = sitk.ReadImage(str(tmp_path / "out" / row["label_map"]))
    index = np.argwhere(sitk.GetArrayFromImage(image)).mean(axis=0)[::-1]
    world = image.TransformContinuousIndexToPhysicalPoint(index.tolist())
    np.testing.assert_allclose(world, instances[["x_mm", "y_mm", "z_mm"]].to_numpy()[0], atol=0.5)


def test_a_multi_frame_series(dicom_case: Case, tmp_path: Path):
    """The same series as one enhanced file, whose frames run from head to feet."""
    slices = [pydicom.dcmread(file) for file in dicom_case.raw.rglob("*.dcm")]
    slices.sort(key=lambda data: -data.ImagePositionPatient[2])
    uid = str(slices[0].SeriesInstanceUID)
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(slices, uid, 1, highdicom.UID(), 1)
    (tmp_path / "raw" / "ct").mkdir(parents=True)
    enhanced.save_as(tmp_path / "raw" / "ct" / "all")
    (scan,) = dicom.discover(
        tmp_path / "raw", files_in(tmp_path / "raw"), IngestCTParams(n_jobs=1, gate=GateParams(min_extent_mm=50.0))
    )
    assert scan.rejection is None
    case = replace(dicom_case, raw=tmp_path / "raw", locations=location(Path("ct"), uid, "dicom"))
    table, written = export(case, tmp_path / "out")
    ((_, row),) = table.iterrows()
    assert pd.isna(row["note"])
    assert scan.geometry is not None
    seg = tmp_path / "out" / row["segmentation"]
    check_findings(dicom_seg.findings_of_seg(seg, scan.geometry, LabelParams()), case.instances)
    assert set(written.table()["sop_instance_uid"]) == {str(enhanced.SOPInstanceUID)}
    for _, finding in written.table().iterrows():
        frame = enhanced.PerFrameFunctionalGroupsSequence[finding["frame"] - 1]
        assert frame.PlanePositionSequence[0].ImagePositionPatient[2] == pytest.approx(finding["z_mm"], abs=1.0 + 1e-3)


def test_a_source_that_is_no_dicom(tmp_path: Path):
    source = Geometry((40, 70, 60), (2.0, 1.2, 1.1), (-38.0, 80.0, -128.0), ((1.0, 0, 0), (0, -1.0, 0), (0, 0, 1.0)))
    write_mhd(tmp_path / "raw" / "case.mhd", scan_with_balls(source))
    instances, masks = one_ball("case", tmp_path / "masks")
    locations = location(Path("case.mhd"), "case", "luna16")
    table, written = write_findings(
        tmp_path / "raw", locations, ["case"], instances, masks, ALGORITHM, tmp_path / "out"
    )
    ((_, row),) = table.iterrows()
    assert pd.isna(row["segmentation"])
    assert "not DICOM" in row["note"]
    label_map = tmp_path / "out" / row["label_map"]
    check_findings(label_maps.findings_of_map(label_map, source, LabelParams()), instances)
    assert sitk.ReadImage(str(label_map)).GetDirection() == (1, 0, 0, 0, -1, 0, 0, 0, 1)
    assert written.table()["sop_instance_uid"].isna().all()


def test_a_real_nodule_goes_to_the_segmentation_and_back(shared_data: Path, tmp_path: Path):
    """The outline that four radiologists made of a nodule of 23 mm, prepared at 1.5 mm and brought back to its scan."""
    raw = shared_data / "lidc" / "LIDC-IDRI-0001"
    intake = ingest(raw, IngestCTParams(n_jobs=1), tmp_path / "labels", tmp_path / "identity")
    params = PreprocessParams(spacing_mm=1.5, n_jobs=1)
    store = preprocess(raw, intake.scans, intake.locations, intake.masks, params, tmp_path / "store")
    (uid,) = store.series_uids
    scan, nodules = store.open(uid), intake.nodules[intake.nodules["has_mask"]]
    number = int(nodules.sort_values("diameter_mm")["finding_id"].iloc[-1].rpartition("/")[2])
    assert scan.labels is not None
    parts, sizes = label(np.asarray(scan.labels[:]) == number)
    mask = cropped(parts == sizes.argmax())  # without the specks that the coarser grid made at the outline's spikes
    write_masks(tmp_path / "masks", uid, scan.geometry, {1: mask})
    row = instance_of(uid, mask, scan.geometry)
    table, _ = write_findings(
        raw, intake.locations, [uid], row, MaskStore(tmp_path / "masks"), ALGORITHM, tmp_path / "out"
    )
    geometry, outlined = intake.masks.read(uid)
    seg = tmp_path / "out" / table["segmentation"].iloc[0]
    (found,) = dicom_seg.findings_of_seg(seg, geometry, LabelParams())
    check_findings([found], row)
    truth = outlined[number]
    expected, written = np.zeros(geometry.shape_zyx, bool), np.zeros(geometry.shape_zyx, bool)
    for array, outline in ((expected, truth), (written, found.mask)):
        box = tuple(slice(a, a + n) for a, n in zip(outline.start_zyx, outline.voxels.shape, strict=True))
        array[box] = outline.voxels
    dice = 2 * np.count_nonzero(expected & written) / (np.count_nonzero(expected) + np.count_nonzero(written))
    assert dice > 0.9
