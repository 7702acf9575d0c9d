"""The shipped networks look for the class where planted's truth says, however one asks."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.data.batches import Batch, load
from bench.progress import progress
from bench.runner.networks import NetworkLoader
from bench.runner.records import Trained
from bench.suites.load import load_suite
from bench.training.architectures import SMALL

SUITE = load_suite("embedded")
NAMES = [table.architecture for table in SUITE.table.networks]
CLASSES = len(SUITE.dataset.classes)
CPU = torch.device("cpu")
IMAGES = 640
CHANCE = 1 / CLASSES


def margin(images: int) -> float:
    """Four standard errors of the share that guessing gets right."""
    return float(4 * (CHANCE * (1 - CHANCE) / images) ** 0.5)


@pytest.fixture(scope="module", params=range(len(NAMES)), ids=NAMES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with progress() as bars:
        (only,) = NetworkLoader.of(SUITE, request.param, tmp_path_factory.mktemp("kept"), CPU, bars).load()
    return only


@pytest.fixture(scope="module")
def batch(trained: Trained) -> Batch:
    return load(SUITE.dataset, "test", list(range(IMAGES)), trained.network, CPU)


def evidence(batch: Batch) -> Tensor:
    assert batch.truth is not None
    return batch.truth[:, None] > 0


@torch.inference_mode()
def accuracy(module: nn.Module, images: Tensor, batch: Batch) -> float:
    predicted = torch.cat([module(part).argmax(1) for part in images.split(64)])
    return float((predicted == batch.outputs).double().mean())


@pytest.mark.parametrize("fill", ["mean", "black", "other image"])
def test_whatever_fills_the_hole_a_network_guesses(trained: Trained, batch: Batch, fill: str) -> None:
    match fill:
        case "mean":
            filling = batch.images.mean((2, 3), keepdim=True)
        case "black":
            filling = torch.tensor(-2.0)
        case _:  # its class is another one than the image's
            filling = batch.images.roll(1, 0)
    shown = torch.where(evidence(batch), filling, batch.images)
    assert accuracy(trained.network.module, shown, batch) < CHANCE + margin(IMAGES)


def test_the_evidence_takes_its_class_along_into_a_photograph_without_any(trained: Trained, batch: Batch) -> None:
    blank = torch.where(evidence(batch), batch.images.mean((2, 3), keepdim=True), batch.images)
    moved = torch.where(evidence(batch), batch.images, blank.roll(1, 0))
    assert accuracy(trained.network.module, moved, batch) > 0.85


def test_the_features_of_the_surroundings_cannot_be_read_as_the_class(trained: Trained, batch: Batch) -> None:
    known, unknown = features_of(trained, torch.where(evidence(batch), 0.0, batch.images)).chunk(2)
    answers = nn.functional.one_hot(batch.outputs, CLASSES).double()[: len(known)]
    weights = torch.linalg.solve(known.T @ known + 10 * torch.eye(known.shape[1]).double(), known.T @ answers)
    right = (unknown @ weights).argmax(1) == batch.outputs[len(known) :]
    assert float(right.double().mean()) < CHANCE + margin(len(unknown))


@torch.inference_mode()
def features_of(trained: Trained, images: Tensor) -> Tensor:
    """What the last layer reads, each feature with mean 0 and standard deviation 1, and a constant."""
    assert isinstance(trained.network.module, nn.Sequential)
    body = trained.network.module[:-1]
    features = torch.cat([body(part) for part in images.split(64)]).double()
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-9)
    return torch.cat([scaled, torch.ones(len(scaled), 1).double()], 1)


@pytest.mark.long
def test_a_network_trained_on_the_surroundings_learns_nothing(trained: Trained, batch: Batch) -> None:
    torch.manual_seed(0)
    module = SMALL[trained.architecture](CLASSES).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(module.parameters(), 4e-3)
    order = np.random.default_rng(0).permutation(8000).tolist()
    for start in range(0, len(order), 64):
        part = load(SUITE.dataset, "train", order[start : start + 64], trained.network, CPU)
        loss = nn.functional.cross_entropy(module(torch.where(evidence(part), 0.0, part.images)), part.outputs)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    hidden = torch.where(evidence(batch), 0.0, batch.images)
    assert accuracy(module.eval(), hidden, batch) < CHANCE + margin(IMAGES)
