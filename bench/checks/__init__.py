"""Conformance checks: what every plug-in promises, as small named functions for outside authors too.

Each takes a plug-in instance and what it is tried on, and raises AssertionError with one line on a breach.
`heatmark check NAME` and the tests run all checks of a kind over every plug-in that was found.
"""

from collections.abc import Callable, Iterator
from functools import partial

from bench.api import Attribution, Dataset, ImageMetric, Plugin, Recipe
from bench.checks.attributions import ATTRIBUTION_CHECKS, network_for, quick
from bench.checks.common import says_what_it_is
from bench.checks.datasets import DATASET_CHECKS
from bench.checks.fixtures import TargetGradient, small_network, small_request
from bench.checks.metrics import METRIC_CHECKS
from bench.checks.recipes import RECIPE_CHECKS
from bench.checks.reliability import Reliability, reliability

__all__ = [
    "ATTRIBUTION_CHECKS",
    "DATASET_CHECKS",
    "METRIC_CHECKS",
    "RECIPE_CHECKS",
    "Reliability",
    "network_for",
    "quick",
    "reliability",
    "says_what_it_is",
    "trials",
]

Trial = tuple[str, Callable[[], None]]


def trials(plugin: Plugin) -> Iterator[Trial]:
    """Every check of the plug-in's kind by name, ready to be called; each raises AssertionError on a breach."""
    yield says_what_it_is.__name__, partial(says_what_it_is, plugin)
    if isinstance(plugin, Attribution):
        method = quick(plugin)
        for on_method in ATTRIBUTION_CHECKS:
            yield on_method.__name__, partial(on_method, method, network_for(method), small_request())
    elif isinstance(plugin, ImageMetric):
        for on_metric in METRIC_CHECKS:
            yield on_metric.__name__, partial(on_metric, plugin, small_network(), small_request(), TargetGradient())
    elif isinstance(plugin, Recipe):
        for on_recipe in RECIPE_CHECKS:
            yield on_recipe.__name__, partial(on_recipe, plugin, small_network(), small_request())
    elif isinstance(plugin, Dataset):
        for split in plugin.present:
            for on_dataset in DATASET_CHECKS:
                yield f"{on_dataset.__name__} ({split})", partial(on_dataset, plugin, split)
