"""The key of a cell is the content of everything that decides its scores, wherever it lies."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.api.source_code import code_of
from bench.checks import network_promises
from bench.checks.network_promises import NETWORK_CHECKS
from bench.datasets.image_folder import ImageFolder
from bench.files import key_of
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.identity import LOOKING, NOT_COMPUTING, _signature, identity
from bench.runner.networks import NetworkLoader
from bench.runner.records import Run
from bench.suites.load import load_suite
from bench.training.architectures import build

SUITE = """
name = "own"
[dataset]
name = "image_folder"
root = "$SUITE/images"
[[networks]]
architecture = "$SUITE/network.py:make"
weights = "$SUITE/weights.pt"
outputs = 2
[networks.preprocess]
size = [16, 16]
[[attributions]]
name = "simple_gradient"
[[metrics]]
name = "pointing_game"
"""
NETWORK = """
import torch
from layers import small

def make(path):
    network = small()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network
"""
LAYERS = """
from bench.training.architectures import build

def small():
    return build("small_plain", 2)
"""


def picture(path: Path, seed: int, mode: str = "RGB") -> None:
    """An uncompressed picture, the same number of bytes for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (16, 16, 3) if mode == "RGB" else (16, 16)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path, compress_level=0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HEATMARK_ALLOW_CODE", "1")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "network.py").write_text(NETWORK)
    (tmp_path / "layers.py").write_text(LAYERS)
    torch.save(build("small_plain", 2).state_dict(), tmp_path / "weights.pt")
    for number, name in enumerate(("ant", "bee")):
        for row in range(2):
            picture(tmp_path / "images" / name / f"{row}.png", 2 * number + row)
            picture(tmp_path / "images" / "masks" / name / f"{row}.png", row, "L")
    return tmp_path


def key(folder: Path) -> str:
    code_of.cache_clear()
    with progress() as bars:
        run = Run(
            load_suite(str(folder / "suite.toml"), allow_code=True), Store(folder / "store"), torch.device("cpu"), bars
        )
        (trained,) = NetworkLoader.of(run.suite, 0, run.store.networks, run.device, bars).load()
        ids = run.ids(run.chosen(trained.network, None))
    return key_of(identity(run, [trained], ids, run.suite.attributions[0], run.suite.metrics[0]))


def rewrite(path: Path, change: Any) -> None:
    """Another content of the same size, at the same time."""
    stat = path.stat()
    change(path)
    assert path.suffix == ".pt" or abs(path.stat().st_size - stat.st_size) <= 1
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def halve(path: Path) -> None:
    torch.save({name: values / 2 for name, values in torch.load(path, weights_only=True).items()}, path)


def test_the_same_content_is_the_same_key(folder: Path) -> None:
    assert key(folder) == key(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("images/ant/0.png", lambda path: picture(path, 99)),
        ("images/masks/bee/1.png", lambda path: picture(path, 99, "L")),
        ("network.py", lambda path: path.write_text(NETWORK.replace("weights_only=True", "weights_only=1 > 0"))),
        ("layers.py", lambda path: path.write_text(LAYERS.replace('"small_plain"', "'small_plain'"))),
        ("weights.pt", halve),
    ],
)
def test_other_content_of_the_same_size_is_another_key(folder: Path, name: str, change: Any) -> None:
    before = key(folder)
    rewrite(folder / name, change)
    assert key(folder) != before


def test_what_does_not_compute_exists() -> None:
    bench = Path(__file__).parents[2] / "bench"
    assert all((bench / name).exists() for name in NOT_COMPUTING)


def test_a_cell_from_before_a_promise_was_asked_for_is_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(folder)
    monkeypatch.setattr("bench.runner.identity.NETWORK_CHECKS", NETWORK_CHECKS[1:])
    assert key(folder) != before


def test_a_cell_of_a_network_that_was_looked_at_otherwise_is_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(folder)
    monkeypatch.setattr("bench.runner.identity.look_hash", lambda: "how it was done once")
    assert key(folder) != before
    bench = Path(__file__).parents[2] / "bench"
    assert Path(network_promises.__file__) in {bench / name for name in LOOKING}


@dataclass(frozen=True)
class Rooted(SimpleGradient):
    """A method with a setting that is called as the place of a data set is."""

    square_root: bool = False


def test_only_of_a_data_set_the_place_does_not_count() -> None:
    assert _signature(Rooted()) != _signature(Rooted(square_root=True))
    assert _signature(ImageFolder(root="here")) == _signature(ImageFolder(root="there"))
