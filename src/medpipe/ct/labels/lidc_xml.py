"""LIDC's reading sessions as XML (``LidcReadMessage``; schema of the NCI's LIDC pages)."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from medpipe.ct.labels.base import RATINGS, LabelError
from medpipe.ct.labels.lidc_marks import Contour, Mark
from medpipe.ct.readers.archive import open_file

MESSAGE = "LidcReadMessage"
"""Root of a CT read."""

RADIOGRAPH_MESSAGE = "IdriReadMessage"
"""Root of the read of the same patient's chest radiograph."""

CT_ONLY = re.compile(rb"LidcReadMessage|unblindedReadNodule|<nonNodule>|<roi>")
"""What tells a CT read whose first bytes are damaged."""

MAX_BYTES = 64 * 2**20
"""Largest file read; the largest of LIDC-IDRI has under 2 MB."""

MAX_DEPTH = 32
"""Deepest nesting; LIDC's own goes to 6."""

RATED = (0, 5)
"""Lowest and highest rating; 0 stands for one that was not given."""

_HEAD_BYTES = 1024
_SERIES = re.compile(rb"<(?:\w+:)?SeriesInstanceUid>\s*([0-9.]{1,64})\s*<", re.IGNORECASE)


def is_ct_read(file: Path) -> bool:
    """Whether a file is a CT read, damaged or not: by its first bytes or, where they do not tell, by what it holds."""
    with open_file(file) as stream:
        head = stream.read(_HEAD_BYTES)
        if MESSAGE.encode() in head:
            return True
        if RADIOGRAPH_MESSAGE.encode() in head:
            return False
        return CT_ONLY.search(head + stream.read(MAX_BYTES)) is not None


def series_uid(file: Path) -> str | None:
    """The series that a CT read names, also where it is damaged elsewhere; None where it cannot be found."""
    with open_file(file) as stream:
        match = _SERIES.search(stream.read(MAX_BYTES))
    return None if match is None else match[1].decode()


def parse(content: bytes) -> Element:
    """An XML document as a tree, without namespaces.

    Raises:
        LabelError: If it is not well formed, too large or too deep, or has a document type: entities can grow without
            bound and fetch files.
    """
    if len(content) > MAX_BYTES:
        raise LabelError(f"The file of marks has more than {MAX_BYTES >> 20} MB.")
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def refuse(*_: object) -> None:
        raise LabelError("The file of marks has a document type declaration, which is not read.")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise LabelError(f"The file of marks is nested deeper than {MAX_DEPTH} levels.")
        builder.start(tag.rpartition("}")[2], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.rpartition("}")[2])

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise LabelError(f"The file of marks is not well-formed XML (line {error.lineno}).") from error
    except (LookupError, ValueError, UnicodeError) as error:  # an encoding that Python does not know
        if isinstance(error, LabelError):
            raise
        raise LabelError(f"The file of marks cannot be decoded ({type(error).__name__}).") from error
    return builder.close()


def read(file: Path) -> tuple[str, list[Mark]]:
    """Series uid and all marks of a CT read.

    Raises:
        LabelError: If the file is no ``LidcReadMessage``, names no series or holds a value that is no number.
    """
    with open_file(file) as stream:
        root = parse(stream.read(MAX_BYTES + 1))
    header = root.find("ResponseHeader")
    uid = "" if header is None else header.findtext("SeriesInstanceUid", "").strip()
    if root.tag != MESSAGE or not uid:
        raise LabelError(f"The file of marks is no {MESSAGE} with a SeriesInstanceUid.")
    try:
        marks = [
            mark
            for reader, session in enumerate(root.iter("readingSession"))
            for mark in _session_marks(reader, session)
        ]
    except (TypeError, ValueError, OverflowError) as error:
        raise LabelError("A coordinate or rating in the file of marks is missing or no number.") from error
    return uid, marks


def _session_marks(reader: int, session: Element) -> list[Mark]:
    nodules = [_nodule(reader, element) for element in session.iter("unblindedReadNodule")]
    points = [_point(reader, element) for element in session.iter("nonNodule")]
    return [mark for mark in nodules if mark.contours] + points


def _nodule(reader: int, element: Element) -> Mark:
    """An outlined nodule; with a single point it is one under 3 mm, of which only the place was recorded."""
    contours = tuple(_contour(roi) for roi in element.iter("roi") if roi.find("edgeMap") is not None)
    outlined = sum(len(contour.points_xy) for contour in contours) > 1
    return Mark(reader, contours, outlined, _ratings(element) if outlined else {})


def _contour(roi: Element) -> Contour:
    points = [_pixel(edge) for edge in roi.iter("edgeMap")]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    included = roi.findtext("inclusion", "TRUE").strip().upper() == "TRUE"
    return Contour(float(roi.findtext("imageZposition", "")), included, np.asarray(points, dtype=np.int64))


def _point(reader: int, element: Element) -> Mark:
    locus = element.find("locus")
    if locus is None:
        raise ValueError("a nonNodule without a locus")
    place = Contour(float(element.findtext("imageZposition", "")), True, np.asarray([_pixel(locus)], dtype=np.int64))
    return Mark(reader, (place,), outlined=False)


def _pixel(element: Element) -> tuple[int, int]:
    return int(element.findtext("xCoord", "")), int(element.findtext("yCoord", ""))


def _ratings(element: Element) -> dict[str, int]:
    given = {}
    for name in RATINGS:
        text = element.findtext(f"characteristics/{name.removesuffix('_rating')}", "").strip()
        if text and (rating := checked_rating(int(text))):
            given[name] = rating
    return given


def checked_rating(rating: int) -> int:
    """The rating, when it is one.

    Raises:
        ValueError: If it is not from 0 to 5.
    """
    if not RATED[0] <= rating <= RATED[1]:
        raise ValueError(f"a rating from {RATED[0]} to {RATED[1]} is expected, got {rating}")
    return rating
