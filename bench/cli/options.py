"""What is said on the command line, as values."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.errors import HeatmarkError

if TYPE_CHECKING:
    import torch

SuiteName = Annotated[str, typer.Argument(help="A shipped suite by name, or a TOML file.")]
NewKind = Literal["attribution", "recipe", "metric", "dataset", "suite"]
Folder = Annotated[Path, typer.Option(help="Where finished cells and trained networks are kept.")]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Run code that the suite names for its networks; read it first.")
]
Download = Annotated[bool, typer.Option("--download", help="Let libraries fetch weights that are not here.")]
Memory = Annotated[
    str | None,
    typer.Option(help="What a process, or its GPU, may take at most, as 3GB; fewer images go through at once."),
]
Names = Annotated[str | None, typer.Option(help="Only these by name, as `heatmark list` has them, comma-separated.")]
_COMMA = re.compile(r",(?![^(]*\))")  # not between the settings of a label


def sender_named(sender: str) -> str:
    """The name that a board is to carry. HeatmarkError where it is none."""
    if not sender.strip() or not sender.isprintable() or '"' in sender:
        raise HeatmarkError(f"--sender {sender!r}: expected the name that the board is to carry")
    return sender


def names_of(names: str | None) -> list[str] | None:
    """Names or labels with commas between them; None for none."""
    return [name.strip() for name in _COMMA.split(names) if name.strip()] if names else None


def weights_of(said: str | None) -> dict[str, float]:
    """Weights of metrics by label; a label may hold `=` and commas in brackets, its weight comes last."""
    found = {}
    for part in _COMMA.split(said) if said else []:
        label, _, value = part.strip().rpartition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = math.nan
        if not label or not 0 <= weight < math.inf:
            raise HeatmarkError(f"--weights {part.strip()!r}: expected a metric and a number from 0, as deletion=2")
        found[label] = weight
    return found


def device_of(name: str) -> "torch.device":
    """A torch device by name; `auto` takes a GPU where there is one."""
    from bench.engine.devices import device_named

    return device_named(name, "--device")


def check_decides_alone(others: Mapping[str, object]) -> None:
    """Raises HeatmarkError where --decide stands beside an option, given by name, that is not None."""
    for name, value in others.items():
        if value is not None:
            raise HeatmarkError(f"--decide looks at all scores before it goes on, in one process; expected no {name}")


def writable(folder: Path) -> None:
    """Raises HeatmarkError where the folder for results is none, before anything is computed."""
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir() or not os.access(path, os.W_OK):
                raise HeatmarkError(f"{folder} cannot be written: {path} is no folder that you may write to")
            return


def writable_file(path: Path) -> None:
    """Raises HeatmarkError where a file cannot be written there, before anything is computed."""
    if path.is_dir():
        raise HeatmarkError(f"{path} cannot be written: it is a folder; expected a file")
    writable(path.parent)
