import copy

import pytest
import torch
from torch import Tensor, nn

from bench.api import Network
from bench.engine import bf16_backward
from bench.engine.folding import folded
from bench.training.architectures import build

IMAGES = torch.randn(3, 3, 33, 40, generator=torch.Generator().manual_seed(0))
ARCHITECTURES = [
    "small_resnet",
    "small_plain",
    "resnet18",
    "mobilenet_v2",
    "efficientnet_b0",
    "googlenet",
    "efficientnet_lite0",
]


def lived_in(module: nn.Module) -> nn.Module:
    """With statistics and scales that a training would have left."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values, low, high in (
                (part.running_mean, -0.5, 0.5),
                (part.running_var, 0.5, 2),
                (part.weight, 0.5, 2),
                (part.bias, -0.5, 0.5),
            ):
                values.data.uniform_(low, high, generator=generator)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_folded_networks_say_the_same(architecture: str, dtype: torch.dtype) -> None:
    module = lived_in(build(architecture, 7)).to(dtype)
    images = IMAGES.to(dtype)
    graph = folded(Network(module), images).module
    expected = module(images)
    error = (graph(images) - expected).abs().max() / expected.abs().max()
    assert error < (1e-5 if dtype == torch.float32 else 1e-13)
    assert graph is not module
    assert norms(graph) == 0


@torch.no_grad()
def test_folding_follows_weights_and_parts_and_leaves_the_network_alone() -> None:
    module = lived_in(build("small_resnet", 7))
    before = copy.deepcopy(module.state_dict())
    module.train()
    folded(Network(module), IMAGES)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    module.eval()[0].weight.data.mul_(2)
    module[1].running_mean.data.add_(1)
    torch.testing.assert_close(folded(Network(module), IMAGES).module(IMAGES), module(IMAGES))
    module[-1] = nn.Linear(64, 4)
    torch.testing.assert_close(folded(Network(module), IMAGES).module(IMAGES), module(IMAGES))


class Counting(nn.Module):
    """A network that does more than compute."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += images.shape[0]
        return self.inner(images)


def hooked(module: nn.Module) -> nn.Module:
    module[0].register_forward_hook(lambda *_: None)
    return module


def without_statistics(module: nn.Module) -> nn.Module:
    module[1] = nn.BatchNorm2d(16, track_running_stats=False).eval()
    return nn.Sequential(*module[:2], nn.AdaptiveAvgPool2d(1), nn.Flatten())


def shared(module: nn.Module) -> nn.Module:
    return nn.Sequential(module[0], nn.Conv2d(16, 3, 1), module[0], module[1], nn.AdaptiveAvgPool2d(1), nn.Flatten())


@torch.no_grad()
@pytest.mark.parametrize("change", [Counting, hooked])
def test_what_may_do_more_than_compute_runs_as_it_is(change) -> None:
    network = Network(change(lived_in(build("small_resnet", 7))))
    assert folded(network, IMAGES) is network


@torch.no_grad()
@pytest.mark.parametrize("change", [without_statistics, shared])
def test_a_normalisation_that_cannot_be_folded_stays(change) -> None:
    module = change(lived_in(build("small_resnet", 7)))
    graph = folded(Network(module), IMAGES).module
    torch.testing.assert_close(graph(IMAGES), module(IMAGES))
    assert norms(graph) == 1


@torch.no_grad()
def test_what_the_engine_has_made_is_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bf16_backward, "is_quick_in_bf16", lambda _: True)
    low = bf16_backward.with_bf16_backward(Network(lived_in(build("small_resnet", 7))), IMAGES)
    normed = Network(
        nn.Sequential(low.module, nn.Unflatten(1, (7, 1, 1)), nn.Conv2d(7, 7, 1), nn.BatchNorm2d(7)).eval()
    )
    assert folded(normed, IMAGES) is normed


@torch.no_grad()
def test_what_is_no_number_stays_none() -> None:
    module, images = lived_in(build("small_resnet", 7)), IMAGES.clone()
    images[1, 0, 3, 3] = torch.nan
    outputs = folded(Network(module), IMAGES).module(images)
    assert outputs.isnan().all(1).tolist() == [False, True, False]
