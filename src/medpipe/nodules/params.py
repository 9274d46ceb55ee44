"""Parameters that all networks of this half share."""

from typing import Literal

from pydantic import Field, PositiveInt

from medpipe.core.params import Params


class AugmentParams(Params):
    """Changes made to each patch, in batches on the training device.

    Attributes:
        flips: Mirror along each axis, and exchange axes, at random.
        scale: Largest relative change of contrast.
        shift: Largest change of brightness; 1 is the whole HU window.
        noise: Largest standard deviation of added white noise; 1 is the whole HU window.
    """

    flips: bool = True
    scale: float = Field(0.15, ge=0, lt=1)
    shift: float = Field(0.05, ge=0, lt=1)
    noise: float = Field(0.03, ge=0, lt=1)


class CubeParams(Params):
    """Cubes around given places, which a network learns from.

    Attributes:
        edge: Edge of a cube in voxels.
        batch_size: Cubes a step on each device; n devices learn from n times as many.
        jitter_voxels: A cube is shifted by up to so much along each axis, so that the network cannot learn that what
            matters lies in the middle.
        n_workers: Processes that read cubes beside the training process; 0 reads in it.
    """

    edge: PositiveInt = 32
    batch_size: PositiveInt = 16
    jitter_voxels: int = Field(3, ge=0)
    n_workers: int = Field(0, ge=0)


class CubeNetworkParams(Params):
    """A network that says one thing about a cube (`medpipe.nodules.cube_networks.build_cube_network`).

    Attributes:
        kind: ``lung_nodule_detector`` is the classic CNN (convolutions with pooling, two fully connected layers),
            ``resnet`` MONAI's 3D residual network.
        channels: Of the classic CNN's convolutions; each halves the cube.
        hidden: Units of the classic CNN's first fully connected layer.
        dropout: Share of the features that is dropped in training before each fully connected layer.
        resnet_depth: Layers of the residual network.
        resnet_width: Channels of its first stage; doubled in each of the next three.
    """

    kind: Literal["lung_nodule_detector", "resnet"] = "lung_nodule_detector"
    channels: tuple[PositiveInt, ...] = Field((16, 32, 64), min_length=1)
    hidden: PositiveInt = 64
    dropout: float = Field(0.2, ge=0, lt=1)
    resnet_depth: Literal[10, 18] = 10
    resnet_width: PositiveInt = 16
