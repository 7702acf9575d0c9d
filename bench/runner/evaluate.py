"""The same path as a suite's, for somebody's own network and images."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bench.api import OK, Attribution, Explained, ImageMetric, Network, OutputKind, Preprocess, Request, Scored
from bench.data.given_images import GivenImages
from bench.errors import HeatmarkError, exits_refused
from bench.runner.evaluation import Evaluation, Model, Named, OnError, Targets
from bench.suites.make import make_plugin, several

COLUMNS = ["image", "attribution", "metric", "protocol", "target", "score", "status"]


def evaluate(
    model: Model,
    images: Any,
    targets: Targets = None,
    *,
    attributions: Sequence[str | Attribution],
    metrics: Sequence[str | ImageMetric],
    truth: Tensor | Sequence[Any] | None = None,
    fixations: Sequence[Tensor] | None = None,
    references: Tensor | None = None,
    preprocess: Preprocess | Mapping[str, Any] | None = None,
    output: OutputKind | None = None,
    classes: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    batch: int = 32,
    device: torch.device | str | None = None,
    on_error: OnError = "raise",
    progress: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of attributions on a network: one row per image, attribution and metric; `bench.leaderboard` ranks them.

    `model`: a module, a `Network`, or a network by name ("resnet50", "timm:resnet50.a1_in1k", "hf:OWNER/NAME"), whose
    weights say how they want images and what classes are called; or a suite's table of a network, {"architecture":
    "resnet50", "weights": "IMAGENET1K_V1", "download": True}. What is loaded by name computes on `device`, by default
    a GPU where there is one; nothing is downloaded unless the table says so.
    `images`: floating point (batch, channel, height, width) as the model takes them; or 8-bit arrays
    (batch, height, width, 3), PIL images, paths, which `preprocess` brings to the model (default: its own size, in
    [0, 1]; a `Preprocess`, or a suite's table such as {"size": [224, 224]}, which changes what it names); or a data set
    or DataLoader of either; or a data set by name, as a suite's table ({"name":
    "torchvision:Imagenette", "split": "val", "images": 100}), or as a folder with a folder of images for each class.
    `targets`: outputs to explain by number, or by name in `classes`; "labels" for those of the data set; None for the
    predicted ones. `truth`: a map (height, width) in [0, 1] for each
    image, `fixations`: (count, 4) for each; `references` (any, channel, height, width) as the model takes them.
    `output`: what the model returns, "logits" of classes unless told otherwise (`bench.api.Network`).
    Plug-ins are given as instances, or by name with their default settings. Images go through `batch` at a time.

    A plug-in that fails raises, or gives its rows a status with `on_error="status"`; an image that cannot be scored
    has a status. HeatmarkError where something does not fit.
    """
    scorers = several(metrics, "metrics", _metric)
    _check_progress(progress)
    named = Named.of(model, images, device)
    given, names = GivenImages(named.images, truth, fixations, image_ids), named.classes if classes is None else classes
    work = Evaluation(
        *(named.model, given, targets, attributions, references, preprocess, output, names),
        *(batch, on_error, seed, scorers),
    )
    rows: list[tuple[Any, ...]] = []
    with torch.inference_mode(False), exits_refused():
        for request, explanations in work.explained(progress):
            for method, metric, scored in work.scored(explanations):
                rows += _rows(request, method, metric, scored)
    frame = _ordered(pd.DataFrame(rows, columns=COLUMNS), work.methods, scorers)
    frame.attrs["heatmark"] = {
        "network": named.model.name if isinstance(named.model, Network) else "network",
        "target": "predicted" if targets is None else "label" if isinstance(targets, str) else "given",
        "attributions": {method.label: method.card.written() for method in work.methods},
        "metrics": {metric.label: metric.card.written() for metric in scorers},
    }
    return frame


def explain(
    model: Model,
    images: Any,
    targets: Targets = None,
    *,
    attributions: Sequence[str | Attribution],
    truth: Tensor | Sequence[Any] | None = None,
    references: Tensor | None = None,
    preprocess: Preprocess | Mapping[str, Any] | None = None,
    output: OutputKind | None = None,
    classes: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    batch: int = 32,
    device: torch.device | str | None = None,
    progress: bool = False,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Signed attributions (images, channel | 1, height, width) on the CPU, by the label of each method.

    Everything is given as to `evaluate`; a method that fails raises.
    """
    _check_progress(progress)
    named = Named.of(model, images, device)
    given, names = GivenImages(named.images, truth, None, image_ids), named.classes if classes is None else classes
    work = Evaluation(
        named.model, given, targets, attributions, references, preprocess, output, names, batch, "raise", seed
    )
    maps: dict[str, list[Tensor]] = {method.label: [] for method in work.methods}
    with torch.inference_mode(False), exits_refused():
        for _, explanations in work.explained(progress):
            for method, own in explanations.items():
                assert isinstance(own, Explained)  # noqa: S101 - for the type checker
                maps[method.label].append(own.attributions.cpu())
    return {label: torch.cat(parts) for label, parts in maps.items()}


def _check_progress(progress: bool) -> None:
    if not isinstance(progress, bool):
        raise HeatmarkError(f"progress: expected True or False, got {progress!r:.80}")


def _rows(
    request: Request, method: Attribution, metric: ImageMetric, scored: Scored | str
) -> Iterator[tuple[Any, ...]]:
    """A row per image of a batch, of `COLUMNS`.

    Plain numbers: an array of scores would lie between large tensors, whose memory could not be given back.
    """
    own = Scored.none([scored] * len(request)) if isinstance(scored, str) else scored
    statuses = own.status or (OK,) * len(request)
    targets, scores = request.targets.tolist(), own.score.double().tolist()
    for image, target, score, status in zip(request.rng.image_ids, targets, scores, statuses, strict=True):
        yield image, method.label, metric.label, metric.stamp, target, score, status


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
