"""When networks take the place of the champion."""

from pydantic import Field

from medpipe.promotion.params import GateParams, GuardParams, HeadlineParams

_GUARDS = {
    "sensitivity_at_1_fp": GuardParams(better="higher", tolerance=0.02),
    "roi_dice": GuardParams(better="higher", tolerance=0.02, optional=True),
    "scan_dice": GuardParams(better="higher", tolerance=0.02, optional=True),
    "auc": GuardParams(better="higher", tolerance=0.03, optional=True),
}


class NoduleGateParams(GateParams):
    """When networks that find, outline and classify nodules replace the champion's.

    Attributes:
        headline: LUNA16's score, the mean sensitivity at seven rates of false alarms: it needs no threshold, which each
            training sets anew.
        guards: Sensitivity at one false alarm a scan, where readers work; Dice of outlines (``roi_dice`` where the
            place is given, ``scan_dice`` of whole scans) and the classifier's AUC, where there are such networks.
    """

    headline: HeadlineParams = HeadlineParams(metric="cpm", better="higher")
    guards: dict[str, GuardParams] = Field(default_factory=lambda: dict(_GUARDS))
