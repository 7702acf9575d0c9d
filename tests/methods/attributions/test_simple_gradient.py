import numpy as np
import pytest
import torch
from torch import nn

from bench.api import ImageRandom, Network, Request
from bench.functional.heatmaps import for_display
from bench.methods.attributions.simple_gradient import SimpleGradient
from tests.support.maps import as_tensor, golden
from tests.support.networks import relu_network


@pytest.mark.parametrize("kind", ["tiny", "smooth"])
def test_gradient_and_display_equal_the_published_numbers(kind):
    arrays = golden("simple_gradient", f"{kind}_")
    module = relu_network(arrays)
    if kind == "smooth":
        module[1], module[2], module[4] = nn.Softplus(), nn.AvgPool2d(2), nn.Softplus()
    request = Request(as_tensor(arrays["img"]).double(), as_tensor(arrays["label"]), ImageRandom(0, "test", ("a",)))
    method = SimpleGradient()
    attributions = method.explain(Network(module), request)
    np.testing.assert_allclose(attributions[..., ::3, ::3], arrays["grad"], rtol=1e-9, atol=1e-15)
    shown = for_display(method.heatmaps(attributions))
    np.testing.assert_allclose(shown, arrays["agg_clip"], rtol=1e-9, atol=1e-12)


def test_gradient_of_a_linear_network_is_its_weight():
    torch.manual_seed(0)
    linear = nn.Linear(2 * 3 * 4, 5).double()
    network = Network(nn.Sequential(nn.Flatten(), linear))
    images = torch.randn(3, 2, 3, 4, dtype=torch.float64)
    request = Request(images, torch.tensor([4, 0, 2]), ImageRandom(0, "test", ("a", "b", "c")))
    expected = linear.weight.detach()[[4, 0, 2]].reshape(3, 2, 3, 4)
    assert torch.equal(SimpleGradient().explain(network, request), expected)
