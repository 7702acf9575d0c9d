"""Hostile plug-ins beside honest ones: honest scores stay, the culprit fails by name, the store holds no lie."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.api import Plugin
from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner import run as running
from bench.runner.records import Run
from bench.suites.load import Suite, load_suite
from tests.support.hostile import (
    EXPLAINED,
    NETWORK,
    PROCESS,
    RAISES,
    REQUEST,
    HostileCurve,
    HostileMethod,
    HostileMetric,
)

SUITE = """
name = "beside"
batch = 2
gallery = 1
[dataset]
name = "planted"
train_images = 16
val_images = 4
test_images = 6
images = 4
references = 2
accuracy_images = 2
[attack]
images = 2
steps = 1
[[networks]]
architecture = "small_plain"
[networks.training]
epochs = 1
batch = 16
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "expected_gradients"
samples = 2
[[metrics]]
name = "deletion"
step = 1024
[[metrics]]
name = "relevance_mass"
[[metrics]]
name = "completeness_gap"
"""
BLAMED = [*NETWORK, *RAISES]
ENDS = {
    "ends Python": "SystemExit",
    "ends Python with a text": "SystemExit: enough",
    "raises what is no error": "Leaked",
}
# A method gets copies of these, which are its own.
COPIED = ("images", "targets", "truth")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    path = tmp_path_factory.mktemp("suite") / "beside.toml"
    path.write_text(SUITE)
    return load_suite(str(path))


def carry_out(suite: Suite, folder: Path) -> pd.DataFrame:
    with progress() as bars:
        scores = running.run_suite(Run(suite, Store(folder), torch.device("cpu"), bars)).scores
    return scores.sort_values(["image", "attribution", "metric"], ignore_index=True)


@pytest.fixture(scope="module")
def kept(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the trained network and the chunk, and no cell."""
    folder = tmp_path_factory.mktemp("kept")
    carry_out(suite, folder)
    shutil.rmtree(folder / "cells")
    return folder


@pytest.fixture(scope="module")
def honest(suite: Suite, kept: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("honest") / "store"
    shutil.copytree(kept, folder)
    scores = carry_out(suite, folder)
    assert set(scores.status) == {"ok"}
    return scores


@dataclass(frozen=True)
class Shown:
    """What a run with many culprits of one kind gave: their statuses by deed, and the honest scores."""

    statuses: dict[str, set[str]]
    honest: pd.DataFrame
    again: pd.DataFrame


def beside(suite: Suite, culprits: Sequence[Plugin], kept: Path, folder: Path) -> Shown:
    """A run of the suite with all culprits before the honest ones of their kind, and then one without them."""
    shutil.copytree(kept, folder)
    is_method = isinstance(culprits[0], HostileMethod)
    kind = "attributions" if is_method else "metrics"
    scores = carry_out(replace(suite, **{kind: (*culprits, *getattr(suite, kind))}), folder)
    labels = scores.attribution if is_method else scores.metric
    statuses = {own.deed: set(scores.status[labels == own.label]) for own in culprits}
    honest = scores[~labels.isin([own.label for own in culprits])].reset_index(drop=True)
    return Shown(statuses, honest, carry_out(suite, folder))


def blame(who: str, deed: str) -> str:
    return f"failed: {who} changed the " if deed in NETWORK else f"failed: {ENDS[deed]}"


def check(shown: Shown, honest: pd.DataFrame, expected: dict[str, str]) -> None:
    """Honest scores are as without the culprits to the last bit, also for the next run; each culprit by its own."""
    pd.testing.assert_frame_equal(shown.honest, honest, check_exact=True)
    pd.testing.assert_frame_equal(shown.again, honest, check_exact=True)
    wrong = {
        deed: statuses
        for deed, statuses in shown.statuses.items()
        if not all(status.startswith(expected[deed]) for status in statuses) or not statuses
    }
    assert not wrong, wrong


def test_sixty_hostile_methods_beside_honest_ones(
    suite: Suite, honest: pd.DataFrame, kept: Path, tmp_path: Path
) -> None:
    who = "attribution 'hostile_method'"
    expected = {deed: blame(who, deed) for deed in BLAMED} | dict.fromkeys(PROCESS, "ok")
    for deed in REQUEST:
        expected[deed] = "ok" if deed.split()[-1] in COPIED else f"failed: {who} changed the {deed.split()[-1]};"
    assert len(expected) > 50
    shown = beside(suite, [HostileMethod(deed=deed) for deed in expected], kept, tmp_path / "store")
    check(shown, honest, expected)


@pytest.mark.parametrize("kind", [HostileMetric, HostileCurve])
def test_sixty_hostile_metrics_beside_honest_ones(
    kind: type[HostileMetric | HostileCurve], suite: Suite, honest: pd.DataFrame, kept: Path, tmp_path: Path
) -> None:
    who = f"metric '{kind.name}'"
    expected = {deed: blame(who, deed) for deed in BLAMED} | dict.fromkeys(PROCESS, "ok")
    expected |= dict.fromkeys(EXPLAINED, f"failed: {who} changed the ")
    assert len(expected) > 50
    shown = beside(suite, [kind(deed=deed) for deed in expected], kept, tmp_path / "store")
    check(shown, honest, expected)
