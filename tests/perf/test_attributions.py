"""Path integrals against the bare forward and backward pass, against Captum, and against one image at a time."""

from collections.abc import Callable, Sequence
from importlib.metadata import version

import pytest
import torch
from captum.attr import IntegratedGradients as Captum
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import Attribution, ImageRandom, Network, Request
from bench.methods.attributions.attention_rollout import AttentionRollout
from bench.methods.attributions.attn_lrp import AttnLrp
from bench.methods.attributions.chefer_relevance import CheferRelevance
from bench.methods.attributions.gnl_integrated_gradients import GnlIntegratedGradients
from bench.methods.attributions.guided_ig import GuidedIg
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.legrad import Legrad
from tests.perf.bare_speed import bound, gradients, noise, untrained
from tests.perf.contestants import Contestant, contest, seconds_of, times_faster

CPU = torch.device("cpu")
OF_THE_BOUND, OF_CAPTUM, OF_ONE_BY_ONE = 0.9, 1.0, 1.2
OF_TRANSFORMERS = 1 / 1.3
CHUNKS = (2, 4, 8, 16)
NODES = 50
TRIALS = 2


def asked(network: Network, images: int) -> Request:
    shown = noise(network, images, CPU).contiguous(memory_format=torch.channels_last)
    return Request(shown, torch.zeros(images, dtype=torch.int64), ImageRandom(0, "run", tuple(map(str, range(images)))))


def fastest(runs: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """The one that takes the least time, each measured a few times."""
    return min(runs, key=lambda run: min(seconds_of(run) for _ in range(TRIALS)))


def in_chunks(method: Attribution, architecture: str, size: int, images: int) -> Callable[[], object]:
    """The method with the chunk in which it is fastest here."""
    networks = [untrained(architecture, size, CPU, chunk) for chunk in CHUNKS]
    request = asked(networks[0], images)
    return fastest([lambda own=own: method.explain(own, request) for own in networks])


@pytest.mark.parametrize(
    ("architecture", "size", "images", "rounds"), [("small_resnet", 64, 8, 9), ("resnet18", 224, 1, 3)]
)
def test_path_integrals_are_as_fast_as_the_bare_gradients(
    architecture: str, size: int, images: int, rounds: int, benchmark: BenchmarkFixture
) -> None:
    network = untrained(architecture, size, CPU)
    request = asked(network, images)
    captum = Captum(network.module)

    def by_captum(chunk: int) -> object:
        return captum.attribute(request.images, target=request.targets, n_steps=NODES, internal_batch_size=chunk)

    passes = images * NODES
    # It takes as many nodes at a time as there are images, or a multiple of that.
    of_captum = [max(images, chunk) for chunk in (*CHUNKS, 2 * images)]
    contestants = [
        Contestant("IG", in_chunks(IntegratedGradients(nodes=NODES), architecture, size, images), passes),
        Contestant("GNL-IG", in_chunks(GnlIntegratedGradients(nodes=NODES), architecture, size, images), passes),
        Contestant("Captum's IG", fastest([lambda c=c: by_captum(c) for c in of_captum]), passes, version("captum")),
        bound(network, passes, gradients),
    ]
    table = contest(benchmark, "gradients", f"{architecture}, {size} px, fp32, cpu", contestants, rounds)
    assert times_faster(table, "IG", "Captum's IG") >= OF_CAPTUM
    assert times_faster(table, "IG", "bare network") >= OF_THE_BOUND
    assert times_faster(table, "GNL-IG", "bare network") >= OF_THE_BOUND


def test_guided_ig_is_faster_on_many_images(benchmark: BenchmarkFixture) -> None:
    method, images = GuidedIg(steps=20), 32
    network = untrained("small_resnet", 64, CPU)
    request = asked(network, images)
    alone = [request.select([row]) for row in range(images)]
    passes = images * method.steps
    contestants = [
        Contestant("Guided IG", in_chunks(method, "small_resnet", 64, images), passes),
        Contestant("Guided IG, one by one", lambda: [method.explain(network, own) for own in alone], passes),
        bound(network, passes, gradients),
    ]
    table = contest(benchmark, "gradients", f"small_resnet, 64 px, {images} images, fp32, cpu", contestants, 7)
    assert times_faster(table, "Guided IG", "Guided IG, one by one") >= OF_ONE_BY_ONE


def test_methods_for_transformers_cost_little_more_than_the_bare_gradient(benchmark: BenchmarkFixture) -> None:
    images, chunk = 4, 4
    network = untrained("vit_b_16", 224, CPU, chunk)
    torch.nn.init.normal_(network.module.get_submodule("heads.head").weight)  # torchvision's are zeros
    request = asked(network, images)
    methods = {
        "Attention rollout": AttentionRollout(),
        "Chefer's relevance": CheferRelevance(),
        "LeGrad": Legrad(),
        "AttnLRP": AttnLrp(),
    }
    contestants = [
        Contestant(name, lambda own=method: own.explain(network, request), images) for name, method in methods.items()
    ]
    contestants.append(bound(network, images, gradients))
    table = contest(benchmark, "gradients", "vit_b_16, 224 px, fp32, cpu", contestants, 5)
    speeds = {name: times_faster(table, name, "bare network") for name in methods}
    assert min(speeds.values()) >= OF_TRANSFORMERS, speeds
