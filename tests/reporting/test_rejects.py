import io

import numpy as np
import pytest

from medpipe.reporting.rejects import LUNG_WINDOW_HU, MAX_TILES, PICTURED_CODES, RejectTile, rejects_sheet, spread

SLICE = np.random.default_rng(0).integers(-1000, 400, (30, 40)).astype(np.int16)
REASON = "Neighbouring slices are 5.00 mm apart, at most 3 mm allowed."


def texts(figure) -> str:
    found = [text.get_text() for text in figure.texts]
    found += [text.get_text() for axes in figure.axes for text in axes.texts]
    return "\n".join(found)


def pictures(figure) -> list:
    return [image for axes in figure.axes for image in axes.images]


def rendered(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def test_a_tile_shows_the_slice_in_a_lung_window_with_code_and_reason():
    figure = rejects_sheet([RejectTile("thick_slices", REASON, SLICE, (0.7, 0.7), 3)])
    (picture,) = pictures(figure)
    np.testing.assert_array_equal(picture.get_array(), SLICE)
    assert picture.get_clim() == LUNG_WINDOW_HU
    shown = texts(figure).replace("\n", " ")
    assert REASON in shown
    assert "thick_slices 3" in shown
    assert "3 scans, 1 of them shown" in shown
    assert rendered(figure)


@pytest.mark.parametrize(
    "code",
    ["not_ct", "no_position", "unreadable", "secondary_capture", "localizer", "truncated_pixels", "mixed_size", "new"],
)
def test_pixels_that_may_bear_a_name_are_never_drawn(code):
    assert code not in PICTURED_CODES
    figure = rejects_sheet([RejectTile(code, "No CT.", SLICE)])
    assert pictures(figure) == []
    assert "not shown" in texts(figure)


def test_values_that_are_no_hounsfield_units_are_shown_from_darkest_to_brightest():
    figure = rejects_sheet([RejectTile("absurd_hu", "Values run from 0 to 1.", np.eye(8, dtype=np.int16))])
    assert pictures(figure)[0].get_clim() == (0, 1)


def test_codes_lie_together_the_most_frequent_first():
    tiles = [RejectTile(code, REASON, n_scans=count) for code, count in [("a", 2), ("b", 9), ("a", 2), ("c", 9)]]
    assert [text for text in texts(rejects_sheet(tiles)).split("\n") if text in set("abc")] == ["b", "c", "a", "a"]


@pytest.mark.parametrize(
    ("codes", "limit", "expected"),
    [
        ("aaaab", 2, [0, 4]),
        ("aaaab", 3, [0, 1, 4]),
        ("abcabc", 4, [0, 1, 2, 3]),
        ("ab", 9, [0, 1]),
        ("", 9, []),
    ],
)
def test_the_tiles_are_spread_over_the_codes(codes, limit, expected):
    assert spread(codes, limit) == expected


def test_a_sheet_has_room_for_so_many():
    figure = rejects_sheet([RejectTile(f"code_{n % 30}", REASON, SLICE) for n in range(60)])
    assert len(figure.axes) == MAX_TILES
    assert "60 scans, 24 of them shown" in texts(figure)


def test_a_slice_keeps_its_proportions_in_millimetres():
    axes = rejects_sheet([RejectTile("short_extent", REASON, SLICE, (2.0, 0.5))]).axes[0]
    width_mm, height_mm = np.ptp(axes.get_xlim()) * 0.5, np.ptp(axes.get_ylim()) * 2.0
    assert width_mm == pytest.approx(height_mm)
    assert height_mm >= 60.0


def test_long_reasons_are_cut():
    figure = rejects_sheet([RejectTile("short_extent", "word " * 200)])
    assert texts(figure).count("word") < 60
    assert "..." in texts(figure)


def test_a_sheet_without_rejects_says_so():
    figure = rejects_sheet([])
    assert "No scan was rejected" in texts(figure)
    assert rendered(figure)
