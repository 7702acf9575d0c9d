from pathlib import Path

import pytest
import torch

from bench.data.batches import load
from bench.errors import HeatmarkError
from bench.progress import progress
from bench.runner.accuracy import accuracy_of
from bench.runner.networks import NetworkLoader
from bench.suites.load import Suite, load_suite
from bench.training.architectures import build

SUITE = """
name = "own"
[dataset]
name = "planted"
[[networks]]
architecture = "$SUITE/made.py:make"
weights = "$SUITE/weights.pt"
[[attributions]]
name = "random_map"
[[metrics]]
name = "gini"
"""
MADE = """
import torch
from bench.training.architectures import build

def make(path):
    network = build("small_plain", 4)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network, {"about": "it"}
"""


def test_somebody_s_own_network_is_called_and_known_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(SUITE)
    (tmp_path / "made.py").write_text(MADE)
    expected = build("small_plain", 4).eval()
    torch.save(expected.state_dict(), tmp_path / "weights.pt")
    with progress() as bars:
        (trained,) = NetworkLoader.of(
            load_suite(str(tmp_path / "own.toml"), allow_code=True), 0, tmp_path, torch.device("cpu"), bars
        ).load()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(trained.network.logits(images), expected(images))
    assert trained.architecture == "made.py:make"
    assert str(tmp_path) not in repr((trained.architecture, trained.network.name, trained.log))


@pytest.mark.parametrize(
    ("label_map", "message"),
    [
        (
            [0, 1],
            r"own.toml: networks\[0\].label_map: 2 outputs; expected one for each of the 8 labels",
        ),
        ([0, 1, 2, 3, 0, 1, 2, 9], "network 'made.py-make': label_map names output 9, the last is 3"),
    ],
)
def test_a_label_map_that_does_not_fit_is_one_line(tmp_path: Path, label_map: list[int], message: str) -> None:
    (tmp_path / "own.toml").write_text(SUITE.replace("[[attributions]]", f"label_map = {label_map}\n[[attributions]]"))
    (tmp_path / "made.py").write_text(MADE)
    torch.save(build("small_plain", 4).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(HeatmarkError, match=message):
        accuracy_on_two_images(load_suite(str(tmp_path / "own.toml"), allow_code=True), tmp_path)


def accuracy_on_two_images(suite: Suite, folder: Path) -> None:
    cpu = torch.device("cpu")
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, folder, cpu, bars).load()
    accuracy_of(trained.network, load(suite.dataset, "test", [0, 1], trained.network, cpu))
