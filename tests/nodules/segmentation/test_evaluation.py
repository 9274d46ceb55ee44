"""Measures of masks whose agreement is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.labels.base import cropped
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.nodules.segmentation.evaluate import Segmented, evaluate_segmentation
from medpipe.nodules.segmentation.params import EvaluateSegmentationParams, MaskTargetParams
from tests.nodules.segmentation.conftest import Balls

PARAMS = EvaluateSegmentationParams(n_bootstraps=200)


def perfect(balls: Balls, folder: Path, leave_out: tuple[str, ...] = ()) -> Segmented:
    """The findings' own masks, empty for those in ``leave_out``, in reverse order of the findings."""
    folder.mkdir()
    rows = []
    for uid, findings in balls.nodules.groupby("series_uid"):
        scan = balls.store.open(str(uid))
        labels, masks = scan.labels[:], {}
        for number, finding_id in enumerate(findings["finding_id"][::-1], start=1):
            rows.append((finding_id, number))
            if finding_id not in leave_out:
                masks[number] = cropped(labels == int(finding_id[-3:]))
        write_masks(folder, str(uid), scan.geometry, masks)
    table = pd.DataFrame(rows, columns=["finding_id", "mask_number"])
    return balls.nodules.merge(table), MaskStore(folder)


def test_the_findings_own_masks_agree_in_full(balls: Balls, tmp_path: Path):
    uids = balls.store.series_uids
    metrics, table = evaluate_segmentation(
        balls.store, balls.nodules, uids, PARAMS, at_findings=perfect(balls, tmp_path / "m")
    )
    assert metrics["roi_dice"] == metrics["roi_iou"] == metrics["roi_dice_low"] == 1.0
    assert metrics["roi_hausdorff95_mm"] == metrics["roi_volume_error"] == metrics["roi_n_empty"] == 0.0
    assert metrics["n_findings"] == metrics["roi_n"] == len(table) == 12
    assert not any(name.startswith(("scan_", "detected_", "found_")) for name in metrics)


def test_an_empty_mask_counts_as_nothing_in_its_size_class(balls: Balls, tmp_path: Path):
    missing = balls.of(0)["finding_id"].iloc[0]  # 12 mm
    given = perfect(balls, tmp_path / "m", (missing,))
    metrics, table = evaluate_segmentation(
        balls.store, balls.nodules, balls.store.series_uids, PARAMS, at_findings=given
    )
    assert metrics["roi_dice"] == pytest.approx(11 / 12)
    assert metrics["roi_dice_over_10mm"] == pytest.approx(3 / 4)
    assert metrics["roi_dice_6_to_10mm"] == metrics["roi_hausdorff95_mm"] + 1 == 1.0
    assert metrics["roi_dice_solid"] == pytest.approx(11 / 12)
    assert metrics["roi_n_empty"] == 1
    assert metrics["roi_dice_low"] < 11 / 12 < metrics["roi_dice_high"] == 1.0
    assert table.set_index("finding_id").loc[missing, "roi_volume_error"] == -1.0


def test_patients_are_drawn_with_all_their_scans(balls: Balls, tmp_path: Path):
    given = perfect(balls, tmp_path / "m", tuple(balls.of(0)["finding_id"]))
    uids = balls.store.series_uids

    def interval(patients: dict[str, str] | None) -> tuple[float, float]:
        metrics, _ = evaluate_segmentation(
            balls.store, balls.nodules, uids, PARAMS, at_findings=given, patients=patients
        )
        return metrics["roi_dice_low"], metrics["roi_dice_high"]

    one = interval(dict.fromkeys(uids, "the only patient"))
    assert one == pytest.approx((0.75, 0.75))
    pairs = {uid: str(int(uid[-1]) // 2) for uid in uids}
    assert interval(pairs) == pytest.approx((0.5, 1.0))  # one pair has 0.5, the other 1
    assert interval(None)[0] < 0.5


def test_missed_findings_are_counted_beside_the_dice_of_the_detected(balls: Balls, tmp_path: Path):
    table, masks = perfect(balls, tmp_path / "m")
    missed = balls.of(1)["finding_id"].iloc[[0, 1]].tolist()
    candidates = table[~table["finding_id"].isin(missed)].assign(probability=0.9)
    # A second, less probable candidate on one finding with the mask of another must not count.
    double = candidates.iloc[[0]].assign(probability=0.2, mask_number=candidates["mask_number"].iloc[1])
    far = candidates.iloc[[0]].assign(x_mm=500.0, probability=1.0)
    given = pd.concat([far, double, candidates]).drop(columns="finding_id"), masks
    uids = balls.store.series_uids
    metrics, rows = evaluate_segmentation(balls.store, balls.nodules, uids, PARAMS, at_candidates=given)
    assert metrics["detected_dice"] == 1.0
    assert (metrics["n_detected"], metrics["n_missed"]) == (10, 2)
    assert metrics["found_or_missed_dice"] == pytest.approx(10 / 12)
    assert sorted(rows.loc[~rows["found"], "finding_id"]) == sorted(missed)
    assert rows.loc[~rows["found"], "detected_dice"].isna().all()


def test_whole_scans_have_names_of_their_own_and_nothing_agrees_with_nothing(balls: Balls, tmp_path: Path):
    missing = balls.of(0)["finding_id"].iloc[0]
    whole = perfect(balls, tmp_path / "m", (missing,))
    uids = balls.store.series_uids
    metrics, _ = evaluate_segmentation(balls.store, balls.nodules, uids, PARAMS, whole=whole)
    labels = balls.store.open(balls.scan(0)).labels[:]
    without, everything = ((labels > 1).sum(), (labels > 0).sum())
    # Three scans agree in full, and so does the one without any finding and without any mask.
    assert metrics["scan_dice"] == pytest.approx((4 + 2 * without / (without + everything)) / 5)
    assert metrics["scan_n"] == 5
    assert not any(name.startswith(("roi_", "detected_")) for name in metrics)


def test_only_the_target_is_evaluated(balls: Balls, tmp_path: Path):
    nodules = balls.nodules.assign(label=np.where(balls.nodules["finding_id"].str.endswith("2"), "heart", "lung"))
    given, target = perfect(balls, tmp_path / "m"), MaskTargetParams(labels=("heart",))
    metrics, table = evaluate_segmentation(
        balls.store, nodules, balls.store.series_uids, PARAMS, at_findings=given, target=target
    )
    assert metrics["n_findings"] == 4
    assert table["finding_id"].str.endswith("2").all()


def test_findings_without_a_mask_are_counted(balls: Balls, tmp_path: Path):
    nodules = pd.concat([balls.nodules, balls.of(0).iloc[[0]].assign(finding_id="scan0-009")])
    given = perfect(balls, tmp_path / "m")
    metrics, _ = evaluate_segmentation(balls.store, nodules, balls.store.series_uids, PARAMS, at_findings=given)
    assert (metrics["n_findings"], metrics["n_without_mask"]) == (12, 1)


def test_masks_on_another_grid_are_refused(balls: Balls, tmp_path: Path):
    table, masks = perfect(balls, tmp_path / "m")
    geometry, of_scan = masks.read(balls.scan(1))
    write_masks(masks.folder, balls.scan(0), geometry, of_scan)
    with pytest.raises(InputError, match=r"scan0\.npz: the grid is"):
        evaluate_segmentation(balls.store, balls.nodules, balls.store.series_uids, PARAMS, at_findings=(table, masks))
