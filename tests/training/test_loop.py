"""One loop for every recipe: what a kill, a loader or a second process may not change."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bench.api import Recipe
from bench.errors import HeatmarkError
from bench.methods.recipes.gaze_harmonized import GazeHarmonized
from bench.methods.recipes.gradient_regularized import GradientRegularized
from bench.methods.recipes.input_noise import InputNoise
from bench.methods.recipes.label_smoothing import LabelSmoothing
from bench.training.checkpoints import write_trained
from bench.training.hyperparameters import Augmentation, Training
from bench.training.loop import TrainingJob, train, training_identity
from bench.training.optimisers import rate
from bench.training.weight_files import not_finite
from tests.support.small_training import RECIPES, SILENT, STEADY, Stripes, network, trained

TESTS = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(TESTS.parent), "OMP_NUM_THREADS": "1"}
SHORT = Training(epochs=4, batch=7)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class KilledError(Exception):
    """A kill in the middle of an epoch."""


def killed_at(recipe: Recipe, step: int) -> Recipe:
    """The recipe, until its loss is asked for the `step`th time."""

    class Mortal(type(recipe)):
        def loss(self, *given):
            nonlocal step
            step -= 1
            if step < 0:
                raise KilledError
            return super().loss(*given)

    return Mortal(**recipe.settings)


@pytest.mark.parametrize(
    ("name", "keep"),
    [
        ("noise", "last"),
        ("regularised", "best"),
        pytest.param("noise", "best", marks=pytest.mark.long),
        pytest.param("regularised", "last", marks=pytest.mark.long),
    ],
)
def test_ten_kills_at_random_points_change_nothing(name, keep, tmp_path):
    training = replace(SHORT, keep=keep, augmentation=Augmentation(flip=0.5, crop="random_resized"))
    whole, log = trained(RECIPES[name], training, tmp_path / "whole.partial")
    for attempt, step in enumerate(random.Random(5).sample(range(4 * 4), 10)):  # noqa: S311
        checkpoint = tmp_path / f"{attempt}.partial"
        with pytest.raises(KilledError):
            trained(killed_at(RECIPES[name], step), training, checkpoint)
        resumed, own_log = trained(RECIPES[name], training, checkpoint)
        assert same(resumed, whole)
        assert [entry["loss"] for entry in own_log] == [entry["loss"] for entry in log]


@pytest.mark.long
def test_a_run_that_is_killed_ten_times_ends_with_the_same_weights(tmp_path):
    def start(folder, *kill):
        command = [sys.executable, TESTS / "support" / "small_training.py", folder, "alone", "noise", *kill]
        return subprocess.run(command, env=ENVIRONMENT, check=False).returncode

    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    assert start(tmp_path / "whole") == 0
    chance = random.Random(1)  # noqa: S311
    for _ in range(10):
        step, delay = chance.randrange(6), chance.uniform(1e-4, 5e-3)
        assert start(tmp_path / "killed", str(step), str(delay)) == -signal.SIGALRM
    assert start(tmp_path / "killed") == 0
    assert same(*(load_file(tmp_path / folder / "noise.safetensors") for folder in ("whole", "killed")))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    weights = [trained(InputNoise(), SHORT, tmp_path / f"{i}.partial", seed)[0] for i, seed in enumerate((0, 0, 1))]
    assert same(weights[0], weights[1])
    assert not same(weights[0], weights[2])


def test_chance_outside_does_not_reach_the_training_nor_the_other_way(tmp_path):
    weights, after = [], []
    for seed in (3, 4):
        own = network()
        torch.manual_seed(seed)
        train(TrainingJob(InputNoise(), Stripes(), SHORT, 0), own, torch.device("cpu"), tmp_path / f"{seed}.p", SILENT)
        weights.append(own.module.state_dict())
        after.append(torch.rand(1).item())
        torch.manual_seed(seed)
        assert torch.rand(1).item() == after[-1]
    assert same(*weights)


def test_loader_processes_change_nothing(tmp_path):
    training = replace(SHORT, augmentation=Augmentation(flip=0.5, rotation=20.0))
    alone, _ = trained(LabelSmoothing(), training, tmp_path / "0.partial")
    helped, _ = trained(LabelSmoothing(), replace(training, workers=2), tmp_path / "2.partial")
    assert same(alone, helped)


def test_two_processes_train_as_one(tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [TESTS / "support" / "small_training.py", tmp_path, "together", *RECIPES]
    subprocess.run([*launch, *arguments], env=ENVIRONMENT, check=True, capture_output=True, timeout=300)
    start = network(batch_norm=False).module.state_dict()
    for name, recipe in RECIPES.items():
        together = load_file(tmp_path / f"{name}.safetensors")
        alone, _ = trained(recipe, STEADY, tmp_path / f"{name}.alone", batch_norm=False, dropout=0.0)
        # Each process draws noise of its own; without any, the sum of the gradients is the same up to rounding.
        tolerance = 1e-4 if name == "regularised" else 0.2
        for weight, values in alone.items():
            moved = (values - start[weight]).norm()
            assert moved > 0
            assert (together[weight] - values).norm() <= tolerance * moved


def test_training_learns(tmp_path):
    _, log = trained(LabelSmoothing(), replace(SHORT, epochs=15), tmp_path / "checkpoint.partial", dropout=0.0)
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["accuracy"] > 0.8


def test_the_log_shows_the_penalty_of_a_recipe_that_has_one(tmp_path):
    _, plain = trained(LabelSmoothing(), SHORT, tmp_path / "0.partial")
    assert all("penalty" not in entry for entry in plain)
    falls = []
    for scale in (0.0, 1e5):
        recipe = GradientRegularized(regulariser="l2", scale=scale)
        _, log = trained(recipe, replace(SHORT, epochs=8), tmp_path / f"{scale}.partial", dropout=0.0)
        falls.append(log[-1]["penalty"])
    assert falls[1] < 0.5 * falls[0]


class Forgetful(LabelSmoothing):
    """Learns the labels for fifteen epochs of four steps, and wrong ones from then on."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "steps", iter(range(1000)))

    def loss(self, network, images, labels, truth, rng):
        wrong = next(self.steps) >= 60
        return super().loss(network, images, (labels + 1) % 3 if wrong else labels, truth, rng)


def test_best_keeps_the_weights_of_the_highest_accuracy(tmp_path):
    training = replace(SHORT, epochs=20, keep="best")
    weights, log = trained(Forgetful(), training, tmp_path / "best.partial", dropout=0.0)
    accuracies = [entry["accuracy"] for entry in log]
    assert max(range(20), key=lambda epoch: (accuracies[epoch], epoch)) < 19, "it did not forget"
    state = torch.load(tmp_path / "best.partial", weights_only=True)
    assert not same(weights, state["module"])
    last, _ = trained(Forgetful(), replace(training, keep="last"), tmp_path / "last.partial", dropout=0.0)
    assert same(last, state["module"])


def test_fine_tuning_goes_on_from_the_start(tmp_path):
    first, _ = trained(LabelSmoothing(), SHORT, tmp_path / "first.partial")
    own = network()
    own.module.load_state_dict(first)
    start = tmp_path / "start.safetensors"
    write_trained(start, own.module, {})
    still = replace(SHORT, start=str(start), learning_rate=1e-30, weight_decay=0.0, epochs=1)
    unmoved, _ = trained(LabelSmoothing(), still, tmp_path / "second.partial")
    assert torch.equal(unmoved["0.weight"], first["0.weight"])
    job = TrainingJob(LabelSmoothing(), Stripes(), still, 0)
    before = training_identity(job)
    elsewhere = start.rename(tmp_path / "elsewhere.safetensors")
    assert training_identity(replace(job, training=replace(still, start=str(elsewhere)))) == before
    write_trained(start, network().module, {})
    assert training_identity(job) != before


def test_a_start_that_does_not_fit_is_an_error(tmp_path):
    write_trained(tmp_path / "other.safetensors", torch.nn.Linear(2, 2), {})
    with pytest.raises(HeatmarkError, match=r"other\.safetensors lacks 8 of the network's 9 weights"):
        trained(LabelSmoothing(), replace(SHORT, start=str(tmp_path / "other.safetensors")), tmp_path / "0.partial")


def test_a_start_that_is_not_there_is_an_error(tmp_path):
    absent = str(tmp_path / "absent.safetensors")
    with pytest.raises(HeatmarkError, match=r"no weights at .*absent"):
        training_identity(TrainingJob(LabelSmoothing(), Stripes(), replace(SHORT, start=absent), 0))


@pytest.mark.parametrize("name", RECIPES)
def test_bfloat16_trains_about_as_float32(name, tmp_path):
    recipe = RECIPES[name]
    precise, log = trained(recipe, SHORT, tmp_path / "32.partial", dropout=0.0)
    rounded, other = trained(recipe, replace(SHORT, precision="bfloat16"), tmp_path / "16.partial", dropout=0.0)
    assert rounded["0.weight"].dtype == torch.float32
    assert not same(precise, rounded)
    assert other[-1]["loss"] == pytest.approx(log[-1]["loss"], rel=0.05)


class Diverging(GradientRegularized):
    def loss(self, network, images, labels, truth, rng):
        return network.logits(images).sum() * float("inf")


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    with pytest.raises(HeatmarkError, match="diverged in epoch"):
        trained(Diverging(), SHORT, tmp_path / "0.partial")
    assert not (tmp_path / "0.partial").exists()


class LastStep(LabelSmoothing):
    """Breaks the weights in the last step, which no loss sees any more."""

    def loss(self, network, images, labels, truth, rng):
        loss = super().loss(network, images, labels, truth, rng)
        loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss


def test_weights_that_are_not_finite_stop_the_training_too(tmp_path):
    whole = replace(SHORT, epochs=1, batch=24)
    with pytest.raises(HeatmarkError, match=r"diverged in epoch 0: 0\.weight is not finite"):
        trained(LastStep(), whole, tmp_path / "0.partial")
    assert not (tmp_path / "0.partial").exists()


def test_a_start_that_diverged_is_refused_by_name(tmp_path):
    own = network()
    with torch.no_grad():
        own.module[0].weight[0] = float("nan")
    write_trained(tmp_path / "broken.safetensors", own.module, {})
    with pytest.raises(HeatmarkError, match=r"broken\.safetensors: 0\.weight is not finite"):
        trained(LabelSmoothing(), replace(SHORT, start=str(tmp_path / "broken.safetensors")), tmp_path / "0.partial")


def test_a_mask_of_minus_infinity_is_no_weight_that_diverged():
    own = network().module
    own.register_buffer("mask", torch.full((2, 2), -torch.inf).triu(1))
    assert not_finite(own, own.state_dict()) == ""
    own.mask[0, 0] = torch.inf
    assert not_finite(own, own.state_dict()) == "mask"


def test_a_recipe_that_needs_truth_is_refused_where_there_is_none(tmp_path):
    job = TrainingJob(GazeHarmonized(), Stripes(with_truth=False), SHORT, 0)
    with pytest.raises(HeatmarkError, match="'gaze_harmonized' needs truth maps, and stripes has none"):
        train(job, network(), torch.device("cpu"), tmp_path / "0.partial", SILENT)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.0, 0.5, 1.0, 1.0, 1.0]),
        ("cosine", [0.0, 0.5, 1.0, 0.5, 0.0]),
        ("steps", [0.0, 0.5, 1.0, 0.1, 0.001]),
    ],
)
def test_the_rate_warms_up_and_follows_the_schedule(schedule, expected):
    training = Training(schedule=schedule, warm_up=0.2, milestones=(0.4, 0.8, 0.9))
    rates = [rate(training, done) for done in (0.0, 0.1, 0.2, 0.6, 1.0)]
    assert rates == pytest.approx(expected, abs=0.01)
