"""A map depends on the function: not on how it is written, wrapped or stored."""

import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bench
from bench.api import HeatmarkError, Network, Request, UnsupportedError
from bench.api.registry import find
from bench.attribution.class_activation import features_of
from bench.attribution.randomised_weights import layers_of, randomised
from bench.checks import quick
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.methods.attributions.attention_rollout import AttentionRollout
from bench.methods.attributions.blur_ig import BlurIg
from bench.methods.attributions.chefer_relevance import CheferRelevance
from bench.methods.attributions.deep_lift import DeepLift
from bench.methods.attributions.grad_cam import GradCam
from bench.methods.attributions.grad_cam_plus_plus import GradCamPlusPlus
from bench.methods.attributions.layer_cam import LayerCam
from bench.methods.attributions.lrp import Lrp
from bench.methods.attributions.randomised_network import RandomisedNetwork
from bench.methods.attributions.score_cam import ScoreCam
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.methods.attributions.var_grad import VarGrad
from bench.metrics.sanity.weight_randomisation import WeightRandomisation

CAMS = [GradCam(), GradCamPlusPlus(), LayerCam(), ScoreCam()]


class _Written(nn.Module):
    """Two convolutions, each with a ReLU; `relu` says how that is written."""

    def __init__(self, relu=F.relu, last=lambda maps: maps.mean((2, 3))) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)
        self.relu, self.last = relu, last

    def forward(self, images: Tensor) -> Tensor:
        maps = F.max_pool2d(self.relu(self.first(images)), 2)
        return self.head(self.last(self.relu(self.second(maps))))


class _ChannelsLast(_Written):
    """The same with features (batch, height, width, channel) before the average."""

    def forward(self, images: Tensor) -> Tensor:
        maps = F.max_pool2d(self.relu(self.first(images)), 2)
        last = self.relu(self.second(maps).permute(0, 2, 3, 1))
        return self.head(last.mean((1, 2)))


def _mean_of_channels_last(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).mean((1, 2))


def _in_place(maps: Tensor) -> Tensor:
    maps += 0
    return maps.clamp_(min=0)


WAYS = {
    "function": F.relu,
    "in place": lambda maps: F.relu(maps, inplace=True),
    "method": lambda maps: maps.relu(),
    "method in place": lambda maps: maps.relu_(),
    "clamp": lambda maps: maps.clamp(min=0),
    "several in place": _in_place,
}


def _network(module: nn.Module) -> Network:
    return Network(module.double().eval(), chunk=4)


@pytest.fixture
def request_() -> Request:
    return small_request(3, 16, 12)


@pytest.mark.parametrize("method", CAMS, ids=lambda method: method.name)
@pytest.mark.parametrize("way", WAYS)
def test_a_cam_is_the_same_however_relu_is_written(method, way: str, request_: Request) -> None:
    expected = method.explain(_network(_Written(nn.ReLU())), request_)
    assert expected.any()
    torch.testing.assert_close(method.explain(_network(_Written(WAYS[way])), request_), expected)


@pytest.mark.parametrize("method", CAMS, ids=lambda method: method.name)
@pytest.mark.parametrize("layout", [_ChannelsLast, lambda: _Written(last=_mean_of_channels_last)])
def test_a_cam_knows_channels_last(method, layout, request_: Request) -> None:
    expected = method.explain(_network(_Written()), request_)
    torch.testing.assert_close(method.explain(_network(layout()), request_), expected)


class _Sized(nn.Module):
    """Maps of as many channels as they have rows or nearly, normalised or mixed before a head on their average."""

    def __init__(self, channels: int, *, last: bool, between=lambda maps: maps) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps, self.head = nn.Conv2d(3, channels, 3, padding=1), nn.Linear(channels, 5)
        self.last, self.between = last, between

    def forward(self, images: Tensor) -> Tensor:
        maps = self.between(F.max_pool2d(self.maps(images), 2).relu())
        return self.head((maps.permute(0, 2, 3, 1) * 1).mean((1, 2)) if self.last else maps.mean((2, 3)))


def _normalised(maps: Tensor) -> Tensor:
    return F.layer_norm(maps.permute(0, 2, 3, 1), maps.shape[1:2]).permute(0, 3, 1, 2) * 1


def _mixed(maps: Tensor) -> Tensor:
    """Every place has a part of all others, as after attention."""
    return maps + maps.mean((2, 3), keepdim=True)


@pytest.mark.parametrize("between", [lambda maps: maps, _normalised, _mixed])
@pytest.mark.parametrize(("channels", "height", "width"), [(8, 16, 16), (6, 16, 12), (8, 16, 12), (7, 16, 16)])
def test_a_cam_tells_height_and_width_from_as_many_channels(channels, height, width, between) -> None:
    request = small_request(2, height, width)
    first, last = (_network(_Sized(channels, last=own, between=between)) for own in (False, True))
    expected = features_of(first, request.images, request.targets)
    found = features_of(last, request.images, request.targets)
    assert expected.maps.shape == (2, channels, height // 2, width // 2)
    torch.testing.assert_close(found.maps, expected.maps)
    torch.testing.assert_close(found.gradients, expected.gradients)
    half = request.with_images(request.images.where(torch.arange(width) < width // 2, -5.0))
    dead = features_of(last, half.images, half.targets)
    torch.testing.assert_close(dead.maps, features_of(first, half.images, half.targets).maps)


def test_a_cam_refuses_a_map_whose_dimensions_are_no_places() -> None:
    torch.manual_seed(0)
    everything = nn.Linear(8 * 8 * 8, 8 * 8 * 8).double()
    module = _Sized(8, last=False, between=lambda maps: everything(maps.flatten(1)).view(-1, 8, 8, 8) * 1)
    with pytest.raises(UnsupportedError, match=r"map of shape \(8, 8, 8\) does not show which dimensions are height"):
        GradCam().explain(_network(module), small_request())


@pytest.mark.parametrize("way", WAYS)
def test_the_maps_of_a_named_layer_are_what_it_gave(way: str, request_: Request) -> None:
    """Before what follows works on them in place."""
    module = _Written(WAYS[way]).double().eval()
    seen = features_of(Network(module), request_.images, request_.targets, "second")
    maps = F.max_pool2d(F.relu(module.first(request_.images)), 2)
    torch.testing.assert_close(seen.maps, module.second(maps).detach())
    assert (seen.maps < 0).any()
    plain = features_of(Network(_Written().double().eval()), request_.images, request_.targets, "second")
    torch.testing.assert_close(seen.gradients, plain.gradients)


def test_the_maps_are_kept_where_a_view_of_them_is_changed(request_: Request) -> None:
    def flattened(maps: Tensor) -> Tensor:
        return maps.flatten(2).mul_(0.5).mean(2) * 2

    found = GradCam().explain(_network(_Written(last=flattened)), request_)
    torch.testing.assert_close(found, GradCam().explain(_network(_Written()), request_))


class _Around(nn.Module):
    """The layers of a network under other names, behind something that has a weight of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64), requires_grad=False)
        self.head, self.body = inner[-1], nn.ModuleDict({f"part_{i}": own for i, own in enumerate(inner[:-1])})

    def forward(self, images: Tensor) -> Tensor:
        for part in self.body.values():
            images = part(images)
        return self.head(images)


WRAPPERS = {
    "data parallel": nn.DataParallel,
    "compiled": lambda module: torch.compile(module, backend="eager"),
    "both": lambda module: nn.DataParallel(torch.compile(module, backend="eager")),
    "sequential": lambda module: nn.Sequential(nn.Identity(), nn.Sequential(module)),
}


def _drawn_alike(network: Network, wrapped: Network, request: Request) -> None:
    first, second = (randomised(own, layers_of(own.module), request.rng) for own in (network, wrapped))
    torch.testing.assert_close(first.logits(request.images), second.logits(request.images))


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_wrapped_networks_get_the_same_random_weights_and_cams(wrap: str) -> None:
    network, request = small_network(), small_request()
    wrapped = replace(network, module=WRAPPERS[wrap](network.module))
    assert len(layers_of(wrapped.module)) == len(layers_of(network.module))
    _drawn_alike(network, wrapped, request)
    torch.testing.assert_close(GradCam().explain(wrapped, request), GradCam().explain(network, request))


def test_renamed_layers_get_the_same_random_weights() -> None:
    """Also where one is defined before others of other shapes, and beside further weights."""
    network = small_network()
    _drawn_alike(network, replace(network, module=_Around(network.module)), small_request())


def test_something_around_a_network_changes_no_score_of_random_weights() -> None:
    module, request = small_network().module, small_request()
    metrics = [WeightRandomisation(order, points=4) for order in ("cascading", "independent")]
    given = (request.images, request.targets)
    told = {"attributions": [SimpleGradient(), RandomisedNetwork()], "metrics": metrics, "output": "logits"}
    scores = [bench.evaluate(own, *given, **told).score for own in (module, nn.Sequential(module))]
    torch.testing.assert_close(*(torch.tensor(own) for own in scores))


def test_every_tensor_has_numbers_of_its_own() -> None:
    network = Network(nn.Sequential(*(nn.Linear(6, 6) for _ in range(3))))
    drawn = randomised(network, ["0", "1", "2"], small_request().rng).module
    own = [((part.weight - part.weight.mean()) / part.weight.std()).flatten() for part in drawn]
    assert torch.corrcoef(torch.stack(own)).triu(1).abs().max() < 0.5
    alone = randomised(network, ["1"], small_request().rng).module
    assert torch.equal(alone[1].weight, drawn[1].weight)
    assert torch.equal(alone[2].weight, network.module[2].weight)


class _MeanOfTokens(nn.Module):
    """The tiny transformer with a head on the mean of its tokens."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        patches = self.inner.patches(images).flatten(2).mT
        tokens = torch.cat([self.inner.token.expand(len(images), -1, -1), patches], 1)
        for block in self.inner.blocks:
            tokens = block(tokens)
        return self.inner.head(self.read(tokens))

    def read(self, tokens: Tensor) -> Tensor:
        return tokens.mean(1)


class _OtherToken(_MeanOfTokens):
    def read(self, tokens: Tensor) -> Tensor:
        return tokens[:, -1]


class _UnequalTokens(_MeanOfTokens):
    def read(self, tokens: Tensor) -> Tensor:
        return tokens[:, 1:].mean(1) + 2 * tokens[:, 1]


@pytest.mark.parametrize("method", [AttentionRollout(), CheferRelevance()], ids=lambda method: method.name)
def test_attention_methods_explain_what_the_head_reads_or_refuse(method) -> None:
    network = small_transformer()
    maps = [
        method.explain(replace(network, module=head(network.module)), small_request())
        for head in (_MeanOfTokens, _OtherToken, lambda module: module)
    ]
    assert all((first - second).abs().max() > 1e-3 for first, second in itertools.combinations(maps, 2))
    with pytest.raises(UnsupportedError, match="nothing says how much of each token it takes"):
        method.explain(replace(network, module=_UnequalTokens(network.module)), small_request())


def test_the_variance_of_large_gradients_is_no_rounding() -> None:
    """Gradients of 30, whose spread is a ten-thousandth."""

    class Steep(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            own = (30 * images + 1e-5 * images.square()).flatten(1)
            return torch.stack([own.sum(1), own.sum(1) * 2], 1)

    request = small_request(2)
    exact = VarGrad(samples=20).explain(Network(Steep()), request)
    single = replace(request, images=request.images.float())
    found = VarGrad(samples=20).explain(Network(Steep()), single)
    assert 0 < exact.max() < 1e-8
    torch.testing.assert_close(found.double(), exact, rtol=0.1, atol=float(exact.max()) * 0.1)
    assert not VarGrad(samples=1).explain(Network(Steep()), request).any()


def test_inside_inference_mode_everything_works() -> None:
    module, images = _Written(), torch.rand(2, 3, 16, 16)
    told = {"attributions": ["simple_gradient", "integrated_gradients"], "metrics": ["deletion", "max_sensitivity"]}
    expected = bench.evaluate(module, images, **told)
    with torch.inference_mode():
        found = bench.evaluate(module, images * 1, **told)
    assert found.equals(expected)


def test_weights_made_in_inference_mode_are_refused_in_one_line() -> None:
    with torch.inference_mode():
        module = _Written()
    with pytest.raises(HeatmarkError, match=r"build it outside of torch\.inference_mode"):
        bench.evaluate(module, torch.rand(2, 3, 16, 16), attributions=["simple_gradient"], metrics=["gini"])


def test_images_of_float64_are_cast_to_the_network() -> None:
    module, images = _Written(), torch.rand(2, 3, 16, 16)
    told = {"attributions": ["simple_gradient", "deep_lift"], "metrics": ["deletion", "gini"]}
    single, double = (bench.evaluate(module, given, **told).score for given in (images, images.double()))
    torch.testing.assert_close(torch.tensor(double), torch.tensor(single), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normed", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_lrp_refuses_parametrised_weights(normed) -> None:
    module = _Written()
    normed(module.second)
    with pytest.raises(UnsupportedError, match="parametrised weights"):
        Lrp().explain(_network(module), small_request())


METHODS = sorted(set(find("attributions")) - {"rise"})  # with 8,000 masks it takes minutes
ATTENDING = {"attention_map", "attention_rollout", "chefer_relevance", "gradient_attention", "legrad"}
CHOOSING = {"score_cam", "xrai"}  # nearly equal things change places


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", METHODS)
def test_half_precision_is_close_to_single_or_refused(name: str, dtype: torch.dtype) -> None:
    method = quick(find("attributions")[name]()) if name != "blur_ig" else BlurIg()
    attends = name in ATTENDING
    made, request = small_transformer if attends else small_network, small_request()
    single, half = (replace(made(), module=made().module.to(own)) for own in (torch.float32, dtype))
    request = replace(request, images=request.images.float(), references=request.references.float())
    expected = method.heatmaps(method.explain(single, request)).double()
    given = request.with_images(request.images.to(dtype))
    if method.lowest_precision not in ("bfloat16", str(dtype).removeprefix("torch.")):
        with pytest.raises(UnsupportedError, match="cannot be right in"):
            method.explain(half, given)
        return
    found = method.heatmaps(method.explain(half, given)).double()
    assert found.isfinite().all()
    apart = (found - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1).clamp_min(1e-12)
    assert name in CHOOSING or (apart < (0.06 if dtype == torch.float16 else 0.15)).all(), apart


@pytest.mark.parametrize("method", [DeepLift(), Lrp()], ids=lambda method: method.name)
def test_what_cannot_be_right_in_half_precision_says_so(method) -> None:
    network = replace(small_network(), module=small_network().module.half())
    with pytest.raises(UnsupportedError, match=r"cannot be right in float16.*module.float\(\)"):
        method.explain(network, small_request())
