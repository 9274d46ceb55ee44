"""What a command loads before it does anything: every one of them pays for it."""

import subprocess
import sys

import pytest

import medpipe.datasets

NETWORKS = {"torch", "lightning", "monai", "mlflow", "rdkit", "sklearn"}
COMPILED = {"numba", "scipy", "pydicom", "SimpleITK", "highdicom"}
TABLES = {"pandas", "pyarrow", "matplotlib", "kedro_datasets", "sqlalchemy"}


@pytest.mark.parametrize(
    ("start", "not_needed"),
    [
        ("import medpipe.settings", NETWORKS | COMPILED | TABLES),
        ("from medpipe.pipeline_registry import register_pipelines; register_pipelines()", NETWORKS | COMPILED),
    ],
    ids=["settings", "pipelines"],
)
def test_what_only_some_nodes_need_is_not_imported(start: str, not_needed: set[str]):
    show = f"import sys; {start}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True).stdout.split()
    assert "kedro" in loaded
    assert not_needed.isdisjoint(loaded), sorted(not_needed & set(loaded))


@pytest.mark.parametrize("name", medpipe.datasets.__all__)
def test_each_type_of_dataset_is_found_when_it_is_asked_for(name: str):
    assert getattr(medpipe.datasets, name).__name__ == name


def test_a_type_that_does_not_exist_is_no_attribute():
    with pytest.raises(AttributeError, match=r"medpipe\.datasets.*Nonsense"):
        medpipe.datasets.Nonsense  # noqa: B018 - the access is what is tested
