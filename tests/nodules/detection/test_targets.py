import torch

from medpipe.nodules.detection.losses import detection_loss
from medpipe.nodules.detection.network import REFERENCE_DIAMETER_MM, STRIDE
from medpipe.nodules.detection.targets import IRRELEVANT, NODULE, Targets, make_targets

SPACING_MM = 1.5


def targets_of(*findings: tuple[tuple[float, float, float], float, int], edge: int = 32) -> Targets:
    """One patch with findings (centre in voxels, diameter, kind)."""
    centres = torch.tensor([[list(centre) for centre, _, _ in findings]])
    diameters = torch.tensor([[diameter for _, diameter, _ in findings]])
    return make_targets(centres, diameters, torch.tensor([[kind for *_, kind in findings]]), edge, SPACING_MM)


def perfect_output(targets: Targets) -> torch.Tensor:
    heat = torch.where(targets.weight > 0, 12.0, -12.0)
    return torch.cat([heat[:, None], targets.offset, targets.log_diameter[:, None]], dim=1)


def test_the_peak_is_in_the_cell_of_the_centre():
    targets = targets_of(((12.0, 20.4, 7.0), 8.0, NODULE))
    assert (targets.heat == 1).nonzero().tolist() == [[0, 6, 10, 3]]


def test_cell_and_offset_give_the_centre_back():
    centre = torch.tensor([12.3, 20.9, 7.6])
    targets = targets_of((tuple(centre.tolist()), 9.0, NODULE))
    for _, *cell in (targets.weight > 0).nonzero().tolist():
        offset = targets.offset[0, :, *cell]
        torch.testing.assert_close((torch.tensor(cell) + offset) * STRIDE + (STRIDE - 1) / 2, centre)


def test_every_nodule_weighs_one_whatever_its_size():
    targets = targets_of(((8.0, 8.0, 8.0), 4.0, NODULE), ((22.0, 22.0, 22.0), 24.0, NODULE))
    torch.testing.assert_close(targets.weight[0, :8].sum(), torch.tensor(1.0))
    torch.testing.assert_close(targets.weight.sum(), torch.tensor(2.0))
    assert (targets.weight > 0).sum() > 5


def test_the_diameter_belongs_to_the_nearest_nodule():
    targets = targets_of(((6.0, 6.0, 6.0), 4.0, NODULE), ((26.0, 26.0, 26.0), 16.0, NODULE))
    for cell, diameter in ((3, 4.0), (13, 16.0)):
        log_diameter = torch.log(torch.tensor(diameter / REFERENCE_DIAMETER_MM))
        torch.testing.assert_close(targets.log_diameter[0, cell, cell, cell], log_diameter)


def test_a_nodule_outside_the_patch_is_no_positive():
    targets = targets_of(((-3.0, 10.0, 10.0), 12.0, NODULE))
    assert targets.weight.sum() == 0
    assert 0 < targets.heat.max() < 1


def test_an_irrelevant_finding_is_not_counted_and_has_no_peak():
    targets = targets_of(((16.0, 16.0, 16.0), 10.0, IRRELEVANT))
    assert targets.heat.max() == 0
    assert not targets.counted[0, 8, 8, 8]
    assert targets.counted[0, 0, 0, 0]
    wrong = torch.full((1, 5, 16, 16, 16), -12.0)
    wrong[0, 0, 8, 8, 8] = 5.0
    assert detection_loss(wrong, targets)["heat_loss"] < 1e-3


def test_padding_is_no_finding():
    targets = targets_of(((0.0, 0.0, 0.0), 0.0, 0))
    assert targets.heat.max() == 0
    assert targets.weight.sum() == 0
    assert targets.counted.all()


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_does():
    targets = targets_of(((12.3, 20.9, 7.6), 9.0, NODULE))
    right = perfect_output(targets)
    assert detection_loss(right, targets)["loss"] < 1e-3
    for channel in range(5):
        wrong = right.clone()
        wrong[:, channel] = -wrong[:, channel] + 1.0
        assert detection_loss(wrong, targets)["loss"] > 0.1


def test_the_loss_of_half_precision_is_computed_in_float32():
    targets = targets_of(((12.3, 20.9, 7.6), 9.0, NODULE))
    loss = detection_loss(perfect_output(targets).bfloat16(), targets)["loss"]
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
