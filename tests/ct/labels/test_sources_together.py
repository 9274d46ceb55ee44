"""Several sources of labels over one folder, by way of intake."""

import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.geometry import Geometry
from medpipe.ct.ingest import Intake, ingest
from medpipe.ct.params import IngestCTParams
from medpipe.ct.volume import Volume
from tests.ct.labels.shapes import CENTRES_ZYX, GRIDS, RADIUS_MM, ball, scan_with_balls
from tests.ct.labels.test_dicom_seg import SERIES_UID, two_balls, write_seg, write_series
from tests.ct.labels.test_lidc import message
from tests.ct.labels.test_rtstruct import ball_contours, write_rtstruct

AXIAL = GRIDS["axial"]


def take_in(raw: Path, masks: Path) -> Intake:
    gate = {"min_extent_mm": 10.0}
    return ingest(raw, IngestCTParams(n_jobs=1, gate=gate, pseudonyms="never"), masks)


def write_image(file: Path, volume: Volume) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(volume.geometry.apply_to_sitk(sitk.GetImageFromArray(volume.array)), str(file))


@pytest.mark.parametrize("kind", ["map", "seg", "rtstruct"])
def test_masks_come_back_from_the_store(tmp_path: Path, kind: str):
    raw = tmp_path / "raw"
    if kind == "map":
        write_image(raw / "imagesTr" / "a_0000.nii.gz", scan_with_balls(AXIAL))
        labels = sum(value * ball(AXIAL, centre, AXIAL).astype(np.int16) for value, centre in enumerate(CENTRES_ZYX, 1))
        write_image(raw / "labelsTr" / "a.nii.gz", Volume(labels, AXIAL))
    else:
        write_series(raw / "ct", AXIAL)
    if kind == "seg":
        write_seg(raw / "s", raw / "ct", two_balls(AXIAL))
    elif kind == "rtstruct":
        write_rtstruct(raw / "r", {f"GTV {n}": ball_contours(AXIAL, centre) for n, centre in enumerate(CENTRES_ZYX)})
    intake = take_in(raw, tmp_path / "masks")
    (scan,) = intake.scans.to_dict("records")
    assert scan["accepted"]
    assert intake.nodules["has_mask"].tolist() == [True, True]
    assert intake.nodules["diameter_mm"].to_numpy() == pytest.approx([2 * RADIUS_MM] * 2, rel=0.015)
    stored = intake.masks.read(scan["series_uid"])
    assert stored is not None
    geometry, masks = stored
    for number, centre in enumerate(CENTRES_ZYX, start=1):
        mask = masks[number]
        assert np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx == pytest.approx(centre, abs=0.5)
    assert geometry.shape_zyx == AXIAL.shape_zyx


def test_nodules_of_lidc_are_not_counted_again_by_luna16(tmp_path: Path):
    """A folder may hold LIDC's series and messages, and LUNA16's tables of the same nodules."""
    raw = tmp_path / "raw"
    for uid in (SERIES_UID, "1.2.826.7"):
        write_series(raw / uid / "ct", AXIAL, uid)
    x, y, z = AXIAL.to_world(CENTRES_ZYX[:1])[0]
    rows = "".join(f"{uid},{x},{y},{z},16\n" for uid in (SERIES_UID, "1.2.826.7"))
    (raw / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n" + rows)
    (raw / "a.xml").write_text(message(SERIES_UID))
    intake = take_in(raw, tmp_path / "masks")
    assert intake.nodules["series_uid"].tolist() == ["1.2.826.7"]
    assert intake.scans.set_index("series_uid")["source"].to_dict() == {SERIES_UID: "lidc", "1.2.826.7": "dicom"}


def test_damaged_labels_reject_their_scan_and_no_other(tmp_path: Path):
    raw = tmp_path / "raw"
    elsewhere: Geometry = replace(AXIAL, origin_xyz_mm=(900.0, 900.0, 900.0))
    for name in ("a", "b"):
        write_image(raw / f"{name}.nrrd", scan_with_balls(AXIAL))
    for name, geometry in (("a", elsewhere), ("b", AXIAL)):
        write_image(raw / f"{name}_seg.nrrd", Volume(ball(AXIAL, CENTRES_ZYX[0], AXIAL).astype(np.int16), geometry))
    scans = take_in(raw, tmp_path / "masks").scans.set_index("series_uid")
    assert scans["accepted"].to_dict() == {"a": False, "b": True}
    assert scans.loc["a", "rejection_code"] == "damaged_labels"
    assert "do not overlap" in scans.loc["a", "rejection_reason"]


def test_links_to_nowhere_and_pipes_stop_nothing(tmp_path: Path):
    raw = tmp_path / "raw"
    write_image(raw / "a.nrrd", scan_with_balls(AXIAL))
    for name in ("x.xml", "x.nii", "x.mhd", "x.dcm", "x", "a_seg.nrrd", "x.sqlite"):
        (raw / "links" / name).parent.mkdir(exist_ok=True)
        (raw / "links" / name).symlink_to(tmp_path / "nowhere")
        (raw / "pipes").mkdir(exist_ok=True)
        os.mkfifo(raw / "pipes" / name)
    scans = take_in(raw, tmp_path / "masks").scans.set_index("series_uid")
    assert scans.index[scans["accepted"]].tolist() == ["a"]


@pytest.mark.parametrize("kind", ["seg", "rtstruct", "lidc"])
def test_labels_are_found_in_archives(tmp_path: Path, kind: str):
    """A zipped export whose findings were passed over would give a healthy scan."""
    source, raw = tmp_path / "source", tmp_path / "raw"
    write_series(source / "ct", AXIAL)
    if kind == "seg":
        write_seg(source / "s", source / "ct", two_balls(AXIAL))
    elif kind == "rtstruct":
        write_rtstruct(source / "r", {f"GTV {n}": ball_contours(AXIAL, centre) for n, centre in enumerate(CENTRES_ZYX)})
    else:
        (source / "m.xml").write_text(message(SERIES_UID))
    raw.mkdir()
    with zipfile.ZipFile(raw / "export.zip", "w") as archive:
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(source).as_posix())
    zipped, plain = take_in(raw, tmp_path / "masks"), take_in(source, tmp_path / "others")
    assert zipped.nodules.equals(plain.nodules)
    assert len(plain.nodules) == (0 if kind == "lidc" else 2)
    assert zipped.scans["source"].tolist() == ["lidc" if kind == "lidc" else "dicom"]


def test_labels_of_no_scan_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Scans that were given other uids lose their labels, and would pass for healthy without a word."""
    caplog.set_level("WARNING")
    raw = tmp_path / "raw"
    write_series(raw / "ct", AXIAL)
    write_seg(raw / "s", raw / "ct", two_balls(AXIAL))
    write_rtstruct(raw / "r", {"GTV": ball_contours(AXIAL, CENTRES_ZYX[0])})
    write_image(raw / "1.2.3.4_seg.nrrd", Volume(ball(AXIAL, CENTRES_ZYX[0], AXIAL).astype(np.int16), AXIAL))
    (raw / "findings.csv").write_text("series_uid,x_mm,y_mm,z_mm,kind\n1.2.3.4,0,0,0,nodule\n")
    shutil.rmtree(raw / "ct")
    write_series(raw / "ct", AXIAL, "1.2.9", frame_uid="1.2.10")
    assert take_in(raw, tmp_path / "masks").nodules.empty
    for told in ("objects with findings (SEG)", "objects with findings (RTSTRUCT)", "1 label maps", "1 findings of"):
        assert told in caplog.text
