"""A suite small enough to be carried out many times in a test, with a pinned chunk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from bench.results.result_set import read_results

ROOT = Path(__file__).parents[2]
SUITE = """
name = "tiny"
batch = 4
gallery = 1
[dataset]
name = "planted"
train_images = 16
val_images = 8
test_images = 12
images = 10
accuracy_images = 8
references = 2
[attack]
images = 4
steps = 2
[[networks]]
architecture = "small_plain"
training = {{ epochs = {epochs}, batch = 8 }}
seeds = [0, 1]
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "random_map"
[[metrics]]
name = "pointing_game"
[[metrics]]
name = "deletion"
step = 1024
"""


def write_suite(folder: Path, epochs: int = 2) -> Path:
    """The suite as a file."""
    (folder / "tiny.toml").write_text(SUITE.format(epochs=epochs))
    return folder / "tiny.toml"


def pin_chunk(store: Path, chunk: int = 16) -> None:
    """Let the networks of the suite run in chunks of this size, as a user may by hand."""
    store.mkdir(parents=True, exist_ok=True)
    (store / "chunks.json").write_text(json.dumps({"small_plain 64x64 fp32 cpu 1 threads": chunk}))


def environment() -> dict[str, str]:
    """One thread, this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command carried out to its end."""
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def check_same_set(first: Path, second: Path) -> None:
    """Fail where one bit of two result sets differs, but for the seconds in the log of a training."""
    networks = [read_results(folder).networks.drop(columns="log") for folder in (first, second)]
    pd.testing.assert_frame_equal(*networks, check_exact=True)
    for name in ("scores", "curves", "heatmaps"):
        assert (first / f"{name}.parquet").read_bytes() == (second / f"{name}.parquet").read_bytes(), name
