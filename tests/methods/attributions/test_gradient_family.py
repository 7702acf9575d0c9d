"""Guided backpropagation, input x gradient, SmoothGrad, SquareGrad, VarGrad."""

import numpy as np
import pytest
import torch

from bench.attribution.gradients import target_gradients
from bench.methods.attributions.guided_backprop import GuidedBackprop
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.methods.attributions.smooth_grad import SmoothGrad
from bench.methods.attributions.square_grad import SquareGrad
from bench.methods.attributions.var_grad import VarGrad


def test_guided_backprop_is_the_gradient_under_its_rule(network, request_of):
    request = request_of()
    ruled = SimpleGradient(nonlinearity="guided_backprop").explain(network, request)
    assert torch.equal(GuidedBackprop().explain(network, request), ruled)
    assert not torch.equal(ruled, SimpleGradient().explain(network, request))


def test_input_x_gradient_is_the_product(network, request_of):
    request = request_of()
    gradients = SimpleGradient().explain(network, request)
    assert torch.equal(InputXGradient().explain(network, request), gradients * request.images)


@pytest.mark.parametrize("rule", ["plain", "gnl"])
def test_moments_over_noisy_copies_follow_their_definition(network, request_of, rule):
    request = request_of(2)
    images = request.images
    sigma = 0.2 * (images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True))
    drawn = []
    for sample in range(6):
        noisy = images + sigma * request.rng.normal(tuple(images.shape[1:]), images, draw=sample)
        drawn.append(target_gradients(network, noisy, request.targets, rule).numpy())
    for method, expected in (
        (SmoothGrad, np.mean(drawn, 0)),
        (SquareGrad, np.mean(np.square(drawn), 0)),
        (VarGrad, np.var(drawn, 0)),
    ):
        found = method(samples=6, noise=0.2, nonlinearity=rule).explain(network, request)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_without_noise_smoothing_changes_nothing(network, request_of):
    request = request_of(2)
    smoothed = SmoothGrad(samples=3, noise=0.0, of="integrated_gradients", nodes=5).explain(network, request)
    torch.testing.assert_close(smoothed, IntegratedGradients(nodes=5).explain(network, request))
    smoothed = SmoothGrad(samples=3, noise=0.0, of="input_x_gradient").explain(network, request)
    torch.testing.assert_close(smoothed, InputXGradient().explain(network, request))
    assert VarGrad(samples=3, noise=0.0).explain(network, request).max() < 1e-15
