"""What is drawn of masks: read from the figure's own artists."""

import numpy as np
import pytest

from medpipe.reporting.segmentation import OUTLINE_COLOURS, OutlineView, segmentation_figure


def view(n_predicted: int) -> OutlineView:
    truth, prediction = np.zeros((2, 9, 11, 13), dtype=bool)
    truth[3:6, 4:8, 5:9] = True
    prediction[3 : 3 + n_predicted, 4:8, 5:9] = True
    return OutlineView(np.full((9, 11, 13), 90, dtype=np.uint8), truth, prediction, f"{n_predicted} slices")


def outlines(axes) -> dict[str, np.ndarray]:
    """Colour of each outline to its corners."""
    from matplotlib.colors import to_hex

    return {to_hex(found.get_edgecolor()[0]): found.get_paths()[0].vertices for found in axes.collections}


def cells(views: list[OutlineView]) -> list:
    """The parts of a figure that show one finding each."""
    groups = {"solid": ([8.0], [0.5])}
    return list(segmentation_figure(views, groups).subfigs[0].subfigs)


def test_both_masks_are_outlined_where_they_lie():
    axial, coronal, sagittal = cells([view(3)])[0].axes
    assert [axes.get_xlabel() for axes in (axial, coronal, sagittal)] == ["axial", "coronal", "sagittal"]
    for axes, (rows, columns) in ((axial, ((4, 7), (5, 8))), (coronal, ((3, 5), (5, 8)))):
        drawn = outlines(axes)
        assert set(drawn) == set(OUTLINE_COLOURS.values())
        for corners in drawn.values():
            assert corners.min(axis=0) == pytest.approx((columns[0] - 0.5, rows[0] - 0.5))
            assert corners.max(axis=0) == pytest.approx((columns[1] + 0.5, rows[1] + 0.5))
    assert axial.yaxis_inverted()
    assert not coronal.yaxis_inverted()


def test_an_empty_mask_has_no_outline():
    assert set(outlines(cells([view(0)])[0].axes[0])) == {OUTLINE_COLOURS["truth"]}


def test_every_finding_has_three_planes_and_its_caption():
    drawn = cells([view(n) for n in (1, 2, 3, 3)])
    assert [cell.get_suptitle() for cell in drawn[:4]] == ["1 slices", "2 slices", "3 slices", "3 slices"]
    assert sum(len(cell.axes) for cell in drawn) == 12


def test_dice_is_drawn_against_diameter():
    groups = {"solid": ([5.0, 12.0, 7.0], [0.5, 0.9, np.nan]), "ground-glass": ([9.0], [0.7])}
    axes = segmentation_figure([view(3)], groups).subfigs[1].axes[0]
    solid, glass = axes.collections
    assert solid.get_offsets().tolist() == [[5.0, 0.5], [12.0, 0.9]]
    assert glass.get_offsets().tolist() == [[9.0, 0.7]]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["solid (2), mean 0.70", "ground-glass (1), mean 0.70"]
