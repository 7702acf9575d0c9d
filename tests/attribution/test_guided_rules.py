import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Network
from bench.attribution.gradients import target_gradients
from bench.errors import UnsupportedError
from tests.support.maps import as_tensor, golden
from tests.support.networks import relu_network

SIZE = (13, 9)


class Block(nn.Module):
    """The same mathematics, its non-linearity called in different ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)
        self.activation = {
            "module": nn.ReLU(),
            "in_place": nn.ReLU(inplace=True),
            "relu6": nn.ReLU6(),
            "relu6_in_place": nn.ReLU6(inplace=True),
            "functional": F.relu,
            "functional_in_place": lambda x: F.relu(x, inplace=True),
            "functional_relu6": F.relu6,
            "hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
            "torch": torch.relu,
            "method": lambda x: x.relu(),
            "method_in_place": lambda x: x.relu_(),
            "clamp": lambda x: x.clamp(min=0),
            "clamp_in_place": lambda x: x.clamp_(0, 6),
            "clamp_min": lambda x: torch.clamp_min(x, 0.0),
        }[way]

    def forward(self, images: Tensor) -> Tensor:
        features = self.activation(self.first(images))
        features = features + self.activation(self.second(features))
        return self.head(self.activation(features).mean((2, 3)))


class ByHand(torch.autograd.Function):
    """A ReLU whose backward pass is written from the definition of guided backpropagation."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx, gradients):
        (x,) = ctx.saved_tensors
        return torch.where((x > 0) & (gradients > 0), gradients, 0)


def _images() -> Tensor:
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


TARGETS = torch.tensor([0, 3, 1])


@pytest.mark.parametrize(
    "way",
    [
        "module",
        "in_place",
        "relu6",
        "relu6_in_place",
        "functional",
        "functional_in_place",
        "functional_relu6",
        "hardtanh",
        "torch",
        "method",
        "method_in_place",
        "clamp",
        "clamp_in_place",
        "clamp_min",
    ],
)
@pytest.mark.parametrize("rule", ["guided_backprop", "gnl", "gnl_published"])
def test_every_way_to_call_a_relu_is_ruled(way, rule):
    module = Block(way).double()
    by_hand = Block("functional").double()
    by_hand.activation = ByHand.apply
    found = target_gradients(Network(module), _images(), TARGETS, rule)
    expected = target_gradients(Network(by_hand), _images(), TARGETS)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)
    plain = target_gradients(Network(module), _images(), TARGETS)
    assert (plain - expected).abs().max() > 1e-4


class Pooled(nn.Module):
    """One max-pool in front of a linear head with weights of both signs."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.pool, self.head = pool, nn.LazyLinear(4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(images).flatten(1))


POOLS = {
    "2": nn.MaxPool2d(2),
    "3 stride 2": nn.MaxPool2d(3, stride=2),
    "3 stride 2 padded": nn.MaxPool2d(3, stride=2, padding=1),
    "3 stride 1": nn.MaxPool2d(3, stride=1),
    "3 x 2": nn.MaxPool2d((3, 2)),
    "ceil": nn.MaxPool2d(2, ceil_mode=True),
    "adaptive": nn.AdaptiveMaxPool2d((4, 3)),
}


@pytest.mark.parametrize("name", POOLS)
def test_only_windows_with_a_positive_gradient_pass_a_max_pool(name):
    module = Pooled(POOLS[name]).double()
    images = _images()
    if name == "adaptive":
        pooled, places = F.adaptive_max_pool2d(images, (4, 3), return_indices=True)
    else:
        pool = POOLS[name]
        pooled, places = F.max_pool2d(
            images, pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode, return_indices=True
        )
    module(images)
    weights = module.head.weight.detach()[TARGETS].reshape(pooled.shape)
    expected = torch.zeros_like(images).flatten(2)
    expected.scatter_add_(2, places.flatten(2), weights.clamp_min(0).flatten(2))
    found = target_gradients(Network(module), images, TARGETS, "gnl")
    torch.testing.assert_close(found, expected.reshape(images.shape))


@pytest.mark.parametrize("name", ["3 stride 2 padded", "2"])
def test_published_max_pool_multiplies_by_the_enlarged_mask(name):
    module = Pooled(POOLS[name]).double()
    images = _images()[..., :9, :]
    plain = target_gradients(Network(module), images, TARGETS)
    shape = POOLS[name](images).shape
    positive = (module.head.weight.detach()[TARGETS].reshape(shape) > 0).double().numpy()
    rows, columns = (torch.arange(9) * shape[2] // 9).numpy(), (torch.arange(9) * shape[3] // 9).numpy()
    mask = torch.from_numpy(positive[:, :, rows][:, :, :, columns])
    found = target_gradients(Network(module), images, TARGETS, "gnl_published")
    torch.testing.assert_close(found, plain * mask)
    exact = target_gradients(Network(module), images, TARGETS, "gnl")
    assert not torch.equal(found, exact)


def test_guided_backprop_leaves_max_pools_alone():
    pool_first = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 6 * 4, 4))
    network = Network(pool_first.double())
    guided = target_gradients(network, _images(), TARGETS, "guided_backprop")
    assert (guided < 0).any()
    assert not torch.equal(guided, target_gradients(network, _images(), TARGETS, "gnl"))


@pytest.mark.parametrize(("pool", "rule"), [("", "gnl"), ("", "gnl_published"), ("k3_", "gnl_published")])
def test_gradients_equal_the_published_numbers(pool, rule):
    arrays = golden("gnl_ig", pool)
    module = relu_network(arrays)
    if pool:
        module[2] = nn.MaxPool2d(3, stride=2, padding=1)
    images = as_tensor(arrays["img"]).double()
    found = target_gradients(Network(module), images, as_tensor(arrays["target"]), rule)
    torch.testing.assert_close(found[..., ::3, ::3], as_tensor(arrays["gnl_grad_at_input"]), rtol=1e-12, atol=1e-15)


def test_a_network_without_anything_to_rule_is_named():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(4 * 11 * 7, 4)).double()
    with pytest.raises(UnsupportedError, match="'smooth_one' has no ReLU"):
        target_gradients(Network(module, name="smooth_one"), _images(), TARGETS, "gnl")


def test_other_bounds_are_not_a_relu():
    class Clamped(nn.Module):
        def forward(self, images):
            return images.clamp(min=-1).clamp(0, 1).sum((2, 3))

    with pytest.raises(UnsupportedError):
        target_gradients(Network(Clamped()), _images(), torch.tensor([0, 1, 2]), "gnl")


def test_other_bounds_are_not_a_relu6():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardtanh(), nn.Flatten(), nn.Linear(4 * 11 * 7, 4)).double()
    with pytest.raises(UnsupportedError):
        target_gradients(Network(module), _images(), TARGETS, "guided_backprop")
