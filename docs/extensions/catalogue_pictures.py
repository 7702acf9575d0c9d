"""The pictures of the catalogue: what each plug-in does to one planted image."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import bench
from bench.api import AnyMetric, Dataset, ImageMetric, Plugin
from bench.api.registry import plugin_class
from bench.errors import HeatmarkError
from bench.functional import reduce_channels
from bench.results.result_set import read_results

ROOT = Path(bench.__file__).parents[1]
NETWORK = {
    "architecture": "small_resnet",
    "weights": str(Path(bench.__file__).parent / "trained" / "small_resnet-standard.safetensors"),
}
IMAGES = {"name": "planted", "split": "test", "images": 1}
JUDGED = ("oracle", "integrated_gradients", "simple_gradient", "edges", "random_map")
RECIPE_BOARDS = ("recipes-planted/scratch", "recipes-planted/regularizers")

Found = Mapping[str, Mapping[str, type[Plugin]]]


def draw_all(found: Found, out: Path) -> dict[tuple[str, str], str]:
    """Draw into a folder what can be drawn without a download; the file of each (kind, name) that has one."""
    out.mkdir(parents=True)
    drawn = {}
    torch.manual_seed(0)
    pictures = (
        *_of_attributions(found["attributions"]),
        *_of_metrics(found["metrics"]),
        *_of_datasets(found["datasets"]),
        *_of_recipes(found["recipes"]),
    )
    for kind, name, figure in pictures:
        drawn[kind, name] = f"{kind}-{name}.png"
        figure.savefig(out / drawn[kind, name], dpi=100)
    return drawn


def _of_attributions(plugins: Mapping[str, type[Plugin]]) -> Iterator[tuple[str, str, Figure]]:
    """The planted image, its truth, and each method's heatmap; none for a method that does not work on the network."""
    dataset = plugin_class("datasets", "planted")()
    assert isinstance(dataset, Dataset)  # noqa: S101 - for the type checker
    sample = dataset.sample("test", 0)
    for name, plugin in plugins.items():
        try:
            maps = bench.explain(NETWORK, IMAGES, "labels", attributions=[name], references=_references(dataset))
        except HeatmarkError:
            continue
        heatmap = reduce_channels(maps[name], plugin().reduction)[0]
        figure, axes = _row(3)
        _picture(axes[0], sample.image, "image")
        _map(axes[1], sample.truth, "truth")
        _map(axes[2], heatmap, plugin().display)
        yield "attributions", name, figure


def _of_metrics(plugins: Mapping[str, type[Plugin]]) -> Iterator[tuple[str, str, Figure]]:
    """Five heatmaps of the image, best first by each metric that scores a single image without fixations."""
    maps = bench.explain(NETWORK, IMAGES, "labels", attributions=JUDGED)
    chosen = [name for name, own in plugins.items() if issubclass(own, ImageMetric)]
    scores = bench.evaluate(NETWORK, IMAGES, "labels", attributions=JUDGED, metrics=chosen, on_error="status")
    heatmaps = {label: reduce_channels(own, "absolute_sum")[0] for label, own in maps.items()}
    for name, own in scores[scores.score.notna()].groupby("metric"):
        plugin = plugins[str(name)]()
        assert isinstance(plugin, AnyMetric)  # noqa: S101 - for the type checker
        ordered = own.sort_values("score", ascending=plugin.direction == "lower", kind="stable")
        figure, axes = _row(len(ordered))
        for place, row in zip(axes, ordered.itertuples(), strict=True):
            _map(place, heatmaps[row.attribution], f"{row.attribution}\n{row.score:.3g}")
        yield "metrics", str(name), figure


def _of_datasets(plugins: Mapping[str, type[Plugin]]) -> Iterator[tuple[str, str, Figure]]:
    """Four images of each data set that is made or comes in a package."""
    for name, plugin in plugins.items():
        dataset = plugin()
        assert isinstance(dataset, Dataset)  # noqa: S101 - for the type checker
        if name not in {"planted", "photographs"}:
            continue
        split = dataset.present[-1]
        figure, axes = _row(4)
        for position, place in enumerate(axes):
            sample = dataset.sample(split, position)
            _picture(place, sample.image, dataset.classes[sample.label] if dataset.labelled else sample.id)
        yield "datasets", name, figure


def _of_recipes(plugins: Mapping[str, type[Plugin]]) -> Iterator[tuple[str, str, Figure]]:
    """An image and its gradient after plain training and after the recipe, from the published boards."""
    for name in plugins:
        for board in RECIPE_BOARDS:
            pictures = read_results(ROOT / "results" / board).heatmaps
            recipes = pictures.recipe.astype(str)
            own = pictures[recipes.str.partition("(")[0].eq(name) & pictures.kind.eq("heatmap")]
            if own.empty:
                continue
            one = own.iloc[0]
            plain = pictures[pictures.recipe.eq(recipes.iloc[0]) & pictures.image.eq(one.image)]
            images = (
                ("image", plain[plain.kind.eq("image")]),
                (str(recipes.iloc[0]), plain[plain.kind.eq("heatmap")]),
                (str(one.recipe).replace("(", "\n("), own),
            )
            figure, axes = _row(3)
            for place, (title, rows) in zip(axes, images, strict=True):
                place.imshow(Image.open(io.BytesIO(rows.iloc[0].png)), cmap="magma")
                place.set_title(title, fontsize=8)
            yield "recipes", name, figure
            break


def _references(dataset: Dataset) -> Tensor:
    """Eight images as the network takes them, for methods that compare with others."""
    return torch.stack([dataset.sample("train", position).image for position in range(8)])


def _row(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(1.9 * count, 2.3), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False).ravel().tolist()
    for place in axes:
        place.set_axis_off()
    return figure, axes


def _picture(axes: Axes, image: Tensor, title: str) -> None:
    axes.imshow(image.permute(1, 2, 0).numpy())
    axes.set_title(title, fontsize=8)


def _map(axes: Axes, heatmap: Tensor, title: str) -> None:
    """Signed maps red above and blue below zero, others by brightness; the strongest 1% clipped."""
    top = float(heatmap.abs().flatten().double().quantile(0.99)) or 1.0
    colours, least = ("RdBu_r", -top) if bool(heatmap.min() < 0) else ("magma", 0.0)
    axes.imshow(heatmap.numpy(), cmap=colours, vmin=least, vmax=top)
    axes.set_title(title, fontsize=8)
