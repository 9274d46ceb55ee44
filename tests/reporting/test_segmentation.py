"""What is drawn of masks: read from the figure's own artists."""

import numpy as np
import pytest

from medpipe.reporting.segmentation import OUTLINE_COLOURS, OutlineView, dice_figure, outline_gallery


def view(n_predicted: int) -> OutlineView:
    truth, prediction = np.zeros((2, 9, 11, 13), dtype=bool)
    truth[3:6, 4:8, 5:9] = True
    prediction[3 : 3 + n_predicted, 4:8, 5:9] = True
    return OutlineView(np.full((9, 11, 13), 90, dtype=np.uint8), truth, prediction, f"{n_predicted} slices")


def outlines(axes) -> dict[str, np.ndarray]:
    """Colour of each outline to its corners."""
    from matplotlib.colors import to_hex

    return {to_hex(found.get_edgecolor()[0]): found.get_paths()[0].vertices for found in axes.collections}


def test_both_masks_are_outlined_where_they_lie():
    figure = outline_gallery([view(3)])
    axial, coronal, sagittal = figure.subfigs[0].axes
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
    figure = outline_gallery([view(0)])
    assert set(outlines(figure.subfigs[0].axes[0])) == {OUTLINE_COLOURS["truth"]}


def test_every_finding_has_three_planes_and_its_caption():
    figure = outline_gallery([view(n) for n in (1, 2, 3, 3)], "worst first", columns=3)
    assert [cell.get_suptitle() for cell in figure.subfigs[:4]] == ["1 slices", "2 slices", "3 slices", "3 slices"]
    assert sum(len(cell.axes) for cell in figure.subfigs) == 12
    assert outline_gallery([]).axes[0].texts[0].get_text() == "none"


def test_dice_is_drawn_against_diameter():
    figure = dice_figure({"solid": ([5.0, 12.0, 7.0], [0.5, 0.9, np.nan]), "ground-glass": ([9.0], [0.7])}, "title")
    solid, glass = figure.axes[0].collections
    assert solid.get_offsets().tolist() == [[5.0, 0.5], [12.0, 0.9]]
    assert glass.get_offsets().tolist() == [[9.0, 0.7]]
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["solid (2), mean 0.70", "ground-glass (1), mean 0.70"]
