"""The published boards as parameters of tests: a few in every run of the tests, all in the long one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path(__file__).parents[2] / "results"
BOARDS = sorted(path.parent for path in RESULTS.rglob("scores.parquet"))
QUICK = {"embedded", "cub-gaze", "regularizers"}


def quick_first(paths: Sequence[Path]) -> list[Any]:
    """Boards, or files of them, as parameters named by board; those that are not of the few are `long`."""
    return [_parameter(path, path if path.is_dir() else path.parent) for path in paths]


def _parameter(path: Path, board: Path) -> Any:
    return pytest.param(path, id=board.name, marks=() if board.name in QUICK else pytest.mark.long)
