"""Fifty hostile plug-ins beside honest ones: honest scores stay to the last bit, and the culprit is named."""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.modules.module as modules
from torch import Tensor, nn

import bench
from bench.api import Attribution, Explained, HeatmarkError, Metric, Network, Request, Scored
from bench.api.global_state import SharedCode
from bench.checks.fixtures import small_network, small_request
from bench.scoring.network_state import NetworkState

Deed = Callable[[nn.Module], object]


def first(module: nn.Module, kind: type[nn.Module] = nn.Conv2d) -> Any:
    return next(part for part in module.modules() if isinstance(part, kind))


def holder(module: nn.Module) -> nn.Module:
    """A module of the network whose children can be replaced."""
    return next(part for part in module.modules() if len(part._modules) > 1)


def name_of_a_child(module: nn.Module) -> str:
    return next(name for name, part in holder(module)._modules.items() if isinstance(part, nn.ReLU))


def in_place(module: nn.Module) -> None:
    with torch.no_grad():
        first(module).weight.mul_(0.5)


def through_data(module: nn.Module) -> None:
    first(module).weight.data.mul_(0.5)


def a_sign(module: nn.Module) -> None:
    first(module).weight.data.neg_()


def permuted(module: nn.Module) -> None:
    weight = first(module).weight.data
    weight.copy_(weight.flip(0))


def one_bit(module: nn.Module) -> None:
    first(module).bias.data.view(torch.int64)[0] ^= 1


def other_data(module: nn.Module) -> None:
    first(module).weight.data = torch.zeros_like(first(module).weight)


def other_shape(module: nn.Module) -> None:
    first(module, nn.Linear).bias.data = first(module, nn.Linear).bias.data[:1]


def other_dtype(module: nn.Module) -> None:
    module.float()


def another_parameter(module: nn.Module) -> None:
    first(module).weight = nn.Parameter(torch.zeros_like(first(module).weight))


def no_parameter(module: nn.Module) -> None:
    del first(module).bias


def a_new_buffer(module: nn.Module) -> None:
    module.register_buffer("extra", torch.zeros(1))


def another_layer(module: nn.Module) -> None:
    setattr(holder(module), name_of_a_child(module), nn.Tanh())


def no_layer(module: nn.Module) -> None:
    delattr(holder(module), name_of_a_child(module))


def a_further_layer(module: nn.Module) -> None:
    module.add_module("further", nn.ReLU())


def another_forward(module: nn.Module) -> None:
    module.forward = lambda images: torch.zeros(len(images), 5, dtype=images.dtype)


def another_forward_inside(module: nn.Module) -> None:
    first(module, nn.ReLU).forward = torch.tanh


def another_class(module: nn.Module) -> None:
    first(module, nn.ReLU).__class__ = nn.Tanh


def trained(module: nn.Module) -> None:
    for weight in module.parameters():
        weight.requires_grad_(True)
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    (first(module).weight.sum() + first(module).bias.sum()).backward()
    optimiser.step()


NETWORK = (
    *(in_place, through_data, a_sign, permuted, one_bit, other_data, other_shape, other_dtype, another_parameter),
    *(no_parameter, a_new_buffer, another_layer, no_layer, a_further_layer, another_forward, another_forward_inside),
    *(another_class, trained),
)


def train_mode(module: nn.Module) -> None:
    module.train()


def a_hook(module: nn.Module) -> None:
    first(module).register_forward_hook(lambda part, images, output: output * 0)


def a_global_hook(module: nn.Module) -> None:
    modules.register_module_forward_hook(lambda part, images, output: output * 0)


def wanted_gradients(module: nn.Module) -> None:
    first(module).weight.requires_grad_(True)


def seeds(module: nn.Module) -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)


def default_dtype(module: nn.Module) -> None:
    torch.set_default_dtype(torch.float16)


def default_device(module: nn.Module) -> None:
    torch.set_default_device("meta")


def gradients_off(module: nn.Module) -> None:
    torch.set_grad_enabled(False)


def matmul_precision(module: nn.Module) -> None:
    torch.set_float32_matmul_precision("medium")


def threads(module: nn.Module) -> None:
    torch.set_num_threads(torch.get_num_threads() + 1)


def exits(module: nn.Module) -> None:
    sys.exit(0)


def raises_after_harm(module: nn.Module) -> None:
    in_place(module)
    raise ValueError("and then it failed")


# What is put back without a word, since the next call would not have seen it; and what fails by its own fault.
QUIET = (
    *(train_mode, a_hook, a_global_hook, wanted_gradients, seeds, default_dtype, default_device, gradients_off),
    *(matmul_precision, threads, exits, raises_after_harm),
)


@dataclass(frozen=True)
class HostileMethod(Attribution):
    """A method that does something else too."""

    deed: ClassVar[Deed]

    def attribute(self, network: Network, request: Request) -> Tensor:
        maps = torch.ones_like(request.images)
        type(self).deed(network.module)
        return maps


@dataclass(frozen=True)
class HostileMetric(Metric):
    """A metric that does something else too."""

    deed: ClassVar[Deed]

    def score(self, explained: Explained) -> Scored:
        scored = Scored(torch.zeros(len(explained.request), dtype=torch.float64))
        type(self).deed(explained.network.module)
        return scored


def hostile(base: type, deed: Callable[..., object]) -> Any:
    made = dataclass(frozen=True)(type(base.__name__, (base,), {"deed": staticmethod(deed), "__doc__": base.__doc__}))
    made.name = f"hostile_{deed.__name__}"
    return made()


@pytest.fixture(scope="module")
def honest() -> pd.DataFrame:
    return evaluated(small_network().module)


HONEST: dict[str, Any] = {
    "attributions": ["simple_gradient", "random_map", "grad_cam"],
    "metrics": ["deletion", "gini", "noise_robustness", "pointing_game"],
}


def evaluated(module: nn.Module, method: Attribution | None = None, metric: Metric | None = None) -> pd.DataFrame:
    """Scores of two batches, a hostile plug-in between the honest ones."""
    request = small_request()
    names, scorers = HONEST["attributions"], HONEST["metrics"]
    return bench.evaluate(
        module,
        request.images,
        attributions=names if method is None else [names[0], method, *names[1:]],
        metrics=scorers if metric is None else [scorers[0], metric, *scorers[1:]],
        truth=request.truth,
        references=request.references,
        batch=2,
        on_error="status",
    )


def assert_honest(scores: pd.DataFrame, honest: pd.DataFrame, module: nn.Module) -> None:
    kept = scores[~scores.attribution.str.startswith("hostile") & ~scores.metric.str.startswith("hostile")]
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), honest, check_exact=True)
    fresh = small_network().module
    assert all(
        torch.equal(*pair) for pair in zip(module.state_dict().values(), fresh.state_dict().values(), strict=True)
    )
    assert [type(part) for part in module.modules()] == [type(part) for part in fresh.modules()]


@pytest.mark.parametrize("deed", [*NETWORK, *QUIET], ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("base", [HostileMethod, HostileMetric])
def test_honest_scores_stay_and_the_culprit_is_named(
    base: type, deed: Callable[..., object], honest: pd.DataFrame
) -> None:
    module, plugin = small_network().module, hostile(base, deed)
    before = (torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(), torch.get_num_threads())
    chance = torch.get_rng_state()
    scores = evaluated(module, **{"method" if base is HostileMethod else "metric": plugin})
    assert_honest(scores, honest, module)
    own = scores[(scores.attribution == plugin.label) | (scores.metric == plugin.label)]
    if deed in NETWORK:
        assert own.score.isna().all()
        assert own.status.str.contains(f"'{plugin.name}' changed the").all(), own.status.iloc[0]
    elif deed is exits:
        assert own.status.str.startswith("failed: SystemExit").all()
    elif deed is raises_after_harm:
        assert own.status.str.contains("changed the parameter").all()
    after = (torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(), torch.get_num_threads())
    assert after == before
    assert torch.equal(torch.get_rng_state(), chance)
    assert not modules._global_forward_hooks


GIVEN = {
    "images": lambda own: own.request.images.mul_(0.5),
    "targets": lambda own: own.request.targets.add_(1),
    "truth": lambda own: own.request.truth.zero_(),
    "references": lambda own: own.request.references.zero_(),
    "heatmaps": lambda own: own.heatmaps.neg_(),
    "heatmaps through data": lambda own: own.heatmaps.data.neg_(),
    "attributions": lambda own: own.attributions.zero_(),
    "clean logits": lambda own: own.clean.data.zero_(),
}


@pytest.mark.parametrize("what", GIVEN)
def test_a_metric_that_writes_into_what_it_is_given(what: str, honest: pd.DataFrame) -> None:
    @dataclass(frozen=True)
    class HostileWriter(Metric):
        def score(self, explained: Explained) -> Scored:
            GIVEN[what](explained)
            return Scored(torch.zeros(len(explained.request), dtype=torch.float64))

    module = small_network().module
    scores = evaluated(module, metric=HostileWriter())
    assert_honest(scores, honest, module)
    own = scores[scores.metric == "hostile_writer"]
    assert own.status.str.contains(f"'hostile_writer' changed the {what.split(' through')[0]}").all(), own.status.iloc[
        0
    ]


@pytest.mark.parametrize("what", ["references", "truth", "targets"])
def test_a_method_that_writes_into_what_it_is_given(what: str, honest: pd.DataFrame) -> None:
    @dataclass(frozen=True)
    class HostileWriter(Attribution):
        def attribute(self, network: Network, request: Request) -> Tensor:
            getattr(request, what).data.zero_()
            return torch.ones_like(request.images)

    module = small_network().module
    scores = evaluated(module, method=HostileWriter())
    assert_honest(scores, honest, module)


def test_ctrl_c_ends_it_and_leaves_the_network_as_it_was() -> None:
    def interrupted(module: nn.Module) -> None:
        in_place(module)
        raise KeyboardInterrupt

    module = small_network().module
    with pytest.raises(KeyboardInterrupt):
        evaluated(module, method=hostile(HostileMethod, interrupted))
    assert torch.equal(first(module).weight, first(small_network().module).weight)


def test_raised_errors_name_the_culprit() -> None:
    with pytest.raises(HeatmarkError, match=r"attribution 'hostile_in_place' changed the parameter '.*' of network"):
        bench.evaluate(
            small_network().module,
            small_request().images,
            attributions=[hostile(HostileMethod, in_place)],
            metrics=["gini"],
        )


def test_a_user_may_change_the_network_between_evaluations() -> None:
    module = small_network().module
    before = evaluated(module)
    first(module).weight.data.mul_(0.5)
    halved = evaluated(module)
    again = small_network().module
    first(again).weight.data.mul_(0.5)
    pd.testing.assert_frame_equal(halved, evaluated(again), check_exact=True)
    assert not halved.score.equals(before.score)


def test_nan_weights_are_no_change() -> None:
    module = replace(small_network()).module
    first(module).weight.data[0] = torch.nan
    state = NetworkState.of(module)
    assert not state.changes()
    first(module).weight.data[1] = torch.nan
    assert "weight" in str(state.changes())


class KeepsFeatures(nn.Module):
    """A network that keeps features and gradients, and counts, as those of tutorials do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = small_network().module
        self.scale = 1.0
        self.seen: list[int] = []
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(len(images))
        features = self.inner[:2](images)
        self.features = features
        if features.requires_grad:
            features.register_hook(self.keep)
        logits: Tensor = self.inner[2:](features) * self.scale
        return logits

    def keep(self, gradient: Tensor) -> None:
        self.gradient = gradient


def test_a_network_that_keeps_its_features_is_nobodys_fault(honest: pd.DataFrame) -> None:
    scores = evaluated(KeepsFeatures())
    assert set(scores.status) == {"ok"}, set(scores.status)
    pd.testing.assert_frame_equal(scores, honest, check_exact=True)


@pytest.mark.parametrize("base", [HostileMethod, HostileMetric])
def test_what_such_a_network_does_not_change_itself_stays_guarded(base: type, honest: pd.DataFrame) -> None:
    def rescaled(module: nn.Module) -> None:
        module.scale = 0.5  # type: ignore[assignment]

    plugin = hostile(base, rescaled)
    scores = evaluated(KeepsFeatures(), **{"method" if base is HostileMethod else "metric": plugin})
    own = (scores.attribution == plugin.label) | (scores.metric == plugin.label)
    pd.testing.assert_frame_equal(scores[~own].reset_index(drop=True), honest, check_exact=True)
    assert scores[own].status.str.contains("changed the attribute 'scale'").all(), scores[own].status.iloc[0]


def test_a_function_of_torch_that_is_replaced_is_put_back(honest: pd.DataFrame) -> None:
    def patched(module: nn.Module) -> None:
        torch.nn.functional.conv2d = lambda *given, **named: torch.zeros(1)

    before, module = torch.nn.functional.conv2d, small_network().module
    scores = evaluated(module, metric=hostile(HostileMetric, patched))
    assert torch.nn.functional.conv2d is before
    assert_honest(scores, honest, module)
    own = scores[scores.metric.str.startswith("hostile")]
    assert own.status.str.contains("changed the code of torch.nn.functional.conv2d").all(), own.status.iloc[0]


def test_what_the_compiler_of_torch_replaces_is_no_change() -> None:
    code = SharedCode.of([nn.Linear])
    torch.compile(nn.Linear(2, 2), backend="eager")(torch.rand(1, 2))
    assert code.changes() == []
