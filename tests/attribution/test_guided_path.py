import re

import numpy as np
import pytest
import torch
from torch import nn

from bench.api import Network
from bench.attribution.gradients import values_and_gradients
from bench.attribution.guided_path import GuidedPath
from tests.support.maps import as_tensor, golden
from tests.support.networks import relu_network

ARRAYS = golden("guided_ig")
KEYS = [key for key in ARRAYS if key.startswith("gig_")]


def golden_networks() -> dict[str, Network]:
    """The `tinynet` and the `posnet` of the golden numbers."""
    tiny = relu_network({key.removeprefix("tiny_"): ARRAYS[key] for key in ARRAYS if key.startswith("tiny_")})
    pos = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Softplus(), nn.Flatten(), nn.Linear(6 * 32 * 32, 10))
    with torch.no_grad():
        for layer, number in ((pos[0], 1), (pos[3], 2)):
            layer.weight.copy_(as_tensor(ARRAYS[f"pos_w{number}"]))
            layer.bias.copy_(as_tensor(ARRAYS[f"pos_b{number}"]))
    return {"tiny": Network(tiny), "pos": Network(pos.double())}


@pytest.mark.parametrize("key", KEYS)
def test_equals_the_published_numbers(key):
    which, output, steps, fraction, distance, start = re.fullmatch(
        r"gig_(\w+)_(logit|prob)_s(\d+)_f([\d.]+)_d([\d.]+)_(zero|custom)", key
    ).groups()
    network = golden_networks()[which]
    images, targets = as_tensor(ARRAYS["img"]).double(), as_tensor(ARRAYS[f"{which}_target"])
    baselines = torch.zeros_like(images) if start == "zero" else as_tensor(ARRAYS["baseline_custom"]).double()
    output = "logit" if output == "logit" else "probability"

    def at(points):
        return values_and_gradients(network, points, targets, output=output)

    path = GuidedPath(int(steps), float(fraction), float(distance))
    found = sum(step.gradients * step.moves for step in path.walk(at, images, baselines))
    scale = np.abs(ARRAYS[key]).max()
    np.testing.assert_allclose(found[..., ::3, ::3], ARRAYS[key], rtol=0, atol=1e-9 * scale)


def test_the_whole_way_is_gone_and_no_feature_leaves_the_band(network, request_of):
    request = request_of(3)
    places = torch.zeros_like(request.images)
    path = GuidedPath(steps=20, fraction=0.1, max_distance=0.15)

    def at(points):
        return values_and_gradients(network, points, request.targets)

    for number, step in enumerate(path.walk(at, request.images, torch.zeros_like(places))):
        places = places + step.moves
        shares = places / request.images
        done = (number + 1) / 20
        assert shares.min() >= max(done - 0.15, 0) - 1e-9
        assert shares.max() <= min(done + 0.15, 1) + 1e-9
        left = (request.images - places).abs().sum((1, 2, 3)) / request.images.abs().sum((1, 2, 3))
        torch.testing.assert_close(left, torch.full((3,), 1 - done, dtype=torch.float64), rtol=0, atol=1e-8)
    torch.testing.assert_close(places, request.images)


def test_the_path_is_walked_to_its_end_in_float32_and_for_images_without_any_way(network, request_of):
    request = request_of(2)
    images = request.images.float()
    images[1] = 0
    network.module.float()

    def at(points):
        return values_and_gradients(network, points, request.targets)

    moves = sum(step.moves for step in GuidedPath(steps=30).walk(at, images, torch.zeros_like(images)))
    torch.testing.assert_close(moves, images)
