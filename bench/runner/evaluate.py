"""The same path as a suite's, for somebody's own network and images."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from bench.api import OK, Attribution, Explained, ImageMetric, Network, OutputKind, Preprocess, Request, Scored
from bench.data.given_images import GivenImages
from bench.errors import HeatmarkError
from bench.runner.evaluation import Evaluation, OnError, Targets, several
from bench.suites.make import make_plugin


def evaluate(
    model: nn.Module | Network,
    images: Any,
    targets: Targets = None,
    *,
    attributions: Sequence[str | Attribution],
    metrics: Sequence[str | ImageMetric],
    truth: Tensor | Sequence[Any] | None = None,
    fixations: Sequence[Tensor] | None = None,
    references: Tensor | None = None,
    preprocess: Preprocess | None = None,
    output: OutputKind | None = None,
    classes: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    batch: int = 32,
    on_error: OnError = "raise",
    progress: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of attributions on a network: one row per image, attribution and metric.

    `images`: floating point (batch, channel, height, width) as the model takes them; or 8-bit arrays
    (batch, height, width, 3), PIL images, paths, which `preprocess` brings to the model (default: its own size, in
    [0, 1]); or a data set or DataLoader of either. `targets`: outputs to explain by number, or by name in `classes`;
    "labels" for those of the data set; None for the predicted ones. `truth`: a map (height, width) in [0, 1] for each
    image, `fixations`: (count, 4) for each; `references` (any, channel, height, width) as the model takes them.
    `output`: what the model returns, "logits" of classes unless told otherwise (`bench.api.Network`).
    Plug-ins are given as instances, or by name with their default settings. Images go through `batch` at a time.

    A plug-in that fails raises, or gives its rows a status with `on_error="status"`; an image that cannot be scored
    has a status. HeatmarkError where something does not fit.
    """
    scorers = [_metric(metric) for metric in several(metrics, "metrics")]
    given = GivenImages(images, truth, fixations, image_ids)
    work = Evaluation(
        model, given, targets, attributions, references, preprocess, output, classes, batch, on_error, seed
    )
    frames = []
    with torch.inference_mode(False):
        for request, explanations in work.explained(progress):
            frames += [
                _frame(request, method, metric, scored) for method, metric, scored in work.scored(explanations, scorers)
            ]
    return _ordered(pd.concat(frames, ignore_index=True), work.methods, scorers)


def explain(
    model: nn.Module | Network,
    images: Any,
    targets: Targets = None,
    *,
    attributions: Sequence[str | Attribution],
    truth: Tensor | Sequence[Any] | None = None,
    references: Tensor | None = None,
    preprocess: Preprocess | None = None,
    output: OutputKind | None = None,
    classes: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    batch: int = 32,
    progress: bool = False,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Signed attributions (images, channel | 1, height, width) on the CPU, by the label of each method.

    Everything is given as to `evaluate`; a method that fails raises.
    """
    given = GivenImages(images, truth, None, image_ids)
    work = Evaluation(
        model, given, targets, attributions, references, preprocess, output, classes, batch, "raise", seed
    )
    maps: dict[str, list[Tensor]] = {method.label: [] for method in work.methods}
    with torch.inference_mode(False):
        for _, explanations in work.explained(progress):
            for method, own in explanations.items():
                assert isinstance(own, Explained)  # noqa: S101 - for the type checker
                maps[method.label].append(own.attributions.cpu())
    return {label: torch.cat(parts) for label, parts in maps.items()}


def _frame(request: Request, method: Attribution, metric: ImageMetric, scored: Scored | str) -> pd.DataFrame:
    """A row per image of a batch."""
    own = Scored.none([scored] * len(request)) if isinstance(scored, str) else scored
    return pd.DataFrame(
        {
            "image": list(request.rng.image_ids),
            "attribution": method.label,
            "metric": metric.label,
            "protocol": metric.stamp,
            "target": request.targets.cpu().numpy(),
            "score": own.score.double().cpu().numpy(),
            "status": list(own.status or (OK,) * len(request)),
        }
    )


def _ordered(frame: pd.DataFrame, methods: Sequence[Attribution], metrics: Sequence[ImageMetric]) -> pd.DataFrame:
    """The rows by method and metric as they were given, the images of each in their order."""
    order = {(method.label, metric.label): i for i, (method, metric) in enumerate(product(methods, metrics))}
    place = [order[pair] for pair in zip(frame.attribution, frame.metric, strict=True)]
    return frame.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def _metric(plugin: str | ImageMetric) -> ImageMetric:
    made = make_plugin("metrics", {"name": plugin}, "metrics") if isinstance(plugin, str) else plugin
    if not isinstance(made, ImageMetric):
        raise HeatmarkError(f"metrics: {plugin!r} does not score a single network; expected a name or an instance")
    return made
