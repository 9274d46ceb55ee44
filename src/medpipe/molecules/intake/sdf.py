"""Records of an SDF file (BIOVIA, "CTfile Formats", 2020): a mol block, data fields, ``$$$$``.

Records are cut as text and read by the workers: a broken one costs itself alone, and the reading is not left to one
process, as it is with RDKit's own supplier.
"""

from collections.abc import Iterator
from itertools import pairwise

RECORD_END = "$$$$"
BLOCK_END = "M  END"
MAX_RECORD_LINES = 20_000
"""The rest of a longer record is passed over: a V2000 block has 999 atoms and bonds at most."""


def read_records(lines: Iterator[str], field: str | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield (number, mol block, data) of each record.

    Args:
        lines: Of the file, with their line ends.
        field: Data field to give back, whatever its case; where a record has none the data is empty.

    Returns:
        1-based number of the record, its text up to and with ``M  END``, and the first line of the field.
    """
    number = 1
    record: list[str] = []
    for line in lines:
        if line.rstrip() == RECORD_END:
            yield _cut(number, record, field)
            number, record = number + 1, []
        elif len(record) < MAX_RECORD_LINES:
            record.append(line)
    if any(line.strip() for line in record):
        yield _cut(number, record, field)


def _cut(number: int, record: list[str], field: str | None) -> tuple[int, str, str]:
    end = next((i for i, line in enumerate(record) if line.startswith(BLOCK_END)), len(record))
    return number, "".join(record[: end + 1]), "" if field is None else _data(record[end + 1 :], field)


def _data(lines: list[str], field: str) -> str:
    wanted = f"<{field.lower()}>"
    for heading, value in pairwise(lines):
        if heading.startswith(">") and wanted in heading.lower():
            return value.strip()
    return ""
