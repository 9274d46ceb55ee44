"""Single values of a DICOM data set, read from the raw bytes of its elements; a value that is odd is a missing one."""

import math
import struct
from collections.abc import Sequence
from typing import Any

_CODES = {"US": "H", "SS": "H", "UL": "I", "SL": "I", "FL": "f", "FD": "d"}
"""Codes of binary values for ``struct``; signed ones are only ever compared bit by bit, so they are read unsigned."""

# fmt: off
_BINARY_TAGS = {
    **dict.fromkeys((
        0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120, 0x00209156,
    ), "US"),
    0x00209128: "UL", 0x00209241: "FL", 0x00209153: "FD",
}
# fmt: on
"""Type of the binary values that are looked at, for data sets that do not write it (implicit VR)."""


class Elements:
    """Values of a data set.

    Args:
        data: A ``pydicom.Dataset``.
    """

    def __init__(self, data: Any) -> None:
        self.data = data

    def _bytes(self, tag: int) -> tuple[bytes, Any] | None:
        """The value as it lies in the file, and its element."""
        try:
            element = self.data.get_item(tag)
        except KeyError:
            return None
        value = None if element is None else element.value
        if isinstance(value, bytes):
            return value, element
        if value is None or value == "":
            return None
        if isinstance(value, str | int | float):
            return str(value).encode("latin-1", "replace"), None
        try:
            return "\\".join(map(str, value)).encode("latin-1", "replace"), None
        except TypeError:
            return None

    def text(self, tag: int) -> str:
        """Letters of the default repertoire, such as a uid or a code; empty where there are none."""
        found = self._bytes(tag)
        return "" if found is None else found[0].decode("latin-1").strip(" \0")

    def words(self, tag: int) -> str | None:
        """Words in the character set of the data set (PS3.3 C.12.1.1.2); None where there are none."""
        if (found := self._bytes(tag)) is None:
            return None
        if found[0].isascii():
            return found[0].decode("ascii").strip(" \0") or None
        value = self.data.get(tag)
        value = getattr(value, "value", value)
        parts = [value] if isinstance(value, str) else value
        return "\\".join(map(str, parts)).strip(" \0") or None

    def values(self, tag: int) -> tuple[str, ...]:
        """The parts of a value of several words."""
        return tuple(part.strip() for part in self.text(tag).split("\\")) if self.text(tag) else ()

    def integer(self, tag: int) -> int | None:
        """A whole number that is not negative."""
        number = self.real(tag)
        return int(number) if number is not None and number >= 0 and number.is_integer() else None

    def real(self, tag: int) -> float | None:
        """A number; None where it is missing or not finite."""
        if (found := self._bytes(tag)) is None:
            return None
        raw, element = found
        vr = None if element is None else element.VR
        if element is not None and vr in (None, "UN"):
            vr = _BINARY_TAGS.get(tag)
        if (code := _CODES.get(vr or "")) is None:
            return _number(raw)
        if len(raw) != struct.calcsize(code):
            return None
        number = float(struct.unpack(("<" if element.is_little_endian else ">") + code, raw)[0])
        return number if math.isfinite(number) else None

    def factor(self, tag: int, missing: float) -> float:
        """A number that must not be guessed: ``missing`` where there is none, NaN where it cannot be read."""
        if not self.text(tag):
            return missing
        number = self.real(tag)
        return math.nan if number is None else number

    def numbers(self, tag: int, count: int) -> tuple[float, ...] | None:
        """Exactly so many finite numbers."""
        found = self._bytes(tag)
        parts = found[0].split(b"\\") if found else []
        numbers = tuple(number for part in parts if (number := _number(part)) is not None)
        return numbers if len(numbers) == len(parts) == count else None

    def time(self, tag: int) -> float | None:
        """A time of day or date and time (TM, DT) as a number that grows with it."""
        digits = self.text(tag).split("+")[0].split("-")[0].replace(":", "")
        whole = digits.split(".")[0]
        if not whole.isascii() or not whole.isdigit():
            return None
        if len(whole) > 8:  # date and time: a float holds them to some milliseconds
            clock = _number(digits[8:].encode())
            return None if clock is None else int(whole[:8]) * 1e6 + clock
        return _number(digits.encode())

    def items(self, tag: int) -> "list[Elements]":
        """The items of a sequence; none where it is missing or something else."""
        if tag not in self.data:
            return []
        value = self.data[tag].value
        return [Elements(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def _number(raw: bytes) -> float | None:
    try:
        number = float(raw.strip(b" \0"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
