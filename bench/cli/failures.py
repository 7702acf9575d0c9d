"""What failed in a run, as lines for the terminal."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import typer

from bench.cli.console import complain

_NAMED = 3


def failure_lines(failures: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each attribution and reason of a manifest's failures; what is unsupported or refused is none."""
    own = [failure for failure in failures if str(failure["status"]).startswith("failed")]
    own.sort(key=_group)
    return [_line(*key, list(rows)) for key, rows in groupby(own, _group)]


def end_with(lines: Sequence[str]) -> None:
    """End the command: by exit status 3 where something failed, with a line for each failure."""
    for line in lines:
        complain(line)
    if lines:
        raise typer.Exit(3)


def _group(failure: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (failure["network"], failure["recipe"], failure["attribution"], failure["status"])


def _line(network: str, recipe: str, attribution: str, status: str, rows: Sequence[Mapping[str, Any]]) -> str:
    if not attribution:
        return f"accuracy and pictures of {network} by {recipe}: {status}"
    metrics = [str(row["metric"]) for row in rows]
    more = f" and {len(metrics) - _NAMED} more" if len(metrics) > _NAMED else ""
    images = max(row["images"] for row in rows)
    where = f"{attribution} on {network} by {recipe}, {', '.join(metrics[:_NAMED])}{more}, {images} images"
    return f"{where}: {status}"
