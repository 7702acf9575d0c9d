"""Every class activation map equals a slow reading of its formula that is told by hand where the last map is."""

from functools import lru_cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.api.registry import find
from bench.attribution.class_activation import full_gradients
from bench.checks.fixtures import small_network, small_request
from bench.methods.attributions.full_grad import FullGrad
from tests.support.layouts import SIZE, TOLD, logits_with, network_of, request, told_by_hand

Maps = np.ndarray


def positive(maps: Maps) -> Maps:
    return np.maximum(maps, 0)


def weighted(weights: list[float], maps: Maps) -> Maps:
    return positive(sum(weight * one for weight, one in zip(weights, maps, strict=True)))


def grad_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    return weighted([one.mean() for one in gradients], maps)


def grad_cam_plus_plus(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    weights = []
    for one, gradient in zip(maps, gradients, strict=True):
        alpha = gradient**2 / (2 * gradient**2 + one.sum() * gradient**3 + 1e-6)
        weights.append(float((alpha * positive(gradient)).sum()))
    return weighted(weights, maps)


def layer_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    return positive(sum(one * positive(gradient) for one, gradient in zip(maps, gradients, strict=True)))


def hires_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    return positive(sum(one * gradient for one, gradient in zip(maps, gradients, strict=True)))


def xgrad_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    weights = []
    for one, gradient in zip(maps, gradients, strict=True):
        total = sum(one.flatten())
        shares = [value / total * slope for value, slope in zip(one.flatten(), gradient.flatten(), strict=True)]
        weights.append(sum(shares) if abs(total) > 1e-6 * abs(one).sum() else 0.0)
    return weighted(weights, maps)


def eigen_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    """By the eigenvectors of the features' products; a place's value is its projection."""
    features = maps.reshape(len(maps), -1)
    _, vectors = np.linalg.eigh(features @ features.T)
    projected = (vectors[:, -1] @ features).reshape(maps.shape[1:])
    return positive(projected * (-1 if projected.sum() < 0 else 1))


def score_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    network, asked, scores = network_of(layout), request().select([image]), []
    for one in maps:
        mask = F.interpolate(torch.from_numpy(one)[None, None], SIZE, mode="bilinear")
        mask = (mask - mask.min()) / (mask.max() - mask.min()) if mask.max() > mask.min() else mask * 0
        with torch.no_grad():
            scores.append(float(network.logits_of(asked.images * mask, asked.targets)))
    return weighted(list(np.exp(scores) / np.exp(scores).sum()), maps)


def ablation_cam(layout: str, image: int, maps: Maps, gradients: Maps) -> Maps:
    whole, falls = logits_with(layout, image, torch.from_numpy(maps)[None]), []
    for number in range(len(maps)):
        left = maps.copy()
        left[number] = 0
        falls.append(whole - logits_with(layout, image, torch.from_numpy(left)[None]))
    return weighted(falls, maps)


READINGS = [grad_cam, grad_cam_plus_plus, layer_cam, score_cam, hires_cam, xgrad_cam, eigen_cam, ablation_cam]


@lru_cache(maxsize=1)
def by_hand(layout: str) -> tuple[Maps, Maps]:
    maps, gradients = told_by_hand(layout)
    return maps.numpy(), gradients.numpy()


QUICK = {"channels last", "class token", "tokens before images"}
ALL = [layout if layout in QUICK else pytest.param(layout, marks=pytest.mark.long) for layout in TOLD]


@pytest.mark.parametrize("layout", ALL)
@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.__name__)
def test_a_cam_is_what_its_formula_says_whatever_the_layout(layout: str, reading) -> None:
    maps, gradients = by_hand(layout)
    images = [reading(layout, image, maps[image], gradients[image]) for image in range(len(maps))]
    expected = F.interpolate(torch.from_numpy(np.stack(images))[:, None], SIZE, mode="bilinear")
    found = find("attributions")[reading.__name__]().explain(network_of(layout), request())
    assert expected.any()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


LONG = ["mean", "distilled", "channels last"]
RESHAPED = ["class token", *(pytest.param(layout, marks=pytest.mark.long) for layout in LONG)]


@pytest.mark.parametrize("layout", RESHAPED)
@pytest.mark.parametrize("name", ["GradCAM", "HiResCAM", "LayerCAM", "XGradCAM", "GradCAMPlusPlus"])
def test_a_cam_equals_pytorch_grad_cam_with_its_reshape_function(layout: str, name: str) -> None:
    library = pytest.importorskip("pytorch_grad_cam")
    told, network, asked = TOLD[layout], network_of(layout), request()
    wanted = [lambda logits, target=target: logits[target] for target in asked.targets]
    layers = [network.module.get_submodule(told.module)]
    with getattr(library, name)(network.module, layers, reshape_transform=told.cut) as cam:
        cam.outputs = cam.activations_and_grads(asked.images.clone())
        torch.stack([want(own) for want, own in zip(wanted, cam.outputs, strict=True)]).sum().backward()
        maps, gradients = cam.activations_and_grads.activations[0], cam.activations_and_grads.gradients[0]
        image = cam.get_cam_image(asked.images, layers[0], wanted, maps.numpy(), gradients.numpy(), False)
    network.module.zero_grad(set_to_none=True)
    own = {"GradCAMPlusPlus": "grad_cam_plus_plus", "XGradCAM": "xgrad_cam", "HiResCAM": "hires_cam"}
    method = find("attributions")[own.get(name) or name.lower().replace("cam", "_cam")]()
    expected = F.interpolate(torch.from_numpy(np.maximum(image, 0))[:, None], SIZE, mode="bilinear")
    torch.testing.assert_close(method.explain(network, asked), expected, rtol=0, atol=1e-5 * float(expected.max()))


def test_full_grad_adds_up_to_the_logit_and_to_its_map() -> None:
    """Image and biases by hand, on a network of convolutions, a batch norm and ReLUs."""
    network, asked = small_network(), small_request()
    of_image, of_biases, seen = full_gradients(network, asked.images, asked.targets)
    added = sum(term.flatten(1).sum(1) for term in (of_image, *of_biases)) + network.module[-1].bias[asked.targets]
    torch.testing.assert_close(added.detach(), seen.values.detach())
    images = asked.images.clone().requires_grad_()
    first = network.module[0](images)
    second = network.module[1](first)
    third = network.module[4](network.module[3](network.module[2](second)))
    values = network.module[5:](third).gather(1, asked.targets[:, None]).sum()
    slopes = torch.autograd.grad(values, [images, first, second, third])
    norm = network.module[1]
    biases = [
        network.module[0].bias,
        norm.bias - norm.weight * norm.running_mean / (norm.running_var + norm.eps).sqrt(),
    ]
    terms = [slopes[0] * asked.images]
    for slope, bias in zip(slopes[1:], [*biases, network.module[4].bias], strict=True):
        terms.append(slope * bias.detach()[:, None, None])
    expected = torch.zeros(3, 1, 16, 16, dtype=torch.float64)
    for term in terms:
        for image, one in enumerate(term.detach().abs()):
            scaled = (one - one.min()) / (one.max() - one.min()) if one.max() > one.min() else one * 0
            expected[image] += F.interpolate(scaled[None], (16, 16), mode="bilinear").sum(1)
    torch.testing.assert_close(FullGrad().explain(network, asked), expected)
