"""Every plug-in that is found passes every check of its kind."""

from dataclasses import replace

import pytest

from bench import checks
from bench.api import Attribution, Dataset, Metric, Recipe
from bench.api.registry import BASES, find
from bench.checks.fixtures import small_network, small_request
from bench.data.folders import FolderDataset

EVERY = [(kind, name) for kind in BASES for name in find(kind)]


def of(kind: str, base: type) -> list[str]:
    return [name for name, plugin in find(kind).items() if issubclass(plugin, base)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_says_what_it_is(kind: str, name: str) -> None:
    checks.says_what_it_is(find(kind)[name]())


def test_settings_of_ones_own_are_no_breach() -> None:
    checks.says_what_it_is(find("metrics")["deletion"](step=5))


@pytest.mark.parametrize("check", checks.ATTRIBUTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", of("attributions", Attribution))
def test_attribution(name: str, check) -> None:
    method = checks.quick(find("attributions")[name]())
    check(method, checks.network_for(method), small_request())


VARIANTS = {
    "gnl_integrated_gradients": [{"protocol": "published"}],
    "blur_ig": [{"spacing": "sigma_squared", "output": "probability"}],
    "guided_ig": [{"max_distance": 1.0, "output": "probability"}],
    "idgi": [{"path": "guided"}, {"path": "blur"}],
    "integrated_gradients": [{"quadrature": "trapezoid"}],
    "lrp": [{"composite": "epsilon_alpha2_beta1"}],
    "randomised_network": [{"of": "integrated_gradients"}],
    "simple_gradient": [{"nonlinearity": "gnl"}],
    "smooth_grad": [{"of": "integrated_gradients", "nonlinearity": "gnl"}, {"of": "input_x_gradient"}],
    "var_grad": [{"of": "integrated_gradients"}],
}


@pytest.mark.parametrize("check", checks.ATTRIBUTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("name", "settings"), [(n, s) for n, own in VARIANTS.items() for s in own], ids=lambda part: str(part)
)
def test_attribution_with_other_settings(name: str, settings: dict, check) -> None:
    method = replace(checks.quick(find("attributions")[name]()), **settings)
    check(method, checks.network_for(method), checks.small_request())


@pytest.mark.parametrize("name", of("attributions", Attribution))
def test_every_attribution_of_this_project_declares_its_cost(name: str) -> None:
    method = find("attributions")[name]()
    assert method.cost(checks.network_for(checks.quick(method)), small_request()) is not None


@pytest.mark.parametrize("check", checks.METRIC_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", of("metrics", Metric))
def test_metric(name: str, check) -> None:
    method = find("attributions")["simple_gradient"]()
    check(find("metrics")[name](), small_network(), small_request(), method)


SETTINGS = {
    "difull": [{"rows": 3}, {"size": 16}],
    "r_oms": [{"substrate": "rise_blur", "rows": 3}],
    "relative_stability": [{"of": "output"}, {"of": "representation"}, {"of": "representation", "layer": "1"}],
}


@pytest.mark.parametrize("check", checks.METRIC_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("name", "settings"), [(n, s) for n, own in SETTINGS.items() for s in own], ids=lambda part: str(part)
)
def test_metric_with_other_settings(name: str, settings: dict, check) -> None:
    method = find("attributions")["simple_gradient"]()
    check(find("metrics")[name](**settings), small_network(), small_request(), method)


@pytest.mark.parametrize("check", checks.RECIPE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", of("recipes", Recipe))
def test_recipe(name: str, check) -> None:
    check(find("recipes")[name](), small_network(), small_request())


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", sorted({*of("datasets", Dataset)} - {*of("datasets", FolderDataset)} - {"click_me"}))
def test_dataset(name: str, check) -> None:
    """Data sets of files pass the same checks beside their own tests, on files made there."""
    dataset = find("datasets")[name]()
    for split in dataset.splits:
        check(dataset, split)
