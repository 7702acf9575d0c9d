"""Suites ready to be carried out: what a file says, and the plug-ins that it names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.api import Attribution, Dataset, ImageMetric, NetworkMetric, Recipe
from bench.errors import HeatmarkError, nearest
from bench.plugins.sources import source_of
from bench.suites.make import make_plugin
from bench.suites.read import SuiteFile, dataset_table, plugin_tables, read_suite
from bench.suites.schema import DatasetTable, Settings, SuiteTable


@dataclass(frozen=True)
class Suite:
    """A validated suite: its table, as written and as validated, and the plug-ins that it names.

    `file` is the name of its file, `command` runs it as it is.
    """

    file: str
    command: str
    written: Settings
    table: SuiteTable
    dataset: Dataset
    recipes: tuple[Recipe, ...]
    attributions: tuple[Attribution, ...]
    metrics: tuple[ImageMetric | NetworkMetric, ...]

    def number_of(self, network: str | None, recipe: str | None = None) -> int:
        """The position of the first network of this name and of a recipe of this label; None is any.

        HeatmarkError with the nearest name where the suite has none.
        """
        names = [table.label for table in self.table.networks]
        if network is not None and network not in names:
            raise HeatmarkError(f"suite {self.table.name} has no network {network!r}; {nearest(network, names)}")
        labels = {i: self.recipes[i].label for i, name in enumerate(names) if network in (None, name)}
        if recipe is not None and recipe not in labels.values():
            known = nearest(recipe, set(labels.values()))
            raise HeatmarkError(f"suite {self.table.name} trains no such network by {recipe!r}; {known}")
        return next(i for i, label in labels.items() if recipe in (None, label))


def load_suite(
    name_or_path: str,
    overrides: Settings | None = None,
    only: Mapping[str, Sequence[str] | None] | None = None,
    *,
    quick: bool = False,
    allow_code: bool = False,
) -> Suite:
    """A suite as `bench.suites.read.read_suite` finds it, with its plug-ins."""
    return with_plugins(read_suite(name_or_path, overrides, only, quick=quick, allow_code=allow_code))


def with_plugins(suite: SuiteFile) -> Suite:
    """The suite with its plug-ins; HeatmarkError naming file and key where settings are refused or are there twice."""
    made = [make_plugin(own.kind, own.settings, own.where, own.beside) for own in plugin_tables(suite)]
    recipes = tuple(plugin for plugin in made if isinstance(plugin, Recipe))
    attributions = tuple(plugin for plugin in made if isinstance(plugin, Attribution))
    metrics = tuple(plugin for plugin in made if isinstance(plugin, ImageMetric | NetworkMetric))
    dataset = made[0]
    assert isinstance(dataset, Dataset)  # noqa: S101 - for the type checker
    file, table = suite.file, suite.table
    _check_split(table.dataset.split, dataset, f"{file}: dataset")
    _check_labels(table, dataset, file)
    _check_metrics(table.smallest, f"{file}: smallest")
    _check_distinct([plugin.label for plugin in attributions], f"{file}: attributions")
    _check_distinct([plugin.label for plugin in metrics], f"{file}: metrics")
    names = [f"{t.label} by {r.label}" for t, r in zip(table.networks, recipes, strict=True)]
    _check_distinct(names, f"{file}: networks")
    return Suite(suite.file, suite.command, suite.written, table, dataset, recipes, attributions, metrics)


def dataset_of(written: Mapping[str, Any], where: str) -> tuple[DatasetTable, Dataset]:
    """The table of a data set by itself, validated, and the data set; errors begin with `where`."""
    table = dataset_table(written, where)
    own = {"name": table.name, **(table.model_extra or {})}
    made = make_plugin("datasets", own, where, DatasetTable.model_fields)
    assert isinstance(made, Dataset)  # noqa: S101 - for the type checker
    _check_split(table.split, made, where)
    return table, made


def _check_split(split: str | None, dataset: Dataset, where: str) -> None:
    if split is not None and split not in dataset.splits:
        raise HeatmarkError(f"{where}.split: {dataset.name} has no split {split!r}; {nearest(split, dataset.splits)}")


def _check_labels(table: SuiteTable, dataset: Dataset, file: str) -> None:
    """That nothing asks for labels which nobody has given."""
    asks = {
        'target = "label"': table.target == "label",
        "only_correct": table.only_correct,
        "training": any(network.training for network in table.networks),
    }
    for what in (name for name, on in asks.items() if on and not dataset.labelled):
        raise HeatmarkError(f"{file}: {what}: the images of {dataset.name} are not labelled; leave it out")


def _check_metrics(names: Iterable[str], where: str) -> None:
    """That these are metrics, by name or label, of the suite or of any other: some may have been left out of it."""
    for name in names:
        try:
            source_of("metrics", name.partition("(")[0])
        except HeatmarkError as error:
            raise HeatmarkError(f"{where}: {error}") from error


def _check_distinct(labels: list[str], where: str) -> None:
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        raise HeatmarkError(f"{where}: {label} is there {count} times; give each its own settings or name")
