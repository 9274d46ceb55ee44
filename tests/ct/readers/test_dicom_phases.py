from pathlib import Path

import numpy as np
import pydicom
import pytest

from medpipe.ct.params import GateParams
from medpipe.ct.readers import ScanReadError, dicom
from medpipe.ct.volume import Volume
from tests.ct.readers.dicom_samples import LENIENT, discover, the_code, the_scan
from tests.ct.scans import write_dicom

PLACES, PHASES = 6, 3
JUMBLED = [int(number) for number in np.random.default_rng(0).permutation(PLACES * PHASES)]


def gate(phase: int | None) -> GateParams:
    return LENIENT.model_copy(update={"phase": phase})


def write_phases(folder: Path, chest: Volume, **keys) -> None:
    """Six places, three phases, written place by place: slice k is phase k % 3 at place k // 3, and holds k."""
    count = PLACES * PHASES
    grid = chest.geometry.crop((0, 0, 0), (count, 8, 8))
    array = np.broadcast_to(np.arange(count, dtype=np.int16)[:, None, None], grid.shape_zyx).copy()
    changes = {name: lambda k, value=value: value(k // PHASES, k % PHASES) for name, value in keys.items()}
    write_dicom(folder, Volume(array, grid), ImagePositionPatient=lambda k: [0, 0, 2.5 * (k // PHASES)], **changes)


@pytest.mark.parametrize(
    "keys",
    [
        {"TemporalPositionIdentifier": lambda place, phase: phase + 1},
        {"TemporalPositionIndex": lambda place, phase: phase + 1},
        {"NominalPercentageOfCardiacPhase": lambda place, phase: 30.0 * phase},
        {"TriggerTime": lambda place, phase: 100.5 * phase},
        {"AcquisitionNumber": lambda place, phase: phase + 3},
        {"AcquisitionTime": lambda place, phase: f"1015{10 + phase}.5"},
        {"ContentTime": lambda place, phase: f"10150{phase}.{place}"},
        {"InstanceNumber": lambda place, phase: 1 + phase * PLACES + place},
        {"InstanceNumber": lambda place, phase: 1 + place * PHASES + phase},
        {"InstanceNumber": lambda place, phase: 1 + phase * PLACES + PLACES - place},
        {
            "AcquisitionNumber": lambda place, phase: 1,
            "ContentTime": lambda place, phase: f"1015{place}{phase}",
            "InstanceNumber": lambda place, phase: 1 + phase * PLACES + place,
        },
        {
            "TemporalPositionIndex": lambda place, phase: phase + 1,
            "InstanceNumber": lambda place, phase: 100 - place * PHASES - phase,
        },
    ],
)
@pytest.mark.parametrize("phase", [0, 2])
def test_a_phase_is_read_by_what_tells_phases_apart(tmp_path: Path, chest: Volume, keys, phase: int):
    write_phases(tmp_path, chest, **keys)
    assert the_code(tmp_path) == "four_dimensional"
    scan = the_scan(tmp_path, gate(phase))
    assert scan.rejection is None
    assert (scan.path, dicom.scan_folder(scan.path)) == (f".#phase={phase}", ".")
    volume = dicom.read_volume(tmp_path, scan.path, scan.series_uid)
    assert volume.array[:, 0, 0].tolist() == [PHASES * place + phase for place in range(PLACES)]
    assert volume.geometry == scan.geometry
    assert dicom.read_samples(tmp_path, scan).shape == (3, 8, 8)
    assert dicom.content(tmp_path, scan.path) == [tmp_path]


@pytest.mark.parametrize(
    ("keys", "phase", "words"),
    [
        ({"TemporalPositionIndex": lambda place, phase: phase + 1}, 3, "0 to 2"),
        ({"InstanceNumber": lambda place, phase: 1}, 0, "cannot be told apart"),
        ({"InstanceNumber": lambda place, phase: JUMBLED[place * PHASES + phase]}, 0, "cannot be told apart"),
    ],
    ids=["too_high", "no_numbers", "jumbled"],
)
def test_a_phase_that_is_not_clear_is_refused(tmp_path: Path, chest: Volume, keys, phase: int, words: str):
    write_phases(tmp_path, chest, **keys)
    scan = the_scan(tmp_path, gate(phase))
    assert scan.rejection is not None
    assert scan.rejection.code == "four_dimensional"
    assert words in scan.rejection.reason


def test_phases_with_lost_slices_are_refused(tmp_path: Path, chest: Volume):
    write_phases(tmp_path, chest, TemporalPositionIndex=lambda place, phase: phase + 1)
    next(path for path in sorted(tmp_path.iterdir())).unlink()
    assert the_code(tmp_path, gate(0)) == "four_dimensional"


def test_a_scan_of_one_phase_does_not_mind(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest)
    scan = the_scan(tmp_path, gate(2))
    assert (scan.rejection, scan.path) == (None, ".")


def test_without_its_phase_a_series_cannot_be_read(tmp_path: Path, chest: Volume):
    write_phases(tmp_path, chest, TemporalPositionIndex=lambda place, phase: phase + 1)
    with pytest.raises(ScanReadError) as caught:
        dicom.read_volume(tmp_path, ".", "1.2.3")
    assert caught.value.code == "four_dimensional"


def test_real_perfusion_phases(shared_data: Path, tmp_path: Path):
    """Nineteen phases of four slices (panimg's set; there each phase has its own series uid, here all have one)."""
    for file in (shared_data / "awkward_dicom" / "panimg_dicom_4d").glob("*.dcm"):
        data = pydicom.dcmread(file)
        data.RescaleIntercept = data.AcquisitionNumber
        data.SeriesInstanceUID = "1.2.3"
        data.save_as(tmp_path / file.name)
    assert the_code(tmp_path) == "four_dimensional"
    for phase in (0, 3, 18):
        (scan,) = discover(tmp_path, gate(phase))
        volume = dicom.read_volume(tmp_path, scan.path, "1.2.3")
        assert volume.array.shape == (4, 2, 3)
        assert (volume.array == phase + 1).all()
    assert the_code(tmp_path, gate(19)) == "four_dimensional"
