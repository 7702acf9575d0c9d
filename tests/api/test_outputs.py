"""Kinds of output: one place makes logits and probabilities of what a network returns."""

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bench
from bench.api import HeatmarkError, ImageRandom, Network, Preprocess, Request, UnsupportedError
from bench.functional import outputs
from bench.functional.outputs import probabilities_from
from bench.methods.attributions.lrp import Lrp
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.settings import KINDS, OutputKind
from bench.suites.load import load_suite
from bench.training.attacks import cross_entropy_of


@dataclass(frozen=True)
class _WithSpread(SimpleGradient):
    """A method with a number of its own."""

    spread: float = 1.0

    def __post_init__(self) -> None:
        pass  # a plug-in that forgets the checks of its base


class _Head(nn.Module):
    """A linear head over mean colours, whose raw outputs are finished by a function."""

    def __init__(self, outputs: int, finish=lambda raw: raw) -> None:
        super().__init__()
        self.head = nn.Linear(3, outputs)
        self.finish = finish

    def forward(self, images: Tensor) -> Tensor:
        return self.finish(self.head(images.mean((2, 3))))


def _network(outputs: int, output: OutputKind, finish=lambda raw: raw) -> Network:
    torch.manual_seed(0)
    return Network(_Head(outputs, finish).double(), output=output)


IMAGES = torch.randn(5, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("flat", [True, False])
def test_one_logit_is_two_classes_by_its_sigmoid(flat: bool) -> None:
    network = _network(1, "logit", (lambda raw: raw[:, 0]) if flat else (lambda raw: raw))
    raw = network.module.head(IMAGES.mean((2, 3)))[:, 0]
    for target, expected in ((1, raw.sigmoid()), (0, 1 - raw.sigmoid())):
        targets = torch.full((5,), target)
        torch.testing.assert_close(network.probabilities_of(IMAGES, targets), expected)
    assert torch.equal(network.logits(IMAGES).argmax(1), (raw > 0).long())
    gradient = [SimpleGradient().explain(network, _request(torch.full((5,), target))) for target in (0, 1)]
    torch.testing.assert_close(gradient[0], -gradient[1])


def test_probabilities_are_what_the_same_network_with_logits_gives() -> None:
    plain, declared = _network(4, "logits"), _network(4, "probabilities", lambda raw: raw.softmax(1))
    torch.testing.assert_close(
        probabilities_from(declared.logits(IMAGES), declared.output),
        probabilities_from(plain.logits(IMAGES), plain.output),
    )
    assert declared.logits(IMAGES).isfinite().all()


def test_a_probability_of_zero_has_a_finite_logit() -> None:
    network = _network(2, "probabilities", lambda raw: torch.stack([raw[:, 0] * 0, raw[:, 0] * 0 + 1], 1))
    logits = network.logits(IMAGES)
    assert logits.isfinite().all()
    torch.testing.assert_close(probabilities_from(logits, network.output)[:, 1], torch.ones(5, dtype=torch.float64))


def test_several_labels_are_each_a_sigmoid() -> None:
    network = _network(3, "labels")
    torch.testing.assert_close(
        probabilities_from(network.logits(IMAGES), network.output), network.raw(IMAGES).sigmoid()
    )


@pytest.mark.parametrize("output", ["logits", "logit", "probabilities", "labels"])
def test_the_loss_under_attack_is_that_of_the_kind(output: OutputKind) -> None:
    network = _network(1 if output == "logit" else 3, output, (lambda raw: raw.softmax(1)) if output[0] == "p" else abs)
    labels = torch.tensor([0, 1, 0, 1, 1])
    expected = -network.probabilities_of(IMAGES, labels).log().sum()
    torch.testing.assert_close(cross_entropy_of(network, labels)(IMAGES), expected)


def test_settings_and_mathematics_know_the_same_kinds() -> None:
    assert get_args(outputs.OutputKind) == KINDS


def test_a_number_has_no_probability() -> None:
    network = _network(1, "number")
    with pytest.raises(UnsupportedError, match="no probability"):
        probabilities_from(network.logits(IMAGES), network.output)


@pytest.mark.parametrize(
    ("count", "output", "finish", "message"),
    [
        (1, "logits", None, 'one output; set output = "logit"'),
        (1, "probabilities", None, 'one output; set output = "logit"'),
        (3, "logit", None, 'has 3 outputs and output = "logit"'),
        (3, "number", None, 'has 3 outputs and output = "number"'),
        (1, "logits", lambda raw: raw[:, 0], 'set output = "logit" or "number"'),
        (3, "logits", lambda raw: (raw,), "returns tuple"),
        (3, "logits", lambda raw: raw.long(), "expected floating point"),
        (3, "logits", lambda raw: raw[:, :, None], "a tensor of shape"),
    ],
)
def test_another_kind_than_declared_is_refused_in_one_line(count, output, finish, message) -> None:
    network = _network(count, output, finish or (lambda raw: raw))
    with pytest.raises(HeatmarkError, match=message) as caught:
        network.logits(IMAGES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("output", [kind for kind in KINDS if kind != "number"])
def test_evaluate_scores_every_kind_with_classes(output: OutputKind) -> None:
    network = _network(1 if output == "logit" else 3, output, (lambda raw: raw.softmax(1)) if output[0] == "p" else abs)
    scores = bench.evaluate(
        network.module,
        IMAGES,
        output=output,
        attributions=["simple_gradient", "occlusion"],
        metrics=["deletion", "insertion", "gini", "infidelity"],
    )
    assert scores.status.eq("ok").all()
    assert scores.score.notna().all()


def test_a_curve_of_one_logit_is_that_of_two_logits_apart() -> None:
    """The same function said in two ways: z, and the logits 0 and z."""
    one = _network(1, "logit")
    two = Network(_Head(1, lambda raw: torch.cat([raw * 0, raw], 1)).double())
    two.module.head.load_state_dict(one.module.head.state_dict())
    told = {
        "targets": one.logits(IMAGES).argmax(1),
        "attributions": ["random_map"],
        "metrics": ["deletion", "road", "irof"],
    }
    first, second = (bench.evaluate(network, IMAGES, **told).score for network in (one, two))
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_what_asks_for_a_probability_does_not_take_a_number() -> None:
    network = _network(1, "number")
    scores = bench.evaluate(
        network,
        IMAGES,
        attributions=["simple_gradient", "rise"],
        metrics=["deletion", "road", "gini", "completeness_gap"],
        on_error="status",
    )
    status = scores.groupby(["attribution", "metric"]).status.first()
    assert status["simple_gradient", "gini"] == status["simple_gradient", "completeness_gap"] == "ok"
    assert status["simple_gradient", "deletion"].startswith("unsupported: deletion takes networks whose output is")
    assert status["simple_gradient", "road"].startswith("unsupported: road takes")
    assert status["rise", "gini"].startswith("unsupported: rise takes")
    with pytest.raises(UnsupportedError, match="deletion takes"):
        bench.evaluate(network, IMAGES, attributions=["simple_gradient"], metrics=["deletion"])


@pytest.mark.parametrize("target", [0, 1])
def test_lrp_shares_out_the_logit_of_either_class(target: int) -> None:
    network = _network(1, "logit")
    targets = torch.full((5,), target)
    relevance = Lrp(composite="epsilon_plus").explain(network, _request(targets)).sum((1, 2, 3))
    bias = network.module.head.bias.item() * (1 if target else -1)
    torch.testing.assert_close(relevance, network.logits_of(IMAGES, targets) - bias, rtol=1e-4, atol=1e-4)


def test_evaluate_refuses_an_unknown_kind() -> None:
    with pytest.raises(HeatmarkError, match="did you mean 'logit'"):
        bench.evaluate(_network(2, "logits"), IMAGES, output="logitz", attributions=["random_map"], metrics=["gini"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_setting_of_a_plug_in_is_nan_or_infinite(value: float) -> None:
    with pytest.raises(ValueError, match=r"spread .*expected finite numbers"):
        _WithSpread(spread=value)


def test_a_suite_names_the_kind_and_trains_logits_only(tmp_path) -> None:
    written = """
    name = "own"
    [dataset]
    name = "planted"
    [[networks]]
    architecture = "small_plain"
    output = "{output}"
    {training}
    [[attributions]]
    name = "random_map"
    [[metrics]]
    name = "gini"
    """
    path = tmp_path / "own.toml"
    path.write_text(written.format(output="labels", training=""))
    assert load_suite(str(path)).table.networks[0].output == "labels"
    path.write_text(written.format(output="labels", training="training = {}"))
    with pytest.raises(HeatmarkError, match=r"networks\[0\].*recipes train networks that return logits"):
        load_suite(str(path))
    path.write_text('target = "label"\n' + written.format(output="number", training=""))
    with pytest.raises(HeatmarkError, match='target = "label": network small_plain has output = "number"'):
        load_suite(str(path))


def _request(targets: Tensor) -> Request:
    return Request(IMAGES.clone(), targets, ImageRandom(0, "run", tuple("abcde")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mean": (0.5, math.nan, 0.5)}, "mean .*expected finite numbers"),
        ({"mean": (math.inf,)}, "mean .*expected finite numbers"),
        ({"std": (0.0, 1.0, 1.0)}, "std .*expected finite numbers above 0"),
        ({"std": (math.nan,)}, "std .*expected finite numbers above 0"),
        ({"size": (0, 8)}, "size .*expected a height and a width"),
    ],
)
def test_images_are_not_brought_to_a_network_by_what_is_no_number(settings, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        Preprocess(**settings)
