"""Archives that try something, each refused with the rule it breaks."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medpipe.serving.server.archive_rules import check_archive
from medpipe.serving.server.params import ServeParams
from medpipe.serving.server.refusal import Refusal

PARAMS = ServeParams(max_files=5, max_unpacked_mb=150)


def archive(*members: tuple[str, bytes], **attributes: int) -> bytes:
    """An archive; attributes are those of its first member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for number, (name, content) in enumerate(members):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for attribute, value in attributes.items() if number == 0 else ():
                setattr(info, attribute, value)
            target.writestr(info, content)
    return stream.getvalue()


def patched(content: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """An archive with some bytes of its first record of a kind replaced."""
    at = content.index(signature) + offset
    return content[:at] + value + content[at + len(value) :]


GOOD = archive(("series/1.dcm", b"slice"), ("series/2.dcm", b"slice"))
CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"

CASES = {
    "text": (b"this is no archive", "no_zip"),
    "nothing": (b"", "no_zip"),
    "cut": (GOOD[:-30], "no_zip"),
    "no member": (archive(), "zip_empty"),
    "folders alone": (archive(("series/", b"")), "zip_empty"),
    "up": (archive(("../1.dcm", b"x")), "zip_traversal"),
    "up in the middle": (archive(("a/../../1.dcm", b"x")), "zip_traversal"),
    "up as Windows writes it": (archive(("a\\..\\..\\1.dcm", b"x")), "zip_traversal"),
    "from the root": (archive(("/etc/1.dcm", b"x")), "zip_absolute_name"),
    "from a drive": (archive(("C:\\1.dcm", b"x")), "zip_absolute_name"),
    "from the root of Windows": (archive(("\\\\host\\1.dcm", b"x")), "zip_absolute_name"),
    "link": (archive(("1.dcm", b"/etc/passwd"), external_attr=(stat.S_IFLNK | 0o777) << 16), "zip_link"),
    "pipe": (archive(("1.dcm", b""), external_attr=(stat.S_IFIFO | 0o666) << 16), "zip_special_file"),
    "archive in it": (archive(("1.dcm", b"x"), ("more.ZIP", GOOD)), "zip_nested"),
    "tar in it": (archive(("scans.tar.gz", b"x")), "zip_nested"),
    "many members": (archive(*((f"{n}.dcm", b"x") for n in range(6))), "zip_entries"),
    "huge directory": (patched(GOOD, END, 12, struct.pack("<L", 1 << 30)), "zip_entries"),
    "bomb": (archive(("1.dcm", bytes(80_000_000))), "zip_ratio"),
    "many small bombs": (archive(*((f"{n}.dcm", bytes(60_000_000)) for n in range(3))), "zip_unpacked_size"),
    "password": (patched(GOOD, CENTRAL, 8, struct.pack("<H", 1)), "zip_encrypted"),
    "unknown method": (patched(GOOD, CENTRAL, 10, struct.pack("<H", 99)), "zip_method"),
    "overlap": (patched(GOOD, CENTRAL, 20, struct.pack("<L", 10_000)), "zip_overlap"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_breaks_a_rule_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    content, code = CASES[name]
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(Refusal) as caught:
        check_archive(tmp_path / "a.zip", PARAMS)
    assert caught.value.code == code
    assert caught.value.status == (400 if code == "no_zip" else 422)
    assert ".dcm" not in caught.value.message


@pytest.mark.parametrize(
    "make",
    [
        lambda: GOOD,
        lambda: archive(("a..b/1.dcm", b"x")),
        lambda: archive(("empty.dcm", bytes(1_000_000))),
        lambda: archive(("1.dcm", b"x"), create_system=0, external_attr=0xA1FF0000),
        lambda: GOOD[:-2] + struct.pack("<H", 7) + b"comment",
    ],
    ids=["plain", "dots in a name", "small and empty", "attributes of another system", "comment"],
)
def test_what_exports_look_like_passes(tmp_path: Path, make: Callable[[], bytes]) -> None:
    (tmp_path / "a.zip").write_bytes(make())
    check_archive(tmp_path / "a.zip", PARAMS)


def test_the_zip64_record_is_read_where_there_is_one(tmp_path: Path) -> None:
    at = GOOD.index(END)
    size, start = struct.unpack_from("<LL", GOOD, at + 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (tmp_path / "a.zip").write_bytes(GOOD[:at] + record + locator + end)
    with pytest.raises(Refusal, match="1000000 members"):
        check_archive(tmp_path / "a.zip", PARAMS)


def test_members_are_counted_whatever_the_archive_tells_of_their_number(tmp_path: Path) -> None:
    many = archive(*((f"{n}.dcm", b"x") for n in range(6)))
    (tmp_path / "a.zip").write_bytes(patched(many, END, 8, struct.pack("<HH", 1, 1)))
    with pytest.raises(Refusal, match="names 6 members"):
        check_archive(tmp_path / "a.zip", PARAMS)


def test_the_zip64_record_that_zipfile_reads_counts_and_not_the_one_told_of(tmp_path: Path) -> None:
    at = GOOD.index(END)
    size, start = struct.unpack_from("<LL", GOOD, at + 12)
    harmless, counts = (
        struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, n, n, size, start) for n in (2, 1_000_000)
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (tmp_path / "a.zip").write_bytes(GOOD[:at] + harmless + counts + locator + end)
    with pytest.raises(Refusal, match="1000000 members"):
        check_archive(tmp_path / "a.zip", PARAMS)
