"""The same path as a suite's, for somebody's own network and images."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import pandas as pd
from torch import Tensor, nn

from bench.api import OK, Attribution, ImageMetric, ImageRandom, Network, Preprocess, Request
from bench.engine import clean_logits
from bench.errors import HeatmarkError
from bench.scoring.measure import explained_by, measure
from bench.suites.plugin_tables import make_plugin

T = TypeVar("T")


def evaluate(
    model: nn.Module | Network,
    images: Tensor,
    targets: Tensor | None = None,
    *,
    attributions: Sequence[str | Attribution],
    metrics: Sequence[str | ImageMetric],
    truth: Tensor | None = None,
    references: Tensor | None = None,
    image_ids: Sequence[str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of attributions on a network: one row per image, attribution and metric.

    `images` (batch, channel, height, width) as the model takes them, on its device; `targets` (batch,)
    outputs to explain, None for the predicted ones; `truth` (batch, height, width) in [0, 1]; `references`
    (any, channel, height, width). Plug-ins are given as instances or by name with their default settings.
    A plug-in that fails raises; an image that cannot be scored has a status. HeatmarkError where shapes disagree.
    """
    network = model if isinstance(model, Network) else Network(model, preprocess=_sized(images))
    methods = [_attribution(method) for method in _several(attributions, "attributions")]
    scorers = [_metric(metric) for metric in _several(metrics, "metrics")]
    _check_images(images)
    _check_shape(truth, "truth", (len(images), *images.shape[2:]))
    _check_shape(references, "references", (None, *images.shape[1:]))
    _check_shape(targets, "targets", (len(images),))
    ids = tuple(str(row) for row in range(len(images))) if image_ids is None else tuple(image_ids)
    _check_ids(ids, len(images))
    clean = clean_logits(network, images)
    wanted = clean.argmax(1) if targets is None else _outputs(targets.to(clean.device), clean.shape[1])
    request = Request(images, wanted, ImageRandom(seed, "run", ids), truth, references)
    pairs = []
    for method in methods:
        explained = explained_by(method, network, request, clean)
        pairs += [(metric, explained) for metric in scorers]
    frames = [
        pd.DataFrame(
            {
                "image": list(ids),
                "attribution": explained.method.label,
                "metric": metric.label,
                "protocol": metric.stamp,
                "target": wanted.cpu().numpy(),
                "score": scored.score.double().cpu().numpy(),
                "status": list(scored.status or (OK,) * len(ids)),
            }
        )
        for (metric, explained), scored in zip(pairs, measure(pairs), strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def _several(plugins: Sequence[T], what: str) -> Sequence[T]:
    if isinstance(plugins, str) or not plugins:
        raise HeatmarkError(f"{what}: expected a list of names or instances, got {plugins!r}")
    return plugins


def _attribution(plugin: str | Attribution) -> Attribution:
    made = make_plugin("attributions", {"name": plugin}, "attributions") if isinstance(plugin, str) else plugin
    if not isinstance(made, Attribution):
        raise HeatmarkError(f"attributions: {plugin!r} is not one; expected a name or an instance")
    return made


def _metric(plugin: str | ImageMetric) -> ImageMetric:
    made = make_plugin("metrics", {"name": plugin}, "metrics") if isinstance(plugin, str) else plugin
    if not isinstance(made, ImageMetric):
        raise HeatmarkError(f"metrics: {plugin!r} does not score a single network; expected a name or an instance")
    return made


def _sized(images: Tensor) -> Preprocess:
    height, width = images.shape[-2:]
    return Preprocess(size=(height, width))


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point() or not len(images):
        given = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
        raise HeatmarkError(f"images: expected floating point (batch, channel, height, width), got {given}")


def _check_shape(values: Tensor | None, what: str, shape: tuple[int | None, ...]) -> None:
    """A tensor of this shape, None standing for any length."""
    if values is None:
        return
    given = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
    fits = len(given) == len(shape) and all(one in (None, own) for one, own in zip(shape, given, strict=True))
    if not fits:
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise HeatmarkError(f"{what}: expected a tensor of shape ({expected}), got {given}")


def _check_ids(ids: tuple[str, ...], count: int) -> None:
    if len(ids) != count:
        raise HeatmarkError(f"image_ids: expected {count}, one for each image, got {len(ids)}")
    twice, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise HeatmarkError(f"image_ids: {twice!r} is there {times} times; expected another id for each image")


def _outputs(targets: Tensor, count: int) -> Tensor:
    """The targets as outputs to explain; HeatmarkError where the network has no such output."""
    if targets.is_floating_point() or targets.amin() < 0 or targets.amax() >= count:
        raise HeatmarkError(f"targets: expected whole numbers from 0 to {count - 1}, got {targets.tolist()}")
    return targets.long()
