import gzip
import random
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers import images, itk, luna16
from medpipe.ct.readers.base import ScanReadError
from medpipe.ct.readers.image_names import label_maps, series_uid_of
from medpipe.ct.store import is_storable_uid
from medpipe.ct.volume import Volume
from tests.ct.damage import damaged

PARAMS = IngestCTParams()
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def discover(folder: Path):
    return images.discover(folder, files_in(folder), PARAMS)


def write(file: Path, volume: Volume, compress: bool = False) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = volume.geometry.apply_to_sitk(sitk.GetImageFromArray(volume.array))
    sitk.WriteImage(image, str(file), useCompression=compress)
    return file


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return files_in(folder)


@pytest.mark.parametrize(
    ("name", "compress"),
    [("a.nii", False), ("a.nii.gz", True), ("a.nrrd", False), ("a.nrrd", True), ("a.nhdr", False), ("a.nhdr", True)],
)
def test_a_scan_comes_back_as_it_was_written(tmp_path: Path, chest: Volume, name: str, compress: bool):
    write(tmp_path / "of" / name, chest, compress)
    (scan,) = discover(tmp_path)
    assert (scan.series_uid, scan.patient_id, scan.source, scan.path) == ("a", "a", "image", f"of/{name}")
    assert scan.rejection is None
    volume = images.read_volume(tmp_path, scan.path, scan.series_uid)
    assert volume.geometry == scan.geometry
    assert volume.array.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(volume.array, chest.array)
    np.testing.assert_allclose(volume.geometry.to_world([(3, 4, 5)]), chest.geometry.to_world([(3, 4, 5)]), atol=1e-4)
    samples = images.read_samples(tmp_path, scan)
    np.testing.assert_array_equal(samples[len(samples) // 2], chest.array[len(chest.array) // 2])
    assert sorted(images.content(tmp_path, scan.path)) == files_in(tmp_path)


@pytest.mark.parametrize("code", ["sform", "qform", "both"])
@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
def test_world_coordinates_are_nibabels(tmp_path: Path, code: str, oblique: bool):
    """Every voxel of every orientation lies where nibabel's affine (RAS) puts it."""
    rng = np.random.default_rng(3)
    array = rng.integers(-1000, 1000, (4, 5, 6)).astype(np.int16)  # x, y, z
    turn = np.eye(3)
    if oblique:
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for order, signs in product(permutations(range(3)), product((-1, 1), repeat=3)):
        affine = np.eye(4)
        affine[:3, :3] = turn @ (np.eye(3)[:, list(order)] * signs) * (0.7, 0.8, 2.5)
        affine[:3, 3] = (-12.0, 30.0, -400.0)
        image = nibabel.Nifti1Image(array, None)
        image.header.set_zooms((0.7, 0.8, 2.5))
        if code != "sform":
            image.set_qform(affine, 1)
        if code != "qform":
            image.set_sform(affine, 1)
        nibabel.save(image, tmp_path / "a.nii")
        volume = itk.read_volume(tmp_path / "a.nii")
        stored = nibabel.load(tmp_path / "a.nii")
        for x, y, z in [(0, 0, 0), (3, 4, 5), (1, 2, 3)]:
            expected = (RAS_TO_LPS @ stored.affine @ (x, y, z, 1))[:3]
            np.testing.assert_allclose(volume.geometry.to_world([(z, y, x)])[0], expected, atol=1e-3)
            assert volume.array[z, y, x] == array[x, y, z]


def test_a_header_with_two_sizes_of_a_voxel_is_refused(tmp_path: Path):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.set_sform(np.diag([0.7, 0.7, 2.5, 1.0]), 1)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(ScanReadError, match="contradicts itself") as caught:
        itk.read_geometry(tmp_path / "a.nii")
    assert caught.value.code == "contradictory"


@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
def test_the_space_of_nrrd_is_honoured(tmp_path: Path, space: str):
    array = np.arange(24, dtype="<i2")
    header = (
        f"NRRD0004\ntype: int16\ndimension: 3\nspace: {space}\nsizes: 2 3 4\nspace directions: (2,0,0) (0,3,0) (0,0,4)"
        "\nkinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: (10,20,30)\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(header.encode() + array.tobytes())
    volume = itk.read_volume(tmp_path / "a.nrrd")
    sign = 1 if space.startswith("left") else -1
    np.testing.assert_allclose(volume.geometry.to_world([(3, 2, 1)])[0], [sign * 12, sign * 26, 42])
    assert volume.array[3, 2, 1] == 23


def test_scaled_and_float_values_are_rounded(tmp_path: Path):
    image = nibabel.Nifti1Image(np.array([0, 1, 2, 3000], dtype=np.int16).reshape(4, 1, 1), np.eye(4))
    image.header.set_slope_inter(0.4, -1024)
    nibabel.save(image, tmp_path / "a.nii.gz")
    assert itk.read_volume(tmp_path / "a.nii.gz").array.ravel().tolist() == [-1024, -1024, -1023, 176]
    values = np.array([-0.6, 0.4, 1e9, np.nan], dtype=np.float32).reshape(4, 1, 1)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "b.nii")
    assert itk.read_volume(tmp_path / "b.nii").array.ravel().tolist() == [-1, 0, 32767, -32768]


@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 1, 1)])
def test_axes_of_one_voxel_do_not_count(tmp_path: Path, shape: tuple[int, ...]):
    array = np.arange(120, dtype=np.int16).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(itk.read_volume(tmp_path / "a.nii.gz").array, array.reshape(4, 5, 6).T)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: nibabel.Nifti1Image(np.zeros((4, 5, 6, 2), np.int16), np.eye(4)), "four_dimensional"),
        (lambda: nibabel.Nifti1Image(np.zeros((4, 5), np.int16), np.eye(4)), "not_a_volume"),
        (lambda: nibabel.Nifti1Image(np.zeros((4, 5, 6), np.complex64), np.eye(4)), "not_ct"),
        (lambda: nibabel.Nifti1Image(np.zeros((4, 5, 6), [(c, "u1") for c in "RGB"]), np.eye(4)), "not_ct"),
        (
            lambda: nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), [[1, 0.3, 0, 0], *np.eye(4)[1:]]),
            "not_orthogonal",
        ),
        (lambda: nibabel.Nifti2Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), "unreadable"),
    ],
    ids=["phases", "flat", "complex", "colour", "sheared", "nifti2"],
)
def test_what_is_no_volume_of_ct_is_told_by_its_code(tmp_path: Path, make, code: str):
    nibabel.save(make(), tmp_path / "a.nii.gz")
    (scan,) = discover(tmp_path)
    assert scan.rejection is not None
    assert scan.rejection.code == code


def test_vectors_in_nrrd_are_told_by_their_code(tmp_path: Path):
    sitk.WriteImage(sitk.Image([4, 4, 4], sitk.sitkVectorInt16, 3), str(tmp_path / "a.nrrd"))
    (scan,) = discover(tmp_path)
    assert scan.rejection is not None
    assert scan.rejection.code == "not_ct"


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_compressed_voxels_are_told_without_names(
    tmp_path: Path, chest: Volume, capfd: pytest.CaptureFixture[str], name: str, damage: str
):
    file = write(tmp_path / name, chest, compress=True)
    data = itk.content(file)[-1]
    content = bytearray(data.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = b"\xff" * 8
    data.write_bytes(content[:middle] if damage == "cut" else content)
    with pytest.raises(ScanReadError, match=r"voxels|cannot be read"):
        images.read_volume(tmp_path, name, "a")
    assert "a.n" not in "".join(capfd.readouterr())


def test_several_members_of_gzip_are_one_file(tmp_path: Path, chest: Volume):
    """Parallel compressors (pigz, bgzip) write a file in pieces."""
    content = write(tmp_path / "a.nii", chest).read_bytes()
    pieces = [content[start : start + 100_000] for start in range(0, len(content), 100_000)]
    (tmp_path / "b.nii.gz").write_bytes(b"".join(map(gzip.compress, pieces)) + b"\0" * 100)
    np.testing.assert_array_equal(itk.read_volume(tmp_path / "b.nii.gz").array, chest.array)


def test_a_plain_file_that_is_named_compressed_is_read(tmp_path: Path, chest: Volume):
    """Browsers unpack what they download and keep the name."""
    content = write(tmp_path / "a.nii", chest).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(content)
    np.testing.assert_array_equal(itk.read_volume(tmp_path / "b.nii.gz").array, chest.array)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr"])
def test_more_voxels_than_the_header_tells_are_damage(tmp_path: Path, chest: Volume, name: str):
    file = write(tmp_path / name, chest, compress=name.endswith("gz"))
    data = itk.content(file)[-1]
    more = bytes(5000)
    data.write_bytes(
        gzip.compress(gzip.decompress(data.read_bytes()) + more) if name.endswith("gz") else data.read_bytes() + more
    )
    with pytest.raises(ScanReadError, match=r"than (its|the) header tells"):
        itk.read_volume(file)


def test_big_endian_files_are_read(tmp_path: Path):
    array = np.arange(-60, 60, dtype=np.int16).reshape(4, 5, 6)
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.Nifti1Image(array, np.eye(4), header).to_filename(tmp_path / "a.nii")
    text = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 6\nendian: big\nencoding: raw\n\n"
    (tmp_path / "b.nrrd").write_bytes(text.encode() + array.T.astype(">i2").tobytes())
    for name in ("a.nii", "b.nrrd"):
        volume = itk.read_volume(tmp_path / name)
        assert volume.array.dtype == np.int16
        np.testing.assert_array_equal(volume.array, array.T)


def test_a_small_file_that_promises_much_is_refused_before_it_is_read(tmp_path: Path):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1000, 1000, 1000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(100)))
    (tmp_path / "b.nii").write_bytes(header.binaryblock + bytes(100))
    assert ["cut short" in scan.rejection.reason for scan in discover(tmp_path) if scan.rejection] == [True, True]


def test_the_patients_table_counts_here_too(tmp_path: Path, chest: Volume):
    write(tmp_path / "my case.nii", chest)
    (tmp_path / "patients.csv").write_text("series_uid,patient_id\nmy case,007\n")
    assert [scan.patient_id for scan in discover(tmp_path)] == ["007"]


@pytest.mark.parametrize("name", ["a b", "..x", "ä", "x" * 300, "", "index", "a/b", "-a", "日本"])
def test_any_name_becomes_a_uid_that_can_be_stored(name: str):
    assert is_storable_uid(series_uid_of(name))


def test_names_become_different_uids():
    names = ["a b", "a_b", "a-b", "a.b", "a  b", "x" * 200, "x" * 201]
    assert len({series_uid_of(name) for name in names}) == len(names)
    assert series_uid_of("LIDC-IDRI_0001.v2") == "LIDC-IDRI_0001.v2"


def test_scans_of_one_name_go_by_their_folders_and_copies_by_one_uid(tmp_path: Path, chest: Volume):
    write(tmp_path / "one" / "ct.nii", chest)
    write(tmp_path / "two" / "ct.nii", Volume(chest.array + np.int16(1), chest.geometry))
    write(tmp_path / "copy" / "ct.nii", chest)
    (tmp_path / "patients.csv").write_text("series_uid,patient_id\ntwo/ct,007\n")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "ct.nii").symlink_to(tmp_path / "nowhere")
    files = [*files_in(tmp_path), tmp_path / "gone" / "ct.nii"]
    found = {scan.path: scan for scan in images.discover(tmp_path, files, PARAMS)}
    assert len(found) == 4
    assert len({scan.series_uid for scan in found.values()}) == 3
    assert found["one/ct.nii"].series_uid == found["copy/ct.nii"].series_uid == series_uid_of("copy/ct")
    assert found["two/ct.nii"].series_uid == series_uid_of("two/ct")
    assert found["two/ct.nii"].patient_id == "007"
    (tmp_path / "two" / "ct.nii").unlink()
    assert {scan.series_uid for scan in discover(tmp_path)} == {"ct"}


@pytest.mark.parametrize(
    ("names", "maps"),
    [
        (["c.nii.gz", "c_seg.nii.gz"], {"c_seg.nii.gz": "c.nii.gz"}),
        (["c.nrrd", "c_seg.nii"], {"c_seg.nii": "c.nrrd"}),
        (["c_0000.nii.gz", "c_seg.nii.gz"], {"c_seg.nii.gz": "c_0000.nii.gz"}),
        (["c.mhd", "c_seg.nrrd"], {"c_seg.nrrd": "c.mhd"}),
        (["c_seg.nii.gz"], {}),
        (["a/c.nii.gz", "b/c_seg.nii.gz"], {}),
        (["1.2.840.113_seg.nii.gz"], {"1.2.840.113_seg.nii.gz": "1.2.840.113"}),
        (["imagesTr/c.nii.gz", "labelsTr/c.nii.gz"], {"labelsTr/c.nii.gz": "imagesTr/c.nii.gz"}),
        (["T/imagesTs/c_0000.nii.gz", "T/labelsTs/c.nii.gz"], {"T/labelsTs/c.nii.gz": "T/imagesTs/c_0000.nii.gz"}),
        (["images/c.nrrd", "labels/c.nii.gz"], {"labels/c.nii.gz": "images/c.nrrd"}),
        (["imagesTr/d.nii.gz", "labelsTr/c.nii.gz"], {"labelsTr/c.nii.gz": "c"}),
        (["imagesTr/c.nii.gz", "labelsTs/c.nii.gz"], {}),
        (["labels/c.nii.gz"], {}),
        (["c.csv", "c_seg.nii.gz"], {}),
    ],
)
def test_label_maps_are_told_by_their_names(tmp_path: Path, names: list[str], maps: dict[str, str]):
    found = label_maps(touch(tmp_path, *names), "_seg")
    relative = {
        file.relative_to(tmp_path).as_posix(): target
        if isinstance(target, str)
        else target.relative_to(tmp_path).as_posix()
        for file, target in found.items()
    }
    assert relative == maps


def test_the_ending_of_label_maps_is_a_parameter(tmp_path: Path):
    files = touch(tmp_path, "c.nii.gz", "c.lesions.nii.gz")
    assert [file.name for file in label_maps(files, ".lesions")] == ["c.lesions.nii.gz"]


# Fuzzing: bytes are cut, changed and inserted in real files of every format; any end but a refusal or a scan fails.

FUZZED = [
    ("a.mhd", False), ("a.mhd", True), ("a.mha", False), ("a.mha", True), ("a.nii", False), ("a.nii.gz", True),
    ("a.nrrd", False), ("a.nrrd", True), ("a.nhdr", False), ("a.nhdr", True),
]  # fmt: skip
N_FUZZED = 60
"""Damaged copies of each format: 600 in all."""


@pytest.mark.parametrize(("name", "compress"), FUZZED, ids=lambda value: str(value))
def test_damaged_files_end_as_scans_or_refusals(tmp_path: Path, name: str, compress: bool):
    array = np.random.default_rng(0).integers(-1000, 500, (10, 12, 14)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.7, 2.5))
    sitk.WriteImage(image, str(tmp_path / name), useCompression=compress)
    whole = {file: file.read_bytes() for file in files_in(tmp_path)}
    rng = random.Random(f"{name} {compress}")
    reasons = []
    for _ in range(N_FUZZED):
        chosen = rng.choice(list(whole))
        for file, content in whole.items():
            file.write_bytes(damaged(content, rng, file.name == name) if file == chosen else content)
        reader = luna16 if name.startswith("a.mh") else images
        (scan,) = reader.discover(tmp_path, files_in(tmp_path), PARAMS)
        reader.content(tmp_path, scan.path)
        try:
            samples = reader.read_samples(tmp_path, scan)
            volume = reader.read_volume(tmp_path, scan.path, scan.series_uid)
        except ScanReadError as error:
            reasons.append(error.reason)
        else:
            assert scan.rejection is None
            assert volume.geometry == scan.geometry
            assert samples.shape[1:] == volume.array.shape[1:]
    assert len(reasons) > N_FUZZED // 10
    assert not [reason for reason in reasons if name in reason or str(tmp_path) in reason]
