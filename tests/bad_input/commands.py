"""Run a command in this process and see that it is refused as people need it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.cli import main, run_to_board


def accepted(*_: object) -> None:
    raise AssertionError("the input was taken for a good one")


def refused(arguments: Sequence[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a command is refused with: exit status 2, no traceback, no escape code, no file written."""
    before = sorted(folder.rglob("*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_to_board, "carried_out", accepted)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["heatmark", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
    said = capfd.readouterr()
    assert end.value.code == 2, said.err
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("heatmark: ")
    assert "unexpected" not in said.err
    assert said.err.rstrip("\n").isprintable()
    assert sorted(folder.rglob("*")) == before
    return said.err
