"""LRP equals zennit called by hand; what it cannot do is said."""

import operator
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import get_model

from bench.api import Network
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.errors import HeatmarkError, UnsupportedError
from bench.methods.attributions.lrp import Lrp

REQUEST = small_request()


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1"])
def test_lrp_equals_zennit(composite):
    zennit = pytest.importorskip("zennit.composites")
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm

    rules = {"epsilon_plus_flat": zennit.EpsilonPlusFlat, "epsilon_alpha2_beta1": zennit.EpsilonAlpha2Beta1}
    module = small_network().module
    wanted = F.one_hot(REQUEST.targets, 5).double()
    with Gradient(module, rules[composite](canonizers=[SequentialMergeBatchNorm()])) as attributor:
        _, theirs = attributor(REQUEST.images, lambda logits: logits.detach() * wanted)
    torch.testing.assert_close(Lrp(composite=composite).explain(small_network(), REQUEST), theirs)


def test_lrp_says_that_it_has_no_rules_for_transformers():
    pytest.importorskip("zennit.composites")
    with pytest.raises(UnsupportedError, match="'small_transformer'"):
        Lrp().explain(small_transformer(), REQUEST)


class Branches(nn.Module):
    """Branches that meet in a sum, without biases, so that all relevance arrives."""

    def __init__(self, add, pool):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.stem, self.branch = nn.Conv2d(3, 6, 3, bias=False), nn.Conv2d(6, 6, 3, padding=1, bias=False)
            self.head = nn.Linear(6, 5, bias=False)
        self.relu, self.add, self.pool = nn.ReLU(), add, pool

    def forward(self, images):
        features = self.relu(self.stem(images))
        return self.head(self.pool(self.relu(self.add(self.branch(features), features))).flatten(1))


ADDITIONS = {
    "operator": lambda a, b: a + b,
    "function": torch.add,
    "method": Tensor.add,
    "in_place": Tensor.add_,
    "augmented": operator.iadd,
    "in_place_and_forgotten": lambda a, b: (a.add_(b), a)[1],
}
POOLS = {
    "module": nn.AdaptiveAvgPool2d(1),
    "function": lambda features: F.adaptive_avg_pool2d(features, 1),
    "method": lambda features: features.mean((2, 3)),
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("add", ADDITIONS)
def test_lrp_shares_relevance_over_the_terms_of_sums_and_the_places_of_averages(add, pool):
    pytest.importorskip("zennit.composites")
    found = {}
    for way in ((add, pool), ("operator", "module")):
        module = Branches(ADDITIONS[way[0]], POOLS[way[1]]).double()
        found[way] = Lrp(composite="epsilon_plus").explain(Network(module), REQUEST)
        with torch.no_grad():
            logits = Network(module).logits_of(REQUEST.images, REQUEST.targets)
        torch.testing.assert_close(found[way].sum((1, 2, 3)), logits, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(*(found[way] for way in ((add, pool), ("operator", "module"))), rtol=1e-4, atol=1e-9)


def test_lrp_equals_zennit_on_a_residual_network_that_zennit_has_a_canonizer_for():
    composites = pytest.importorskip("zennit.composites")
    from zennit.attribution import Gradient
    from zennit.torchvision import ResNetCanonizer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model("resnet18", weights=None, num_classes=5).double().eval()
    request = small_request(2, 32, 32)
    wanted = F.one_hot(request.targets, 5).double()
    with Gradient(module, composites.EpsilonPlusFlat(canonizers=[ResNetCanonizer()])) as attributor:
        _, theirs = attributor(request.images, lambda logits: logits.detach() * wanted)
    found = Lrp().explain(Network(module), request)
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-9 * float(theirs.abs().max()))


def test_lrp_names_a_network_that_multiplies_features():
    pytest.importorskip("zennit.composites")
    module = Branches(torch.mul, POOLS["module"]).double()
    with pytest.raises(UnsupportedError, match="'gated' multiplies"):
        Lrp().explain(Network(module, name="gated"), REQUEST)


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 6), nn.InstanceNorm2d(6), nn.BatchNorm2d(6)], ids=repr)
def test_lrp_names_a_network_whose_norms_are_merged_into_nothing(norm):
    pytest.importorskip("zennit.composites")
    if isinstance(norm, nn.BatchNorm2d):
        norm.running_var.fill_(4)
    layers = (nn.Conv2d(3, 6, 3), nn.ReLU(), norm, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
    network = Network(nn.Sequential(*layers).double().eval(), name="normed")
    before = [values.clone() for values in network.module.state_dict().values()]
    with pytest.raises(UnsupportedError, match="network 'normed'"):
        Lrp().explain(network, REQUEST)
    assert all(map(torch.equal, before, network.module.state_dict().values()))


class PreActivated(nn.Module):
    """A batch norm that follows a convolution in the list of parts, and nothing that its shortcut sees."""

    def __init__(self, inner):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.stem, self.norm, self.relu = nn.Conv2d(3, inner, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()
            self.branch, self.head = nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)
        self.norm.running_var.fill_(9)

    def forward(self, images):
        features = self.stem(images).repeat(1, 6 // self.stem.out_channels, 1, 1)
        features = features + self.branch(self.relu(self.norm(features)))
        return self.head(features.mean((2, 3)))


@pytest.mark.parametrize("inner", [6, 3])
def test_lrp_names_a_network_whose_batch_norms_are_merged_wrongly_and_leaves_it_alone(inner):
    pytest.importorskip("zennit.composites")
    network = Network(PreActivated(inner).double().eval(), name="dense")
    before = {name: values.clone() for name, values in network.module.state_dict().items()}
    with pytest.raises(UnsupportedError, match="'dense'"):
        Lrp().explain(network, REQUEST)
    after = network.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(values, after[name]) for name, values in before.items())


def test_an_absent_library_is_hinted_at_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "zennit.composites", None)
    with pytest.raises(HeatmarkError, match=r'pip install "heatmark\[zennit\]"'):
        Lrp().explain(small_network(), REQUEST)
