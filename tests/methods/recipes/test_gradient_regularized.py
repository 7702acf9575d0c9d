"""The fourteen regularisers against the golden numbers, and where the published code divides by zero."""

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.api import Network
from bench.functional.gradient_penalties import Regulariser, datagrad, map_penalty, spectreg, target_gradient
from bench.methods.recipes.gradient_regularized import GradientRegularized
from tests.support.maps import as_tensor, golden
from tests.support.networks import smooth_network

EVERY = get_args(Regulariser)
STORED = {"psnr": "psnr_f64_own", "ssim": "neg_ssim_gaussian_f64_tfcode"}


@pytest.fixture(scope="module")
def given_numbers():
    return golden("gradient_regularizers")


def measured(name, network, images, labels, draws):
    images = images.detach().requires_grad_()
    logits = network.logits(images)
    if name == "datagrad":
        return datagrad(logits, labels, images).mean()
    if name == "spectreg":
        return spectreg(logits, draws, images).mean()
    return map_penalty(name, target_gradient(logits, labels, images), images.detach()).mean()


@pytest.mark.parametrize("name", [name for name in EVERY if name != "psnr_hvs"])
def test_golden_value_and_weight_gradient(name, given_numbers):
    network = Network(smooth_network(given_numbers))
    images, labels = as_tensor(given_numbers["images_nchw"]), as_tensor(given_numbers["labels"])
    assert (network.logits(images) - as_tensor(given_numbers["logits"])).abs().max() < 1e-9
    value = measured(name, network, images, labels, as_tensor(given_numbers["spectreg_draw"]))
    (weight_gradient,) = torch.autograd.grad(value, network.module[0].weight)
    key = STORED.get(name, name)
    expected = (
        -given_numbers["ssim_gaussian_per_image_f64_tfcode"].mean() if name == "ssim" else given_numbers[f"reg_{key}"]
    )
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)
    assert (weight_gradient - as_tensor(given_numbers[f"dw1_{key}"])).abs().max() < 1e-9


def test_golden_input_gradient(given_numbers):
    network = Network(smooth_network(given_numbers))
    images = as_tensor(given_numbers["images_nchw"]).requires_grad_()
    gradients = target_gradient(network.logits(images), as_tensor(given_numbers["labels"]), images)
    assert (gradients - as_tensor(given_numbers["heatmap_nchw"])).abs().max() < 1e-12


def test_tv_abs_is_summed_over_a_map_per_image_channel(given_numbers):
    # The quirk: one divisor per image channel turns one map into three.
    network = Network(smooth_network(given_numbers))
    images, labels = as_tensor(given_numbers["images_nchw"]), as_tensor(given_numbers["labels"])
    unscaled = measured("tv_abs_unscaled", network, images, labels, None)
    images_of_one_deviation = images / images.std((2, 3), correction=0, keepdim=True)
    gradients = target_gradient(network.logits(images.requires_grad_()), labels, images)
    assert map_penalty("tv_abs", gradients, images_of_one_deviation).mean().item() == pytest.approx(3 * unscaled.item())


@pytest.mark.parametrize(("name", "published"), [("psnr", "dw1_psnr"), ("ssim", "dw1_neg_ssim_gaussian")])
def test_psnr_and_ssim_are_not_rounded_to_single_precision_as_published(name, published, given_numbers):
    network = Network(smooth_network(given_numbers))
    images, labels = as_tensor(given_numbers["images_nchw"]), as_tensor(given_numbers["labels"])
    value = measured(name, network, images, labels, None)
    (weight_gradient,) = torch.autograd.grad(value, network.module[0].weight)
    rounded = as_tensor(given_numbers[published])
    assert 1e-9 < (weight_gradient - rounded).abs().max() / rounded.abs().max() < 1e-3


@pytest.mark.parametrize("name", ["mse", "grad_diff", "sobel_edges", "psnr", "psnr_hvs", "ssim", "ssim_unfiltered"])
def test_scaling_to_the_range_has_no_epsilon(name, given_numbers):
    gradients, images = as_tensor(given_numbers["heatmap_nchw"]), as_tensor(given_numbers["images_nchw"])
    faint = map_penalty(name, 1e-12 * gradients, images)
    assert faint.tolist() == pytest.approx(map_penalty(name, gradients, images).tolist(), rel=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_loss_is_smoothed_error_plus_scale_times_penalty(name, network, request_of):
    request = request_of(3, 24, 24)
    images, labels = request.images, request.targets
    recipe = GradientRegularized(regulariser=name, scale=0.7)
    loss = recipe.loss(network, images, labels, None, torch.Generator().manual_seed(4))
    draws = torch.randn(3, 5, generator=torch.Generator().manual_seed(4)).double()
    error = F.cross_entropy(network.logits(images), labels, label_smoothing=0.1)
    penalty = measured(name, network, images, labels, draws)
    assert loss.item() == pytest.approx((error + 0.7 * penalty).item(), rel=1e-12)


def test_datagrad_penalises_the_error_of_plain_labels(network, request_of):
    request = request_of(3)
    images = request.images.requires_grad_()
    logits = network.logits(images)
    error = F.cross_entropy(logits, request.targets, reduction="sum", label_smoothing=0.1)
    (smoothed,) = torch.autograd.grad(error, images, retain_graph=True)
    plain = datagrad(logits, request.targets, images).mean()
    assert plain.item() != pytest.approx(smoothed.square().mean().item(), rel=1e-3)


def test_spectreg_draws_anew_each_step(network, request_of):
    request, rng = request_of(3), torch.Generator().manual_seed(0)
    recipe = GradientRegularized(regulariser="spectreg")
    losses = [recipe.loss(network, request.images, request.targets, None, rng) for _ in range(2)]
    assert losses[0].item() != losses[1].item()


@pytest.mark.parametrize("name", ["l2", "cor"])
def test_penalty_reaches_the_weights_by_double_backpropagation(name, network, request_of):
    request = request_of(3)
    weight = network.module[0].weight
    gradients = []
    for scale in (0.0, 1.0):
        recipe = GradientRegularized(regulariser=name, scale=scale)
        loss = recipe.loss(network, request.images, request.targets, None, torch.Generator())
        gradients.append(torch.autograd.grad(loss, weight)[0])
    change = gradients[1] - gradients[0]
    step = 1e-6 * change / change.norm()
    penalties = []
    for sign in (-1, 1):
        with torch.no_grad():
            weight += sign * step
        penalties.append(measured(name, network, request.images, request.targets, None).item())
        with torch.no_grad():
            weight -= sign * step
    assert (penalties[1] - penalties[0]) / 2e-6 == pytest.approx(change.norm().item(), rel=1e-4)


def batch_norm_network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Network(nn.Sequential(*layers, nn.Linear(6, 5)).double().train())


def test_batch_norm_statistics_are_passed_through_or_constant(request_of):
    request = request_of(3)
    losses, statistics = {}, {}
    for batch_norm in ("through", "constant"):
        network = batch_norm_network()
        recipe = GradientRegularized(regulariser="l2", scale=1e4, batch_norm=batch_norm)
        losses[batch_norm] = recipe.loss(network, request.images, request.targets, None, torch.Generator())
        statistics[batch_norm] = network.module[1].running_mean
        assert network.module[1].num_batches_tracked == 1
    assert losses["through"].item() != pytest.approx(losses["constant"].item(), rel=1e-3)
    assert torch.equal(statistics["through"], statistics["constant"])

    frozen = batch_norm_network()
    inputs = frozen.module[0](request.images)
    error = F.cross_entropy(frozen.logits(request.images), request.targets, label_smoothing=0.1)
    frozen.module.eval()
    with torch.no_grad():
        frozen.module[1].running_mean.copy_(inputs.mean((0, 2, 3)))
        frozen.module[1].running_var.copy_(inputs.var((0, 2, 3), correction=0))
    expected = error + 1e4 * measured("l2", frozen, request.images, request.targets, None)
    assert losses["constant"].item() == pytest.approx(expected.item(), rel=1e-9)


class Paraboloid(nn.Module):
    """A network whose input gradient is the image itself, times a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, 4))

    def forward(self, images):
        return images.square().flatten(1).sum(1, keepdim=True) * self.weight / 2


def degenerate_network(kind):
    match kind:
        case "image":
            return Paraboloid()
        case "constant":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
        case "dead":
            module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            with torch.no_grad():
                module[0].bias.fill_(-1e6)
            return module
        case "confident":
            module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            with torch.no_grad():
                module[0].weight.mul_(1e3)
            return module
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())


def degenerate_images(kind, dtype):
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).to(dtype)
    match kind:
        case "zero":
            return torch.zeros_like(images)
        case "constant":
            return torch.full_like(images, 0.3)
        case "constant channel":
            return torch.cat([torch.full_like(images[:, :1], -0.7), images[:, 1:]], 1)
        case "one constant image":
            return torch.cat([torch.full_like(images[:1], 1.0), images[1:]])
    return images


@settings(max_examples=150, deadline=None)
@given(
    regulariser=st.sampled_from(EVERY),
    module=st.sampled_from(["image", "constant", "dead", "confident", "ordinary"]),
    images=st.sampled_from(["zero", "constant", "constant channel", "one constant image", "ordinary"]),
    batch_norm=st.sampled_from(["through", "constant"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_degenerate_input_gives_a_finite_loss_and_weight_gradient(regulariser, module, images, batch_norm, dtype):
    torch.manual_seed(0)
    network = Network(degenerate_network(module).to(dtype))
    recipe = GradientRegularized(regulariser=regulariser, batch_norm=batch_norm)
    inputs, labels = degenerate_images(images, dtype), torch.tensor([1, 3])
    loss = recipe.loss(network, inputs, labels, None, torch.Generator().manual_seed(0))
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad.isfinite().all() for weight in network.module.parameters())
