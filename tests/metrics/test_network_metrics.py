"""Metrics over several networks: whole runs on a data set whose evidence is one square of the image."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.api import Attribution, Dataset, Network, Request, Sample
from bench.api.randomness import generator
from bench.metrics.faithfulness.diff_roar import DiffRoar
from bench.metrics.faithfulness.roar import Roar
from bench.metrics.robustness.training_stability import TrainingStability
from bench.progress import progress
from bench.results.cell_store import Store
from bench.results.result_set import Results
from bench.runner import run as running
from bench.runner.networks import NetworkLoader
from bench.runner.records import Run
from bench.suites.load import Suite, load_suite
from bench.training.checkpoints import write_trained

SUITE = """
name = "square"
target = "label"
batch = 16
gallery = 0
[dataset]
name = "planted"
references = 2
[[networks]]
architecture = "small_plain"
seeds = [0, 1]
preprocess = { size = [16, 16] }
[networks.training]
epochs = 6
batch = 16
learning_rate = 1e-2
[[attributions]]
name = "oracle"
[[attributions]]
name = "random_map"
[[metrics]]
name = "diff_roar"
shares = [0.1]
[[metrics]]
name = "roar"
shares = [0.1]
[[metrics]]
name = "training_stability"
[[metrics]]
name = "training_stability"
across = "halves"
similarity = "ssim"
"""


@dataclass(frozen=True)
class Square(Dataset):
    """Noise with a square of 5 x 5 pixels somewhere that is striped up and down, or from left to right."""

    count: int = 128

    @property
    def classes(self) -> tuple[str, ...]:
        return ("upright", "level")

    def ids(self, split: str) -> tuple[str, ...]:
        return tuple(f"{split}/{position}" for position in range(self.count if split == "train" else 32))

    def labels(self, split: str) -> tuple[int, ...]:
        return tuple(position % 2 for position in range(len(self.ids(split))))

    def sample(self, split: str, position: int) -> Sample:
        rng = generator("square", split, position)
        image, truth = rng.uniform(0.4, 0.6, (3, 16, 16)), np.zeros((16, 16))
        top, left = rng.integers(0, 12, 2)
        stripes = np.tile(np.array([0.0, 1.0, 0.0, 1.0, 0.0]), (5, 1))
        window = slice(top, top + 5), slice(left, left + 5)
        image[:, *window] = stripes if position % 2 == 0 else stripes.T
        truth[window] = 1
        return Sample(f"{split}/{position}", torch.tensor(image).float(), position % 2, torch.tensor(truth).float())

    def fingerprint(self) -> str:
        return f"square {self.count}"


@dataclass(frozen=True)
class Broken(Attribution):
    """Not a number in one image."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        maps = request.images.clone()
        maps[[name.endswith("/3") for name in request.rng.image_ids]] = torch.nan
        return maps


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    path = tmp_path_factory.mktemp("suite") / "square.toml"
    path.write_text(SUITE)
    return replace(load_suite(str(path)), dataset=Square())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def carry_out(suite: Suite, folder: Path) -> Results:
    with progress() as bars:
        return running.run_suite(Run(suite, Store(folder), torch.device("cpu"), bars))


@pytest.fixture(scope="module")
def results(suite: Suite, kept: Path) -> Results:
    return carry_out(suite, kept)


def scores(results: Results, metric: str, attribution: str) -> np.ndarray:
    own = results.scores[(results.scores.metric == metric) & (results.scores.attribution == attribution)]
    assert (own.status == "ok").all()
    assert len(own) == 32
    return own.score.to_numpy()


def test_the_networks_learn(results: Results) -> None:
    assert results.networks.accuracy.min() > 0.9


def test_what_tells_the_class_is_told_from_what_does_not(results: Results) -> None:
    name = DiffRoar((0.1,)).label
    assert scores(results, name, "oracle").mean() > 0.3
    assert abs(scores(results, name, "random_map").mean()) < 0.25
    assert set(scores(results, name, "oracle")) <= {-1.0, 0.0, 1.0}


def test_removing_the_evidence_takes_the_class_away(results: Results) -> None:
    own = results.curves[results.curves.metric == Roar((0.1,)).label]
    at_least = {name: np.stack(list(group.curve)).mean(0) for name, group in own.groupby("attribution", observed=True)}
    assert at_least["oracle"][0] < 0.75
    assert at_least["random_map"][0] > at_least["oracle"][0] + 0.15


def test_maps_that_are_no_matter_of_the_network_are_stable(results: Results) -> None:
    halves = TrainingStability("halves", "ssim").label
    np.testing.assert_allclose(scores(results, "training_stability", "oracle"), 1)
    np.testing.assert_allclose(scores(results, "training_stability", "random_map"), 1)
    np.testing.assert_allclose(scores(results, halves, "oracle"), 1)


def test_a_second_run_trains_and_scores_nothing(suite, results, kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("bench.runner.networks.train", forbidden)
    monkeypatch.setattr("bench.runner.blocks.score_across", forbidden)
    again = carry_out(suite, kept)
    np.testing.assert_array_equal(again.scores.score, results.scores.score)


def test_a_broken_map_fails_alone_in_what_is_compared(suite, results, kept) -> None:
    metrics = (TrainingStability(),)
    own = carry_out(replace(suite, attributions=(Broken(),), metrics=metrics), kept).scores.set_index("image")
    assert own.status["val/3"] == "non-finite heatmap"
    assert (own.drop(index="val/3").status == "ok").all()


def test_one_seed_is_not_compared_and_weights_alone_are_not_retrained(suite, results, kept) -> None:
    weights, *_ = (kept / "networks").glob("small_plain-standard-0-*.safetensors")
    table = suite.table.networks[0].model_copy(update={"weights": str(weights), "training": None, "seeds": (0,)})
    loaded = replace(suite, table=suite.table.model_copy(update={"networks": (table,)}))
    status = carry_out(loaded, kept).scores.groupby("metric", observed=True).status.unique().str[0].to_dict()
    assert status["training_stability"] == (
        "unsupported: training_stability across seeds needs a recipe with at least two seeds"
    )
    untrained = "unsupported: small_plain comes as weights, without a training in the suite"
    assert {text for name, text in status.items() if name != "training_stability"} == {untrained}


def test_a_file_of_weights_for_each_seed_is_as_good_as_their_training(suite, results, kept, tmp_path: Path) -> None:
    ready = NetworkLoader.of(suite, 0, kept / "networks", torch.device("cpu"), None).load()
    for trained in ready:
        write_trained(tmp_path / f"of-{trained.seed}.safetensors", trained.network.module, {})
    loaded = {"weights": str(tmp_path / "of-{seed}.safetensors"), "training": None}
    table = suite.table.model_copy(update={"networks": (suite.table.networks[0].model_copy(update=loaded),)})
    own = carry_out(replace(suite, table=table, metrics=(TrainingStability(),)), tmp_path).scores
    before = results.scores[results.scores.metric == "training_stability"]
    np.testing.assert_array_equal(own.score, before.score)
