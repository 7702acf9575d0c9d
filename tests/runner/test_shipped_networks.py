"""The networks inside the package are as good as said, and look only at the evidence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.api import ImageRandom, Request
from bench.data.batches import Batch, load
from bench.engine import clean_logits
from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.accuracy import accuracy_of
from bench.runner.networks import NetworkLoader
from bench.runner.records import Run
from bench.runner.run import train_one
from bench.runner.sample_heatmaps import displayed
from bench.scoring.measure import explained_by, measure
from bench.suites.load import Suite, load_suite
from bench.suites.read import SHIPPED

SUITE = load_suite("embedded")
TRANSFORMER = load_suite("transformer")
TRAINED = SHIPPED.parent / "trained"
IMAGES = 400
CPU = torch.device("cpu")


def shares_right(suite: Suite, number: int, kept: Path) -> tuple[float, float, float]:
    """Accuracy on test images as they are, with the evidence painted grey, and with all else painted grey."""
    with progress() as bars:
        network = NetworkLoader.of(suite, number, kept, CPU, bars).load()[0].network
    batch = load(suite.dataset, "test", list(range(IMAGES)), network, CPU)
    assert batch.truth is not None
    evidence = batch.truth[:, None] > 0
    grey = (torch.tensor(network.preprocess.mean) * 0)[:, None, None]
    shown = [batch.images, torch.where(evidence, grey, batch.images), torch.where(evidence, batch.images, grey)]
    assert displayed(network, grey[None]).unique().tolist() == [0.5]
    whole, hidden, only = (_accuracy(network, batch, images) for images in shown)
    return whole, hidden, only


def _accuracy(network, batch: Batch, images: torch.Tensor) -> float:
    return float(accuracy_of(network, replace(batch, images=images)).correct.mean())


@pytest.mark.parametrize("number", range(len(SUITE.table.networks)))
def test_a_shipped_network_decides_by_the_evidence_alone(number: int, tmp_path: Path) -> None:
    decides_by_the_evidence(SUITE, number, tmp_path, least=0.95)


def test_so_does_the_shipped_transformer(tmp_path: Path) -> None:
    decides_by_the_evidence(TRANSFORMER, 0, tmp_path, least=0.9)
    path = TRAINED / "small_vit-standard.safetensors"
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["accuracy"] > 0.9
    assert about["parameters"] < 300_000
    assert about["data"] == TRANSFORMER.dataset.fingerprint()
    assert path.stat().st_size < 1.2e6


SLOW = {"ablation_cam", "score_cam", "integrated_gradients"}  # hundreds of passes for each image


@pytest.mark.parametrize("images", [pytest.param(4, id="4"), pytest.param(16, id="16", marks=pytest.mark.long)])
def test_the_truth_is_first_on_every_metric_of_agreement_of_the_transformer(images: int, tmp_path: Path) -> None:
    """Before all methods and controls that are quick; the long test takes all, on more images."""
    with progress() as bars:
        network = NetworkLoader.of(TRANSFORMER, 0, tmp_path, CPU, bars).load()[0].network
    batch = load(TRANSFORMER.dataset, "test", list(range(images)), network, CPU)
    clean = clean_logits(network, batch.images)
    request = Request(batch.images, clean.argmax(1), ImageRandom(0, "run", batch.ids), batch.truth)
    metrics = [metric for metric in TRANSFORMER.metrics if metric.family == "agreement"]
    assert {metric.name for metric in metrics} == {"pointing_game", "relevance_mass", "auc_judd"}
    means: dict[str, list[float]] = {}
    for method in TRANSFORMER.attributions:
        if images == 16 or method.name not in SLOW:
            explained = explained_by(method, network, request, clean)
            scores = measure([(metric, explained) for metric in metrics])
            means[method.name] = [float(scored.score.mean()) for scored in scores]
    oracle = means.pop("oracle")
    assert len(means) >= 18
    for number, metric in enumerate(metrics):
        best = max(own[number] for own in means.values())
        assert oracle[number] == 1 >= best if metric.name == "pointing_game" else oracle[number] > best, metric.name


def decides_by_the_evidence(suite: Suite, number: int, kept: Path, least: float) -> None:
    whole, hidden, only = shares_right(suite, number, kept)
    chance = 1 / len(suite.dataset.classes)
    assert whole > least
    assert hidden < chance + 4 * (chance * (1 - chance) / IMAGES) ** 0.5
    assert only > 0.9


def test_the_weights_are_small_and_say_where_they_come_from() -> None:
    assert sum(path.stat().st_size for path in TRAINED.iterdir()) < 2e6
    for table in SUITE.table.networks:
        about = json.loads(Path(str(table.weights)).with_suffix(".json").read_text())
        assert about["architecture"] == table.architecture
        assert about["accuracy"] > 0.95
        assert about["data"] == SUITE.dataset.fingerprint()  # else the data set has changed: train them anew
        assert len(about["log"]) == table.training.epochs


@pytest.mark.long
@pytest.mark.parametrize("network", [table.architecture for table in SUITE.table.networks])
def test_training_again_gives_the_same_accuracy_within_two_points(network: str, tmp_path: Path) -> None:
    about = json.loads((TRAINED / f"{network}-standard.json").read_text())
    with progress() as bars:
        again = train_one(Run(SUITE, Store(tmp_path), CPU, bars), SUITE.number_of(network), None)
    assert again["accuracy"] == pytest.approx(about["accuracy"], abs=0.02)
