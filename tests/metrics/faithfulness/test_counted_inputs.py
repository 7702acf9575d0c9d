"""What metrics that take parts away show the network: as many images as their definition needs, none of them twice."""

from dataclasses import replace

import pytest
from torch import Tensor, nn

from bench.api import ImageMetric
from bench.checks import small_network, small_request
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.metrics.faithfulness.average_drop import AverageDrop
from bench.metrics.faithfulness.average_gain import AverageGain
from bench.metrics.faithfulness.average_increase import AverageIncrease
from bench.metrics.faithfulness.f_fidelity import FFidelity
from bench.metrics.faithfulness.r_oms import ROms
from bench.metrics.faithfulness.saco import Saco
from bench.metrics.faithfulness.single_deletion import SingleDeletion
from bench.metrics.faithfulness.srg import Srg
from bench.scoring.measure import explained_by, measure

IMAGES = 3
# For each image, and once for all.
LEAST: list[tuple[ImageMetric, int, int]] = [
    (Srg(steps=20), 2 * 19, 1),
    (Srg(steps=6, substrate="darkest"), 2 * 5 + 1, 0),
    (ROms(steps=10), 9, 1),
    (Saco(groups=10), 10, 0),
    (SingleDeletion(rows=4), 16, 0),
    (AverageDrop(), 1, 0),
    (AverageIncrease(), 1, 0),
    (AverageGain(), 1, 0),
]


def shown(metric: ImageMetric) -> list[bytes]:
    """Every image that the network is shown while the metric scores three explained ones."""
    network, request = small_network(), small_request(IMAGES)
    explained = explained_by(InputXGradient(), network, request, network.logits(request.images).detach())
    seen: list[bytes] = []

    def watch(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.extend(image.numpy().tobytes() for image in given[0])

    handle = network.module.register_forward_pre_hook(watch)
    (scored,) = measure([(metric, explained)])
    handle.remove()
    assert scored.status == ("ok",) * IMAGES
    untouched = {image.numpy().tobytes() for image in request.images}
    assert not untouched.intersection(seen), "the untouched images are known"
    return seen


@pytest.mark.parametrize(("metric", "each", "once"), LEAST, ids=lambda part: getattr(part, "label", str(part)))
def test_no_image_is_shown_that_need_not_be(metric: ImageMetric, each: int, once: int) -> None:
    seen = shown(metric)
    assert len(seen) == each * IMAGES + once
    assert len(set(seen)) == len(seen)


def test_holes_drawn_twice_are_the_only_images_shown_twice() -> None:
    """One of 2 x 2 cells at a time: four images are all that there are."""
    metric = FFidelity(rows=2, sizes=(0.5,), samples=6)
    seen = shown(metric)
    assert len(seen) == 2 * 6 * IMAGES
    assert len(set(seen)) <= 4 * IMAGES


def test_curves_over_one_map_share_their_ends() -> None:
    network, request = small_network(), small_request(IMAGES)
    explained = explained_by(InputXGradient(), network, request, network.logits(request.images).detach())
    seen: list[int] = []
    handle = network.module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    both = [(Srg(steps=8), explained), (replace(ROms(), steps=8), explained)]
    measure(both)
    handle.remove()
    assert sum(seen) == IMAGES * (2 * 7 + 7) + 1
