"""Bytes are cut, changed and inserted in LIDC's messages: each ends as findings or as a refusal of its series."""

import random
from pathlib import Path

import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import lidc
from medpipe.ct.labels.base import Finding, LabelError
from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers.base import ScanRef
from tests.ct.damage import damaged

N_FUZZED = 500
GRID = Geometry((20, 100, 100), (2.0, 0.5, 0.5), (-10.0, -20.0, -100.0))
SCANS = [ScanRef(uid, uid, "dicom", path, GRID) for uid, path in (("1.2.3.4", "case/ct"), ("1.2.3.5", "other/ct"))]
RATINGS = ("subtlety", "sphericity", "margin", "lobulation", "spiculation", "texture", "malignancy")


def edges(tag: str, points: list[tuple[int, int]]) -> str:
    return "".join(f"<{tag}><xCoord>{x}</xCoord><yCoord>{y}</yCoord></{tag}>" for x, y in points)


def roi(z_mm: float, points: list[tuple[int, int]], included: str = "TRUE") -> str:
    place = f"<imageZposition>{z_mm}</imageZposition><imageSOP_UID>1.2.3.4.5</imageSOP_UID>"
    return f"<roi>{place}<inclusion>{included}</inclusion>{edges('edgeMap', points)}</roi>"


def session(reader: int) -> str:
    square = [(40 + reader, 40), (52 + reader, 40), (52 + reader, 52), (40 + reader, 52), (40 + reader, 40)]
    hole = [(44, 44), (46, 44), (46, 46), (44, 46)]
    rated = "".join(f"<{name}>{1 + reader}</{name}>" for name in RATINGS)
    outlined = "".join(roi(z_mm, square) for z_mm in (-98.0, -96.0, -94.0)) + roi(-96.0, hole, "FALSE")
    nodule = f"<noduleID>{reader}</noduleID><characteristics>{rated}</characteristics>{outlined}"
    small = f"<noduleID>s</noduleID>{roi(-80.0, [(20, 30)])}"
    point = f"<imageZposition>-70.0</imageZposition>{edges('locus', [(9, 8)])}"
    return (
        f"<readingSession><unblindedReadNodule>{nodule}</unblindedReadNodule>"
        f"<unblindedReadNodule>{small}</unblindedReadNodule><nonNodule>{point}</nonNodule></readingSession>\n"
    )


def message(uid: str) -> bytes:
    header = f"<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid></ResponseHeader>\n"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<LidcReadMessage xmlns="http://www.nih.gov">\n{header}'
    return (text + "".join(map(session, range(4))) + "</LidcReadMessage>\n").encode()


def outcome(raw: Path, uid: str) -> list[Finding] | LabelError | None:
    """What is found in a series; None where no message was taken for its own."""
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    jobs = lidc.discover(raw, files, SCANS, IngestCTParams())
    if uid not in jobs:
        return None
    try:
        return [finding for job in jobs[uid] for finding in job(GRID)]
    except LabelError as error:
        return error


def test_damaged_messages_end_as_findings_or_refusals(tmp_path: Path):
    (tmp_path / "good.xml").write_bytes(message("1.2.3.5"))
    (tmp_path / "case" / "xml").mkdir(parents=True)
    rng, whole = random.Random(7), message("1.2.3.4")
    refused = 0
    for _ in range(N_FUZZED):
        (tmp_path / "case" / "xml" / "Doe.xml").write_bytes(damaged(whole, rng, in_header=rng.random() < 0.3))
        found = outcome(tmp_path, "1.2.3.4")
        if isinstance(found, LabelError):
            refused += 1
            assert "Doe" not in str(found)
        else:
            for item in found or ():
                assert np.isfinite(item.centre_xyz_mm).all()
    assert refused > N_FUZZED // 2
    assert len(outcome(tmp_path, "1.2.3.5") or ()) == 9  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        "<a>" * 200_000,
        "<readingSession>" * 1000 + session(0) + "</readingSession>" * 1000,
        "<readingSession>" + "<nonNodule><imageZposition>1</imageZposition></nonNodule>" * 50_000 + "</readingSession>",
        "".join(map(session, range(4))) * 400,
    ],
    ids=["open", "nested", "empty", "many"],
)
def test_monstrous_messages_end_soon(tmp_path: Path, body: str):
    (tmp_path / "a.xml").write_bytes(
        message("1.2.3.4").replace(b"</LidcReadMessage>", body.encode() + b"</LidcReadMessage>")
    )
    assert isinstance(outcome(tmp_path, "1.2.3.4"), LabelError)
