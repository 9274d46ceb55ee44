"""Parameters that all networks of this half share."""

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
        batch_size: Cubes a step (on each device).
        jitter_voxels: A cube is shifted by up to so much along each axis, so that the network cannot learn that what
            matters lies in the middle.
        n_workers: Processes that read cubes beside the training process; 0 reads in it.
    """

    edge: PositiveInt = 32
    batch_size: PositiveInt = 16
    jitter_voxels: int = Field(3, ge=0)
    n_workers: int = Field(0, ge=0)
