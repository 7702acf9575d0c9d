"""The same path as a suite's, for somebody's own network and images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from bench.api import (
    OK,
    Attribution,
    Dataset,
    Explained,
    ImageMetric,
    Network,
    OutputKind,
    Preprocess,
    Recipe,
    Request,
    Scored,
)
from bench.data.batches import evenly_spaced, usable
from bench.data.folders import class_folders, image_files
from bench.data.given_images import ChosenImages, GivenImages
from bench.engine.devices import check_place, device_named
from bench.engine.memory_limit import memory_of
from bench.errors import HeatmarkError, exits_refused
from bench.plugins.sources import source_of
from bench.progress import progress as progress_bars
from bench.runner.evaluation import Evaluation, Model, OnError, Targets, in_usual_chunks, settings_of
from bench.runner.networks import NetworkLoader
from bench.runner.records import Trained
from bench.suites.load import dataset_of
from bench.suites.make import make_plugin, several
from bench.suites.read import network_table
from bench.suites.schema import DatasetTable, NetworkTable, PreprocessTable

COLUMNS = ["image", "attribution", "metric", "protocol", "target", "score", "status"]


@dataclass(frozen=True)
class Named:
    """A model and images, where they were given by name: the network with its weights, the images of the data set.

    `classes` are what the weights' library calls the outputs.
    """

    model: nn.Module | Network
    images: Any
    classes: Sequence[str] | None = None

    @classmethod
    def of(cls, model: Model, images: Any, device: torch.device | str | None, preprocess: Any) -> "Named":
        """As `evaluate` takes them; HeatmarkError where a name is none, or weights or files are not here."""
        images = _files_of(images)
        images_table = _dataset_table(images)
        chosen, dataset = dataset_of(images_table, "images") if images_table is not None else (None, None)
        if chosen is None and isinstance(images, Dataset):
            dataset = images
        if isinstance(model, str | Mapping):
            settings = {"architecture": model} if isinstance(model, str) else model
            table = _preprocessed(network_table(settings, "model"), settings_of(preprocess))
            trained = _loaded(table, dataset, device)
            own = cls(trained.network, images, trained.categories or None)
        else:
            own = cls(model, images)
            module = model.module if isinstance(model, Network) else model
            if device is not None and isinstance(module, nn.Module):
                check_place(module, device)
        return own if chosen is None or dataset is None else replace(own, images=_chosen(chosen, dataset, own.model))


def _files_of(images: Any) -> Any:
    """The image files where the path of one, or of a folder in which they lie directly, is given; all else as it is."""
    if not isinstance(images, str | Path):
        return images
    path = Path(images)
    if path.is_file():
        return [path]
    flat = path.is_dir() and not class_folders(path)
    return (image_files(path) if flat else None) or images


def _dataset_table(images: Any) -> Mapping[str, Any] | None:
    """The table of a data set that is given by its table, its name, or the folder of its images; None for others."""
    if isinstance(images, Mapping):
        if "name" not in images:
            raise HeatmarkError(f"images: a data set's table has a `name`, got {', '.join(map(str, images))}")
        return images
    if isinstance(images, str | Path) and Path(images).is_dir():
        return {"name": "image_folder", "root": str(images)}
    if not isinstance(images, str):
        return None
    try:
        return {"name": source_of("datasets", images).name}
    except HeatmarkError as error:
        raise HeatmarkError(f"images: no file or folder {images!r}, and {error}") from error


def _preprocessed(table: NetworkTable, own: dict[str, Any]) -> NetworkTable:
    """The table with these settings, which are right, laid over those of its own `preprocess`."""
    settings = table.preprocess.model_dump(exclude_unset=True) | own
    return table.model_copy(update={"preprocess": PreprocessTable.model_construct(**settings)})


def _loaded(table: NetworkTable, dataset: Dataset | None, device: torch.device | str | None) -> Trained:
    if table.training is not None:
        raise HeatmarkError("model: `training` is for suites, which `heatmark run` carries out; expected weights")
    place = device_named("auto" if device is None else device)
    recipe = make_plugin("recipes", table.recipe, "model: recipe")
    assert isinstance(recipe, Recipe)  # noqa: S101 - for the type checker
    with progress_bars() as bars:
        (trained,) = NetworkLoader(table, recipe, dataset, "model", Path(), place, bars, "refuse").load()
    return replace(trained, network=in_usual_chunks(trained.network))


def _chosen(table: DatasetTable, dataset: Dataset, model: nn.Module | Network) -> ChosenImages:
    """The images of a data set that the network knows, as many as its table says."""
    split = table.split or dataset.splits[-1]
    known = usable(dataset, split, model if isinstance(model, Network) else Network(model))
    positions = [known[i] for i in evenly_spaced(len(known), table.images)]
    return ChosenImages(dataset, split, positions)


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
    memory: str | int | None = None,
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
    "torchvision:Imagenette", "split": "val", "images": 100}), or as a folder with a folder of images for each class; a
    folder in which images lie directly gives images without labels.
    `targets`: outputs to explain by number, or by name in `classes`; "labels" for those of the data set; None for the
    predicted ones. `truth`: a map (height, width) in [0, 1] for each
    image, `fixations`: (count, 4) for each; `references` (any, channel, height, width) as the model takes them.
    `output`: what the model returns, "logits" of classes unless told otherwise (`bench.api.Network`).
    Plug-ins are given as instances, or by name with their default settings. Images go through `batch` at a time, so
    few of them at once that the process, or a GPU, takes no more than `memory`, as "3GB", where that is said.

    A plug-in that fails raises, or gives its rows a status with `on_error="status"`; an image that cannot be scored
    has a status. HeatmarkError where something does not fit.
    """
    scorers = several(metrics, "metrics", _metric)
    _check_progress(progress)
    named = Named.of(model, images, device, preprocess)
    given = GivenImages(named.images, truth, fixations, image_ids, labelled=isinstance(targets, str))
    names = named.classes if classes is None else classes
    work = Evaluation(
        *(named.model, given, targets, attributions, references, preprocess, output, names),
        *(batch, on_error, seed, memory_of(memory, "memory"), scorers),
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
    memory: str | int | None = None,
) -> dict[str, Tensor]:
    """Signed attributions (images, channel | 1, height, width) on the CPU, by the label of each method.

    Everything is given as to `evaluate`; a method that fails raises.
    """
    _check_progress(progress)
    named = Named.of(model, images, device, preprocess)
    given = GivenImages(named.images, truth, None, image_ids, labelled=isinstance(targets, str))
    names = named.classes if classes is None else classes
    work = Evaluation(
        *(named.model, given, targets, attributions, references, preprocess, output, names),
        *(batch, "raise", seed, memory_of(memory, "memory")),
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
