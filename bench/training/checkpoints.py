"""Trained weights on disk, and the whole state of a training that goes on after a kill."""

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from bench.files import sealed, set_aside, unsealed, write_whole

_DIGEST = 32


@dataclass
class State:
    """All that a training changes: what a checkpoint holds."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: LambdaLR
    log: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def write_checkpoint(path: Path, state: State) -> None:
    """Keep the state, whole or not at all, with its checksum behind it."""
    file = io.BytesIO()
    parts = {
        "name": path.name,
        "module": state.module.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "schedule": state.schedule.state_dict(),
        "log": json.dumps(state.log),
        "best": state.best,
    }
    torch.save(parts, file)
    write_whole(path, file.getvalue() + hashlib.sha256(file.getvalue()).digest())


def read_checkpoint(path: Path, state: State) -> None:
    """Bring the state to where the checkpoint was written.

    A damaged checkpoint, or another training's, is set aside, and the state left as it is.
    """
    try:
        parts = checked_checkpoint(path)
    except ValueError as error:
        set_aside(path, str(error))
        return
    state.module.load_state_dict(parts["module"])
    state.optimiser.load_state_dict(parts["optimiser"])
    state.schedule.load_state_dict(parts["schedule"])
    state.log = json.loads(parts["log"])
    state.best = parts["best"]


def checked_checkpoint(path: Path) -> dict[str, Any]:
    """All that a checkpoint holds; ValueError where it is damaged or another training's."""
    content = path.read_bytes()
    content, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("its checksum does not match")
    parts: dict[str, Any] = torch.load(io.BytesIO(content), "cpu", weights_only=True)
    if parts["name"] != path.name:
        raise ValueError("it belongs to another training")
    return parts


def write_trained(path: Path, module: nn.Module, about: dict[str, Any]) -> None:
    """Keep trained weights as safetensors, and beside them a JSON file that says how they came about.

    It holds the checksum of the weights' file, and one of its own.
    """
    content = save({name: values.detach().cpu().contiguous() for name, values in module.state_dict().items()})
    write_whole(path.with_suffix(".json"), sealed({**about, "file": hashlib.sha256(content).hexdigest()}))
    write_whole(path, content)


def read_trained(path: Path, module: nn.Module, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Fill the module with weights that were kept for this identity; what is kept beside them, None where nothing is.

    Where one of the two files is damaged, or of another training, both are set aside.
    """
    beside = path.with_suffix(".json")
    if not (path.exists() and beside.exists()):
        return None
    try:
        about, content = checked_trained(path)
        if {name: about.get(name) for name in identity} != json.loads(json.dumps(identity)):
            raise ValueError("it belongs to another training")
    except ValueError as error:
        for damaged in (path, beside):
            set_aside(damaged, str(error))
        return None
    module.load_state_dict(load(content))
    return about


def checked_trained(path: Path) -> tuple[dict[str, Any], bytes]:
    """What is kept beside trained weights, and their file's content; ValueError where one of them is damaged."""
    about, content = unsealed(path.with_suffix(".json").read_bytes()), path.read_bytes()
    if hashlib.sha256(content).hexdigest() != about.get("file"):
        raise ValueError("its checksum does not match")
    return about, content
