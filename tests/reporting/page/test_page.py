import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from medpipe.reporting.page import (
    Card,
    Figure,
    Gallery,
    Jump,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    Viewer,
    ViewerMark,
    ViewerScan,
    jpeg_uri,
    render,
)
from medpipe.reporting.page.froc_chart import froc_chart
from tests.reporting.page.browser import Elements

EVIL = "<script>alert('x')</script>\"'&</script>"


def page(text: str) -> Page:
    """A page with every kind of content and ``text`` wherever a text can be."""
    picture = Picture(jpeg_uri(np.zeros((4, 4), np.uint8), 70), text, text, (50, 50, 10))
    mark = ViewerMark(0, 2, 2, 1, 1, text, text)
    scan = ViewerScan(text, 4, 4, [picture.source] * 3, [text] * 3, [mark], {0: ["M0 0L1 1Z"]})
    blocks = [
        Table(text, [text, text], [[text, Jump(text, 0)], [text, text]], note=text),
        Table(text, [text], [], folded=True),
        Figure(text, text, source=picture.source, caption=text),
        Gallery(text, [Card(text, text, [picture], Jump(text, 0, 0))], note=text),
        Gallery(text, []),
    ]
    section = Section(text, blocks, text)
    return Page(text, text, [Tile(text, text, text, text)], [section], Viewer([scan], text), {text: [text]}, text)


def test_every_text_is_escaped():
    plain, evil = Elements(render(page("plain"))), Elements(render(page(EVIL)))
    assert evil.count() == plain.count()
    assert evil.count()["script"] == 2
    assert not evil.open
    assert EVIL in evil.text


def test_nothing_is_asked_for_from_outside():
    html = render(page("plain"))
    allowed = re.compile(r"data:|#")
    for tag, attributes in Elements(html).elements:
        for name in ("src", "href", "srcset", "action", "poster", "data"):
            assert allowed.match(attributes.get(name) or "#"), (tag, attributes)
    assert "@import" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_the_policy_names_the_hash_of_the_script():
    import base64
    import hashlib

    html = render(page("plain"))
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_every_picture_has_a_text_and_every_control_a_name():
    for tag, attributes in Elements(render(page("plain"))).elements:
        if tag == "img" and attributes.get("id") != "slice":  # the viewer's is told by the script
            assert attributes["alt"]
        if tag == "input" and attributes["type"] == "range":
            assert attributes["aria-label"]


def test_parts_may_be_missing():
    elements = Elements(render(Page("Only a title")))
    assert elements.count()["h1"] == 1
    assert "viewer" not in {attributes.get("id") for _, attributes in elements.elements}
    assert not elements.open


def curve(sensitivity: float) -> pd.DataFrame:
    points = pd.DataFrame({"false_alarms_per_scan": [0.0, 1.0, 8.0], "sensitivity": [0.0, sensitivity, sensitivity]})
    rated = pd.DataFrame({"rate": [0.125, 8.0], "sensitivity": [0.1, sensitivity]})
    rated = rated.assign(
        false_alarms_per_scan=rated["rate"], low=rated["sensitivity"] - 0.05, high=rated["sensitivity"]
    )
    return pd.concat([points, rated], ignore_index=True)


def test_the_curve_rises_to_its_sensitivity():
    svg = Elements(froc_chart(curve(0.9)).svg)
    line = next(attributes for _, attributes in svg.elements if attributes.get("class") == "line")
    y = [float(point.split(",")[1]) for point in str(line["points"]).split()]
    grid = [float(str(a["y1"])) for _, a in svg.elements if a.get("class") == "grid" and a["y1"] == a["y2"]]
    assert all(later <= earlier for earlier, later in pairwise(y))
    assert y[-1] == pytest.approx(0.1 * max(grid) + 0.9 * min(grid), abs=0.2)


@pytest.mark.parametrize("with_control", [False, True])
def test_a_control_is_drawn_where_there_is_one(with_control: bool):
    svg = froc_chart(curve(0.9), curve(0.2) if with_control else None).svg
    assert ('class="control"' in svg) == with_control
    assert ("untrained control" in svg) == with_control


def test_a_curve_without_nodules_is_an_empty_chart():
    empty = curve(0.9).iloc[:1].assign(sensitivity=float("nan"))
    assert "polyline" not in froc_chart(empty).svg
