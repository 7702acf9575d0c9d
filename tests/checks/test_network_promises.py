"""The look at a network before its first score: what is broken is refused in one line that says what to mend."""

import random
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typer.testing import CliRunner

import bench
from bench.api import HeatmarkError, Network, Preprocess
from bench.api.registry import find
from bench.checks.fixtures import small_network, small_transformer
from bench.checks.full_passes import inputs_at_once
from bench.checks.network_promises import NETWORK_CHECKS, look_at, returns_what_is_declared
from bench.cli import app
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.random_map import RandomMap
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.sparsity.gini import Gini
from bench.training.part_networks import PARTS


class _Then(nn.Module):
    """A small classifier whose features and outputs pass through functions."""

    def __init__(self, features=lambda x: x, outputs=lambda x: x, classes: int = 5) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, classes)
        self.features, self.outputs = features, outputs

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(F.relu(self.convolution(images)))
        return self.outputs(self.head(features.mean((2, 3))))


class _Counts(_Then):
    """A network that counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(images)


class _KeepsAnswers(_Then):
    """A network that gives the answer that it gave before to what looks alike to it."""

    def __init__(self, alike) -> None:
        super().__init__()
        self.alike, self.answers = alike, {}

    def forward(self, images: Tensor) -> Tensor:
        return self.answers.setdefault(self.alike(images), super().forward(images))


class _InPlace(_Then):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.mul_(2))


def _with_weight(value: float) -> nn.Module:
    module = _Then()
    module.head.bias.data[0] = value
    return module


def _infinite_output() -> nn.Module:
    return _Then(outputs=lambda x: x / 0)


def _quantised() -> nn.Sequential:
    """A network that calculates with whole numbers, between the stubs that turn images into them and back."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    with warnings.catch_warnings(action="ignore"):  # torch moves this to a package of its own
        whole = nn.Sequential(torch.ao.quantization.QuantStub(), plain, torch.ao.quantization.DeQuantStub()).eval()
        whole.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
        torch.ao.quantization.prepare(whole, inplace=True)(torch.rand(8, 3, 16, 16))
        return torch.ao.quantization.convert(whole)


def _quantised_head() -> nn.Module:
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):
        return torch.ao.quantization.quantize_dynamic(_Then(), {nn.Linear})


OWN = torch.Generator()
BROKEN = {
    "nan weight": (lambda: _with_weight(torch.nan), "head.bias is not finite; train it, or load"),
    "infinite weight": (lambda: _with_weight(torch.inf), "head.bias is not finite"),
    "infinite output": (_infinite_output, "outputs are not finite for any"),
    "softmax": (lambda: _Then(outputs=lambda x: x.softmax(1)), 'set output = "probabilities"'),
    "softmax behind a scale": (lambda: _Then(outputs=lambda x: x.softmax(1) * 100), "probabilities times 100"),
    "shares": (lambda: _Then(outputs=lambda x: x.exp() / x.exp().sum(1, keepdim=True)), 'output = "probabilities"'),
    "softmax without a class": (lambda: _Then(outputs=lambda x: x.softmax(1)[:, 1:]), "ends in a softmax; return what"),
    "cut softmax": (lambda: _Then(outputs=lambda x: x.softmax(1).clamp(0.2, 0.8)), "ends in a softmax"),
    "log_softmax": (lambda: _Then(outputs=lambda x: x.log_softmax(1)), "returns log-probabilities; return logits"),
    "log of softmax": (lambda: _Then(outputs=lambda x: (x.softmax(1) + 1e-9).log()), "returns log-probabilities"),
    "normalised": (lambda: _Then(outputs=lambda x: x - x.logsumexp(1, keepdim=True)), "returns log-probabilities"),
    "log_softmax at a temperature": (
        lambda: _Then(outputs=lambda x: (x * 3).log_softmax(1) / 2),
        "returns log-probabilities times 0.5;",
    ),
    "log_softmax without a class": (lambda: _Then(outputs=lambda x: x.log_softmax(1)[:, 1:]), "ends in a log_softmax"),
    "negative log_softmax": (lambda: _Then(outputs=lambda x: -x.log_softmax(1)), "ends in a log_softmax"),
    "sigmoid": (lambda: _Then(outputs=torch.sigmoid), "ends in a sigmoid"),
    "percent by sigmoid": (lambda: _Then(outputs=lambda x: 100 * torch.sigmoid(x)), "ends in a sigmoid"),
    "log-sigmoid": (lambda: _Then(outputs=F.logsigmoid), "ends in a log-sigmoid"),
    "one output": (lambda: _Then(classes=1), 'set output = "logit"'),
    "functional dropout": (lambda: _Then(features=F.dropout), "give dropout training=self.training"),
    "numpy noise": (lambda: _Then(outputs=lambda x: x + np.random.rand()), "draws random numbers"),  # noqa: NPY002
    "python noise": (lambda: _Then(outputs=lambda x: x + random.gauss(0, 1)), "draws random numbers"),
    "own generator": (
        lambda: _Then(outputs=lambda x: x + torch.rand(x.shape, generator=OWN)),
        "another answer to the same images",
    ),
    "batch statistics": (lambda: nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), _Then()), "other images"),
    "functional batch norm": (
        lambda: _Then(features=lambda x: F.batch_norm(x, None, None, training=True)),
        "other images of its batch",
    ),
    "range of the batch": (
        lambda: _Then(features=lambda x: x + ((x / x.max() * 3).round() * x.max() - x).detach()),
        "take no range for quantisation from a batch",
    ),
    "answers by identity": (lambda: _KeepsAnswers(id), "other images of its batch"),
    "answers by size": (lambda: _KeepsAnswers(lambda x: x.shape), "keep no answers"),
    "answers, whatever is asked": (lambda: _KeepsAnswers(lambda _: 0), "network"),
    "lazy layer": (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(5)), "1.weight has no values yet"),
    "another answer to many": (lambda: _Then(outputs=lambda x: x * (1 + (len(x) >= 8))), "how many images are shown"),
    "another answer to one of many": (
        lambda: _Then(outputs=lambda x: torch.cat([x[:7], x[7:] + 1])),
        "shown at once: 4 or 64",
    ),
    "overwritten": (
        lambda: _Then(outputs=lambda x: (lambda y: y * y.zero_())(x.exp())),
        "overwrites in place what its gradient needs",
    ),
    "counter": (_Counts, "changes its buffer calls"),
    "in place": (_InPlace, "changes the images that it is given, in place"),
    "detached": (lambda: _Then(features=lambda x: x.detach()), "reaches its images"),
    "no gradient": (lambda: _Then(features=torch.round), "are all zero"),
    "wrong channels": (lambda: nn.Conv2d(1, 2, 3), "cannot take images of shape"),
    "feature map": (lambda: nn.Conv2d(3, 2, 3), "returns a tensor of shape"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused_before_the_first_score(name: str) -> None:
    make, message = BROKEN[name]
    torch.manual_seed(0)
    module, images = make(), torch.rand(3, 3, 16, 16)
    lazy = any(isinstance(own, nn.UninitializedParameter) for own in module.parameters())
    before = {} if lazy else {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(HeatmarkError, match=message) as caught:
        bench.evaluate(module, images, attributions=["simple_gradient"], metrics=["deletion"])
    assert "\n" not in str(caught.value)
    after = module.state_dict()
    assert all(torch.equal(after[key].nan_to_num(7), value.nan_to_num(7)) for key, value in before.items())


def test_a_network_that_its_images_saturate_has_gradients() -> None:
    halves = nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(2, 2, bias=False), nn.Hardtanh(-3, 3))
    halves[2].weight.data = torch.eye(2) * 12 - 4
    images = torch.zeros(2, 1, 8, 8)
    images[0, ..., :4] = images[1, ..., 4:] = 1
    assert "passes_a_gradient_to_the_image" in look_at(Network(halves), images, needs_gradient=True)


@pytest.mark.parametrize("name", PARTS)
def test_networks_of_planted_parts_are_taken(name: str) -> None:
    dataset = find("datasets")["planted_parts"]()
    network = Network(PARTS[name](len(dataset.classes)), preprocess=Preprocess(mean=(0.5,) * 3, std=(0.25,) * 3))
    images = torch.stack([dataset.sample("test", position).image for position in range(9)])
    assert "passes_a_gradient_to_the_image" in look_at(network, (images - 0.5) / 0.25, needs_gradient=True)


HONEST = {
    "all below zero": lambda x: -F.softplus(x) - 0.1,
    "all above zero": lambda x: F.softplus(x) + 0.1,
    "all below zero, hardly moved": lambda x: x * 1e-3 - 4,
    "nearly alike": lambda x: x * 1e-6 + 0.3,
    "gated": lambda x: x * torch.sigmoid(x),
    "two that sum to nothing": lambda x: torch.cat([x[:, :1], -x[:, :1]], 1),
    "mixed by attention": lambda x: (x.softmax(1)[:, :, None] * x[:, None]).sum(1) + x,
}


@pytest.mark.parametrize("name", HONEST)
def test_logits_of_any_size_and_sign_are_no_probabilities(name: str) -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        network = Network(_Then(outputs=HONEST[name]))
        returns_what_is_declared(network, torch.rand(4, 3, 16, 16))


@pytest.mark.parametrize("kind", ["labels", "logit"])
@pytest.mark.parametrize("end", [torch.sigmoid, F.logsigmoid, lambda x: torch.sigmoid(x) * 1.0])
def test_labels_and_one_logit_are_no_probabilities_either(kind, end) -> None:
    network = Network(_Then(outputs=end, classes=1 if kind == "logit" else 4), output=kind)
    with pytest.raises(HeatmarkError, match=r"ends in a (log-)?sigmoid; expected what goes into it"):
        look_at(network, torch.rand(2, 3, 16, 16), needs_gradient=True)


@pytest.mark.parametrize("method", ["simple_gradient", "lrp", "grad_cam", "deep_lift", "kernel_shap"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_quantised_network_is_explained_without_gradients_or_refused_in_one_line(method: str, whole: bool) -> None:
    torch.manual_seed(0)
    module = _quantised() if whole else _quantised_head()
    run = partial(bench.evaluate, module, torch.rand(2, 3, 16, 16), metrics=["gini"])
    if method == "kernel_shap":
        assert run(attributions=[find("attributions")[method](samples=8)]).status.eq("ok").all()
        return
    with pytest.raises(HeatmarkError, match="passes its quantised layer") as caught:
        run(attributions=[method])
    assert str(caught.value).isprintable()


def test_a_quantised_layer_without_a_stub_is_named() -> None:
    with pytest.raises(
        HeatmarkError, match=r"quantised layer 0 \(Conv2d\) takes quantised values only; put a QuantStub"
    ):
        look_at(Network(_quantised()[1]), torch.rand(2, 3, 16, 16), needs_gradient=False)


def test_declared_probabilities_are_probabilities() -> None:
    with pytest.raises(HeatmarkError, match="expected rows that are not negative and sum to 1"):
        look_at(Network(_Then(), output="probabilities"), torch.rand(2, 3, 16, 16), needs_gradient=True)
    network = Network(_Then(outputs=lambda x: x.softmax(1)), output="probabilities")
    assert len(look_at(network, torch.rand(2, 3, 16, 16), needs_gradient=True)) == len(NETWORK_CHECKS)


@pytest.mark.parametrize("network", [small_network(), small_transformer()], ids=lambda network: network.name)
@pytest.mark.parametrize("count", [1, 5])
def test_honest_networks_keep_every_promise(network: Network, count: int) -> None:
    images = torch.rand(count, 3, 16, 16, dtype=torch.float64)
    assert look_at(network, images, needs_gradient=True) == [check.__name__ for check in NETWORK_CHECKS]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_rounds_and_is_no_breach(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    assert look_at(Network(_Then().to(dtype)), torch.rand(3, 3, 16, 16), needs_gradient=True)


def test_a_network_without_gradients_is_explained_by_methods_that_need_none() -> None:
    torch.manual_seed(0)
    module, images = _Then(features=lambda x: x.detach()), torch.rand(2, 3, 16, 16)
    scores = bench.evaluate(module, images, attributions=["occlusion"], metrics=["deletion"])
    assert scores.status.eq("ok").all()


def test_images_that_are_not_finite_are_no_fault_of_the_network() -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 3, 16, 16)
    images[1, 0, 0, 0] = torch.nan
    for given in (images, torch.full_like(images, torch.nan)):
        scores = bench.evaluate(_Then(), given, attributions=["random_map"], metrics=["gini", "deletion"])
        bad = scores.image.isin([str(i) for i in range(3) if given[i].isnan().any()])
        assert scores[bad].status.eq("non-finite image").all()
        assert scores[bad].score.isna().all()
        assert scores[~bad].status.eq("ok").all()


def test_check_prints_what_the_networks_and_the_data_of_a_suite_keep(tmp_path) -> None:
    done = CliRunner().invoke(app, ["check", "embedded", "--store", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "kept    network small resnet: answers alone as in company" in done.output
    assert "kept    data set planted: lists its images (test)" in done.output


def test_check_goes_on_behind_a_broken_promise_of_a_suite(tmp_path) -> None:
    (tmp_path / "own.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def make(path):\n"
        "    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1))\n"
    )
    (tmp_path / "own.toml").write_text(
        'name = "own"\n[dataset]\nname = "planted"\n[[networks]]\n'
        'architecture = "$SUITE/own.py:make"\nweights = "none"\nname = "own"\n'
        '[[attributions]]\nname = "random_map"\n[[metrics]]\nname = "gini"\n'
    )
    done = CliRunner().invoke(
        app, ["check", str(tmp_path / "own.toml"), "--allow-code", "--store", str(tmp_path / "store")]
    )
    assert done.exit_code == 1, done.output
    assert "broken  network own: returns what is declared" in done.output
    assert "kept    data set planted" in done.output


def test_weights_without_values_are_refused_in_one_line() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(HeatmarkError, match="is on the meta device, without values"):
        look_at(Network(module, name="empty"), torch.rand(2, 3, 2, 2), needs_gradient=False)


def test_no_more_images_are_looked_at_together_than_go_through_together(network: Network, request_of) -> None:
    own, images = replace(network, chunk=16), request_of(3).images
    assert inputs_at_once(own, images, [RandomMap()], [Deletion()]) == 16
    assert inputs_at_once(own, images, [RandomMap()], [Gini()]) == 3
    assert inputs_at_once(own, images, [IntegratedGradients()], [Deletion()]) == 32
