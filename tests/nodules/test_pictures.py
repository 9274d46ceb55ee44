import pandas as pd
import pytest

from medpipe.ct.store import ScanStore
from medpipe.nodules.pictures import at_operating_point, outcome_gallery, scan_figure


@pytest.fixture
def matches(blobs: tuple[ScanStore, pd.DataFrame]) -> pd.DataFrame:
    """Of four balls: two found, one found below the threshold, one missed; and a false alarm."""
    rows = blobs[1].head(4).assign(outcome=["hit", "hit", "hit", "miss"], probability=[0.9, 0.8, 0.2, float("nan")])
    wrong = rows.head(1).assign(x_mm=rows["x_mm"].iloc[0] + 30, outcome="false alarm", probability=0.7)
    table = pd.concat([rows, wrong], ignore_index=True)
    return table.assign(alarm=table["probability"] >= 0.5)


@pytest.mark.parametrize(("outcome", "count"), [("hit", 2), ("miss", 2), ("false alarm", 1)])
def test_outcomes_are_judged_at_the_operating_threshold(matches: pd.DataFrame, outcome: str, count: int):
    assert len(at_operating_point(matches, outcome)) == count


@pytest.mark.parametrize(("outcome", "planes"), [("hit", 6), ("miss", 6), ("false alarm", 3)])
def test_a_gallery_shows_three_planes_a_finding(blobs, matches: pd.DataFrame, outcome: str, planes: int):
    assert len(outcome_gallery(blobs[0], matches, outcome).axes) == planes


def test_the_finding_is_in_the_middle_of_its_pictures(blobs, matches: pd.DataFrame):
    for axes in outcome_gallery(blobs[0], matches, "hit", most=1).axes:
        picture = axes.images[0].get_array()
        middle = tuple(n // 2 for n in picture.shape)
        assert picture[middle] > 150


def test_no_series_uid_is_shown(blobs, matches: pd.DataFrame):
    figure = outcome_gallery(blobs[0], matches, "hit")
    texts = [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]
    assert not any("scan" in text for text in texts)


def test_a_slice_has_the_findings_of_its_scan(blobs):
    figure = scan_figure(*([blobs[0], "scan0", blobs[1]]), title="axial")
    assert 1 <= len(figure.axes[0].patches) <= 3
