"""Conformance checks: what every plug-in promises, as small named functions for outside authors too.

Each takes a plug-in instance and what it is tried on, and raises AssertionError with one line on a breach.
`heatmark check NAME` and the tests run all checks of a kind over every plug-in that was found.
"""

import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.api import Attribution, Dataset, Metric, Plugin, Recipe
from bench.errors import UnsupportedError
from bench.handed import Explained, Network, Request
from bench.measure import explained_by, measure
from bench.passes import passes
from bench.tiny import tiny_network, tiny_request, tiny_transformer

TOLERANCE = 1e-9
FEW = {"samples": 6, "masks": 24, "steps": 4, "nodes": 4}
STEADY = 1e-4  # of the largest attribution: what passes for a difference that a target makes


def quick(method: Attribution) -> Attribution:
    """The method with few samples, masks, steps and nodes."""
    few: dict[str, Any] = {name: few for name, few in FEW.items() if name in method.settings}
    return replace(method, **few)


def network_for(method: Attribution) -> Network:
    """The small network to try a method on: convolutional, or a transformer where only that is supported."""
    try:
        method.explain(tiny_network(), tiny_request(1))
    except UnsupportedError:
        return tiny_transformer()
    return tiny_network()


def says_what_it_is(plugin: Plugin) -> None:
    """A frozen dataclass with a default for every setting, a docstring and a public name."""
    assert plugin.name, f"{type(plugin).__name__} has no public name"
    assert type(plugin).__doc__, f"{plugin.name}: the class has no docstring"
    assert plugin.summary().endswith("."), f"{plugin.name}: the first line of the docstring is not a sentence"
    assert type(plugin)() == plugin, f"{plugin.name}: two instances with default settings differ"
    for field in fields(plugin):
        try:
            setattr(plugin, field.name, None)
        except FrozenInstanceError:
            continue
        raise AssertionError(f"{plugin.name} is not frozen: @dataclass(frozen=True)")


def gives_maps_of_the_right_shape(method: Attribution, network: Network, request: Request) -> None:
    """Floating point (batch, channel or 1, height, width), and finite heatmaps (batch, height, width)."""
    attributions = method.explain(network, request)
    heatmaps = method.heatmaps(attributions)
    expected = (len(request), *request.images.shape[2:])
    assert tuple(heatmaps.shape) == expected, f"{method.name}: heatmaps {tuple(heatmaps.shape)}, expected {expected}"
    assert heatmaps.isfinite().all(), f"{method.name}: a heatmap is not finite"


def explains_alone_as_in_company(method: Attribution, network: Network, request: Request) -> None:
    """The same attributions for each image alone, in the batch, in another order and with other chunks."""
    whole = method.explain(network, request)
    backwards = list(range(len(request)))[::-1]
    _close(whole[backwards], method.explain(network, request.select(backwards)), f"{method.name} depends on the order")
    for row in range(len(request)):
        alone = method.explain(network, request.select([row]))
        _close(whole[row : row + 1], alone, f"{method.name} depends on the other images of the batch")
    chunked = method.explain(replace(network, chunk=1), request)
    _close(whole, chunked, f"{method.name} depends on the chunk size")


def explains_channels_last_alike(method: Attribution, network: Network, request: Request) -> None:
    """The same attributions whatever the memory format of the images."""
    last = request.with_images(request.images.contiguous(memory_format=torch.channels_last))
    breach = f"{method.name} depends on the memory format"
    _close(method.explain(network, request), method.explain(network, last), breach)


def explains_its_target(method: Attribution, network: Network, request: Request) -> None:
    """Another target for an image changes its attributions, or never does, as declared; the others keep theirs."""
    targets = request.targets.clone()
    targets[0] = (targets[0] + 1) % network.logits(request.images[:1]).shape[1]
    before, after = method.explain(network, request), method.explain(network, replace(request, targets=targets))
    _close(before[1:], after[1:], f"{method.name}: the target of one image changed the attributions of another")
    moved = bool((before[0] - after[0]).abs().max() > STEADY * before[0].abs().max())
    assert moved == method.follows_target, (
        f"{method.name} declares follows_target = {method.follows_target}, and another target "
        f"{'changed' if moved else 'did not change'} the attributions"
    )


def costs_what_it_declares(method: Attribution, network: Network, request: Request) -> None:
    """The declared passes through the network are those that are counted."""
    declared = method.cost(network, request)
    if declared is None:
        return
    counted = passes(_explained(network, request, method))
    assert counted == (declared.forward, declared.backward), (
        f"{method.name} declares {declared.forward} forward and {declared.backward} backward passes, counted {counted}"
    )


def explains_twice_the_same(method: Attribution, network: Network, request: Request) -> None:
    """The same request gives the same attributions."""
    first, second = method.explain(network, request), method.explain(network, request)
    assert torch.equal(first, second), f"{method.name} is not deterministic"


def leaves_everything_as_it_was(method: Attribution, network: Network, request: Request) -> None:
    """Weights, gradients, modes, hooks and images are untouched, also when the network fails in the middle."""
    before, images = _state(network.module), request.images.clone()
    method.explain(network, request)
    assert _state(network.module) == before, f"{method.name} changed the network"
    assert torch.equal(images, request.images), f"{method.name} changed the images"
    assert not request.images.requires_grad, f"{method.name} left requires_grad on the images"
    for failing in (_FailsForwards, _FailsBackwards):
        with suppress(_PlannedError):
            method.explain(replace(network, module=failing(network.module)), request)
        assert _state(network.module) == before, f"{method.name} changed the network when it failed"


def scores_each_image(metric: Metric, network: Network, request: Request, method: Attribution) -> None:
    """One score and one status for each image, inside the declared range."""
    explained = _explained(network, request, method)
    (scored,) = measure([(metric, explained)])
    low, high = metric.bounds
    assert scored.score.shape == (len(request),), f"{metric.name}: scores of shape {tuple(scored.score.shape)}"
    good = scored.score[~scored.score.isnan()]
    inside = (good >= low - TOLERANCE) & (good <= high + TOLERANCE)
    assert inside.all(), f"{metric.name}: a score lies outside its range [{low}, {high}]: {good.tolist()}"


def scores_alone_as_in_company(metric: Metric, network: Network, request: Request, method: Attribution) -> None:
    """The same score for each image alone, in the batch, in another order and with other chunks."""
    if metric.machine_bound:
        return
    explained = _explained(network, request, method)
    (whole,) = measure([(metric, explained)])
    backwards = list(range(len(request)))[::-1]
    (reordered,) = measure([(metric, explained.select(backwards))])
    _close(whole.score[backwards], reordered.score, f"{metric.name} depends on the order of the images")
    for row in range(len(request)):
        (alone,) = measure([(metric, explained.select([row]))])
        _close(whole.score[row : row + 1], alone.score, f"{metric.name} depends on the other images of the batch")
    (chunked,) = measure([(metric, replace(explained, network=replace(network, chunk=1)))])
    _close(whole.score, chunked.score, f"{metric.name} depends on the chunk size")


def refuses_a_map_that_is_not_finite(metric: Metric, network: Network, request: Request, method: Attribution) -> None:
    """NaN and a status for that image; the others keep their scores."""
    explained = _explained(network, request, method)
    (whole,) = measure([(metric, explained)])
    heatmaps = explained.heatmaps.clone()
    heatmaps[0, 0, 0] = torch.nan
    (scored,) = measure([(metric, replace(explained, heatmaps=heatmaps))])
    assert scored.score[0].isnan(), f"{metric.name} scored a map that is not finite"
    assert scored.status[0] == "non-finite heatmap", f"{metric.name}: status {scored.status[0]!r}"
    if not metric.machine_bound:
        _close(whole.score[1:], scored.score[1:], f"{metric.name}: a broken map changed the other scores")


def gives_a_finite_loss(recipe: Recipe, network: Network, request: Request) -> None:
    """A scalar loss whose gradient reaches the weights; images untouched."""
    assert request.truth is not None
    images = request.images.clone()
    loss = recipe.loss(network, request.images, request.targets, request.truth, torch.Generator().manual_seed(0))
    assert loss.ndim == 0, f"{recipe.name}: the loss has the shape {tuple(loss.shape)}, expected a scalar"
    assert loss.isfinite(), f"{recipe.name}: the loss is not finite"
    weights = [weight for weight in network.module.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    assert all(g is not None and g.isfinite().all() for g in gradients), (
        f"{recipe.name}: a weight has no finite gradient"
    )
    assert torch.equal(images, request.images), f"{recipe.name} changed the images"


def draws_from_its_generator_alone(recipe: Recipe, network: Network, request: Request) -> None:
    """The same generator state gives the same loss."""
    losses = [
        recipe.loss(network, request.images, request.targets, request.truth, torch.Generator().manual_seed(7))
        for _ in range(2)
    ]
    assert torch.equal(*losses), f"{recipe.name} draws from something else than its generator"


def leaves_modes_and_gradients_alone(recipe: Recipe, network: Network, request: Request) -> None:
    """In either mode: modes, hooks and the gradients of the weights as before; in evaluation everything."""
    for training in (False, True):
        network.module.train(training)
        before, others = _state(network.module), _state(network.module)[1:]
        recipe.loss(network, request.images, request.targets, request.truth, torch.Generator().manual_seed(0))
        assert _state(network.module)[1:] == others, f"{recipe.name} changed modes, hooks or gradients"
        assert training or _state(network.module) == before, f"{recipe.name} changed the network in evaluation mode"
    network.module.eval()


def lists_its_images(dataset: Dataset, split: str) -> None:
    """Unique ids, a label with a class for each, the same when asked again."""
    ids, labels = dataset.ids(split), dataset.labels(split)
    assert split in dataset.present, f"{dataset.name}: {split!r} is not among the splits that are present"
    assert len(ids) == len(labels) == len(set(ids)) > 0, f"{dataset.name} {split}: ids and labels do not match"
    assert all(0 <= label < len(dataset.classes) for label in labels), f"{dataset.name} {split}: a label has no class"
    assert dataset.ids(split) == ids, f"{dataset.name} {split}: the ids change"


def offers_consistent_samples(dataset: Dataset, split: str) -> None:
    """Samples have the listed id and label; images and truth lie in [0, 1] and fit; asking twice gives the same."""
    ids, labels = dataset.ids(split), dataset.labels(split)
    for position in _some(ids):
        sample = dataset.sample(split, position)
        assert sample.id == ids[position], f"{dataset.name}: sample {position} has the id {sample.id!r}"
        assert sample.label == labels[position], f"{dataset.name}: sample {position} has the label {sample.label}"
        assert sample.image.ndim == 3, f"{dataset.name}: an image has the shape {tuple(sample.image.shape)}"
        assert 0 <= sample.image.min() <= sample.image.max() <= 1, f"{dataset.name}: an image leaves [0, 1]"
        assert torch.equal(sample.image, dataset.sample(split, position).image), f"{dataset.name}: not deterministic"
        if sample.truth is not None:
            same = sample.truth.shape == sample.image.shape[1:]
            assert same, f"{dataset.name}: truth {tuple(sample.truth.shape)} for an image {tuple(sample.image.shape)}"
            assert 0 <= sample.truth.min() <= sample.truth.max() <= 1, f"{dataset.name}: a truth map leaves [0, 1]"


def has_truth_for_all_or_none(dataset: Dataset, split: str) -> None:
    """Every sample has a truth map or none has, and the same of fixations: a batch never depends on its company."""
    samples = [dataset.sample(split, position) for position in _some(dataset.ids(split))]
    for part in ("truth", "fixations"):
        without = {getattr(sample, part) is None for sample in samples}
        assert len(without) == 1, f"{dataset.name} {split}: some samples have {part} and some have None"


def places_fixations_on_the_image(dataset: Dataset, split: str) -> None:
    """Fixations are (count, 4), from the top left corner to short of the bottom right."""
    for position in _some(dataset.ids(split)):
        sample = dataset.sample(split, position)
        if sample.fixations is None:
            continue
        shape = tuple(sample.fixations.shape)
        assert shape[1:] == (4,), f"{dataset.name}: fixations of shape {shape}, expected (count, 4)"
        height, width = sample.image.shape[1:]
        within = (sample.fixations[:, :2] >= 0) & (
            sample.fixations[:, :2] < sample.fixations.new_tensor([width, height])
        )
        assert within.all(), f"{dataset.name}: a fixation of {sample.id} lies outside the image"


def has_a_stable_fingerprint(dataset: Dataset, split: str) -> None:
    """A data set made anew with the same settings has the same fingerprint and lists the same images."""
    anew = replace(dataset)
    assert anew.fingerprint() == dataset.fingerprint(), f"{dataset.name}: the fingerprint changes"
    assert anew.ids(split) == dataset.ids(split), f"{dataset.name}: the ids change"


def travels_to_workers(dataset: Dataset, split: str) -> None:
    """It can be pickled after use, and the copy gives the same samples."""
    expected = dataset.sample(split, 0)
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 (its own bytes)
    assert torch.equal(copy.sample(split, 0).image, expected.image), f"{dataset.name}: a copy gives other images"


ATTRIBUTION_CHECKS: tuple[Callable[[Attribution, Network, Request], None], ...] = (
    gives_maps_of_the_right_shape,
    explains_alone_as_in_company,
    explains_channels_last_alike,
    explains_its_target,
    explains_twice_the_same,
    costs_what_it_declares,
    leaves_everything_as_it_was,
)
METRIC_CHECKS: tuple[Callable[[Metric, Network, Request, Attribution], None], ...] = (
    scores_each_image,
    scores_alone_as_in_company,
    refuses_a_map_that_is_not_finite,
)
RECIPE_CHECKS: tuple[Callable[[Recipe, Network, Request], None], ...] = (
    gives_a_finite_loss,
    draws_from_its_generator_alone,
    leaves_modes_and_gradients_alone,
)
DATASET_CHECKS: tuple[Callable[[Dataset, str], None], ...] = (
    lists_its_images,
    offers_consistent_samples,
    has_truth_for_all_or_none,
    places_fixations_on_the_image,
    has_a_stable_fingerprint,
    travels_to_workers,
)


def _some(ids: Sequence[str]) -> list[int]:
    return sorted({0, len(ids) // 2, len(ids) - 1})


def _explained(network: Network, request: Request, method: Attribution) -> Explained:
    return explained_by(method, network, request, network.logits(request.images).detach())


def _close(first: Tensor, second: Tensor, breach: str) -> None:
    apart = (first - second).abs()
    scale = first.abs().nan_to_num().amax().clamp_min(1)
    both_missing = first.isnan() & second.isnan()
    assert bool(((apart <= TOLERANCE * scale) | both_missing).all()), breach


def _state(module: nn.Module) -> list[Any]:
    return [
        [(name, values.tolist()) for name, values in module.state_dict().items()],
        [(weight.requires_grad, weight.grad is None) for weight in module.parameters()],
        [part.training for part in module.modules()],
        [len(part._forward_hooks) + len(part._backward_hooks) for part in module.modules()],
    ]


class _PlannedError(Exception):
    """The failure that a check brings about."""


class _FailsForwards(nn.Module):
    """A network that runs and then fails."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        self.inner(images)
        raise _PlannedError


class _FailsBackwards(nn.Module):
    """A network that fails as soon as gradients are taken."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images)
        if logits.requires_grad:
            logits.register_hook(_fail)
        return logits


def _fail(_: Tensor) -> None:
    raise _PlannedError
