"""What is said on the command line, as values."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import HeatmarkError

if TYPE_CHECKING:
    import torch

SuiteName = Annotated[str, typer.Argument(help="A shipped suite by name, or a TOML file.")]
Folder = Annotated[Path, typer.Option(help="Where finished cells and trained networks are kept.")]
Names = Annotated[str | None, typer.Option(help="Only these, comma-separated.")]


def names_of(names: str | None) -> list[str] | None:
    """Names with commas between them; None for none."""
    return [name.strip() for name in names.split(",") if name.strip()] if names else None


def weights_of(said: str | None) -> dict[str, float]:
    """Weights of metrics by label; a label may hold `=` and commas in brackets, its weight comes last."""
    found = {}
    for part in re.split(r",(?![^(]*\))", said) if said else []:
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
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise HeatmarkError(f"--device {name}: {str(error).splitlines()[0]}") from error
