"""A published set carries the small networks that its suite trained, and is verified by them alone."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from bench.cli import app

SUITE = """
name = "trained"
attack = { images = 2 }
[dataset]
name = "planted"
split = "test"
images = 4
accuracy_images = 4
[[networks]]
architecture = "small_plain"
seeds = [0, 1]
[networks.training]
epochs = 1
images = 64
batch = 32
learning_rate = 1e-3
validation_images = 8
[[attributions]]
name = "simple_gradient"
[[metrics]]
name = "gini"
"""


def said(*arguments: str | Path) -> tuple[int, str]:
    """The exit status of a command, and what it says."""
    done = CliRunner().invoke(app, [str(own) for own in arguments])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published set, the set as it was made, and the store."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "suite.toml").write_text(SUITE)
    store = folder / "store"
    assert said("run", folder / "suite.toml", "--store", store, "--out", folder / "set")[0] == 0
    assert said("publish", folder / "set", folder / "board", "--store", store)[0] == 0
    return folder


def test_a_set_is_verified_without_training_by_the_weights_that_it_carries(published: Path, tmp_path: Path) -> None:
    assert len(list((published / "board" / "weights").glob("*.safetensors"))) == 2
    status, lines = said("verify", published / "board", "--share", "1", "--store", tmp_path)
    assert status == 0, lines
    assert "8 same" in lines
    status, lines = said("verify", published / "set", "--share", "1", "--store", tmp_path)
    assert status != 0
    assert "8 cannot" in lines


def test_a_set_without_its_weights_is_verified_by_training_them_again(published: Path, tmp_path: Path) -> None:
    status, lines = said("verify", published / "set", "--share", "0.5", "--train", "--store", tmp_path)
    assert status == 0, lines
    assert "4 same" in lines
    assert len(list((tmp_path / "networks").glob("*.safetensors"))) == 2


def test_other_weights_in_the_place_of_a_set_s_own_are_seen(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published / "board", tmp_path / "board")
    path = sorted((tmp_path / "board" / "weights").glob("*.safetensors"))[0]
    state = load_file(path)
    name = next(name for name, values in state.items() if values.dtype == torch.float32)
    save_file({**state, name: state[name] + 1e-3}, path)
    lines = said("verify", tmp_path / "board", "--share", "1", "--store", tmp_path / "store")[1]
    assert "has other weights here than in the set" in lines
    out = tmp_path / "out"
    assert said("submit", published / "set", out, "--sender", "Me", "--store", published / "store")[0] == 0
    shutil.copy(path, out / "weights" / path.name)
    (out / "weights" / "notes.txt").write_text("none")
    status, lines = said("submit", out, "--store", tmp_path / "store")
    assert status == 1
    for wrong in (path.name, "notes.txt"):
        assert f"{wrong} does not hold the weights of a network of this set" in " ".join(lines.split())


def test_weights_that_are_not_in_the_store_are_left_out(published: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    shutil.copytree(published / "board", board)
    assert said("publish", published / "set", board, "--store", tmp_path / "none")[0] == 0
    assert list(board.glob("weights/*")) == []
