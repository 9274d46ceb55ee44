"""Names, ids and uids of patients stay in the raw layer: looked for in everything else that a run leaves behind."""

import gzip
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pydicom
import pytest

from tests.scratch import kedro, make_project

TOLD = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "MRN-4711-0815",
    "PatientBirthDate": "19640812",
    "AccessionNumber": "ACC-98765",
    "ReferringPhysicianName": "Sauerbruch^Ferdinand",
    "InstitutionName": "Charity Hospital",
}
IDENTIFIERS = ["Mustermann", "Erika", "MRN-", "19640812", "ACC-98765", "Sauerbruch", "Charity"]
TO_NODES = "preprocess,report_cohort,draw_rejects,draw_scans"


class Identified(NamedTuple):
    """A project that took scans in whose headers, file names and folders tell of patients."""

    project: Path
    output: str
    uids: list[str]


def contents(file: Path) -> bytes:
    """What a reader of the file gets to see: unpacked, where it is packed."""
    if file.suffix == ".parquet":
        return pd.read_parquet(file).to_csv().encode()
    if file.suffix == ".gz":
        return gzip.decompress(file.read_bytes())
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return b"\n".join(name.encode() + archive.read(name) for name in archive.namelist())
    return file.read_bytes()


def found_in(folder: Path, words: list[str], besides: str = "") -> list[str]:
    """The words that files below a folder hold or are called, each with the file."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kept = [file for file in files if not (besides and file.is_relative_to(folder / besides))]
    assert kept, folder
    told = ((file, f"{file.relative_to(folder)}\n".encode() + contents(file)) for file in kept)
    return [f"{word} in {file}" for file, text in told for word in words if word.encode() in text]


def identified(source: Path, target: Path, **told: str) -> None:
    """A slice as a scanner writes it, of a patient who is named."""
    data = pydicom.dcmread(source)
    data.PatientIdentityRemoved = "NO"
    for name, value in {**TOLD, **told}.items():
        setattr(data, name, value)
    target.parent.mkdir(exist_ok=True)
    data.save_as(target)


@pytest.fixture(scope="module")
def taken_in(project, imaging, tmp_path_factory) -> Identified:
    """Generated scans as a hospital has them: a series, one that is rejected, an image named by its patient."""
    raw = project / "data" / "test" / "01_raw" / "ct"
    scans = tmp_path_factory.mktemp("scans")
    slices = sorted(next((raw / "dicom").glob("*/*")).iterdir())
    uid = str(pydicom.dcmread(slices[0]).SeriesInstanceUID)
    for file in slices:
        identified(file, scans / "Mustermann Erika" / file.name)
    for file in slices[:3]:
        identified(file, scans / "Mustermann Karl" / file.name, PatientID="MRN-3", SeriesInstanceUID=f"{uid}.9")
    header = next(raw.rglob("*.mhd"))
    text = header.read_text().replace(header.with_suffix(".raw").name, "Mustermann_Max.raw")
    (scans / "Mustermann_Max.mhd").write_text(text)
    shutil.copy(header.with_suffix(".raw"), scans / "Mustermann_Max.raw")
    hospital = make_project(tmp_path_factory.mktemp("hospital") / "project")
    options = ("--pipeline=imaging", "--env=test", f"--to-nodes={TO_NODES}", f"--params=ct_source.folder={scans}")
    done = kedro(hospital, "run", *options)
    assert done.returncode == 0, done.stdout
    assert "2 of 3 scans accepted" in done.stdout
    return Identified(hospital, done.stdout, [uid])


def test_the_way_back_lies_in_the_raw_layer(taken_in):
    """The search finds what is there: else the tests below would prove nothing."""
    found = found_in(taken_in.project / "data" / "test" / "01_raw" / "identity", [*IDENTIFIERS[:3], *taken_in.uids])
    assert len(found) == 4


def test_no_other_layer_holds_an_identifier(taken_in):
    assert found_in(taken_in.project / "data" / "test", IDENTIFIERS + taken_in.uids, besides="01_raw") == []


@pytest.mark.parametrize("place", ["mlruns", ".viz", "data/.medpipe"])
def test_nothing_beside_the_layers_holds_one(taken_in, place):
    assert found_in(taken_in.project / place, IDENTIFIERS + taken_in.uids) == []


def test_mlflow_and_the_log_hold_none(taken_in):
    database = (taken_in.project / "mlflow.db").read_bytes()
    told = database + taken_in.output.encode()
    assert b"rejected" in told
    assert [word for word in IDENTIFIERS + taken_in.uids if word.encode() in told] == []


def test_key_and_way_back_are_their_owners_alone(taken_in):
    folder = taken_in.project / "data" / "test" / "01_raw" / "identity"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "pseudonym.key").stat().st_mode & 0o077 == 0


def test_a_whole_run_tells_no_patient(project, imaging):
    """The default's scans keep their published uids, but who they are of is told nowhere outside the data's layers.

    Models travel with medpipe's code and with an example of their input, a scan that is generated for it.
    """
    words = ["PHANTOM-", "Phantom^"]
    assert found_in(project / "data" / "test" / "01_raw" / "ct" / "dicom", words)
    places = [project / "mlruns", project / ".viz", project / "data" / "test" / "08_reporting"]
    found = [one for place in places for one in found_in(place, words)]
    assert [one for one in found if not {"code", "example"} & set(Path(one.partition(" in ")[2]).parts)] == []
    told = (project / "mlflow.db").read_bytes() + imaging.output.encode()
    assert [word for word in words if word.encode() in told] == []
