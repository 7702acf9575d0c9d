"""How complete adaptive integrated gradients are on photographs, and what that takes."""

from pathlib import Path

import pytest
import torch

from bench.attribution.gradients import target_values
from bench.attribution.paths import adaptive_integrated_gradients, rounds
from bench.data.batches import evenly_spaced, load
from bench.progress import progress
from bench.runner.networks import NetworkLoader
from bench.suites.load import load_suite

CPU = torch.device("cpu")
NODES, MOST_NODES, TOLERANCE = 25, 400, 0.01


@pytest.mark.long
def test_adaptive_integrated_gradients_of_photographs_are_complete(real_data: Path, tmp_path: Path, capsys) -> None:
    suite = load_suite("imagenette")
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, tmp_path, CPU, bars).load()
    network = trained.network
    positions = evenly_spaced(len(suite.dataset.ids("val")), 100)
    gaps, changes, taken = [], [], []
    for start in range(0, 100, 25):
        images = load(suite.dataset, "val", positions[start : start + 25], network, CPU).images
        blank = torch.zeros_like(images)
        with torch.no_grad():
            targets = network.logits(images).argmax(1)
            change = target_values(network, images, targets) - target_values(network, blank, targets)
        attributions, nodes = adaptive_integrated_gradients(
            network, images, targets, blank, "gauss_legendre", NODES, MOST_NODES, TOLERANCE
        )
        gaps.append((attributions.double().sum((1, 2, 3)) - change).abs() / change.abs())
        changes.append(change.abs())
        taken.append(nodes)
    counted = torch.cat(changes) > 0.1
    gap, used = torch.cat(gaps)[counted], torch.cat(taken)[counted].double()
    complete = float((gap < TOLERANCE).double().mean())
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what this is run for
            f"\n{len(gap)} images: gap below {TOLERANCE:.0%} for {complete:.0%}; median {gap.median():.2%}, "
            f"95% {gap.quantile(0.95):.2%}, worst {gap.max():.2%}; nodes: median {used.median():.0f}, "
            f"mean {used.mean():.0f}, 95% {used.quantile(0.95):.0f}, most {used.max():.0f}"
        )
    assert used.max() <= sum(rounds(NODES, MOST_NODES))
    assert complete >= 0.95
