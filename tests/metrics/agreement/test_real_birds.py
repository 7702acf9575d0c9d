"""NSS and CC on the real birds, against numbers that other code measured on the same files."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Explained, ImageRandom, Network, Preprocess, Request
from bench.data.batches import load, usable
from bench.datasets.cub_gha import CubGha
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.agreement.cc import Cc
from bench.metrics.agreement.nss import Nss

MEASURED_ELSEWHERE = {
    "gradient x input": (3.02, 0.661),
    "Grad-CAM": (2.22, 0.631),
    "bounding box": (1.67, 0.422),
    "centred Gaussian": (1.55, 0.444),
    "uniform noise": (-0.02, -0.007),
    "the gaze map itself": (4.87, 1.0),
}


@dataclass(frozen=True)
class Birds:
    """The images whose species the network knows, as it sees them, and their boxes."""

    network: Network
    request: Request
    fixations: tuple[Tensor, ...]
    boxes: Tensor


@pytest.fixture(scope="module")
def birds(real_data: Path) -> Birds:
    network = bird_network(real_data / "weights")
    data = CubGha(str(real_data / "CUB_200_2011"), only_present=True, gaze_root=str(real_data / "cub_gha"))
    positions = usable(data, "test", network)
    batch = load(data, "test", positions, network, torch.device("cpu"))
    boxes = load(replace(data, truth="box"), "test", positions, network, torch.device("cpu")).truth
    request = Request(batch.images, batch.outputs, ImageRandom(0, "birds", batch.ids), batch.truth)
    return Birds(network, request, batch.fixations, boxes)


def bird_network(weights: Path) -> Network:
    spec = importlib.util.spec_from_file_location("load", weights / "load.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    module, _ = loader.load_spec(weights / "mobilenet_v2_inat_bird.pt")
    output_of = json.loads((weights / "cub_to_inat.json").read_text())
    label_map = tuple(output_of.get(str(species), -1) for species in range(1, 201))
    preprocess = Preprocess((224, 224), None, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return Network(module, "birds", preprocess=preprocess, label_map=label_map)


def blurred(maps: Tensor) -> Tensor:
    from torchvision.transforms.v2.functional import gaussian_blur

    return gaussian_blur(maps, 31, 8.0)


def gradient_times_input(birds: Birds) -> Tensor:
    def one(images: Tensor, targets: Tensor) -> Tensor:
        images = images.requires_grad_()
        (gradients,) = torch.autograd.grad(birds.network.logits_of(images, targets).sum(), images)
        return blurred((gradients * images).detach().abs().sum(1))

    return in_chunks(one, birds)


def grad_cam(birds: Birds) -> Tensor:
    convolutions, *rest = birds.network.module
    head = nn.Sequential(*rest)

    def one(images: Tensor, targets: Tensor) -> Tensor:
        features = convolutions(images).detach().requires_grad_()
        (gradients,) = torch.autograd.grad(head(features).gather(1, targets[:, None]).sum(), features)
        cams = (gradients.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True).relu().detach()
        return F.interpolate(cams, (224, 224), mode="bilinear")[:, 0]

    return in_chunks(one, birds)


def in_chunks(one: Callable[[Tensor, Tensor], Tensor], birds: Birds) -> Tensor:
    parts = birds.request.split(birds.network.chunk)
    return torch.cat([one(part.images.clone(), part.targets) for part in parts])


def bounding_box(birds: Birds) -> Tensor:
    return birds.boxes


def centred_gaussian(birds: Birds) -> Tensor:
    offsets = torch.arange(224) - 111.5
    bump = torch.exp(-(offsets**2) / (2 * 45**2))
    return (bump[:, None] * bump[None]).expand(len(birds.request), -1, -1)


def uniform_noise(birds: Birds) -> Tensor:
    return blurred(birds.request.rng.uniform((224, 224), birds.request.images))


def gaze(birds: Birds) -> Tensor:
    return birds.request.truth


MAPS = dict(
    zip(
        MEASURED_ELSEWHERE,
        (gradient_times_input, grad_cam, bounding_box, centred_gaussian, uniform_noise, gaze),
        strict=True,
    )
)


@pytest.mark.long
def test_the_network_knows_the_species_of_185_images(birds: Birds) -> None:
    assert len(birds.request) == 185


@pytest.mark.long
@pytest.mark.parametrize("row", MEASURED_ELSEWHERE)
def test_agreement_with_gaze_is_what_was_measured_elsewhere(birds: Birds, row: str) -> None:
    heatmaps = MAPS[row](birds)
    explained = Explained(
        birds.network,
        birds.request,
        SimpleGradient(),
        heatmaps[:, None],
        heatmaps,
        torch.empty(len(birds.request), 0),
        birds.request.rng,
        birds.fixations,
    )
    nss, cc = MEASURED_ELSEWHERE[row]
    assert Nss().measure(explained).score.mean() == pytest.approx(nss, abs=0.1)
    assert Cc().measure(explained).score.mean() == pytest.approx(cc, abs=0.02)
