import pytest
import torch
from torch import Tensor

from bench.errors import HeatmarkError
from bench.paths import quadrature, straight_integral, sum_over_nodes


@pytest.mark.parametrize("rule", ["gauss_legendre", "trapezoid", "left", "right", "middle"])
def test_weights_sum_to_one_and_nodes_lie_on_the_path(rule):
    alphas, weights = quadrature(rule, 7)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-7)
    assert alphas.min() >= 0
    assert alphas.max() <= 1
    assert (alphas.diff() > 0).all()


@pytest.mark.parametrize(("rule", "degree"), [("gauss_legendre", 9), ("trapezoid", 1), ("middle", 1), ("left", 0)])
def test_rules_are_exact_for_the_polynomials_they_promise(rule, degree):
    alphas, weights = quadrature(rule, 5)
    assert float((weights * alphas**degree).sum()) == pytest.approx(1 / (degree + 1), abs=1e-7)
    assert float((weights * alphas ** (degree + 3)).sum()) != pytest.approx(1 / (degree + 4), abs=1e-6)


def test_a_trapezoid_of_one_node_is_refused():
    with pytest.raises(HeatmarkError, match="trapezoid"):
        quadrature("trapezoid", 1)


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 12, 15, 40])
def test_chunks_are_full_and_every_node_is_summed_once(chunk):
    images = torch.zeros(3, 1, 2, 2, dtype=torch.float64)
    sizes = []

    def term(owners: Tensor, node: Tensor) -> Tensor:
        sizes.append(len(owners))
        return torch.pow(10.0, (owners * 5 + node).double())[:, None, None, None].expand(-1, 1, 2, 2)

    sums = sum_over_nodes(term, images, 5, chunk)
    assert sums[:, 0, 0, 0].tolist() == [11111.0, 1111100000.0, 111110000000000.0]
    assert set(sizes[:-1]) <= {chunk}
    assert sum(sizes) == 15


def test_a_straight_integral_keeps_the_memory_format(network, request_of):
    request = request_of(2)
    images = request.images.contiguous(memory_format=torch.channels_last)
    alphas, weights = quadrature("middle", 4)
    result = straight_integral(network, images, request.targets, torch.zeros_like(images), alphas, weights)
    assert result.is_contiguous(memory_format=torch.channels_last)
