"""Findings of several sources that are one lesion."""

import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding, LesionMask, finding_of_mask
from medpipe.ct.labels.joined import join_findings

GRID = Geometry((40, 40, 40), (2.0, 1.0, 1.0), (-10.0, 5.0, 100.0))


def ball(centre_zyx: tuple[int, int, int], radius_mm: float) -> Finding:
    """An outlined ball."""
    z, y, x = np.meshgrid(*[np.arange(40)] * 3, indexing="ij")
    d = np.sqrt((2 * (z - centre_zyx[0])) ** 2 + (y - centre_zyx[1]) ** 2 + (x - centre_zyx[2]) ** 2)
    return finding_of_mask(LesionMask((0, 0, 0), d <= radius_mm), GRID, label="value 1")


def row(centre_zyx: tuple[float, float, float], diameter_mm: float | None, **known: object) -> Finding:
    """A row of a table."""
    x, y, z = GRID.to_world([centre_zyx])[0]
    return Finding((x, y, z), diameter_mm=diameter_mm, **known)  # type: ignore[arg-type]


def test_a_row_takes_the_outline_it_lies_in():
    outlined, told = ball((20, 20, 20), 5.0), row((20.2, 21, 20), 9.0, texture="solid", ratings={"malignancy": 4.0})
    (one,) = join_findings([outlined, told], GRID)
    assert one.mask is outlined.mask
    assert (one.diameter_mm, one.texture, one.label) == (9.0, "solid", "value 1")
    assert one.centre_xyz_mm == told.centre_xyz_mm
    assert one.ratings == {"malignancy": 4.0}


@pytest.mark.parametrize(
    "findings",
    [
        [ball((20, 20, 20), 5.0), row((20, 20, 30), 9.0)],
        [ball((20, 20, 20), 15.0), row((20, 20, 20), 6.0)],
        [ball((20, 20, 20), 5.0), row((20, 20, 20), None)],
        [ball((20, 20, 20), 5.0), row((20, 20, 18), 6.0), row((20, 20, 22), 6.0)],
        [ball((20, 20, 20), 5.0), ball((20, 20, 20), 5.0)],
        [row((20, 20, 20), 6.0), row((20, 20, 20.5), 6.0)],
        [row((20, 20, 20), 6.0), row((20, 20, 20), 6.0, kind="irrelevant")],
        [row((20, 20, 20), 6.0), row((20, 20, 20), 8.0)],
    ],
    ids=["outside", "an organ", "no size", "two inside", "two outlines", "two places", "two kinds", "two sizes"],
)
def test_what_may_be_two_stays_two(findings: list[Finding]):
    assert len(join_findings(findings, GRID)) == len(findings)


def test_rows_of_two_tables_complete_each_other():
    first, second = row((9, 9, 9), 6.0), row((9, 9, 9.01), None, readers=3, ratings={"spiculation": 5.0})
    (one,) = join_findings([first, second], GRID)
    assert (one.diameter_mm, one.readers, one.ratings) == (6.0, 3, {"spiculation": 5.0})
    assert one.centre_xyz_mm == first.centre_xyz_mm
