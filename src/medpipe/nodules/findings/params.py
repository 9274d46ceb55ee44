"""Parameters of the findings of unlabelled scans."""

from pathlib import Path

from pydantic import Field, PositiveInt

from medpipe.core.params import Params
from medpipe.nodules.classification.params import ClassifyParams
from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.segmentation.params import SegmentParams


class InferenceSourceParams(Params):
    """Where scans to be read come from.

    Attributes:
        folder: Folder of DICOM series, MetaImages, NIfTI or NRRD files, in any subfolders.
    """

    folder: Path | None = None


class ModelFiles(Params):
    """Trained networks given by file. Without a detector here, those that were trained in this project are taken.

    Attributes:
        detector: A detector's ``.safetensors`` file.
        reducer: A false-positive reducer's.
        segmenter: A segmenter's.
        classifier: A classifier's.
    """

    detector: Path | None = None
    reducer: Path | None = None
    segmenter: Path | None = None
    classifier: Path | None = None


class FindParams(Params):
    """From a scan to its findings.

    Attributes:
        detect: How scans are searched; None searches as the validation scans were when the threshold was set.
        segment: How findings are outlined.
        classify: How they are classified.
        threshold: Candidates from this probability on are findings; None takes the operating threshold that was set
            on validation scans.
        max_findings: Most findings a scan; the most probable are kept.
        same_share: Two candidates are one finding if their masks share more than this part of the smaller one; the
            more probable stays.
    """

    detect: DetectParams | None = None
    segment: SegmentParams = SegmentParams()
    classify: ClassifyParams = ClassifyParams()
    threshold: float | None = Field(None, ge=0, le=1)
    max_findings: PositiveInt = 50
    same_share: float = Field(0.5, gt=0, le=1)
