"""Grad-CAM, Grad-CAM++, Layer-CAM, Score-CAM and the layer that they look at."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.attribution import class_activation as layers
from bench.attribution.class_activation import features_of
from bench.checks.fixtures import small_network, small_request
from bench.errors import UnsupportedError
from bench.methods.attributions.grad_cam import GradCam
from bench.methods.attributions.grad_cam_plus_plus import GradCamPlusPlus
from bench.methods.attributions.layer_cam import LayerCam
from bench.methods.attributions.score_cam import ScoreCam

REQUEST = small_request()


def maps_and_gradients() -> tuple[np.ndarray, np.ndarray]:
    """Activations of the last ReLU and the gradients there, layer by layer."""
    module = small_network().module
    maps = module[:6](REQUEST.images).detach().requires_grad_()
    values = module[6:](maps).gather(1, REQUEST.targets[:, None]).sum()
    (gradients,) = torch.autograd.grad(values, maps)
    return maps.detach().numpy(), gradients.numpy()


def enlarged(maps: np.ndarray) -> np.ndarray:
    return F.interpolate(torch.from_numpy(maps)[:, None], (16, 16), mode="bilinear").numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("small", "large"), [((7, 7), (224, 224)), ((3, 2), (17, 23)), ((9, 4), (5, 4))])
def test_enlarging_is_bilinear_and_keeps_equal_neighbours_equal(small, large, dtype):
    maps = torch.randn(2, 3, *small, generator=torch.Generator().manual_seed(0), dtype=dtype)
    like = torch.empty(2, 3, *large)
    expected = F.interpolate(maps, large, mode="bilinear")
    torch.testing.assert_close(
        layers.enlarged(maps, like), expected, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-13
    )
    rows = maps[:, :, :1].expand_as(maps)
    assert (layers.enlarged(rows, like).diff(dim=2) == 0).all()


def test_grad_cam_weights_maps_by_their_mean_gradients():
    maps, gradients = maps_and_gradients()
    expected = np.maximum((gradients.mean((2, 3), keepdims=True) * maps).sum(1), 0)
    found = GradCam().explain(small_network(), REQUEST)
    np.testing.assert_allclose(found, enlarged(expected), atol=1e-15)
    assert found.any()


def test_layer_cam_weights_maps_place_by_place():
    maps, gradients = maps_and_gradients()
    expected = np.maximum((np.maximum(gradients, 0) * maps).sum(1), 0)
    np.testing.assert_allclose(LayerCam().explain(small_network(), REQUEST), enlarged(expected), atol=1e-15)


def test_grad_cam_plus_plus_follows_its_closed_form():
    maps, gradients = maps_and_gradients()
    expected = np.zeros((3, 8, 8))
    for image in range(3):
        for one, gradient in zip(maps[image], gradients[image], strict=True):
            alpha = gradient**2 / (2 * gradient**2 + one.sum() * gradient**3 + 1e-6)
            expected[image] += (alpha * np.maximum(gradient, 0)).sum() * one
    found = GradCamPlusPlus().explain(small_network(), REQUEST)
    np.testing.assert_allclose(found, enlarged(np.maximum(expected, 0)), atol=1e-15)


def test_score_cam_weights_maps_by_the_logits_behind_their_masks():
    network = small_network()
    maps, _ = maps_and_gradients()
    expected = np.zeros((3, 8, 8))
    for image in range(3):
        scores = []
        for one in maps[image]:
            mask = enlarged(one[None])[0, 0]
            mask = (mask - mask.min()) / (mask.max() - mask.min()) if mask.max() > mask.min() else mask * 0
            with torch.no_grad():
                logits = network.logits(REQUEST.images[image : image + 1] * torch.from_numpy(mask))
            scores.append(float(logits[0, REQUEST.targets[image]]))
        weights = np.exp(scores) / np.exp(scores).sum()
        expected[image] = np.maximum(np.tensordot(weights, maps[image], 1), 0)
    np.testing.assert_allclose(ScoreCam().explain(network, REQUEST), enlarged(expected), atol=1e-14)


def test_a_layer_can_be_named():
    network = small_network()
    seen = features_of(network, REQUEST.images, REQUEST.targets, "2")
    torch.testing.assert_close(seen.maps, network.module[:3](REQUEST.images).detach())
    with pytest.raises(UnsupportedError, match="no layer 'twelve'"):
        features_of(network, REQUEST.images, REQUEST.targets, "twelve")


def test_a_map_of_one_place_is_not_spatial():
    assert features_of(small_network(), REQUEST.images, REQUEST.targets).maps.shape == (3, 8, 8, 8)


def test_features_changed_in_place_afterwards_are_seen_as_they_became():
    network = small_network()

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolutions, self.head = network.module[:5], network.module[6:]

        def forward(self, images):
            return self.head(F.relu(self.convolutions(images), inplace=True))

    from dataclasses import replace

    outer = replace(network, module=Outer())
    torch.testing.assert_close(GradCam().explain(outer, REQUEST), GradCam().explain(network, REQUEST))


def test_equals_pytorch_grad_cam_before_it_scales():
    library = pytest.importorskip("pytorch_grad_cam")
    maps, gradients = maps_and_gradients()
    ours = {library.GradCAM: GradCam, library.GradCAMPlusPlus: GradCamPlusPlus, library.LayerCAM: LayerCam}
    for theirs, own in ours.items():
        module = small_network().module
        with theirs(module, [module[5]]) as cam:
            image = cam.get_cam_image(REQUEST.images, module[5], None, maps, gradients, False)
        found = own().explain(small_network(), REQUEST)
        np.testing.assert_allclose(found, enlarged(np.maximum(image, 0)), atol=1e-14)
