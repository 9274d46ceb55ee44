from pathlib import Path

from medpipe.nodules.segmentation.evaluate import evaluate_segmentation
from medpipe.nodules.segmentation.inference import segment_at
from medpipe.nodules.segmentation.params import EvaluateSegmentationParams, SegmentParams
from medpipe.nodules.segmentation.pictures import segmentation_figure
from tests.nodules.segmentation.conftest import Balls, bright_checkpoint


def test_findings_are_shown_from_the_worst_to_the_best(balls: Balls, tmp_path: Path):
    params = SegmentParams(roi_edge=24, mirror_average=False, accelerator="cpu")
    segmented, masks = segment_at(balls.store, balls.nodules, bright_checkpoint(), params, tmp_path)
    evaluation = EvaluateSegmentationParams(n_bootstraps=10)
    uids = balls.store.series_uids
    _, table = evaluate_segmentation(balls.store, balls.nodules, uids, evaluation, at_findings=(segmented, masks))
    gallery, below = segmentation_figure(balls.store, segmented, masks, table, most=5).subfigs
    shown = sorted(table["roi_dice"])
    expected = [shown[round(place * 11 / 4)] for place in range(5)]
    captions = [cell.get_suptitle() for cell in gallery.subfigs[:5]]
    assert [caption.split(" Dice ")[1] for caption in captions] == [f"{dice:.2f}" for dice in expected]
    assert all(len(axes.collections) == 2 for cell in gallery.subfigs[:5] for axes in cell.axes)  # both outlines
    assert len(below.axes[0].collections[0].get_offsets()) == 12
