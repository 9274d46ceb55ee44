from pathlib import Path

import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.intake import sources
from medpipe.molecules.intake.params import SmilesSourceParams


def test_the_users_file_is_taken_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "mine.smi"
    path.write_text("CCO\n")
    assert sources.provide(SmilesSourceParams(kind="file", path=str(path)), tmp_path / "raw") == path


@pytest.mark.parametrize(("name", "message"), [("absent.csv", "no such file"), ("table.xlsx", "unknown format")])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "table.xlsx").write_text("")
    with pytest.raises(InputError, match=message) as raised:
        sources.provide(SmilesSourceParams(kind="file", path=str(tmp_path / name)), tmp_path)
    assert name in str(raised.value)


def test_moses_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def extract(wheel: Path, folder: Path, patterns: tuple[str, ...]) -> None:
        fetched.append(wheel)
        for pattern in patterns:
            (folder / Path(pattern).name).touch()

    monkeypatch.setattr(sources, "fetch_wheel", lambda source, folder: folder / source.filename)
    monkeypatch.setattr(sources, "extract", extract)
    for _ in range(2):
        assert sources.provide(SmilesSourceParams(), tmp_path) == tmp_path
    assert fetched == [tmp_path / "molsets-0.3.1-py3-none-any.whl"]
