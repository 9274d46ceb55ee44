"""The HTML report, read by a parser and, where there is one, opened in a browser."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.ct.labels.base import LesionMask
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.ct.store import ScanStore
from medpipe.nodules.evaluation.control import evaluate_with_control
from medpipe.nodules.evaluation.params import EvaluateParams
from medpipe.nodules.report import evaluation_report, inference_report
from medpipe.nodules.report_numbers import label, metrics_table, rates_table, segmentation_table
from medpipe.nodules.report_params import ReportParams
from medpipe.nodules.report_scans import viewer
from tests.reporting.page.browser import Browser, Elements

EVIL = "<script>alert(1)</script>"
PATIENT = "DOE^JANE"
UIDS = [f"scan{n}" for n in range(5)]


@pytest.fixture(scope="module")
def candidates(blobs: tuple[ScanStore, pd.DataFrame]) -> pd.DataFrame:
    """All nodules but the first are found, the second below the threshold; and a false alarm in the last scan."""
    rows = blobs[1].iloc[1:]
    found = rows[["series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm"]].assign(probability=0.9)
    found.iloc[0, -1] = 0.2
    wrong = found.tail(1).assign(series_uid="scan4", probability=0.7)
    return pd.concat([found, wrong], ignore_index=True)


@pytest.fixture(scope="module")
def masks(blobs: tuple[ScanStore, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> MaskStore:
    """A box of 6 voxels in the first scan, its corner at voxel (20, 10, 30)."""
    folder = tmp_path_factory.mktemp("masks")
    mask = LesionMask((20, 10, 30), np.ones((6, 6, 6), dtype=bool))
    write_masks(folder, "scan0", blobs[0].open("scan0").geometry, {1: mask})
    return MaskStore(folder)


@pytest.fixture(scope="module")
def evaluation(blobs: tuple[ScanStore, pd.DataFrame], candidates: pd.DataFrame, masks: MaskStore) -> str:
    store, nodules = blobs
    params = EvaluateParams(n_bootstraps=50)
    patients = dict.fromkeys(UIDS[:2], PATIENT) | {uid: uid for uid in UIDS[2:]}
    sources = dict.fromkeys(UIDS, EVIL)
    result = evaluate_with_control(
        candidates, candidates.iloc[:0], nodules, UIDS, params, 0.5, sources=sources, patients=patients
    )
    return evaluation_report(
        store,
        metrics=result.metrics,
        curves=result.curve,
        outcomes=result.matches.assign(patient_id=PATIENT),
        series_uids=UIDS,
        sources=sources,
        segmentation_metrics={"detected_dice": 0.81, "detected_dice_low": 0.7, "detected_dice_high": 0.9},
        segmentation_scores=pd.DataFrame({"finding_id": ["scan0-1"], "label": [EVIL], "patient_id": [PATIENT]}),
        masks=masks,
        provenance={"versions": {"torch": EVIL}},
    )


@pytest.fixture(scope="module")
def inference(blobs: tuple[ScanStore, pd.DataFrame], candidates: pd.DataFrame) -> str:
    ids = [f"{uid}-{n:03d}" for n, uid in enumerate(candidates["series_uid"])]
    instances = candidates.assign(finding_id=ids, alarm=candidates["probability"] >= 0.5, volume_mm3=99.4)
    return inference_report(blobs[0], instances=instances, series_uids=UIDS)


def texts(html: str) -> str:
    return " ".join(" ".join(Elements(html).text).split())


def test_the_page_tells_the_numbers(evaluation: str):
    told = texts(evaluation)
    assert "5 scans of 4 patients with 12 nodules" in told
    for text in (
        "Hits: 10 of 10",
        "Misses: 2 of 2",
        "(n = 12)",
        "Scans without nodule 1",
        "False alarms: 1 of 1",
        "Dice of detected nodules",
        "0.700 to 0.900",
    ):
        assert text in told


def test_labels_are_text_and_no_script(evaluation: str):
    elements = Elements(evaluation)
    assert not elements.open
    assert elements.count()["script"] == 2
    assert EVIL in elements.text


def test_no_patient_is_named(evaluation: str, inference: str):
    assert PATIENT not in evaluation
    assert PATIENT not in inference


def test_findings_of_scans_without_truth(inference: str):
    told = texts(inference)
    assert "Findings: 11, in 5 of 5 scans" in told
    assert "1 candidates below the operating threshold are left out" in told
    assert "Detection" not in told


def test_no_findings_are_a_page_too(blobs: tuple[ScanStore, pd.DataFrame], candidates: pd.DataFrame):
    nothing = candidates.iloc[:0].assign(finding_id=pd.Series(dtype="str"))
    html = inference_report(blobs[0], instances=nothing, series_uids=UIDS)
    assert "Findings: 0, in 0 of 5 scans" in texts(html)
    assert not Elements(html).open


def test_outlines_at_known_and_at_detected_places_stand_side_by_side():
    metrics = {"roi_n": 170.0, "roi_dice": 0.8, "roi_dice_low": 0.7, "roi_dice_high": 0.9, "roi_hausdorff95_mm": 2.66}
    table = segmentation_table(metrics | {"n_missed": 13.0, "detected_n": 157.0, "detected_dice": 0.75})
    assert list(table.columns) == ["", "place known", "interval", "place detected", "interval"]
    assert [list(row) for row in table.rows] == [
        ["Outlined", "170", "", "157", ""],
        ["Dice", "0.800", "0.700 to 0.900", "0.750", ""],
        ["Hausdorff distance, 95 % (mm)", "2.7", "", "–", ""],
    ]


def test_both_ends_of_an_interval_have_decimals():
    metrics = {"fp_per_scan": 2.0, "fp_per_scan_low": 1.0, "fp_per_scan_high": 3.0, "n_scans": 5.0}
    rows = metrics_table("", metrics, ["fp_per_scan", "n_scans"]).rows
    assert [list(row[1:]) for row in rows] == [["2.000", "1.000 to 3.000"], ["5", ""]]


def test_rates_are_written_as_on_the_curve():
    curve = pd.DataFrame({"rate": [0.125, 8.0], "sensitivity": 0.5, "low": 0.4, "high": 0.6, "threshold": 0.1})
    assert [row[0] for row in rates_table(curve).rows] == ["1/8", "8"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n_tp", "True positives"),
        ("volume_mm3", "Volume (mm³)"),
        ("x_mm", "X (mm)"),
        ("roi_dice_6_to_10mm", "ROI Dice 6 to 10 mm"),
    ],
)
def test_metrics_have_readable_names(name: str, text: str):
    assert label(name) == text


def marks_of(nodules: pd.DataFrame) -> pd.DataFrame:
    return nodules.assign(mark="hit", text="a finding")


def test_a_mark_lies_on_its_nodule(blobs: tuple[ScanStore, pd.DataFrame]):
    store, nodules = blobs
    shown, _, _ = viewer(store, ["scan0"], {"scan0": "Scan 1"}, marks_of(nodules), ReportParams())
    for mark in shown.scans[0].marks:
        slice_ = np.asarray(store.open("scan0").image[mark.slice])
        assert slice_[round(mark.y), round(mark.x)] > 150


@pytest.mark.parametrize("budget_mb", [0.005, 0.02, 1.0])
def test_the_slices_keep_within_the_budget(blobs: tuple[ScanStore, pd.DataFrame], budget_mb: float):
    store, nodules = blobs
    params = ReportParams(viewer_budget_mb=budget_mb, viewer_scans=2, viewer_edge_px=32)
    shown, _, _ = viewer(store, UIDS, {uid: uid for uid in UIDS}, marks_of(nodules), params)
    assert len(shown.scans) == 2
    assert sum(len(slice_) for scan in shown.scans for slice_ in scan.slices) <= budget_mb * 1e6
    for scan in shown.scans:
        assert (scan.width, scan.height) == (32, 32)
        assert len(scan.labels) == len(scan.slices)
        assert all(0 <= mark.slice < len(scan.slices) for mark in scan.marks)
    assert (len(shown.scans[0].slices) == 64) == (budget_mb == 1.0)


def test_outlines_run_around_the_mask(blobs: tuple[ScanStore, pd.DataFrame], masks: MaskStore):
    store, nodules = blobs
    shown, _, _ = viewer(store, ["scan0"], {"scan0": "Scan 1"}, marks_of(nodules), ReportParams(), masks)
    outlines = shown.scans[0].outlines
    assert sorted(outlines) == list(range(20, 26))
    points = np.array([pair.split() for pair in outlines[20][0].strip("MZ").split("L")], dtype=float)
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[29.5, 9.5], [35.5, 15.5]])


def test_no_viewer_where_none_is_wanted(blobs: tuple[ScanStore, pd.DataFrame]):
    shown, marks, scans = viewer(blobs[0], UIDS, {}, marks_of(blobs[1]), ReportParams(viewer_scans=0))
    assert (shown, marks, scans) == (None, {}, {})


def test_the_page_in_a_browser(evaluation: str, tmp_path: Path):
    """No request, no complaint; wheel, keys, slider, drag and a click on a finding change the slice."""
    file = tmp_path / "report.html"
    file.write_text(evaluation, encoding="utf-8")
    with Browser() as browser:
        browser.open(file)
        browser.wait("document.getElementById('slice').naturalWidth === 64")
        browser.evaluate("document.getElementById('stage').scrollIntoView({block: 'center', behavior: 'instant'})")

        def at() -> int:
            return int(browser.evaluate("document.getElementById('slider').value"))

        def source() -> str:
            return str(browser.evaluate("document.getElementById('slice').src"))

        x, y = browser.evaluate(
            "(() => { const r = document.getElementById('stage').getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        before, picture = at(), source()
        browser.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-100)
        browser.wait(f"Number(document.getElementById('slider').value) === {before + 1}")
        assert source() != picture
        browser.evaluate("document.getElementById('stage').focus()")
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="PageUp")
        assert at() == before + 11
        browser.evaluate(
            "(() => { const s = document.getElementById('slider');"
            " s.value = 3; s.dispatchEvent(new Event('input')); })()"
        )
        assert source() == browser.evaluate("JSON.parse(document.getElementById('scans').textContent)[0].slices[3]")
        browser.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left")
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y - 60, button="left")
        browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y - 60, button="left")
        assert at() == 13

        wanted = browser.evaluate("JSON.parse(document.getElementById('scans').textContent)[0].marks.at(-1).slice")
        browser.evaluate("document.querySelector('#findings li:last-child button').click()")
        assert at() == wanted
        assert browser.evaluate("document.querySelectorAll('#overlay .chosen circle').length") == 1
        browser.evaluate("document.querySelector('.card button.jump').click()")
        assert browser.evaluate("document.querySelector('#findings [aria-current=true]').textContent").startswith("hit")

        assert browser.complaints() == []
        assert browser.requests() == [file.as_uri()]
