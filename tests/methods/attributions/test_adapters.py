"""DeepLIFT equals Captum, LRP equals zennit, each called by hand; what they cannot do is said."""

import warnings
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.errors import HeatmarkError, UnsupportedError
from bench.methods.attributions.deep_lift import DeepLift
from bench.methods.attributions.lrp import Lrp
from bench.tiny import tiny_network, tiny_request, tiny_transformer

REQUEST = tiny_request()


def test_deep_lift_equals_captum():
    captum = pytest.importorskip("captum.attr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.DeepLift(tiny_network().module).attribute(REQUEST.images, target=REQUEST.targets)
    assert torch.equal(DeepLift().explain(tiny_network(), REQUEST), theirs.detach())


class Reused(nn.Module):
    """The layers of the tiny network with one activation for both places."""

    def __init__(self, activation):
        super().__init__()
        layers = tiny_network().module
        self.first, self.second, self.head = layers[:2], layers[3:5], layers[6:]
        self.activation = activation

    def forward(self, images):
        return self.head(self.activation(self.second(self.activation(self.first(images)))))


@pytest.mark.parametrize("activation", [nn.ReLU(), F.relu, F.silu], ids=["reused", "functional", "unknown"])
def test_deep_lift_refuses_what_captum_does_not_see(activation):
    pytest.importorskip("captum.attr")
    network = replace(tiny_network(), module=Reused(activation), name="hidden_ones")
    with pytest.raises(UnsupportedError, match="'hidden_ones'"):
        DeepLift().explain(network, REQUEST)


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1"])
def test_lrp_equals_zennit(composite):
    zennit = pytest.importorskip("zennit.composites")
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm

    rules = {"epsilon_plus_flat": zennit.EpsilonPlusFlat, "epsilon_alpha2_beta1": zennit.EpsilonAlpha2Beta1}
    module = tiny_network().module
    wanted = F.one_hot(REQUEST.targets, 5).double()
    with Gradient(module, rules[composite](canonizers=[SequentialMergeBatchNorm()])) as attributor:
        _, theirs = attributor(REQUEST.images, lambda logits: logits.detach() * wanted)
    torch.testing.assert_close(Lrp(composite=composite).explain(tiny_network(), REQUEST), theirs)


def test_lrp_says_that_it_has_no_rules_for_transformers():
    pytest.importorskip("zennit.composites")
    with pytest.raises(UnsupportedError, match="'tiny_transformer'"):
        Lrp().explain(tiny_transformer(), REQUEST)


@pytest.mark.parametrize(
    ("method", "library", "extra"),
    [
        (DeepLift(), "captum.attr", "captum"),
        (Lrp(), "zennit.composites", "zennit"),
    ],
)
def test_an_absent_library_is_hinted_at_in_one_line(monkeypatch, method, library, extra):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(HeatmarkError, match=rf'pip install "heatmark\[{extra}\]"'):
        method.explain(tiny_network(), REQUEST)
