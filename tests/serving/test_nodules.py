"""The served model finds the same by path and by array, through MLflow's own check of the signature."""

import io
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from medpipe.core.errors import InputError
from medpipe.ct.readers import itk
from medpipe.ct.volume import Volume
from medpipe.nodules.findings.params import FindParams
from medpipe.serving import as_input, nodules
from medpipe.serving.scan_input import write_scan_file
from tests.nodules.findings.networks import N_CANDIDATES, ignorant_networks

HEADER = "{'descr': '<i2', 'fortran_order': False, 'shape': (8192, 32768, 32768)}\n"
HUGE = b"\x93NUMPY\x01\x00" + len(HEADER).to_bytes(2, "little") + HEADER.encode()
"""Header of an array of 16 TiB without the array."""
VALUES = ["x_mm", "y_mm", "z_mm", "diameter_mm", "probability", "volume_mm3", "long_axis_mm"]


@pytest.fixture(scope="module")
def served(saved_models) -> tuple[mlflow.pyfunc.PyFuncModel, Path, pd.DataFrame]:
    """The model, its example's file, and what it finds there."""
    model = mlflow.pyfunc.load_model(str(saved_models["nodules"]))
    (file,) = saved_models["nodules"].rglob("*.mhd")
    return model, file, model.predict(pd.DataFrame({"path": [nodules.EXAMPLE]}))


def test_it_finds_outlines_and_leaves_the_class_open(served):
    found = served[2]
    assert list(found.columns) == nodules.COLUMNS
    assert len(found) == N_CANDIDATES
    assert found["volume_mm3"].notna().any()
    assert found["class_probability"].isna().all()
    assert found["alarm"].all()


def test_an_array_gives_what_its_file_gives(served):
    model, file, by_folder = served
    volume = itk.read_volume(file)
    by_array = model.predict(as_input(volume))
    pd.testing.assert_frame_equal(by_array[VALUES], by_folder[VALUES])
    assert by_array["path"].isna().all()


def test_a_file_and_nifti_bytes_give_the_same(served, tmp_path):
    model, file, by_folder = served
    by_file = model.predict({"path": str(file)})
    pd.testing.assert_frame_equal(by_file[VALUES], by_folder[VALUES])
    sitk.WriteImage(sitk.ReadImage(str(file)), str(tmp_path / "a.nii.gz"))
    by_nifti = model.predict(pd.DataFrame({"scan": [(tmp_path / "a.nii.gz").read_bytes()]}))
    np.testing.assert_allclose(by_nifti[VALUES[:3]], by_folder[VALUES[:3]], atol=1e-2)


def test_rows_keep_their_numbers(served):
    model, file, _ = served
    found = model.predict(pd.DataFrame({"path": [str(file), "example"]}))
    assert found["row"].tolist() == [0] * N_CANDIDATES + [1] * N_CANDIDATES


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"path": "no/such/folder"}, "no/such/folder"),
        ({"scan": b"\x93NUMPY nonsense"}, "numpy.save"),
        ({"scan": HUGE}, "tells of 17592186044416 bytes, 0 follow"),
        ({"scan": HUGE[:30]}, "numpy.save"),
        ({"scan": HUGE.replace(b"\x48\x00", b"\x40\x00")}, "numpy.save"),
        ({}, "give either path"),
    ],
)
def test_what_cannot_be_searched_is_named(tmp_path, row, said):
    with pytest.raises(InputError, match=said):
        nodules.NoduleModel(ignorant_networks(), FindParams(), tmp_path).predict(pd.DataFrame([row], index=[0]))


def test_a_place_without_a_value_is_padding_as_in_a_file(tmp_path):
    array = np.zeros((4, 4, 4), np.float32)
    array[1, 2, 3] = np.nan
    stream = io.BytesIO()
    np.save(stream, array)
    write_scan_file(tmp_path / "scan", stream.getvalue(), {"spacing_zyx_mm": [1.0, 1.0, 1.0]}, "row 0")
    (file,) = (tmp_path / "scan").glob("*.mhd")
    assert np.argwhere(itk.read_volume(file).array == np.iinfo(np.int16).min).tolist() == [[1, 2, 3]]


def test_an_array_needs_its_spacing(served, tmp_path):
    row = as_input(Volume(np.zeros((4, 4, 4), np.int16), itk.read_geometry(served[1]).crop((0, 0, 0), (4, 4, 4))))
    with pytest.raises(InputError, match="spacing_zyx_mm"):
        write_scan_file(tmp_path / "scan", row["scan"].iloc[0], {}, "row 0")
