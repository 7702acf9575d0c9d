"""Recipes and data sets that do what none may: what all share is put back, and who replaced code of others is named."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Dataset, HeatmarkError, Network, Preprocess, Recipe, Sample
from bench.api.shared_state import SharedState
from bench.checks.fixtures import small_network
from bench.data.batches import batches, load, worked_on
from bench.metrics.sparsity.gini import Gini
from bench.progress import silent
from bench.suites.make import make_plugin
from bench.training.hyperparameters import Training
from bench.training.loop import TrainingJob, train, with_weights_of
from tests.support.hostile import PROCESS, Deed
from tests.support.small_training import Stripes

CPU = torch.device("cpu")
# Determinism takes torch half a minute to set the first time.
ALL = {name: deed for name, deed in PROCESS.items() if name != "asks for determinism"} | {
    "goes to another folder": lambda _: os.chdir("/")
}
CODE: dict[str, Deed] = {
    "replaces a function": lambda _: setattr(F, "conv2d", lambda *given, **named: torch.zeros(1)),
    "replaces a method": lambda _: setattr(torch.Tensor, "relu", lambda own: own),
    "replaces the call of modules": lambda _: setattr(nn.Module, "__call__", lambda own, *given: given[0]),
    "leaves a hook for all": lambda _: nn.modules.module.register_module_forward_hook(
        lambda part, images, output: None
    ),
}


@dataclass(frozen=True)
class Images(Dataset):
    """Eight images in one memory, and a deed with each from the fourth on."""

    deed: str = ""
    first: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        return ("a", "b", "c", "d", "e")

    def ids(self, split: str) -> tuple[str, ...]:
        return tuple(map(str, range(8)))

    def labels(self, split: str) -> tuple[int, ...]:
        return tuple(i % 5 for i in range(8))

    def sample(self, split: str, position: int) -> Sample:
        if self.deed and position >= self.first:
            (ALL | CODE)[self.deed](nn.Identity())
        MEMORY.fill_(position / 8)
        return Sample(str(position), MEMORY, position % 5, truth=MEMORY[0], fixations=None)

    def fingerprint(self) -> str:
        return "images"


MEMORY = torch.zeros(3, 16, 16)


@pytest.fixture
def shared() -> Iterator[SharedState]:
    """What all share before the test; put back behind it, whatever it shows."""
    before = SharedState()
    yield before
    before.code_put_back()
    before.settings_put_back(drawing=False)


def network() -> Network:
    return replace(small_network(), preprocess=replace(small_network().preprocess, size=(16, 16)))


@pytest.mark.parametrize("deed", ALL)
def test_what_a_data_set_sets_for_all_is_put_back(deed: str, shared: SharedState) -> None:
    assert load(Images(deed=deed), "val", range(4), network(), CPU).images.shape == (4, 3, 16, 16)
    assert shared.settings_put_back(drawing=False) is None


@pytest.mark.parametrize("deed", CODE)
def test_a_data_set_that_replaces_code_of_others_is_named(deed: str, shared: SharedState) -> None:
    with pytest.raises(HeatmarkError, match=r"data set 'images' changed the (code|hooks) of .*; it was put back"):
        load(Images(deed=deed), "val", range(4), network(), CPU)
    assert shared.code_put_back() is None


# What each thread has for itself.
OWN = {"turns gradients off", "turns gradients off, or on", "sets the threads", "raises numpy's errors"}
ANYBODYS = {"seeds Python"}  # put back, but libraries' own threads draw from it too
OWN |= {"turns autocast on", "flushes small numbers", "sets the default device"}


@pytest.mark.parametrize("deed", [deed for deed in (*ALL, *CODE) if deed not in {*OWN, *ANYBODYS}])
def test_a_data_set_that_changes_something_while_others_work_is_named(deed: str, shared: SharedState) -> None:
    coming = batches(Images(deed=deed, first=4), "val", range(8), 2, network(), CPU)
    with pytest.raises(HeatmarkError, match=r"data set 'images' changed the .*, which all share; it was put back"):
        list(coming)
    assert shared.code_put_back() is None
    assert shared.settings_put_back(drawing=False) is None


@pytest.mark.parametrize("deed", sorted(OWN))
def test_what_a_data_set_sets_for_its_thread_changes_nobody_elses(deed: str, shared: SharedState) -> None:
    found = [batch.images for batch in batches(Images(deed=deed), "val", range(8), 2, network(), CPU)]
    assert torch.equal(torch.cat(found), load(Images(), "val", range(8), network(), CPU).images)
    assert shared.settings_put_back(drawing=False) is None


def test_images_in_one_memory_stay_apart() -> None:
    (batch,) = batches(Images(), "val", range(8), 8, network(), CPU)
    assert batch.truth is not None
    for given in (batch.images[:, 0], batch.truth):
        assert given.flatten(1).mean(1).tolist() == [i / 8 for i in range(8)]


@dataclass(frozen=True)
class Poison(Recipe):
    """Trains on the error, and does its deed."""

    deed: str = ""

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        loss = F.cross_entropy(network.logits(images), labels)
        if self.deed:
            (ALL | CODE | ON_NETWORK)[self.deed](network.module)
        return loss


ON_NETWORK: dict[str, Deed] = {
    "leaves a hook": lambda m: m[0].register_forward_hook(lambda part, images, output: output),
    "replaces its forward": lambda m: setattr(m[0], "forward", type(m[0]).forward.__get__(m[0])),
    "keeps something": lambda m: setattr(m, "kept", 1),
}
TRAINING = Training(epochs=1, batch=8, learning_rate=0.01)


def trained(deed: str, folder: Path) -> nn.Module:
    module = convolutional()
    own = Network(module, preprocess=Preprocess(size=(12, 12)))
    train(TrainingJob(Poison(deed=deed), Stripes(16), TRAINING, 0), own, CPU, folder / "a.partial", silent())
    return with_weights_of(module, convolutional(), Poison(deed=deed))


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    return trained("", tmp_path_factory.mktemp("plain")).state_dict()


@pytest.mark.parametrize("deed", [deed for deed in ALL if "draws" not in deed and "seeds torch" not in deed])
def test_what_a_recipe_sets_for_all_is_put_back_after_each_step(
    deed: str, shared: SharedState, plain, tmp_path
) -> None:
    for name, weights in trained(deed, tmp_path).state_dict().items():
        torch.testing.assert_close(weights, plain[name])
    assert shared.settings_put_back(drawing=True) is None


@pytest.mark.parametrize("deed", CODE)
def test_a_recipe_that_replaces_code_of_others_is_named(deed: str, shared: SharedState, tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"recipe 'poison' changed the (code|hooks) of .*; it was put back"):
        trained(deed, tmp_path)
    assert shared.code_put_back() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("deed", ON_NETWORK)
def test_what_a_recipe_leaves_on_its_network_ends_with_the_training(deed: str, tmp_path: Path) -> None:
    module = trained(deed, tmp_path)
    assert set(vars(module)) == set(vars(convolutional()))
    assert not module[0]._forward_hooks
    assert "forward" not in vars(module[0])


def test_a_recipe_that_changes_layers_is_named() -> None:
    other = convolutional()
    other[1] = nn.PReLU()
    with pytest.raises(HeatmarkError, match="recipe 'poison' changed the layers of the network that it trains"):
        with_weights_of(other, convolutional(), Poison())


@pytest.mark.parametrize("deed", ["sets the default dtype", "goes to another folder", "replaces a function"])
def test_what_a_plugin_does_while_it_is_imported(
    deed: str, shared: SharedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def imported(kind: str, name: str) -> type:
        (ALL | CODE)[deed](nn.Identity())
        return Gini

    monkeypatch.setattr("bench.suites.make.plugin_class", imported)
    if deed in CODE:
        with pytest.raises(HeatmarkError, match=r"metrics: gini changed the code of torch.nn.functional.conv2d"):
            make_plugin("metrics", {"name": "gini"}, "metrics")
    else:
        make_plugin("metrics", {"name": "gini"}, "metrics")
    assert shared.code_put_back() is None
    assert shared.settings_put_back(drawing=False) is None


def test_what_was_made_while_a_data_set_changed_something_is_not_given_on(shared: SharedState) -> None:
    coming = batches(Images(deed="replaces a method", first=4), "val", range(8), 2, network(), CPU)
    given = worked_on(coming, lambda batch: batch.ids)
    assert next(given)[1] == ("0", "1")
    with pytest.raises(HeatmarkError, match=r"data set 'images' changed the code of Tensor\.relu, which all share"):
        next(given)  # the second, while which the third is loaded
