"""LIDC's reading sessions as XML (``LidcReadMessage``; schema of the NCI's LIDC pages)."""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from medpipe.core.errors import InputError
from medpipe.ct.labels.lidc_marks import Contour, Mark

MESSAGE = "LidcReadMessage"
"""Root of a CT read; ``IdriReadMessage`` is the read of the same patient's chest radiograph."""

_HEAD_BYTES = 1024


def is_ct_read(file: Path) -> bool:
    """Whether a file is a CT read, by its first bytes."""
    with file.open("rb") as stream:
        return f"<{MESSAGE}".encode() in stream.read(_HEAD_BYTES)


def parse(file: Path) -> Element:
    """An XML file as a tree, without namespaces.

    Raises:
        InputError: If it is not well formed, or has a document type: entities can grow without bound and fetch files.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise InputError(f"{file}: has a document type declaration, which is not read; remove the DOCTYPE line")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: builder.start(tag.rpartition("}")[2], attributes)
    parser.EndElementHandler = lambda tag: builder.end(tag.rpartition("}")[2])
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        raise InputError(f"{file}: not well-formed XML: {error}") from error
    return builder.close()


def read(file: Path) -> tuple[str, list[Mark]]:
    """Series uid and all marks of a CT read.

    Raises:
        InputError: If the file is no ``LidcReadMessage``, names no series or holds a value that is no number.
    """
    root = parse(file)
    header = root.find("ResponseHeader")
    series_uid = "" if header is None else header.findtext("SeriesInstanceUid", "").strip()
    if root.tag != MESSAGE or not series_uid:
        raise InputError(f"{file}: a {MESSAGE} with a SeriesInstanceUid is expected, found {root.tag}")
    try:
        marks = [
            mark
            for reader, session in enumerate(root.iter("readingSession"))
            for mark in _session_marks(reader, session)
        ]
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: a coordinate or rating is missing or no number: {error}") from error
    return series_uid, marks


def _session_marks(reader: int, session: Element) -> list[Mark]:
    nodules = [_nodule(reader, element) for element in session.iter("unblindedReadNodule")]
    points = [_point(reader, element) for element in session.iter("nonNodule")]
    return [mark for mark in nodules if mark.contours] + points


def _nodule(reader: int, element: Element) -> Mark:
    """An outlined nodule; with a single point it is one under 3 mm, of which only the place was recorded."""
    contours = tuple(_contour(roi) for roi in element.iter("roi") if roi.find("edgeMap") is not None)
    outlined = sum(len(contour.points_xy) for contour in contours) > 1
    return Mark(
        reader,
        contours,
        outlined,
        _rating(element, "malignancy") if outlined else None,
        _rating(element, "texture") if outlined else None,
    )


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
    place = Contour(float(element.findtext("imageZposition", "")), True, np.asarray([_pixel(locus)]))
    return Mark(reader, (place,), outlined=False)


def _pixel(element: Element) -> tuple[int, int]:
    return int(element.findtext("xCoord", "")), int(element.findtext("yCoord", ""))


def _rating(element: Element, name: str) -> int | None:
    text = element.findtext(f"characteristics/{name}", "").strip()
    return int(text) if text else None
