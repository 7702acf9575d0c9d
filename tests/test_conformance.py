"""Every plug-in that is found passes every check of its kind."""

import pytest

from bench import checks
from bench.api import Attribution, Dataset, Metric, Recipe
from bench.folders import FolderDataset
from bench.plugins import BASES, find
from bench.tiny import tiny_network, tiny_request

EVERY = [(kind, name) for kind in BASES for name in find(kind)]


def of(kind: str, base: type) -> list[str]:
    return [name for name, plugin in find(kind).items() if issubclass(plugin, base)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_says_what_it_is(kind: str, name: str) -> None:
    checks.says_what_it_is(find(kind)[name]())


@pytest.mark.parametrize("check", checks.ATTRIBUTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", of("attributions", Attribution))
def test_attribution(name: str, check) -> None:
    method = checks.quick(find("attributions")[name]())
    check(method, checks.network_for(method), tiny_request())


@pytest.mark.parametrize("name", of("attributions", Attribution))
def test_every_attribution_of_this_project_declares_its_cost(name: str) -> None:
    method = find("attributions")[name]()
    assert method.cost(checks.network_for(checks.quick(method)), tiny_request()) is not None


@pytest.mark.parametrize("check", checks.METRIC_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", of("metrics", Metric))
def test_metric(name: str, check) -> None:
    method = find("attributions")["simple_gradient"]()
    check(find("metrics")[name](), tiny_network(), tiny_request(), method)


@pytest.mark.parametrize("check", checks.RECIPE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", of("recipes", Recipe))
def test_recipe(name: str, check) -> None:
    check(find("recipes")[name](), tiny_network(), tiny_request())


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", sorted(set(of("datasets", Dataset)) - set(of("datasets", FolderDataset))))
def test_dataset(name: str, check) -> None:
    """Data sets of files pass the same checks beside their own tests, on files made there."""
    dataset = find("datasets")[name]()
    for split in dataset.splits:
        check(dataset, split)
