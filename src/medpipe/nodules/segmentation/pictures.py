"""Evaluated masks as pictures: cuts them out of the scan store for `medpipe.reporting.segmentation`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.ct.components import bounding_box
from medpipe.ct.findings import finding_numbers
from medpipe.ct.labels.base import LesionMask
from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore
from medpipe.nodules.cubes import corner
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.segmentation.overlap import dice
from medpipe.reporting import segmentation as drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEW_EDGE_MM = 40.0
"""Edge of the cube shown around a finding."""


def segmentation_figure(
    store: ScanStore, segmented: pd.DataFrame, masks: MaskStore, table: pd.DataFrame, most: int = 12
) -> "Figure":
    """Outlines of findings from the worst to the best Dice, evenly drawn from all, and Dice by size and texture.

    Args:
        store: The scans, with the findings' masks.
        segmented: Of ``segment_at`` at findings: columns finding_id, series_uid, x_mm, y_mm, z_mm, mask_number.
        masks: Its masks.
        table: Of ``evaluate_segmentation``, at least one row: columns finding_id, diameter_mm, texture, roi_dice.
        most: Findings whose outlines are shown.
    """
    scored = table.dropna(subset=["roi_dice"]).sort_values("roi_dice", kind="stable")
    rows = np.unique(np.linspace(0, len(scored) - 1, min(most, len(scored))).round().astype(int))
    places = segmented.drop(columns=["diameter_mm"], errors="ignore")
    shown = scored.iloc[rows][["finding_id", "diameter_mm", "roi_dice"]].merge(places, on="finding_id")
    views = [_view(store, masks, row) for _, row in shown.iterrows()]
    texture = scored["texture"].astype(object).where(scored["texture"].notna(), "texture not known")
    groups = {
        str(name): (part["diameter_mm"].to_numpy(), part["roi_dice"].to_numpy(dtype=np.float64))
        for name, part in scored.groupby(texture)
    }
    return drawing.segmentation_figure(
        views, groups, f"Outlines from the worst to the best of {len(scored)} findings, and Dice by size"
    )


def organ_figure(
    store: ScanStore, segmented: pd.DataFrame, masks: MaskStore, table: pd.DataFrame, most: int = 6
) -> "Figure":
    """Outlines in whole scans, and Dice of each scan by the size of what is outlined.

    Args:
        store: The scans, with the true masks.
        segmented: Of ``segment_scans``: columns series_uid, mask_number.
        masks: Its masks.
        table: Of ``evaluate_segmentation``: the true findings of the scans; columns finding_id, series_uid, volume_mm3.
        most: Scans that are shown.
    """
    views: list[drawing.OutlineView] = []
    diameters_mm: list[float] = []
    agreement: list[float] = []
    for row in segmented.to_dict("records"):
        true = table[table["series_uid"] == row["series_uid"]]
        scan = store.open(row["series_uid"])
        truth = np.isin(np.asarray(scan.label_patch((0, 0, 0), scan.shape)), finding_numbers(true["finding_id"]))
        read = masks.read(row["series_uid"])
        found = _placed(None if read is None else read[1].get(int(row["mask_number"])), np.zeros(3, int), scan.shape)
        agreement.append(dice(truth, found))
        diameters_mm.append(float(np.cbrt(6 * true["volume_mm3"].sum() / np.pi)))
        box = bounding_box(truth | found)
        if len(views) < most and box is not None:
            start, shape = [part.start for part in box], [part.stop - part.start for part in box]
            views.append(
                drawing.OutlineView(scan.patch(start, shape), truth[box], found[box], f"Dice {agreement[-1]:.2f}")
            )
    return drawing.segmentation_figure(
        views,
        {"scans": (diameters_mm, agreement)},
        f"Outlines in {len(views)} of {len(agreement)} scans, and their Dice",
    )


def _view(store: ScanStore, masks: MaskStore, row: "pd.Series") -> drawing.OutlineView:
    scan = store.open(row["series_uid"])
    edge = round(VIEW_EDGE_MM / scan.geometry.spacing_zyx_mm[0])
    start = corner(scan.geometry.to_voxel([row[POSITION].to_numpy(dtype=np.float64)])[0], edge)
    shape = (edge, edge, edge)
    number = int(finding_numbers(pd.Series([row["finding_id"]])).iloc[0])
    read = masks.read(row["series_uid"])
    mask = None if read is None else read[1].get(int(row["mask_number"]))
    return drawing.OutlineView(
        scan.patch(start, shape),
        scan.label_patch(start, shape) == number,
        _placed(mask, np.asarray(start), shape),
        f"{row['diameter_mm']:.0f} mm, Dice {row['roi_dice']:.2f}",
    )


def _placed(
    mask: LesionMask | None, start: npt.NDArray[np.int64], shape: tuple[int, int, int]
) -> npt.NDArray[np.bool_]:
    """A mask in a box of the scan."""
    box = np.zeros(shape, dtype=bool)
    if mask is not None:
        places = np.argwhere(mask.voxels) + mask.start_zyx - start
        z, y, x = places[((places >= 0) & (places < shape)).all(axis=1)].T
        box[z, y, x] = True
    return box
