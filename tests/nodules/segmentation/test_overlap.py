"""Agreement of masks; golden values are SimpleITK's."""

import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.nodules.segmentation.overlap import overlap
from tests.nodules.segmentation.conftest import ball

SHAPE = (24, 28, 32)
SPACING_MM = (2.5, 0.7, 0.9)
EMPTY = np.zeros(SHAPE, dtype=bool)
PAIRS = {
    "shifted": (ball(SHAPE, (12, 14, 14), 6), ball(SHAPE, (12, 16, 15), 6)),
    "smaller": (ball(SHAPE, (12, 14, 14), 7), ball(SHAPE, (12, 14, 14), 4)),
    "apart": (ball(SHAPE, (6, 6, 6), 3), ball(SHAPE, (18, 20, 24), 3)),
    "at the edge": (ball(SHAPE, (0, 0, 0), 5), ball(SHAPE, (1, 2, 0), 5)),
}


def image(mask: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(mask.astype(np.uint8))
    made.SetSpacing(SPACING_MM[::-1])
    return made


@pytest.mark.parametrize("name", PAIRS)
def test_dice_iou_and_volume_as_simpleitk_has_them(name: str):
    truth, predicted = PAIRS[name]
    golden = sitk.LabelOverlapMeasuresImageFilter()
    golden.Execute(image(predicted), image(truth))  # source, target
    found = overlap(truth, predicted, SPACING_MM)
    assert found["dice"] == pytest.approx(golden.GetDiceCoefficient())
    assert found["iou"] == pytest.approx(golden.GetJaccardCoefficient())
    volumes = [np.prod(SPACING_MM) * mask.sum() for mask in (truth, predicted)]
    assert found["volume_error"] == pytest.approx(volumes[1] / volumes[0] - 1)
    # ITK: 2 (source - target) / (source + target)
    similarity = golden.GetVolumeSimilarity()
    assert found["volume_error"] == pytest.approx((2 + similarity) / (2 - similarity) - 1)


@pytest.mark.parametrize("name", ["shifted", "smaller", "apart"])  # at the edge SimpleITK leaves the cut face open
def test_the_surface_distance_is_simpleitks_percentile(name: str):
    """The 95th percentile of distance maps of the other surface, read on this one, as SimpleITK gives them."""
    surfaces = [sitk.LabelContour(image(mask)) for mask in PAIRS[name]]
    limits = []
    for one, other in (surfaces, surfaces[::-1]):
        distance = sitk.Abs(sitk.SignedMaurerDistanceMap(other, squaredDistance=False, useImageSpacing=True))
        on_surface = sitk.GetArrayFromImage(distance)[sitk.GetArrayFromImage(one) > 0]
        limits.append(np.percentile(on_surface, 95))
    assert overlap(*PAIRS[name], SPACING_MM)["hausdorff95_mm"] == pytest.approx(max(limits), rel=1e-4)


def test_a_shifted_block_is_as_far_as_it_was_shifted():
    truth, predicted = EMPTY.copy(), EMPTY.copy()
    truth[4:8, 4:20, 4:20], predicted[4:8, 4:20, 9:25] = True, True
    assert overlap(truth, predicted, SPACING_MM)["hausdorff95_mm"] == pytest.approx(5 * 0.9, rel=1e-5)


def test_nothing_agrees_with_nothing():
    found = overlap(EMPTY, EMPTY, SPACING_MM)
    assert found == {
        "dice": 1.0, "iou": 1.0, "hausdorff95_mm": 0.0, "volume_error": 0.0, "absolute_volume_error": 0.0,
    }  # fmt: skip


def test_something_does_not_agree_with_nothing():
    mask = PAIRS["shifted"][0]
    missed, invented = overlap(mask, EMPTY, SPACING_MM), overlap(EMPTY, mask, SPACING_MM)
    assert missed["dice"] == missed["iou"] == invented["dice"] == invented["iou"] == 0.0
    assert missed["volume_error"] == -1.0
    assert missed["absolute_volume_error"] == 1.0
    assert np.isnan([missed["hausdorff95_mm"], invented["hausdorff95_mm"], invented["volume_error"]]).all()
