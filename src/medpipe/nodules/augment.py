"""Changes to patches that leave a nodule a nodule, made on whole batches on the device they are on."""

import torch
from torch import Tensor

from medpipe.nodules.params import AugmentParams


def augment(image: Tensor, centres: Tensor, params: AugmentParams, seed: int) -> tuple[Tensor, Tensor]:
    """Random mirror images, exchanged axes, contrast, brightness and noise.

    Args:
        image: B x D x D x D in [0, 1], cubic.
        centres: B x K x 3 voxel coordinates (z, y, x).
        params: What may change, and how much.
        seed: The same seed on the same kind of device gives the same changes.

    Returns:
        Image and centres.
    """
    generator = torch.Generator(device=image.device).manual_seed(seed)
    if params.flips:
        image, centres = _turn(image, centres, generator)
    return _intensity(image, params, generator), centres


def _turn(image: Tensor, centres: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    order = torch.randperm(3, generator=generator, device=image.device)
    image = image.permute(0, *(1 + int(axis) for axis in order))
    centres = centres[..., order]
    mirrored = torch.rand(len(image), 3, generator=generator, device=image.device) < 0.5
    for axis in range(3):
        image = torch.where(mirrored[:, axis, None, None, None], image.flip(axis + 1), image)
    last = image.shape[-1] - 1
    return image, torch.where(mirrored[:, None], last - centres, centres)


def _intensity(image: Tensor, params: AugmentParams, generator: torch.Generator) -> Tensor:
    draws = torch.rand(3, len(image), 1, 1, 1, generator=generator, device=image.device)
    scale = 1 + params.scale * (2 * draws[0] - 1)
    shift = params.shift * (2 * draws[1] - 1)
    image = image * scale + shift
    if params.noise > 0:
        noise = torch.randn(image.shape, generator=generator, device=image.device)
        image = image + noise * (params.noise * draws[2])
    return image.clamp(0.0, 1.0)
