"""Records of an SDF file (BIOVIA, "CTfile Formats", 2020): a mol block, data fields, ``$$$$``.

Records are cut as text and read by the workers: a broken one costs itself alone, and the reading is not left to one
process, as it is with RDKit's own supplier.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

RECORD_END = "$$$$"
BLOCK_END = "M  END"
MAX_RECORD_LINES = 20_000
"""The rest of a longer record is passed over: a V2000 block has 999 atoms and bonds at most."""
_HEADING = re.compile(r">.*<([^>]+)>")


class Record(NamedTuple):
    """One molecule of a file.

    Attributes:
        number: From 1.
        block: Text up to and with ``M  END``.
        data: Lines behind it.
    """

    number: int
    block: str
    data: list[str]


def read_records(lines: Iterator[str]) -> Iterator[Record]:
    """Yield each record of a file, of whose ``lines`` the ends are kept."""
    number = 1
    record: list[str] = []
    for line in lines:
        if line.rstrip() == RECORD_END:
            yield _cut(number, record)
            number, record = number + 1, []
        elif len(record) < MAX_RECORD_LINES:
            record.append(line)
    if any(line.strip() for line in record):
        yield _cut(number, record)


def _cut(number: int, record: list[str]) -> Record:
    end = next((i for i, line in enumerate(record) if line.startswith(BLOCK_END)), len(record))
    return Record(number, "".join(record[: end + 1]), record[end + 1 :])


def fields_of(record: Record) -> dict[str, str]:
    """Data fields: name to the first line of the value."""
    found: dict[str, str] = {}
    for i, line in enumerate(record.data[:-1]):
        if heading := _HEADING.match(line):
            found.setdefault(heading[1].strip(), record.data[i + 1].strip())
    return found


def field_of(record: Record, name: str) -> str:
    """A data field, whatever the case of its name; empty where there is none."""
    return next((value for known, value in fields_of(record).items() if known.lower() == name.lower()), "")
