"""Accuracy of shipped networks, untouched and under attack."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.api import Network
from bench.data.batches import Batch, load
from bench.progress import progress
from bench.runner.accuracy import accuracy_of, robust_accuracy_of, warn_of_guessing
from bench.runner.networks import NetworkLoader
from bench.suites.load import load_suite
from bench.suites.schema import AttackTable

IMAGES = 32


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Batch]:
    suite, device, kept = load_suite("embedded"), torch.device("cpu"), Path(tmp_path_factory.mktemp("networks"))
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, kept, device, bars).load()
    return trained.network, load(suite.dataset, "test", range(IMAGES), trained.network, device)


def under(shipped: tuple[Network, Batch], epsilon: float, steps: int = 5, seed: int = 0) -> pd.DataFrame:
    return robust_accuracy_of(*shipped, AttackTable(epsilon=epsilon, steps=steps), seed)


def test_the_stronger_the_attack_the_less_is_right(shipped: tuple[Network, Batch]) -> None:
    untouched = accuracy_of(*shipped)
    weak, strong = under(shipped, 1 / 255), under(shipped, 8 / 255)
    assert list(weak.image) == list(untouched.image) == list(shipped[1].ids)
    assert untouched.correct.mean() > weak.correct.mean() > strong.correct.mean()
    assert not (weak.correct & ~untouched.correct).any()


def test_an_attack_of_no_size_changes_no_prediction(shipped: tuple[Network, Batch]) -> None:
    pd.testing.assert_series_equal(under(shipped, 1e-9).correct, accuracy_of(*shipped).correct)


def test_what_holds_for_an_image_does_not_depend_on_its_batch(shipped: tuple[Network, Batch]) -> None:
    network, batch = shipped
    whole = under(shipped, 2 / 255).set_index("image").correct
    rest = Batch(batch.ids[5:9], batch.images[5:9], batch.labels[5:9], batch.outputs[5:9], None, None)
    part = under((network, rest), 2 / 255).set_index("image").correct
    pd.testing.assert_series_equal(part, whole.loc[list(rest.ids)])


def test_the_steps_together_reach_beyond_the_ball() -> None:
    attack = AttackTable(epsilon=0.04, steps=10)
    assert attack.step * attack.steps == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("right", "of", "said"),
    [(1, 40, True), (11, 40, False), (1, 1, False), (0, 7, True), (0, 1, False), (0, 6, False), (1, 8, False)],
)
def test_no_more_right_than_by_guessing_is_said(right: int, of: int, said: bool, caplog) -> None:
    warn_of_guessing("resnet by standard", [True] * right + [False] * (of - right), 101)
    line = f"resnet by standard gets {right} of {of} images right, no more than guessing among 101 classes may: "
    assert [message.startswith(line) for message in caplog.messages] == [True] * said


def test_without_classes_to_guess_among_nothing_is_said(caplog) -> None:
    warn_of_guessing("resnet by standard", [], 10)
    warn_of_guessing("resnet by standard", [False], 1)
    warn_of_guessing("resnet by standard", [True], 8)
    warn_of_guessing("resnet by standard", [False], 8)
    assert not caplog.messages
