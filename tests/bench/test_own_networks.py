from pathlib import Path

import torch

from bench.networks import build
from bench.progress import progress
from bench.suite import load_suite
from bench.zoo import networks_of

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
from bench.networks import build

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
        (trained,) = networks_of(load_suite(str(tmp_path / "own.toml")), 0, tmp_path, torch.device("cpu"), bars)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(trained.network.logits(images), expected(images))
    assert trained.architecture == "made.py:make"
    assert str(tmp_path) not in repr((trained.architecture, trained.network.name, trained.log))
