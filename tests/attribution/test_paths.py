import pytest
import torch
from torch import Tensor

from bench.attribution.paths import adaptive_integrated_gradients, integrated_gradients, quadrature, sum_over_nodes
from bench.errors import HeatmarkError


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
    sizes = []

    def term(owners: Tensor, node: Tensor) -> Tensor:
        sizes.append(len(owners))
        return torch.pow(10.0, (owners * 5 + node).double())[:, None].expand(-1, 2)

    sums = sum_over_nodes(term, torch.zeros(3, 1, 2, 2), 5, chunk)
    assert sums.tolist() == [[11111.0] * 2, [1111100000.0] * 2, [111110000000000.0] * 2]
    assert set(sizes[:-1]) <= {chunk}
    assert sum(sizes) == 15


def test_channels_last_images_reach_the_network_as_they_are(network, request_of):
    request = request_of(2)
    seen = []
    network.module.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    images = request.images.contiguous(memory_format=torch.channels_last)
    integrated_gradients(network, images, request.targets, torch.zeros_like(images), quadrature("middle", 4))
    assert seen == [True, True]


def test_an_image_is_refined_until_its_gap_is_small_and_no_further(network, request_of):
    request = request_of(6)
    images, targets = request.images, request.targets
    blank = torch.zeros_like(images)
    found, taken = adaptive_integrated_gradients(network, images, targets, blank, "gauss_legendre", 2, 64, 0.02)
    with torch.no_grad():
        change = network.logits_of(images, targets) - network.logits_of(blank, targets)
    rounds = [2, 4, 8, 16, 32, 64]
    for row in range(6):
        one = slice(row, row + 1)
        total = 0
        for nodes in rounds:
            fixed = integrated_gradients(
                network, images[one], targets[one], blank[one], quadrature("gauss_legendre", nodes)
            )
            total += nodes
            if (fixed.sum() - change[row]).abs() <= 0.02 * change[row].abs():
                break
        assert taken[row] == total
        torch.testing.assert_close(found[one], fixed, rtol=1e-12, atol=1e-15)
    assert len(set(taken.tolist())) > 1
