import copy

import pytest
import torch
from torch import Tensor, nn

from bench.api import Network
from bench.engine import folding
from bench.engine.folding import _one_pass, folded
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


class Functions(nn.Module):
    """ReLU as a function, after a convolution of its own, after one whose output is used twice, after a shared one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.last, self.relu = nn.Conv2d(8, 5, 1, bias=False), nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        seen = torch.relu(self.first(images))
        twice = self.second(seen)
        seen = nn.functional.relu(twice, inplace=False) + twice
        seen = self.second(self.relu(self.second(seen)))
        return self.relu(self.last(seen)).mean((2, 3))


def rectified(module: nn.Module) -> int:
    return sum(type(part).__name__ == "_Rectified" for part in module.modules())


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"functions": Functions().eval(), **{name: lived_in(build(name, 7)) for name in ("squeezenet1_1", "vgg11")}}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("name", "fused"), [("functions", 3), ("squeezenet1_1", 26), ("vgg11", 8)])
def test_relu_is_carried_out_with_its_convolution(
    name: str, fused: int, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "_PURE", {"torch", "torchvision", "tests"})
    module = networks()[name].to(memory_format=layout)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)).to(memory_format=layout)
    with torch.no_grad():
        graph = folded(Network(module), images).module
        assert rectified(graph) == fused
        torch.testing.assert_close(graph(images), module(images), rtol=1e-5, atol=1e-6)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(graph(images), module(images))
    gradients = []
    for own in (module, graph):
        given = images.clone().requires_grad_()
        gradients += torch.autograd.grad(own(given).square().sum(), given)
    assert torch.equal(*gradients)


@torch.no_grad()
def test_relu_is_left_where_torch_has_no_convolution_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "_PURE", {"torch", "tests"})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    _one_pass.cache_clear()
    module = networks()["functions"]
    graph = folded(Network(module), IMAGES).module
    _one_pass.cache_clear()
    assert rectified(graph) == 3
    assert torch.equal(graph(IMAGES), module(IMAGES))
