from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.api import Explained, ImageRandom, Network
from bench.engine import clean_logits, perturb
from bench.engine.perturb import Replacing
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.scoring.measure import explained_by, measure
from bench.training.architectures import small_plain
from tests.support.maps import explained_by_maps

METRICS = (Deletion(), Insertion())


class Counting(nn.Module):
    """A network that counts what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = 0

    def forward(self, images: Tensor) -> Tensor:
        self.inputs += len(images)
        return images.flatten(1)[:, :2]


def test_ten_methods_share_the_ends_of_their_curves() -> None:
    methods, images, side = 10, 32, 16
    network = Network(Counting(), chunk=50)
    shown = torch.rand(images, 3, side, side)
    clean = clean_logits(network, shown)
    maps = torch.rand(methods, images, side, side)
    made = [explained_by_maps(own, network=Network(Counting()), images=shown) for own in maps]
    explained = [replace(own, network=network, clean=clean) for own in made]
    measure([(metric, own) for metric in METRICS for own in explained])
    # Untouched and blurred images once each, the blank one once for all, and what lies between the ends of a curve.
    assert network.module.inputs == images + images + 1 + methods * len(METRICS) * images * (side - 1)


@pytest.fixture(scope="module")
def explained() -> Explained:
    torch.manual_seed(0)
    network = Network(small_plain(8).eval().to(memory_format=torch.channels_last), chunk=7)
    ids = tuple(f"image-{i}" for i in range(5))
    images = torch.rand(5, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    clean = clean_logits(network, images)
    request = explained_by_maps(torch.zeros(5, 32, 32), network=network, images=images).request
    request = replace(request, targets=clean.argmax(1), rng=ImageRandom(0, "run", ids))
    return explained_by(SimpleGradient(), network, request, clean)


def scores(explained: Explained, chunk: int) -> Tensor:
    own = replace(explained, network=replace(explained.network, chunk=chunk))
    return torch.stack([scored.score for scored in measure([(metric, own) for metric in METRICS])])


def test_two_runs_give_the_same_bits(explained: Explained) -> None:
    assert torch.equal(scores(explained, 7), scores(explained, 7))


@settings(max_examples=12)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True), st.sampled_from([1, 7, 64]))
def test_chunks_order_and_company_do_not_change_a_score(explained: Explained, rows: list[int], chunk: int) -> None:
    everybody = scores(explained, 7)
    torch.testing.assert_close(scores(explained.select(rows), chunk), everybody[:, rows], rtol=0, atol=1e-5)


@given(st.data(), st.booleans(), st.booleans(), st.sampled_from([1, 4, 2048]))
def test_replacing_is_choosing_by_rank(data: st.DataObject, values: bool, channels_last: bool, together: int) -> None:
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    start, end = (torch.rand(1, 3, 4, 5, generator=generator).contiguous(memory_format=layout) for _ in range(2))
    places = 60 if values else 20
    order = torch.randperm(places, generator=generator)
    counts = sorted(data.draw(st.lists(st.integers(0, places), min_size=2, max_size=9)))
    cut = data.draw(st.integers(1, len(counts) - 1))
    into = torch.empty(len(counts), 3, 4, 5).contiguous(memory_format=layout)
    replacing = Replacing(order, start, end, counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perturb, "_PIXELS", together)
        replacing.draw(into[:cut])
        replacing.draw(into[cut:])
    rank = order.argsort().reshape(1, -1, 4, 5)
    for image, count in zip(into, counts, strict=True):
        assert torch.equal(image[None], torch.where(rank < count, end, start))


def test_the_precision_of_a_network_is_that_of_the_whole_queue(explained: Explained) -> None:
    module = deepcopy(explained.network.module)
    network = replace(explained.network, module=module, precision="bf16")
    seen = []
    module[0].register_forward_hook(lambda *parts: seen.append(parts[2].dtype))
    measure([(Deletion(), replace(explained, network=network))])
    assert set(seen) == {torch.bfloat16}


class Dividing(nn.Module):
    """A network that divides by zero once all of an image is zero."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :2] / images.abs().amax((1, 2, 3))[:, None]


@pytest.mark.parametrize("metric", [Deletion(), Deletion(tolerance=0.01), Deletion(protocol="attribench")])
def test_an_output_that_is_no_number_leaves_no_score(metric: Deletion) -> None:
    maps, shown = torch.rand(2, 16, 16), torch.rand(2, 3, 16, 16)
    (scored,) = measure([(metric, explained_by_maps(maps, network=Network(Dividing()), images=shown))])
    assert scored.status == ("undefined", "undefined")
    assert scored.score.isnan().all()
    assert scored.curve[:, 0].isfinite().all()
