"""DiFull against a slow version of its definition, and what it says of methods that look elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import checks
from bench.api import Explained, UnsupportedError
from bench.api.registry import find
from bench.datasets.grid import Grid
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.metrics.agreement.grid_pointing_game import GridPointingGame
from bench.metrics.sanity.difull import Difull
from bench.scoring.changed_networks import Separated
from bench.scoring.measure import explained_by, measure


def explained(method=None, side: int = 17, images: int = 3) -> Explained:
    """Images with one row and column too many, a truth in the third cell."""
    network, request = checks.small_network(), checks.small_request(images, side, side)
    truth = torch.zeros(images, side, side, dtype=torch.float64)
    truth[:, 9:15, 1:7] = 1
    request = replace(request, truth=truth)
    return explained_by(method or InputXGradient(), network, request, network.logits(request.images).detach())


def test_each_output_sees_its_cell_alone() -> None:
    of = explained()
    module = Separated(of.network.module, 2, (8, 8), 0)
    outputs = module(of.images).reshape(3, 4, 5)
    for cell, (row, column) in enumerate(((0, 0), (0, 8), (8, 0), (8, 8))):
        alone = of.images[:, :, row : row + 8, column : column + 8]
        torch.testing.assert_close(outputs[:, cell], of.network.module(alone))
    larger = Separated(of.network.module, 2, (8, 8), 32)(of.images)
    shown = torch.nn.functional.interpolate(of.images[:, :, :8, :8], size=(32, 32), mode="bilinear")
    torch.testing.assert_close(larger[:, :5], of.network.module(shown))


@pytest.mark.parametrize("method", ["input_x_gradient", "occlusion", "rise"])
def test_it_equals_the_definition(method: str) -> None:
    own = checks.quick(find("attributions")[method]())
    of = explained(own, side=16)
    (scored,) = measure([(Difull(), of)])
    module = Separated(of.network.module, 2, (8, 8), 0)
    network = replace(of.network, module=module)
    maps = own.explain(network, replace(of.request, targets=of.targets + 2 * 5)).numpy()
    for row in range(3):
        positive = np.maximum(maps[row].sum(0), 0)
        expected = positive[8:, :8].sum() / positive.sum() if positive.any() else 0.25
        assert scored.score[row].item() == pytest.approx(expected, abs=1e-9)


def test_gradients_stay_inside_and_maps_that_look_at_no_network_do_not() -> None:
    for method in ("simple_gradient", "input_x_gradient", "guided_backprop", "integrated_gradients", "deep_lift"):
        own = checks.quick(find("attributions")[method]())
        assert measure([(Difull(), explained(own))])[0].score.numpy() == pytest.approx(1, abs=1e-9), method
    for method in ("random_map", "edges", "rise"):
        own = checks.quick(find("attributions")[method]())
        assert (measure([(Difull(), explained(own))])[0].score < 0.6).all(), method


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "full_grad"])
@pytest.mark.parametrize("images", [1, 3])  # one has as many maps as cells, which no error of shapes tells
def test_methods_that_look_at_a_layer_are_refused_by_name(method: str, images: int) -> None:
    with pytest.raises(UnsupportedError, match=method):
        measure([(Difull(), explained(find("attributions")[method](), images=images))])


@pytest.mark.parametrize("layer", ["0", "4"])
def test_the_grid_pointing_game_is_played_at_the_image_and_at_layers(layer: str) -> None:
    """At a layer the maps times their gradients, whose positive part HiResCAM is, enlarged to the mosaic."""
    batch = [Grid(cell=16).sample("test", position) for position in range(3)]
    request = replace(
        checks.small_request(height=32, width=32),
        images=torch.stack([own.image for own in batch]).double(),
        truth=torch.stack([own.truth for own in batch]).double(),
    )
    network = checks.small_network()
    clean = network.logits(request.images).detach()
    own = explained_by(find("attributions")["hires_cam"](layer=layer), network, request, clean)
    (scored,) = measure([(GridPointingGame(), own)])
    seen: list[torch.Tensor] = []
    handle = network.module[int(layer)].register_forward_hook(lambda _, __, made: seen.append(made))
    values = network.logits(request.images.requires_grad_()).gather(1, request.targets[:, None])
    handle.remove()
    (gradient,) = torch.autograd.grad(values.sum(), seen[0])
    maps = (gradient * seen[0]).sum(1, keepdim=True).clamp_min(0).detach()
    maps = torch.nn.functional.interpolate(maps, size=(32, 32), mode="bilinear")[:, 0].numpy()
    for row in range(3):
        expected = (maps[row] * request.truth[row].numpy()).sum() / maps[row].sum() if maps[row].any() else 0.25
        assert scored.score[row].item() == pytest.approx(expected, abs=1e-6)
