"""Looks at real files: scans as MetaImages, molecules as CSV."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.volume import Volume
from medpipe.schedule import state
from medpipe.schedule.jobs import Job
from medpipe.schedule.looking.look import look
from medpipe.schedule.looking.sources import pack, unpack
from medpipe.schedule.state import State
from tests.ct.scans import write_mhd
from tests.schedule.fakes import make_job, write_jobs

SHAPE = (12, 24, 24)
CHAINS = [f"{'C' * n}O" for n in range(2, 42)]
RINGS = [f"c1ccc({'C' * n}N)cc1C(=O)O" for n in range(1, 31)]


@pytest.fixture
def scans(project):
    """A project whose `imaging` reads scans from a folder."""
    folder = project / "scans of Jane Doe"
    folder.mkdir()
    gate = {"min_extent_mm": 0.0, "max_slice_spacing_mm": 20.0}
    parameters = {"ct_source": {"kind": "folder", "folder": folder.name}, "ingest_ct": {"gate": gate}}
    (project / "conf" / "base" / "parameters.yml").write_text(yaml.safe_dump(parameters))
    return folder


@pytest.fixture
def molecules(project):
    """A project whose `molecules` reads a table."""
    (project / "conf" / "base" / "parameters.yml").write_text("smiles_source: {kind: file, path: molecules.csv}\n")
    return project / "molecules.csv"


def write_scans(folder, numbers, spacing_mm=1.25, shift_hu=0):
    for number in numbers:
        rng = np.random.default_rng(number)
        array = rng.normal(-850, 40, SHAPE)
        array[:, 6:18, 6:18] = rng.normal(40 + shift_hu, 40, (12, 12, 12))
        volume = Volume(array.astype(np.int16), Geometry(SHAPE, (spacing_mm, 1.0, 1.0), (0.0, 0.0, 0.0)))
        write_mhd(folder / f"scan{number}.mhd", volume, compress=True)


def write_molecules(file, smiles):
    file.write_text("\n".join(["id,SMILES", *(f"{number},{text}" for number, text in enumerate(smiles))]))


def looked(project, pipeline, known, **fields):
    fields = {"min_new": 20, **fields}
    return look(project, Job(**make_job(pipeline, **fields)), None, known)


def after_a_run(project, pipeline, **fields):
    """The baselines that a first, finished run leaves."""
    first = looked(project, pipeline, None, **fields)
    assert first.train
    assert first.reason == "no run of this job has finished yet"
    return {baseline.source: baseline for baseline in first.baselines}


def test_nothing_new(scans, project):
    write_scans(scans, range(3))
    found = looked(project, "imaging", after_a_run(project, "imaging"))
    assert (found.train, found.reason) == (False, "nothing new: 0 of at least 20 new files")
    assert found.baselines == ()


def test_enough_new_files(scans, project):
    write_scans(scans, range(3))
    known = after_a_run(project, "imaging")
    write_scans(scans, range(3, 13))
    found = looked(project, "imaging", known)
    assert (found.train, found.reason) == (True, "20 new files, at least 20 wanted")  # header and voxels


def test_a_changed_file_is_new_and_a_removed_one_is_not(scans, project):
    write_scans(scans, range(3))
    known = after_a_run(project, "imaging")
    (scans / "scan0.mhd").unlink()
    os.utime(scans / "scan1.mhd", (1, 1))
    assert looked(project, "imaging", known).reason.startswith("1 of at least 20 new files")


@pytest.mark.parametrize(
    ("how", "train", "said"),
    [
        ({}, False, "within chance"),
        ({"spacing_mm": 5.0}, True, "slice_spacing_mm"),
        ({"shift_hu": 300}, True, "hu, KS"),
    ],
)
def test_few_new_scans_that_drifted(scans, project, how, train, said):
    write_scans(scans, range(12))
    known = after_a_run(project, "imaging", min_new=100)
    write_scans(scans, range(12, 18), **how)
    found = looked(project, "imaging", known, min_new=100)
    assert found.train == train, found.reason
    assert found.reason.startswith("12 of at least 100 new files; PSI ")
    assert said in found.reason or (not train and "below 0.2" in found.reason)
    assert "12 and 6 scans" in found.reason


def test_drift_that_nobody_asked_for_is_not_looked_for(scans, project):
    write_scans(scans, range(2))
    known = after_a_run(project, "imaging", drift_threshold=None)
    write_scans(scans, range(2, 4), spacing_mm=5.0)
    assert [baseline.profile for baseline in known.values()] == [None]
    assert looked(project, "imaging", known, drift_threshold=None).reason.endswith("drift was not looked for")


def test_what_is_kept_names_nobody(scans, project):
    write_scans(scans, range(2))
    (baseline,) = after_a_run(project, "imaging").values()
    kept = f"{baseline.source} {baseline.profile}".encode() + unpack(baseline.listing).tobytes()
    for name in (b"Jane", b"Doe", b"scan0", b"mhd"):
        assert name not in kept


def test_another_folder_is_all_new(scans, project):
    write_scans(scans, range(10))
    known = after_a_run(project, "imaging")
    scans.rename(project / "elsewhere")
    file = project / "conf" / "base" / "parameters.yml"
    file.write_text(file.read_text().replace("scans of Jane Doe", "elsewhere"))
    assert looked(project, "imaging", known).reason == "20 new files, at least 20 wanted"


def test_damaged_scans_do_not_stop_a_look(scans, project):
    write_scans(scans, range(3))
    (scans / "scan0.mhd").write_text("no header")
    (scans / "scan1.zraw").write_bytes(b"no voxels")
    (baseline,) = after_a_run(project, "imaging").values()
    assert baseline.profile.count("1.25") == 1


def test_molecules_are_counted_by_what_they_are(molecules, project):
    write_molecules(molecules, CHAINS)
    known = after_a_run(project, "molecules")
    write_molecules(molecules, reversed(CHAINS))
    assert looked(project, "molecules", known).reason == "nothing new: 0 of at least 20 new molecules"
    write_molecules(molecules, CHAINS[:5] + RINGS[:20])
    assert looked(project, "molecules", known).reason == "20 new molecules, at least 20 wanted"


def test_few_new_molecules_that_drifted(molecules, project):
    write_molecules(molecules, CHAINS)
    known = after_a_run(project, "molecules")
    write_molecules(molecules, CHAINS + RINGS[:19] + ["no molecule"] * 2)
    found = looked(project, "molecules", known, min_new=100)
    assert found.train
    assert "20 of at least 100 new molecules; PSI" in found.reason
    assert "40 and 19 molecules" in found.reason


def test_any_source_is_reason_enough(scans, project):
    write_scans(scans, range(2))
    file = project / "conf" / "base" / "parameters.yml"
    file.write_text(file.read_text() + "smiles_source: {kind: file, path: molecules.csv}\n")
    write_molecules(project / "molecules.csv", CHAINS)
    job = Job(**make_job("imaging", "molecules", min_new=20))
    known = {baseline.source: baseline for baseline in look(project, job, None, None).baselines}
    assert len(known) == 2
    write_molecules(project / "molecules.csv", CHAINS + RINGS)
    found = look(project, job, None, known)
    assert (found.train, found.reason) == (True, "30 new molecules, at least 20 wanted")


@pytest.mark.parametrize("pipeline", ["imaging", "molecules"])
def test_data_that_are_gone_are_told(scans, molecules, project, pipeline):
    scans.rmdir()
    texts = {
        "imaging": "ct_source: {kind: folder, folder: gone}",
        "molecules": molecules and "smiles_source: {kind: file, path: gone.csv}",
    }
    (project / "conf" / "base" / "parameters.yml").write_text(texts[pipeline])
    with pytest.raises(InputError, match=r"gone.*is the disk mounted"):
        looked(project, pipeline, None)


def test_the_job_s_own_parameters_count(molecules, project):
    write_molecules(project / "other.csv", CHAINS)
    job = Job(**make_job("molecules", min_new=1, parameters={"smiles_source.path": "other.csv"}))
    assert len(unpack(look(project, job, None, None).baselines[0].listing)) == len(CHAINS)


def test_keys_come_back_as_they_were_kept():
    keys = np.array([1, 2, 2**64 - 1], dtype=np.uint64)
    assert (unpack(pack(keys)) == keys).all()


def test_the_look_s_own_process_keeps_what_it_found(molecules, project):
    write_molecules(molecules, CHAINS)
    write_jobs(project, {"job": make_job("molecules", min_new=5)})
    kept = State(project)
    run = kept.add("job")
    command = [sys.executable, "-m", "medpipe.schedule.looking", str(project), "job", run.id]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "no run of this job has finished yet\n"), done.stderr
    assert kept.look(run) == (True, "no run of this job has finished yet")
    kept.end(run, state.FINISHED, "")
    assert len(kept.baselines("job")) == 1
