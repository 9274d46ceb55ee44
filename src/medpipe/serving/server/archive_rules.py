"""What an uploaded zip archive must be before anything in it is read.

Nothing is unpacked to disk (`medpipe.ct.readers.archive` reads members where they lie), so that a bad name could do no
harm; an archive that tries is refused all the same, with the rule that it breaks. Members are told by number: their
names may be names of patients.
"""

import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from medpipe.ct.readers.archive import MAX_RATIO, METHODS, RATIO_FROM_BYTES
from medpipe.serving.server.params import MB, ServeParams
from medpipe.serving.server.refusal import Refusal

NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".jar", ".iso")
"""Endings of archives; ``.nii.gz`` is among them: images are sent unzipped or to ``/invocations``."""

_END = struct.Struct("<4s4H2LH")  # end of central directory record, PKWARE APPNOTE 4.3.16
_END_64 = struct.Struct("<4sQ2H2L4Q")  # zip64 end of central directory record, 4.3.14
_LOCATOR = struct.Struct("<4sLQL")  # zip64 end of central directory locator, 4.3.15
_ENTRY = b"PK\x01\x02"  # begins each entry of the central directory, 4.3.12
_MAX_COMMENT = 0xFFFF
_MEAN_ENTRY = 1024
"""Most bytes of an entry of the central directory in the mean, 46 and its name and extra fields."""
_ENCRYPTED = 0x1  # bit 0 of the general purpose flags, 4.4.4
_UNIX = 3  # "version made by", 4.4.2: where the upper half of the external attributes is a file mode


def check_archive(path: Path, params: ServeParams) -> None:
    """Reads the directory of an archive and holds it against the rules.

    Raises:
        Refusal: 400 for what is no zip archive, 422 with the rule that is broken.
    """
    with path.open("rb") as file:
        _check_directory(file, params)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # zipfile fails on damaged directories in many ways
        raise _no_zip(f"its directory cannot be read ({type(error).__name__})") from error
    for number, member in enumerate(members, start=1):
        _check_member(member, f"Member {number} of {len(members)}")
    _check_sizes(members, path.stat().st_size, params)


def _no_zip(reason: str) -> Refusal:
    return Refusal(400, "no_zip", f"The body is no zip archive: {reason}.")


def _check_directory(file: BinaryIO, params: ServeParams) -> None:
    """Counts the members, before an object is made of each; what the archive tells of their number may be a lie.

    The directory is looked for where `zipfile` does: right before its end, whatever the places told.
    """
    end_of_file = file.seek(0, 2)
    tail_starts = max(0, end_of_file - _END.size - _MAX_COMMENT)
    file.seek(tail_starts)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise _no_zip("it does not end as one")
    _, _, _, _, count, size, _, _ = _END.unpack_from(tail, at)
    end = tail_starts + at
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(b"PK\x06\x07"):
        end -= _LOCATOR.size + _END_64.size
        file.seek(max(0, end))
        record = file.read(_END_64.size)
        if len(record) < _END_64.size or not record.startswith(b"PK\x06\x06"):
            raise _no_zip("its zip64 record is damaged")
        _, _, _, _, _, _, _, count, size, _ = _END_64.unpack(record)
    if size > params.max_files * _MEAN_ENTRY:
        raise Refusal(422, "zip_entries", f"The directory of the archive takes {size} bytes; it is no export of scans.")
    file.seek(max(0, end - size))
    count = max(count, file.read(size).count(_ENTRY))
    if count > params.max_files:
        raise Refusal(
            422, "zip_entries", f"The archive names {count} members, at most {params.max_files} are taken.",
        )  # fmt: skip


def _check_member(member: zipfile.ZipInfo, who: str) -> None:
    name = member.orig_filename
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or name.startswith("\\"):
        raise Refusal(422, "zip_absolute_name", f"{who} has an absolute name.")
    if ".." in name.replace("\\", "/").split("/"):
        raise Refusal(422, "zip_traversal", f"{who} has a name that leads out of the archive ('..').")
    if "\x00" in name:
        raise Refusal(422, "zip_bad_name", f"{who} has a zero byte in its name.")
    kind = stat.S_IFMT(member.external_attr >> 16) if member.create_system == _UNIX else 0
    if kind == stat.S_IFLNK:
        raise Refusal(422, "zip_link", f"{who} is a link.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refusal(422, "zip_special_file", f"{who} is a device, pipe or socket.")
    if member.flag_bits & _ENCRYPTED:
        raise Refusal(422, "zip_encrypted", f"{who} is encrypted; send it without a password, over TLS.")
    if member.compress_type not in METHODS:
        raise Refusal(422, "zip_method", f"{who} is packed by method {member.compress_type}, which is not supported.")
    if name.lower().endswith(NESTED):
        raise Refusal(422, "zip_nested", f"{who} is an archive itself; pack the files, not archives of them.")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > RATIO_FROM_BYTES and ratio > MAX_RATIO:
        raise Refusal(422, "zip_ratio", f"{who} unpacks to {ratio:.0f} times its size, at most {MAX_RATIO} is taken.")


def _check_sizes(members: list[zipfile.ZipInfo], size: int, params: ServeParams) -> None:
    if not any(not member.is_dir() for member in members):
        raise Refusal(422, "zip_empty", "The archive holds no file.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > params.max_unpacked_mb * MB:
        raise Refusal(
            422,
            "zip_unpacked_size",
            f"The archive unpacks to {unpacked / MB:.0f} MB, at most {params.max_unpacked_mb:g} MB is taken.",
        )
    if sum(member.compress_size for member in members) > size:
        raise Refusal(422, "zip_overlap", "Members of the archive share the same bytes.")
