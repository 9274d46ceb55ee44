"""Parameters of segmentation: what is outlined, the network, training, use, evaluation."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from medpipe.core.params import Params
from medpipe.nodules.params import AugmentParams
from medpipe.training.params import OptimizerParams, TrainerParams


class MaskTargetParams(Params):
    """Which findings of ``ct_nodules`` are outlined; their masks together are the foreground.

    Attributes:
        kinds: Values of the column ``kind``.
        labels: Values of the column ``label``, such as the segment's name of a DICOM SEG or ``value 1`` of a label
            map; none given takes all. An organ is chosen by its label.
    """

    kinds: tuple[str, ...] = Field(("nodule",), min_length=1)
    labels: tuple[str, ...] = ()


class SegmenterParams(Params):
    """Shape of the network (`medpipe.nodules.segmentation.network.Segmenter`).

    Attributes:
        channels: Feature channels at strides 1, 2, 4, 8 ... of the input.
        norm: Normalisation. Batch statistics keep a voxel's probability independent of the tile it is computed in.
        dropout: Share of the features that is dropped in training.
    """

    channels: tuple[PositiveInt, ...] = Field((8, 16, 32, 64), min_length=3)
    norm: Literal["batch", "instance"] = "batch"
    dropout: float = Field(0.0, ge=0, lt=1)

    @property
    def coarsest_stride(self) -> int:
        """Edges of the network's input are multiples of this."""
        return int(2 ** (len(self.channels) - 1))


class MaskSamplingParams(Params):
    """Patches that the segmenter learns from.

    Attributes:
        kind: ``cubes`` lie around the centres of findings, and the network learns to outline the one finding at the
            middle, if there is one: for lesions whose place is known. ``patches`` lie around any voxel of the masks,
            and the network learns to outline all there is: for organs, or lesions of a whole scan.
        patch_edge: Edge of the cubic patches in voxels; a multiple of the network's coarsest stride.
        batch_size: Patches a step on each device; n devices learn from n times as many.
        foreground_share: Share of patches around findings. The rest lies anywhere in the prepared region.
        balance: How much more often rare kinds of findings (by size and texture) are drawn: 0 draws every finding alike
            often, 1 every kind.
        jitter_voxels: A patch is shifted by up to so much along each axis: what is looked for is not quite in the
            middle, as a candidate is not quite at the centre of its lesion.
        points_per_scan: Places in the region, and in each mask of ``patches``, that are remembered a scan.
        n_workers: Processes that read patches beside the training process; 0 reads in it.
    """

    kind: Literal["cubes", "patches"] = "cubes"
    patch_edge: PositiveInt = 24
    batch_size: PositiveInt = 8
    foreground_share: float = Field(0.85, gt=0, le=1)
    balance: float = Field(0.5, ge=0, le=1)
    jitter_voxels: int = Field(2, ge=0)
    points_per_scan: PositiveInt = 200
    n_workers: int = Field(0, ge=0)

    @property
    def at_place(self) -> bool:
        """Whether only what lies at the middle of a patch is outlined."""
        return self.kind == "cubes"


class SegmentParams(Params):
    """How a trained segmenter is used.

    Attributes:
        threshold: Probability from which a voxel is foreground; None takes the one that was chosen on validation
            findings.
        roi_edge: Edge in voxels of the cube around a place in which its mask is looked for; a multiple of the
            network's coarsest stride.
        search_mm: A place outside all components takes the nearest one if it is not farther away; otherwise its mask
            is empty.
        batch_size: Cubes at a time.
        tile_edge: Largest edge of a whole scan's tile in voxels, without its halo; bounds the memory.
        halo: Voxels around a tile that the network sees but whose result is taken from the neighbour.
        largest_components: Components of a whole scan's mask that are kept, the largest first; 0 keeps all.
        mirror_average: Average the probabilities over the eight mirror images: eight times the time.
        accelerator: ``auto`` takes the GPU where there is one.
    """

    threshold: float | None = Field(None, gt=0, lt=1)
    roi_edge: PositiveInt = 32
    search_mm: float = Field(6.0, ge=0)
    batch_size: PositiveInt = 16
    tile_edge: PositiveInt = 128
    halo: int = Field(16, ge=0)
    largest_components: int = Field(0, ge=0)
    mirror_average: bool = True
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"


class TrainSegmenterParams(Params):
    """Training of the segmenter.

    Attributes:
        target: What is outlined.
        segmenter: The network.
        trainer: Steps, seed, device.
        sampling: Patches.
        augment: Changes made to them.
        optimizer: Learning rate, its schedule, and the moving average of the weights.
        dice_weight: Weight of the Dice loss; that of cross-entropy is 1.
        segmentation: Use on the validation findings at the end, where the threshold is chosen (``sampling.kind``
            ``cubes`` only; organs keep one half).
        validate_every_n_steps: Distance of the points of the validation loss.
        val_batches: Validation batches a point.
    """

    target: MaskTargetParams = MaskTargetParams()
    segmenter: SegmenterParams = SegmenterParams()
    trainer: TrainerParams = TrainerParams(max_steps=600)
    sampling: MaskSamplingParams = MaskSamplingParams()
    augment: AugmentParams = AugmentParams()
    optimizer: OptimizerParams = OptimizerParams()
    dice_weight: PositiveFloat = 1.0
    segmentation: SegmentParams = SegmentParams()
    validate_every_n_steps: PositiveInt = 100
    val_batches: PositiveInt = 4

    @model_validator(mode="after")
    def _patch_fits_network(self) -> "TrainSegmenterParams":
        if self.sampling.patch_edge % self.segmenter.coarsest_stride:
            raise ValueError(
                f"sampling.patch_edge {self.sampling.patch_edge} is not a multiple of "
                f"{self.segmenter.coarsest_stride}, the coarsest stride of a network with "
                f"{len(self.segmenter.channels)} levels"
            )
        return self


class EvaluateSegmentationParams(Params):
    """Evaluation of masks.

    Attributes:
        n_bootstraps: Sets of patients drawn for the intervals.
        confidence: Of the intervals.
        seed: Of the draws.
    """

    n_bootstraps: PositiveInt = 1000
    confidence: float = Field(0.95, gt=0, lt=1)
    seed: int = Field(0, ge=0)
