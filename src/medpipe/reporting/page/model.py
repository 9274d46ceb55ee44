"""What a page is made of. Every text is plain: `render` escapes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Jump:
    """A button that shows a place in the slice viewer.

    Attributes:
        text: On the button.
        scan: Number of the scan in the viewer, from 0.
        mark: Number of the mark in that scan, from 0; None shows the scan only.
    """

    text: str
    scan: int
    mark: int | None = None


Cell = str | Jump


@dataclass(frozen=True)
class Tile:
    """A headline number.

    Attributes:
        label: What it is.
        value: As it is to be read.
        interval: Below the value, "" for none.
        note: One short sentence that defines it.
    """

    label: str
    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows below column names; the first cell of a row is its header.

    Attributes:
        caption: Above.
        columns: Names.
        rows: Cells, as many as columns.
        note: Below, "" for none.
        folded: Whether the reader has to open it (long tables).
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing or a picture.

    Attributes:
        title: Above.
        alt: What it shows, for those who do not see it.
        source: Data URI of the picture; "" where ``svg`` is given.
        svg: Markup of a drawing that takes the page's colours, made by our own code from numbers.
        caption: Below.
    """

    kind: ClassVar[str] = "figure"
    title: str
    alt: str
    source: str = ""
    svg: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A square picture with a ring.

    Attributes:
        source: Data URI.
        alt: What it shows.
        plane: Below the picture.
        ring: Centre x, centre y and radius in hundredths of the edge.
    """

    source: str
    alt: str
    plane: str
    ring: tuple[float, float, float]


@dataclass(frozen=True)
class Card:
    """A finding in several planes.

    Attributes:
        mark: ``hit``, ``miss``, ``false alarm`` or ``candidate``: colour and dash of the ring.
        caption: Below.
        pictures: The planes.
        jump: To the finding in the viewer, where it has the scan.
    """

    mark: str
    caption: str
    pictures: Sequence[Picture]
    jump: Jump | None = None


@dataclass(frozen=True)
class Gallery:
    """Findings side by side.

    Attributes:
        title: Above.
        cards: Findings.
        note: How they were chosen.
    """

    kind: ClassVar[str] = "gallery"
    title: str
    cards: Sequence[Card]
    note: str = ""


Block = Table | Figure | Gallery


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its menu.

    Attributes:
        title: Heading.
        blocks: Content, in order.
        text: A paragraph before it.
    """

    title: str
    blocks: Sequence[Block]
    text: str = ""


@dataclass(frozen=True)
class ViewerMark:
    """A finding in a scan of the viewer; lengths in pixels of the slices.

    Attributes:
        slice: Number of the shown slice through its centre.
        x: Column of the centre.
        y: Row of the centre.
        radius: In the plane.
        reach: Shown slices above and below the centre that it reaches into.
        mark: ``hit``, ``miss``, ``false alarm``, ``ignored`` or ``candidate``.
        text: In the list of findings.
    """

    slice: int
    x: float
    y: float
    radius: float
    reach: float
    mark: str
    text: str


@dataclass(frozen=True)
class ViewerScan:
    """A scan to scroll through.

    Attributes:
        name: In the list of scans.
        width: Of a slice in pixels.
        height: Of a slice in pixels.
        slices: Data URIs from the feet to the head.
        labels: One a slice, such as its position in millimetres.
        marks: Findings.
        outlines: Number of a shown slice to SVG paths of the masks that it cuts.
    """

    name: str
    width: int
    height: int
    slices: Sequence[str]
    labels: Sequence[str]
    marks: Sequence[ViewerMark]
    outlines: Mapping[int, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Viewer:
    """The slice viewer.

    Attributes:
        scans: To choose from; the first is shown.
        note: How they were chosen.
    """

    scans: Sequence[ViewerScan]
    note: str = ""


SCANS_NOTICE = (
    "Made by medpipe for research; not a medical device. Scans are named by the uid of their series; the page holds no "
    "name or number of a patient."
)


@dataclass(frozen=True)
class Page:
    """All of a page.

    Attributes:
        title: Of the page and its heading.
        subtitle: Below it.
        tiles: Headline numbers.
        sections: Content.
        viewer: Slice viewer, shown after the sections; None for none.
        provenance: JSON-able: parameters, fingerprints, versions; in the footer.
        notice: What the page is for and what it leaves out; in the footer.
    """

    title: str
    subtitle: str = ""
    tiles: Sequence[Tile] = ()
    sections: Sequence[Section] = ()
    viewer: Viewer | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notice: str = SCANS_NOTICE
