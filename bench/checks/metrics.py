"""What every metric of one network promises."""

from collections.abc import Callable
from dataclasses import replace

import torch

from bench.api import Attribution, ImageMetric, Network, PerturbationMetric, Request
from bench.checks.common import TOLERANCE, close, explained_on, state
from bench.checks.full_passes import PAIRS, largest_pass
from bench.engine.perturbation_curves import end_passes
from bench.scoring.measure import measure
from bench.scoring.passes import passes_of

# They ask as often as the image has superpixels.
DIFFERING = ("irof",)
# They show the cells of an image at once, which take the place of one.
IN_CELLS = ("difull",)


def scores_each_image(metric: ImageMetric, network: Network, request: Request, method: Attribution) -> None:
    """One score and one status for each image, inside the declared range."""
    explained = explained_on(network, request, method)
    (scored,) = measure([(metric, explained)])
    low, high = metric.bounds
    assert scored.score.shape == (len(request),), f"{metric.name}: scores of shape {tuple(scored.score.shape)}"
    good = scored.score[~scored.score.isnan()]
    inside = (good >= low - TOLERANCE) & (good <= high + TOLERANCE)
    assert inside.all(), f"{metric.name}: a score lies outside its range [{low}, {high}]: {good.tolist()}"


def scores_alone_as_in_company(metric: ImageMetric, network: Network, request: Request, method: Attribution) -> None:
    """The same score for each image alone, in the batch, in another order and with other chunks."""
    if metric.machine_bound:
        return
    explained = explained_on(network, request, method)
    (whole,) = measure([(metric, explained)])
    backwards = list(range(len(request)))[::-1]
    (reordered,) = measure([(metric, explained.select(backwards))])
    close(whole.score[backwards], reordered.score, f"{metric.name} depends on the order of the images")
    for row in range(len(request)):
        (alone,) = measure([(metric, explained.select([row]))])
        close(whole.score[row : row + 1], alone.score, f"{metric.name} depends on the other images of the batch")
    (chunked,) = measure([(metric, replace(explained, network=replace(network, chunk=1)))])
    close(whole.score, chunked.score, f"{metric.name} depends on the chunk size")


def shows_no_more_than_its_chunk(metric: ImageMetric, network: Network, request: Request, method: Attribution) -> None:
    """No more images go through the network at once than its chunk, each with its reference at most."""
    if metric.name in IN_CELLS:
        return
    explained = explained_on(replace(network, chunk=1), request, method)
    shown = largest_pass(explained.network, lambda: measure([(metric, explained)]))
    assert shown <= PAIRS, f"{metric.name} shows {shown} images at once to a network that takes 1 (`network.chunk`)"


def refuses_a_map_that_is_not_finite(
    metric: ImageMetric, network: Network, request: Request, method: Attribution
) -> None:
    """NaN and a status for that image; the others keep their scores."""
    explained = explained_on(network, request, method)
    (whole,) = measure([(metric, explained)])
    heatmaps = explained.heatmaps.clone()
    heatmaps[0, 0, 0] = torch.nan
    (scored,) = measure([(metric, replace(explained, heatmaps=heatmaps))])
    assert scored.score[0].isnan(), f"{metric.name} scored a map that is not finite"
    assert scored.status[0] == "non-finite heatmap", f"{metric.name}: status {scored.status[0]!r}"
    if not metric.machine_bound:
        close(whole.score[1:], scored.score[1:], f"{metric.name}: a broken map changed the other scores")


def leaves_everything_as_it_was(metric: ImageMetric, network: Network, request: Request, method: Attribution) -> None:
    """Weights, gradients, modes, hooks, images and maps are untouched, also of a network in training mode."""
    explained = explained_on(network, request, method)
    network.module.train()
    before, images, heatmaps = state(network.module), explained.images.clone(), explained.heatmaps.clone()
    measure([(metric, explained)])
    assert state(network.module) == before, f"{metric.name} changed the network"
    assert torch.equal(images, explained.images), f"{metric.name} changed the images"
    assert torch.equal(heatmaps, explained.heatmaps), f"{metric.name} changed the heatmaps"


def costs_what_it_declares(metric: ImageMetric, network: Network, request: Request, method: Attribution) -> None:
    """The declared passes through the network, beside the explanation that is scored, are those that are counted."""
    explanation = method.cost(network, request)
    if explanation is None or metric.name in DIFFERING:
        return
    declared = metric.cost(network, request, explanation)
    shared = declared.shared
    if isinstance(metric, PerturbationMetric):
        shared = end_passes([metric.plan(*metric.ranked_size(request.images))], request.images)
    expected = (declared.forward * len(request) + shared, declared.backward * len(request))
    explained = explained_on(network, request, method)
    counted = passes_of(network, lambda: measure([(metric, explained)]))
    assert counted == expected, f"{metric.name} declares {expected} passes forward and backward, counted {counted}"


METRIC_CHECKS: tuple[Callable[[ImageMetric, Network, Request, Attribution], None], ...] = (
    scores_each_image,
    scores_alone_as_in_company,
    shows_no_more_than_its_chunk,
    refuses_a_map_that_is_not_finite,
    leaves_everything_as_it_was,
    costs_what_it_declares,
)
