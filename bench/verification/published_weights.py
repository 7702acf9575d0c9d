"""Trained weights that a result set carries, so that it can be recomputed without the training."""

from pathlib import Path

import pandas as pd
from safetensors.torch import load

from bench.errors import HeatmarkError
from bench.files import write_whole
from bench.training.checkpoints import checked_trained
from bench.training.weight_files import read_weights, state_hash

FOLDER = "weights"
LARGEST = 10_000_000  # bytes of all weights of a set


def file_of(weights: str) -> str:
    """Where a result set keeps the network of this hash of weights."""
    return f"{FOLDER}/{weights[:16]}.safetensors"


def weights_kept(networks: pd.DataFrame, store: Path) -> dict[str, bytes]:
    """What the store's folder of networks holds of those that a set's suite trained: files by name in the set.

    Nothing where all together are larger than `LARGEST`, or where a network is not there any more.
    """
    trained = networks[networks["log"].notna() & ~networks["log"].isin(["", "[]"])]
    wanted = set(trained["weights"].astype(str))
    found: dict[str, bytes] = {}
    for path in sorted(store.glob("*.safetensors")):
        if path.stat().st_size > LARGEST:
            continue
        try:
            content = checked_trained(path)[1]
        except (OSError, ValueError):  # of another time or damaged, which `heatmark store` says
            continue
        weights = state_hash(load(content))
        if weights in wanted:
            found[file_of(weights)] = content
    whole = len(found) == len(wanted) and sum(map(len, found.values())) <= LARGEST
    return found if whole else {}


def write_weights(files: dict[str, bytes], folder: Path) -> None:
    """Write these files into a result set, and remove other weights from it."""
    for path in folder.glob(f"{FOLDER}/*.safetensors"):
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        write_whole(folder / name, content)


def wrong_weights(folder: Path, networks: pd.DataFrame) -> list[str]:
    """A line for each file of weights that is none of the set's networks."""
    known = {file_of(weights): weights for weights in networks["weights"].astype(str)}
    lines = []
    for path in sorted(folder.glob(f"{FOLDER}/*")):
        name = path.relative_to(folder).as_posix()
        try:
            right = name in known and state_hash(read_weights(path)) == known[name]
        except HeatmarkError:
            right = False
        if not right:
            lines.append(f"{path} does not hold the weights of a network of this set")
    return lines
