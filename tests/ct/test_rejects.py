from pathlib import Path

import pandas as pd

from medpipe.ct.ingest import ingest
from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.rejects import reject_tiles
from medpipe.ct.volume import Volume
from tests.ct.scans import write_dicom, write_mhd

PARAMS = IngestCTParams(n_jobs=1, gate=GateParams(max_slice_spacing_mm=5))
NOT_PREPARED = pd.DataFrame({"series_uid": ["1.1"], "code": ["no_lungs"], "reason": ["No lungs were found."]})


def test_every_rejected_scan_has_its_reason_and_safe_ones_a_slice(tmp_path: Path, chest: Volume):
    raw = tmp_path / "raw"
    write_mhd(raw / "1.1.mhd", chest)
    write_mhd(raw / "1.2.mhd", chest)
    files = write_dicom(raw / "gap", chest, "1.3")
    files[20].unlink()
    write_dicom(raw / "screenshot", chest, "1.4", Modality="OT")
    intake = ingest(raw, PARAMS, tmp_path / "masks", tmp_path / "identity")
    tiles = {tile.code: tile for tile in reject_tiles(raw, intake.scans, intake.locations, NOT_PREPARED)}
    assert set(tiles) == {"missing_slices", "not_ct", "no_lungs"}
    assert tiles["not_ct"].image is None
    for code in ("missing_slices", "no_lungs"):
        assert tiles[code].image is not None
        assert tiles[code].image.shape == chest.array.shape[1:]
    assert "1 slice is missing" in tiles["missing_slices"].reason


def test_a_slice_that_is_gone_leaves_a_text_tile(tmp_path: Path, chest: Volume):
    raw = tmp_path / "raw"
    write_mhd(raw / "1.1.mhd", chest)
    intake = ingest(raw, PARAMS, tmp_path / "masks")
    (raw / "1.1.raw").unlink()
    (tile,) = reject_tiles(raw, intake.scans, intake.locations, NOT_PREPARED)
    assert tile.image is None
