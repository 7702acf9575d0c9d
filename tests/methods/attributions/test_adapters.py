"""LRP equals zennit called by hand; what it cannot do is said."""

import sys

import pytest
import torch
import torch.nn.functional as F

from bench.errors import HeatmarkError, UnsupportedError
from bench.methods.attributions.lrp import Lrp
from bench.tiny import tiny_network, tiny_request, tiny_transformer

REQUEST = tiny_request()


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


def test_an_absent_library_is_hinted_at_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "zennit.composites", None)
    with pytest.raises(HeatmarkError, match=r'pip install "heatmark\[zennit\]"'):
        Lrp().explain(tiny_network(), REQUEST)
