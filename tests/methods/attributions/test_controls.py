import numpy as np
import torch
from scipy.ndimage import sobel

from bench.api import Network, Preprocess
from bench.attribution.randomised_weights import layers_of, randomised
from bench.methods.attributions.centre import Centre
from bench.methods.attributions.edges import Edges
from bench.methods.attributions.oracle import Oracle
from bench.methods.attributions.random_map import RandomMap
from bench.methods.attributions.randomised_network import RandomisedNetwork
from bench.methods.attributions.simple_gradient import SimpleGradient


def test_every_control_says_that_it_is_one():
    assert all(method.control for method in (RandomMap, Edges, Centre, Oracle))


def test_random_maps_are_uniform_and_belong_to_the_image(network, request_of):
    both = RandomMap().explain(network, request_of(2, 40, 40))
    second = RandomMap().explain(network, request_of(1, 40, 40, first=1))
    assert torch.equal(both[1:], second)
    assert not torch.equal(both[0], both[1])
    assert np.histogram(both.numpy(), bins=4, range=(0, 1))[0].min() > 700


def test_edges_are_the_sobel_magnitude_of_the_displayed_grey_image(network, request_of):
    images = request_of(2).images
    std = (0.2, 0.3, 0.5)
    shown = Network(network.module, preprocess=Preprocess(mean=(0.4, 0.4, 0.5), std=std))
    grey = (images.numpy() * np.array(std)[:, None, None]).mean(1)
    expected = [np.hypot(sobel(g, 0, mode="nearest"), sobel(g, 1, mode="nearest")) for g in grey]
    found = Edges().explain(shown, request_of(2))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12, atol=1e-12)


def test_a_constant_image_has_no_edges(network, request_of):
    request = request_of(1)
    assert not Edges().explain(network, request.with_images(torch.ones_like(request.images))).any()


def test_centre_is_highest_in_the_middle_and_symmetric(network, request_of):
    found = Centre().explain(network, request_of(2, 11, 9))
    assert torch.equal(found, found.flip(2))
    assert torch.equal(found, found.flip(3))
    assert int(found[1, 0].argmax()) == 5 * 9 + 4
    assert float(found[0, 0, 5, 4]) == 1


def test_oracle_is_the_truth(network, request_of):
    request = request_of(3)
    assert torch.equal(Oracle().explain(network, request)[:, 0], request.truth)


def test_a_randomised_network_is_a_stranger_and_the_network_stays(network, request_of):
    request = request_of(2)
    weights = [values.clone() for values in network.module.state_dict().values()]
    stranger = RandomisedNetwork().explain(network, request)
    assert all(torch.equal(*pair) for pair in zip(weights, network.module.state_dict().values(), strict=True))
    own = SimpleGradient().explain(network, request)
    alike = torch.nn.functional.cosine_similarity(stranger.flatten(1), own.flatten(1))
    assert alike.abs().max() < 0.5
    expected = SimpleGradient().explain(randomised(network, layers_of(network.module), request.rng), request)
    assert torch.equal(stranger, expected)
    averaged = RandomisedNetwork(of="integrated_gradients", nodes=3).explain(network, request)
    assert not torch.equal(averaged, stranger)
