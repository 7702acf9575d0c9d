"""Trained weights on disk, and the whole state of a training that goes on after a kill."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from bench.files import write_whole


@dataclass
class State:
    """All that a training changes: what a checkpoint holds."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: LambdaLR
    log: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def write_checkpoint(path: Path, state: State) -> None:
    """Keep the state, whole or not at all."""
    file = io.BytesIO()
    parts = {
        "module": state.module.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "schedule": state.schedule.state_dict(),
        "log": json.dumps(state.log),
        "best": state.best,
    }
    torch.save(parts, file)
    write_whole(path, file.getvalue())


def read_checkpoint(path: Path, state: State) -> None:
    """Bring the state to where the checkpoint was written."""
    parts = torch.load(path, "cpu", weights_only=True)
    state.module.load_state_dict(parts["module"])
    state.optimiser.load_state_dict(parts["optimiser"])
    state.schedule.load_state_dict(parts["schedule"])
    state.log = json.loads(parts["log"])
    state.best = parts["best"]


def write_trained(path: Path, module: nn.Module, about: dict[str, Any]) -> None:
    """Keep trained weights as safetensors, and beside them a JSON file that says how they came about."""
    state = {name: values.detach().cpu().contiguous() for name, values in module.state_dict().items()}
    write_whole(path.with_suffix(".json"), (json.dumps(about, indent=2) + "\n").encode())
    write_whole(path, save(state))
