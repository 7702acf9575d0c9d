"""A store outlives what happens to the runs that work in it: `kill -9`, and others beside them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.killed_runs import STAGES, left_over
from tests.support.small_suites import check_same_set, environment, pin_chunk, run, write_suite


def _place(folder: Path, epochs: int = 2) -> Path:
    folder.mkdir()
    write_suite(folder, epochs)
    pin_chunk(folder / "store")
    return folder


def _killed(folder: Path, kills: int, seed: int) -> dict[str, dict[str, int]]:
    """Kill runs in a folder; the last one ends as one that was never killed."""
    whole, often = _place(folder / "whole"), _place(folder / "often")
    assert run("run", "tiny.toml", "--store", "store", folder=whole).returncode == 0
    command = [sys.executable, "-m", "tests.support.killed_runs", often, str(kills), str(seed)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    check_same_set(whole / "store" / "results" / "tiny", often / "store" / "results" / "tiny")
    assert found["rewritten"] == []
    assert left_over(often / "store") == []
    assert len(json.loads((often / "store" / "chunks.json").read_text())) == 1
    return found


def test_a_run_that_is_killed_a_few_times_ends_as_one_that_is_not(tmp_path: Path) -> None:
    found = _killed(tmp_path, kills=3, seed=1)
    assert sum(found["hit"].values()) == 3


@pytest.mark.long
def test_a_hundred_kills_at_random_moments_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _killed(tmp_path, kills=100, seed=2)
    with capsys.disabled():
        sys.stdout.write(f"\n{found}\n")
    assert found["hit"].keys() >= STAGES.keys()


@pytest.mark.long
def test_five_runs_at_once_in_one_store_end_as_each_alone(tmp_path: Path) -> None:
    alone, together = _place(tmp_path / "alone", 3), _place(tmp_path / "together", 3)
    options = [("--out", f"out-{number}") for number in range(5)]
    # Two of the five ask for fewer methods; whoever is first trains, and the others wait for it.
    for number in (3, 4):
        options[number] = (*options[number], "--attributions", "simple_gradient")
    for own in options:
        assert run("run", "tiny.toml", "--store", "store", *own, folder=alone).returncode == 0
    command = [sys.executable, "-m", "bench", "run", "tiny.toml", "--store", "store"]
    started = [
        subprocess.Popen([*command, *own], cwd=together, env=environment(), stderr=subprocess.PIPE, text=True)
        for own in options
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 5, said
    assert any("another run works on the training of small_plain by standard, seed 0" in text for text in said)
    for number in range(5):
        check_same_set(alone / f"out-{number}", together / f"out-{number}")
    assert left_over(together / "store") == []
    assert len(list((together / "store" / "networks").glob("*.safetensors"))) == 2
