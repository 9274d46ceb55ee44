import torch

from medpipe.nodules.augment import augment
from medpipe.nodules.params import AugmentParams

STILL = AugmentParams(scale=0.0, shift=0.0, noise=0.0)


def voxel_image(centres: torch.Tensor, edge: int = 12) -> torch.Tensor:
    image = torch.zeros(len(centres), edge, edge, edge)
    for number, centre in enumerate(centres[:, 0].long()):
        image[number, *centre] = 1.0
    return image


def test_the_finding_moves_with_the_image():
    centres = torch.tensor([[[1.0, 3.0, 8.0]], [[2.0, 2.0, 5.0]], [[9.0, 0.0, 4.0]]])
    moved = set()
    for seed in range(12):
        image, turned, mask = augment(voxel_image(centres), STILL, seed, centres=centres, mask=voxel_image(centres) > 0)
        torch.testing.assert_close(image, voxel_image(turned))
        torch.testing.assert_close(mask, voxel_image(turned) > 0)
        moved.add(tuple(turned[0, 0].tolist()))
    assert len(moved) > 6


def test_the_seed_decides():
    image, centres = torch.rand(2, 8, 8, 8), torch.rand(2, 1, 3) * 7
    first, again, other = (augment(image, AugmentParams(), seed, centres=centres)[0] for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_intensities_change_and_stay_in_range():
    image = torch.rand(4, 8, 8, 8)
    changed, _, _ = augment(image, AugmentParams(flips=False, scale=0.5, shift=0.5), 0)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.allclose(changed, image, atol=0.01)


def test_nothing_to_change_changes_nothing():
    image, centres = torch.rand(2, 8, 8, 8), torch.rand(2, 1, 3)
    same, where, _ = augment(image, AugmentParams(flips=False, scale=0.0, shift=0.0, noise=0.0), 3, centres=centres)
    torch.testing.assert_close(same, image)
    torch.testing.assert_close(where, centres)
