"""Changes to patches that leave a nodule a nodule, made on whole batches on the device they are on."""

from itertools import combinations

import torch
from torch import Tensor

from medpipe.nodules.params import AugmentParams
from medpipe.training.processes import share

MIRRORS = tuple(axes for count in range(4) for axes in combinations((2, 3, 4), count))
"""Axes of B x C x D x H x W images that are flipped for each of the eight mirror images, the image itself first."""


def augment(
    image: Tensor, params: AugmentParams, seed: int, *, centres: Tensor | None = None, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Random mirror images, exchanged axes, contrast, brightness and noise.

    Where several processes train, each changes its part of the global batch as one process would have done.

    Args:
        image: B x D x D x D in [0, 1], cubic.
        params: What may change, and how much.
        seed: The same seed on the same kind of device gives the same changes.
        centres: B x K x 3 voxel coordinates (z, y, x) that move with the image; None for no place.
        mask: B x D x D x D of any type that turns with the image; None for none.

    Returns:
        Image, centres and mask; what was not given is an empty tensor.
    """
    generator = torch.Generator(device=image.device).manual_seed(seed)
    centres = image.new_zeros((len(image), 0, 3)) if centres is None else centres
    mask = image.new_zeros((len(image), 0, 0, 0)) if mask is None else mask
    if params.flips:
        image, centres, mask = _turn(image, centres, mask, generator)
    return _intensity(image, params, generator), centres, mask


def _turn(image: Tensor, centres: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    order = torch.randperm(3, generator=generator, device=image.device)
    axes = (0, *(1 + int(axis) for axis in order))
    image, mask = image.permute(axes), mask.permute(axes)
    centres = centres[..., order]
    total, own = share(len(image))
    mirrored = torch.rand(total, 3, generator=generator, device=image.device)[own] < 0.5
    for axis in range(3):
        chosen = mirrored[:, axis, None, None, None]
        image = torch.where(chosen, image.flip(axis + 1), image)
        mask = torch.where(chosen, mask.flip(axis + 1), mask)
    last = image.shape[-1] - 1
    return image, torch.where(mirrored[:, None], last - centres, centres), mask


def _intensity(image: Tensor, params: AugmentParams, generator: torch.Generator) -> Tensor:
    total, own = share(len(image))
    draws = torch.rand(3, total, 1, 1, 1, generator=generator, device=image.device)[:, own]
    scale = 1 + params.scale * (2 * draws[0] - 1)
    shift = params.shift * (2 * draws[1] - 1)
    image = image * scale + shift
    if params.noise > 0:
        noise = torch.randn((total, *image.shape[1:]), generator=generator, device=image.device)[own]
        image = image + noise * (params.noise * draws[2])
    return image.clamp(0.0, 1.0)
