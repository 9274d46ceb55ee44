"""A cohort of small chests, made once for all tests of the phantom."""

from pathlib import Path

import pytest

from medpipe.ct.phantom.cohort import write_cohort
from medpipe.ct.phantom.params import PhantomParams

SMALL = PhantomParams(
    seed=3,
    n_patients=4,
    second_scan_fraction=0.3,
    healthy_fraction=0.25,
    dicom_fraction=0.3,
    reoriented_fraction=0.0,
    chest_scale=(0.45, 0.5),
    matrix=(96, 112),
    pixel_spacing_mm=(1.2, 1.7),
    slice_spacing_mm=(2.0, 2.0),
    nodule_diameter_mm=(7.0, 18.0),
    mean_nodules=4.0,
)


@pytest.fixture(scope="session")
def small_params() -> PhantomParams:
    """Parameters of the small cohort."""
    return SMALL


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small cohort; tests must not change it."""
    folder = tmp_path_factory.mktemp("phantom")
    write_cohort(folder, SMALL, n_jobs=2)
    return folder
