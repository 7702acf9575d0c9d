"""Read a suite's TOML file: validated settings, or one line that says what is wrong; no plug-in is imported."""

import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.errors import HeatmarkError, nearest
from bench.suites.plugin_tables import check_plugin, complaint, is_unknown, worst
from bench.suites.schema import (
    AttackTable,
    DatasetTable,
    EngineTable,
    NetworkTable,
    PreprocessTable,
    Settings,
    SuiteTable,
)
from bench.training.hyperparameters import Augmentation, Training

SHIPPED = Path(__file__).parent
_TABLES: dict[tuple[str, ...], Any] = {
    (): SuiteTable,
    ("dataset",): DatasetTable,
    ("engine",): EngineTable,
    ("attack",): AttackTable,
    ("networks",): NetworkTable,
    ("networks", "preprocess"): PreprocessTable,
    ("networks", "training"): Training,
    ("networks", "training", "augmentation"): Augmentation,
}


@dataclass(frozen=True)
class SuiteFile:
    """A suite as its file says it: the file's name, the command that runs it, the table as written and as validated."""

    file: str
    command: str
    written: Settings
    table: SuiteTable


@dataclass(frozen=True)
class PluginTable:
    """Where a suite names a plug-in: its kind, its table, and how errors name the place."""

    kind: str
    settings: Settings
    where: str
    beside: tuple[str, ...] = ()


def plugin_tables(suite: SuiteFile) -> Iterator[PluginTable]:
    """Every plug-in that a suite names: the data set, then a recipe for each network, attributions, metrics."""
    table, file = suite.table, suite.file
    own = {"name": table.dataset.name, **(table.dataset.model_extra or {})}
    yield PluginTable("datasets", own, f"{file}: dataset", tuple(DatasetTable.model_fields))
    for i, network in enumerate(table.networks):
        yield PluginTable("recipes", network.recipe, f"{file}: networks[{i}].recipe")
    for kind, tables in (("attributions", table.attributions), ("metrics", table.metrics)):
        for i, settings in enumerate(tables):
            yield PluginTable(kind, settings, f"{file}: {kind}[{i}]")


def shipped_suites() -> dict[str, Path]:
    """The suites inside the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def read_suite(
    name_or_path: str,
    overrides: Settings | None = None,
    only: Mapping[str, Sequence[str] | None] | None = None,
    *,
    quick: bool = False,
    allow_code: bool = False,
) -> SuiteFile:
    """A shipped suite by name, or any TOML file by path, validated as far as that needs no plug-in to be imported.

    `overrides` are laid over the file's tables; with `quick` so is its own `[quick]` table. A table laid over
    an array of tables goes over each of them. `only` keeps the attributions or metrics of these names, with the
    suite's settings where it has them. A suite that names code of its own is refused unless `allow_code`, or
    HEATMARK_ALLOW_CODE=1 in the environment. Raises HeatmarkError naming file, key and nearest valid name.
    """
    path = _path_of(name_or_path)
    try:
        return _read(path, name_or_path, overrides or {}, only or {}, quick=quick, allow_code=allow_code)
    except RecursionError as error:
        raise HeatmarkError(f"{path} cannot be read as a suite: it is nested too deep") from error


def _read(
    path: Path,
    name: str,
    overrides: Settings,
    only: Mapping[str, Sequence[str] | None],
    *,
    quick: bool,
    allow_code: bool,
) -> SuiteFile:
    raw = _parsed(path)
    small = raw.pop("quick", None)
    if quick and small is None:
        raise HeatmarkError(f"{path.name} has no table [quick], and so no size of its own for --quick")
    if not isinstance(small, dict | None):
        raise HeatmarkError(f"{path.name}: quick: expected a table, got {type(small).__name__}")
    for layer in (small if quick else {}, overrides):
        raw = _laid_over(raw, layer)
    for key, names in only.items():
        raw = raw if names is None else raw | {key: _of_these_names(raw.get(key, []), names)}
    table = _validated(_one_recipe_each(_expanded(raw, path)), path.name)
    suite = SuiteFile(path.name, shlex.join(["heatmark", "run", name]), raw, table)
    for plugin in plugin_tables(suite):
        check_plugin(plugin.kind, plugin.settings, plugin.where, plugin.beside)
    _check_code(suite, allowed=allow_code)
    return suite


def suite_of_settings(written: Settings, command: str, folder: Path, *, allow_code: bool = False) -> SuiteFile:
    """The suite of a result set in `folder`, from the settings in its manifest and the command that ran it.

    `$SUITE` stands for the folder of the suite that the command names, or for `folder` where that is not here. Code
    that the settings name is refused unless `allow_code`, as by `read_suite`.
    """
    name = next(iter(shlex.split(command)[2:]), "")
    named = shipped_suites().get(name, Path(name))
    path = named if named.is_file() else folder / "manifest.json"
    table = _validated(_one_recipe_each(_expanded(written, path)), path.name)
    suite = SuiteFile(path.name, command, written, table)
    _check_code(suite, allowed=allow_code)
    return suite


def network_table(written: Mapping[str, Any], where: str) -> NetworkTable:
    """A network's table by itself, validated; errors begin with `where`, and code that it names may run."""
    table: NetworkTable = _validated(dict(written), where, ("networks",))
    return table


def preprocess_settings(written: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The settings that the table of a preprocessing gives, validated; errors begin with `where`."""
    table: PreprocessTable = _validated(dict(written), where, ("networks", "preprocess"))
    return table.model_dump(exclude_unset=True)


def dataset_table(written: Mapping[str, Any], where: str) -> DatasetTable:
    """A data set's table by itself, validated; errors begin with `where`."""
    table: DatasetTable = _validated(dict(written), where, ("dataset",))
    return table


def _parsed(path: Path) -> Settings:
    """The tables of a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise HeatmarkError(f"{path} cannot be read as a suite: it is nested too deep") from error
    except (OSError, ValueError) as error:
        raise HeatmarkError(f"{path} cannot be read as a suite: {error}") from error


def _check_code(suite: SuiteFile, *, allowed: bool) -> None:
    """Nobody's code runs because a suite names it, unless the caller has said so."""
    if allowed or os.environ.get("HEATMARK_ALLOW_CODE") == "1":
        return
    for number, network in enumerate(suite.table.networks):
        if network.runs_code:
            raise HeatmarkError(
                f"{suite.file}: networks[{number}].architecture: {network.architecture} is code of the suite's own; "
                "--allow-code (or HEATMARK_ALLOW_CODE=1) runs it, which only those should say who have read it"
            )


def has_quick(name_or_path: str) -> bool:
    """Whether a suite has a small size of its own."""
    return "quick" in _parsed(_path_of(name_or_path))


def _path_of(name_or_path: str) -> Path:
    shipped = shipped_suites()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.suffix != ".toml" or not path.is_file():
        raise HeatmarkError(f"no suite {name_or_path!r}, shipped or as a .toml file; {nearest(path.stem, shipped)}")
    return path


def _laid_over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _laid_over(below.get(key), value) for key, value in above.items()}
    if isinstance(below, list) and isinstance(above, dict):
        return [_laid_over(part, above) for part in below]
    return above


def _of_these_names(tables: Any, names: Sequence[str]) -> Any:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return tables  # which validation refuses
    own = {name: [table for table in tables if table.get("name") == name] for name in names}
    return [table for name, found in own.items() for table in found or [{"name": name}]]


def _expanded(raw: Any, path: Path, key: str = "") -> Any:
    """Every `$NAME` in a string replaced: `$SUITE` by the folder of the file, the others from the environment."""
    if isinstance(raw, dict):
        return {name: _expanded(value, path, f"{key}.{name}" if key else name) for name, value in raw.items()}
    if isinstance(raw, list):
        return [_expanded(value, path, f"{key}[{i}]") for i, value in enumerate(raw)]
    if not isinstance(raw, str):
        return raw
    if not raw.isprintable():
        raise HeatmarkError(f"{path.name}: {key}: {raw!r} has a control character")

    def value_of(match: re.Match[str]) -> str:
        if match[1] == "SUITE":
            return str(path.parent)
        if match[1] not in os.environ:
            raise HeatmarkError(f"{path.name}: {key}: the environment variable {match[1]} is not set")
        return os.environ[match[1]]

    return re.sub(r"\$([A-Za-z_]\w*)", value_of, raw)


def _one_recipe_each(raw: Any) -> Any:
    """A network with several `recipes` as one network for each of them."""

    def parted(table: Any) -> list[Any]:
        if not isinstance(table, dict) or not isinstance(table.get("recipes"), list) or "recipe" in table:
            return [table]
        shared = {key: value for key, value in table.items() if key != "recipes"}
        return [shared | {"recipe": recipe} for recipe in table["recipes"]]

    networks = raw.get("networks")
    if not isinstance(networks, list):
        return raw
    return raw | {"networks": [part for table in networks for part in parted(table)]}


def _validated(raw: Settings, file: str, at: tuple[str, ...] = ()) -> Any:
    """The table that stands at this place of a suite, () for all of it."""
    try:
        return _TABLES[at].model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise HeatmarkError(f"{file}: {_explained(error, at)}") from error


def _explained(error: ValidationError, at: tuple[str, ...]) -> str:
    problem = worst(error)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if is_unknown(problem):
        above = (*at, *(part for part in problem["loc"][:-1] if isinstance(part, str)))
        table = _TABLES.get(above, _TABLES[at])
        known = table.model_fields if issubclass(table, BaseModel) else [field.name for field in fields(table)]
        return f"{key}: unknown key; {nearest(str(problem['loc'][-1]), known)}"
    return f"{key}: {complaint(problem)}"
