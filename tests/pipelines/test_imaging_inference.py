"""The pipeline through the real command line: a DICOM series and a MetaImage of unknown findings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.params import CTSourceParams
from medpipe.ct.sources import provide
from medpipe.nodules.findings.export.folder import FindingsFolder
from medpipe.nodules.findings.intake import scans_folder
from medpipe.nodules.findings.models import ModelFolder, write_models
from medpipe.nodules.findings.params import InferenceSourceParams
from medpipe.serving.nodules import NoduleModel
from tests.ct.phantom.conftest import SMALL
from tests.nodules.findings.networks import N_CANDIDATES, ignorant_networks
from tests.scratch import kedro, make_project, nodes_that_ran

NODES = [
    "provide_scans", "take_models", "ingest_scans", "prepare_scans", "find_findings", "write_findings",
    "report_findings",
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with networks, and scans beside it: one DICOM series, one MetaImage and one broken one."""
    project = make_project(tmp_path_factory.mktemp("inference") / "project")
    write_models(ignorant_networks(), project / "networks")
    scans = project.parent / "scans"
    sizes = {"n_patients": 1, "second_scan_fraction": 0.0}
    for name, share in (("dicom", 1.0), ("luna16", 0.0)):
        phantom = SMALL.model_copy(update={**sizes, "dicom_fraction": share})
        provide(CTSourceParams(phantom=phantom.model_copy(update={"seed": int(share)}), n_jobs=1), scans / name)
    (scans / "broken.mhd").write_text("ObjectType = Image")
    return project


def run(project: Path, *more: str) -> str:
    detector, segmenter = (project / "networks" / f"{kind}.safetensors" for kind in ("nodule_detector", "segmenter"))
    given = f"inference_models.detector={detector},inference_models.segmenter={segmenter}"
    source = f"inference_source.folder={project.parent / 'scans'}"
    done = kedro(project, "run", "--pipeline=imaging_inference", "--env=test", f"--params={source},{given}", *more)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def output(project) -> str:
    return run(project)


def test_every_node_runs_and_every_scan_is_accounted_for(project, output):
    assert set(NODES) <= set(nodes_that_ran(output))
    folder = project / "data" / "test" / "inference"
    written = pd.read_csv(folder / "findings" / "scans.csv")
    searched = written[written["n_findings"].notna()]
    assert len(searched) == 2
    assert searched["label_map"].notna().all()
    assert searched["segmentation"].notna().sum() == searched["report"].notna().sum() == 1
    assert written[written["n_findings"].isna()]["note"].str.startswith("Not searched").all()
    assert (
        written.loc[written["segmentation"].isna() & written["n_findings"].notna(), "note"].str.contains("DICOM").all()
    )
    assert (folder / "report.html").read_text().lstrip().startswith("<!")
    assert len(FindingsFolder(folder / "findings").table()) == int(searched["n_findings"].sum()) <= 2 * N_CANDIDATES


def test_the_served_model_finds_the_same_in_the_same_places(project, output, tmp_path):
    written = FindingsFolder(project / "data" / "test" / "inference" / "findings").table()
    networks = ModelFolder(project / "networks")
    served = NoduleModel(networks.load(), networks.use(), tmp_path).search(project.parent / "scans", tmp_path, "scans")
    assert set(served.series_uids) == set(written["source_series_uid"])
    columns = ["x_mm", "y_mm", "z_mm", "diameter_mm", "probability", "alarm", "volume_mm3", "long_axis_mm"]
    by_scan = served.findings.sort_values("finding_id").set_index("series_uid")
    for uid, expected in written.sort_values("finding_id").groupby("source_series_uid"):
        np.testing.assert_allclose(by_scan.loc[uid, columns].astype(float), expected[columns].astype(float), rtol=1e-5)


def test_nothing_of_training_is_touched(project, output):
    places = {path.name for path in (project / "data" / "test").iterdir()}
    assert places <= {"inference", "01_raw", "06_models", ".work"}
    assert not list((project / "data" / "test").rglob("ct_scans.parquet"))


def test_without_a_folder_it_says_what_to_give():
    with pytest.raises(InputError, match=r"inference_source\.folder"):
        scans_folder(InferenceSourceParams())
