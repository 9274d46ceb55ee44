"""Parameters of the nodule detector, of its training and its use."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from medpipe.core.params import Params
from medpipe.nodules.detection.retinanet_params import RetinaNetParams
from medpipe.nodules.params import AugmentParams, CubeNetworkParams, CubeParams
from medpipe.training.params import OptimizerParams, TrainerParams


class DetectorParams(Params):
    """Shape of the network (`medpipe.nodules.detection.network.CentreNet`), or the peer in its place.

    Attributes:
        kind: Ours, or MONAI's RetinaNet, on the same patches and with the same form of result.
        channels: Feature channels at strides 2, 4, 8 ... of the input.
        norm: Normalisation. Batch statistics keep a voxel's score independent of the tile it is computed in.
        retinanet: Shape of the peer; ``channels`` and ``norm`` are not used then.
    """

    kind: Literal["centre_net", "retinanet"] = "centre_net"
    channels: tuple[PositiveInt, ...] = Field((16, 32, 64), min_length=2)
    norm: Literal["batch", "instance", "group"] = "batch"
    retinanet: RetinaNetParams = RetinaNetParams()


class SamplingParams(Params):
    """Patches that the detector learns from.

    Attributes:
        patch_edge: Edge of the cubic patches in voxels; a multiple of the network's coarsest stride.
        batch_size: Patches a step on each device; n devices learn from n times as many.
        lesion_share: Share of patches around a nodule.
        hard_share: Share of patches around places that look like a nodule and are none (vessel crossings, walls). The
            rest lies anywhere in the lungs.
        border_voxels: A nodule's centre keeps this distance from the faces of the patch drawn around it; otherwise it
            lies anywhere, so that the network cannot learn "nodules are in the middle".
        balance: How much more often rare kinds of nodules (by size and texture) are drawn: 0 draws every nodule alike
            often, 1 every kind.
        points_per_scan: Places of each of the two negative kinds that are remembered a scan.
        n_workers: Processes that read patches beside the training process; 0 reads in it.
    """

    patch_edge: PositiveInt = 32
    batch_size: PositiveInt = 16
    lesion_share: float = Field(0.5, ge=0, le=1)
    hard_share: float = Field(0.4, ge=0, le=1)
    border_voxels: PositiveInt = 5
    balance: float = Field(0.5, ge=0, le=1)
    points_per_scan: PositiveInt = 150
    n_workers: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> "SamplingParams":
        if self.lesion_share + self.hard_share > 1:
            raise ValueError(f"lesion_share + hard_share is {self.lesion_share + self.hard_share}, at most 1")
        if 2 * self.border_voxels >= self.patch_edge:
            raise ValueError(f"border_voxels {self.border_voxels} leaves nothing of patch_edge {self.patch_edge}")
        return self


class DetectParams(Params):
    """How a trained detector searches a scan.

    Attributes:
        tile_edge: Largest edge of a tile in voxels, without its halo; bounds the memory.
        halo: Voxels around a tile that the network sees but whose peaks belong to the neighbour.
        min_probability: Peaks below are not reported.
        min_distance_mm: Of two candidates closer than this, or than the better one's radius, the better one stays.
        max_candidates: Most candidates a scan.
        flip_average: Average the heat maps of the tile and its left-right mirror image: twice the time.
        accelerator: ``auto`` takes the GPU where there is one.
    """

    tile_edge: PositiveInt = 208
    halo: int = Field(8, ge=0)
    min_probability: float = Field(0.001, ge=0, lt=1)
    min_distance_mm: PositiveFloat = 4.0
    max_candidates: PositiveInt = 100
    flip_average: bool = False
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"


class TrainDetectorParams(Params):
    """Training of the detector.

    Attributes:
        detector: The network.
        trainer: Steps, seed, device.
        sampling: Patches.
        augment: Changes made to them.
        detection: Search of the validation scans at the end.
        optimizer: Learning rate, its schedule, and the moving average of the weights.
        validate_every_n_steps: Distance of the points of the validation loss.
        val_batches: Validation batches a point.
        operating_fp_per_scan: False alarms a scan, on validation scans, at which the threshold is set.
    """

    detector: DetectorParams = DetectorParams()
    trainer: TrainerParams = TrainerParams(max_steps=600)
    sampling: SamplingParams = SamplingParams()
    augment: AugmentParams = AugmentParams()
    detection: DetectParams = DetectParams()
    optimizer: OptimizerParams = OptimizerParams()
    validate_every_n_steps: PositiveInt = 100
    val_batches: PositiveInt = 2
    operating_fp_per_scan: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _patch_fits_network(self) -> "TrainDetectorParams":
        stride = 2 ** len(self.detector.channels)
        if self.sampling.patch_edge % stride:
            raise ValueError(
                f"sampling.patch_edge {self.sampling.patch_edge} is not a multiple of {stride}, the coarsest stride of "
                f"a network with {len(self.detector.channels)} levels"
            )
        return self


class TrainReducerParams(Params):
    """Training of the second stage, which tells the detector's false alarms from nodules.

    Attributes:
        network: The network that looks at a cube around each candidate.
        cubes: Size of the cubes, batches, and how far a cube is shifted from a nodule's centre or a candidate.
        trainer: Steps, seed, device.
        augment: Changes made to the cubes.
        optimizer: Learning rate, its schedule, and the moving average of the weights.
        detection: Search of the training and validation scans for candidates.
        positive_share: Share of cubes around a nodule.
        balance: As in the sampling of the detector's patches.
        validate_every_n_steps: Distance of the points of the validation loss.
        val_batches: Validation batches a point.
        operating_fp_per_scan: False alarms a scan, on validation scans, at which the threshold of both stages together
            is set.
    """

    network: CubeNetworkParams = CubeNetworkParams()
    cubes: CubeParams = CubeParams(edge=24, batch_size=32, jitter_voxels=2)
    trainer: TrainerParams = TrainerParams(max_steps=2400)
    augment: AugmentParams = AugmentParams()
    optimizer: OptimizerParams = OptimizerParams()
    detection: DetectParams = DetectParams()
    positive_share: float = Field(0.5, gt=0, lt=1)
    balance: float = Field(0.5, ge=0, le=1)
    validate_every_n_steps: PositiveInt = 100
    val_batches: PositiveInt = 4
    operating_fp_per_scan: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _cube_fits_network(self) -> "TrainReducerParams":
        smallest = 2 ** len(self.network.channels)
        if self.network.kind == "lung_nodule_detector" and self.cubes.edge < smallest:
            raise ValueError(
                f"cubes.edge is {self.cubes.edge}, at least {smallest} for a network with "
                f"{len(self.network.channels)} poolings"
            )
        return self
