import io

import numpy as np
import pytest
from matplotlib.patches import Circle

from medpipe.reporting.scans import Mark, View, busiest_slice, gallery_figure, slice_figure

VOLUME = np.random.default_rng(0).integers(0, 255, (20, 30, 40)).astype(np.uint8)


def circles(axes) -> list[Circle]:
    return [patch for patch in axes.patches if isinstance(patch, Circle)]


def rendered(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def test_a_finding_is_circled_in_millimetres():
    figure = slice_figure(VOLUME, (2.0, 1.5, 0.5), [Mark((10, 12, 20), 8.0, text="8 mm")], index=10)
    (circle,) = circles(figure.axes[0])
    assert circle.center == (10.0, 18.0)
    assert circle.radius >= 4.0
    assert rendered(figure)


@pytest.mark.parametrize(("column", "side"), [(4, "left"), (38, "right")])
def test_the_text_of_a_finding_stays_in_the_picture(column: int, side: str):
    figure = slice_figure(VOLUME, (2.0, 1.5, 0.5), [Mark((10, 12, column), 2.0, text="2 mm")], index=10)
    (text,) = [text for text in figure.axes[0].texts if text.get_text() == "2 mm"]
    assert text.get_ha() == side


@pytest.mark.parametrize(("index", "drawn"), [(10, 1), (11, 1), (12, 0), (8, 0)])
def test_a_finding_is_circled_only_where_it_cuts_the_slice(index: int, drawn: int):
    figure = slice_figure(VOLUME, (2.0, 1.5, 0.5), [Mark((10, 12, 20), 6.0)], index=index)
    assert len(circles(figure.axes[0])) == drawn


def test_the_slice_with_most_findings_is_shown():
    marks = [Mark((4, 0, 0), 4.0), Mark((13, 0, 0), 4.0), Mark((14, 5, 5), 4.0)]
    assert busiest_slice(20, 2.0, marks) in (13, 14)
    assert busiest_slice(20, 2.0, []) == 10


def test_each_finding_of_a_gallery_has_three_planes_with_a_circle():
    views = [View(VOLUME[:20, :20, :20], Mark((10, 10, 10), 6.0, "hit"), f"{n} mm") for n in range(4)]
    figure = gallery_figure(views, 1.5, "Hits", columns=3)
    assert len(figure.axes) == 12
    assert all(len(circles(axes)) == 1 for axes in figure.axes)
    assert rendered(figure)


def test_the_head_is_up_in_coronal_and_sagittal_views():
    figure = gallery_figure([View(VOLUME[:20, :20, :20], Mark((10, 10, 10), 6.0, "miss"))], 1.0)
    axial, coronal, sagittal = figure.axes
    assert axial.yaxis_inverted()
    assert not coronal.yaxis_inverted()
    assert not sagittal.yaxis_inverted()


def test_a_gallery_of_nothing_says_so():
    figure = gallery_figure([], 1.0, "Misses")
    assert figure.axes[0].texts[0].get_text() == "none"
    assert rendered(figure)
