"""Every metric has a card, and is as small as a metric should be."""

import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.api import AnyMetric
from bench.api.registry import find
from bench.cli import app
from bench.cli.cards import card

LONGEST = 120


@pytest.mark.parametrize("name", find("metrics"))
def test_a_metric_says_what_it_asks_and_what_it_cannot_see(name: str) -> None:
    metric = find("metrics")[name]
    assert issubclass(metric, AnyMetric)
    assert metric.question.endswith("?")
    assert metric.blind_spot.endswith(".")
    assert metric.reference
    assert metric.range[0] < metric.range[1]
    assert metric.direction in {"higher", "lower"}
    lines = dict(line.split(": ", 1) for line in card(metric).splitlines()[1:])
    counts = ["Counts"] if metric.is_property else []
    assert metric.is_property or metric.family not in {"cost", "fidelity", "sparsity"}
    assert list(lines) == ["Question", "Better", "Cannot see", "Needs", "Protocol", *counts, "Settings", "Source"]
    assert lines["Protocol"] == metric().stamp


@pytest.mark.parametrize("name", find("metrics"))
def test_no_metric_file_is_longer_than_a_screen_or_two(name: str) -> None:
    assert len(Path(inspect.getfile(find("metrics")[name])).read_text().splitlines()) <= LONGEST


def test_the_list_prints_the_cards() -> None:
    printed = " ".join(CliRunner().invoke(app, ["list", "metrics", "--long"]).output.split())
    for name, metric in find("metrics").items():
        assert name in printed
        assert metric.question.split()[0] in printed
    assert "Cannot see: " in printed
    assert "Protocol: rise2018" in printed
