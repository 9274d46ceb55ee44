import pytest
import torch

from medpipe.nodules.cube_networks import LungNoduleDetector, build_cube_network
from medpipe.nodules.params import CubeNetworkParams

KINDS = ["lung_nodule_detector", "resnet"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("edge", "n_outputs"), [(16, 1), (25, 2)])
def test_a_network_gives_logits_for_each_cube(kind: str, edge: int, n_outputs: int):
    network = build_cube_network(CubeNetworkParams(kind=kind, resnet_width=4), edge, n_outputs)
    assert network(torch.rand(3, 1, edge, edge, edge)).shape == (3, n_outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_only(kind: str):
    torch.manual_seed(0)
    network = build_cube_network(CubeNetworkParams(kind=kind, dropout=0.5, resnet_width=4), 16, 1)
    cubes = torch.rand(2, 1, 16, 16, 16)
    assert not torch.equal(network(cubes), network(cubes))
    network.eval()
    assert torch.equal(network(cubes), network(cubes))


def test_the_classic_network_is_three_convolutions_and_two_fully_connected_layers():
    layers = list(LungNoduleDetector(32).modules())
    convolutions = [layer for layer in layers if isinstance(layer, torch.nn.Conv3d)]
    linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_channels, layer.out_channels) for layer in convolutions] == [(1, 16), (16, 32), (32, 64)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(64 * 4**3, 64), (64, 2)]


def test_cubes_too_small_for_the_poolings_are_refused():
    with pytest.raises(ValueError, match=r"edge is 7.*at least 8"):
        LungNoduleDetector(7)


@pytest.mark.parametrize(("depth", "n_convolutions"), [(10, 9), (18, 17)])
def test_a_resnet_has_the_layers_of_its_name(depth: int, n_convolutions: int):
    network = build_cube_network(CubeNetworkParams(kind="resnet", resnet_depth=depth, resnet_width=4), 16, 1)
    convolutions = [
        layer for layer in network.modules() if isinstance(layer, torch.nn.Conv3d) and layer.kernel_size == (3, 3, 3)
    ]
    assert len(convolutions) == n_convolutions  # and the fully connected layer
