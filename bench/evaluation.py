"""The same path as a suite's, for somebody's own network and images."""

from collections.abc import Sequence

import pandas as pd
from torch import Tensor, nn

from bench.api import Attribution, Metric
from bench.engine import clean_logits
from bench.errors import HeatmarkError
from bench.handed import OK, Network, Preprocess, Request
from bench.measure import explained_by, measure
from bench.randomness import ImageRandom
from bench.suite import make_plugin


def evaluate(
    model: nn.Module | Network,
    images: Tensor,
    targets: Tensor | None = None,
    *,
    attributions: Sequence[str | Attribution],
    metrics: Sequence[str | Metric],
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
    methods = [_attribution(method) for method in attributions]
    scorers = [_metric(metric) for metric in metrics]
    _check(images, targets=targets, truth=truth, image_ids=image_ids)
    ids = tuple(str(row) for row in range(len(images))) if image_ids is None else tuple(image_ids)
    clean = clean_logits(network, images)
    wanted = clean.argmax(1) if targets is None else targets.to(clean.device)
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


def _attribution(plugin: str | Attribution) -> Attribution:
    made = make_plugin("attributions", {"name": plugin}, "attributions") if isinstance(plugin, str) else plugin
    if not isinstance(made, Attribution):
        raise HeatmarkError(f"attributions: {plugin!r} is not one; expected a name or an instance")
    return made


def _metric(plugin: str | Metric) -> Metric:
    made = make_plugin("metrics", {"name": plugin}, "metrics") if isinstance(plugin, str) else plugin
    if not isinstance(made, Metric):
        raise HeatmarkError(f"metrics: {plugin!r} does not score a single network; expected a name or an instance")
    return made


def _sized(images: Tensor) -> Preprocess:
    height, width = images.shape[-2:]
    return Preprocess(size=(height, width))


def _check(images: Tensor, **others: Sequence[str] | Tensor | None) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise HeatmarkError(
            f"images: expected floating point (batch, channel, height, width), got {images.dtype} {tuple(images.shape)}"
        )
    for name, values in others.items():
        if values is not None and len(values) != len(images):
            raise HeatmarkError(f"{name}: expected {len(images)}, one for each image, got {len(values)}")
