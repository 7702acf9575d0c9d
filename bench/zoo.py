"""The networks of a suite, ready to be explained: built, with weights from a file or trained by a recipe."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from bench.api import Dataset, Recipe
from bench.cells import School, Trained, code_hash
from bench.checkpoints import write_trained
from bench.errors import HeatmarkError, nearest
from bench.handed import Network, Preprocess
from bench.networks import build, call, is_callable, load_weights, weights_hash
from bench.parallel import rank, wait
from bench.progress import Progress
from bench.store import key_of
from bench.suite import Suite
from bench.suite_tables import NetworkTable
from bench.train import Course, described, train


def networks_of(
    suite: Suite, number: int, kept: Path, device: torch.device, progress: Progress, *, retrain: bool = False
) -> list[Trained]:
    """The networks of one entry of the suite, one for each seed: loaded, or trained and kept in a folder.

    HeatmarkError where the entry has neither weights nor training, or a file does not fit.
    """
    table = suite.table.networks[number]
    if table.weights is not None and not (retrain and table.training):
        seeds = table.seeds if "{seed}" in table.weights else table.seeds[:1]
        ready = [_loaded(suite, number, seed, device) for seed in seeds]
    elif table.training is None:
        raise HeatmarkError(f"networks[{number}] ({_name(table)}): neither weights nor training")
    else:
        ready = [_trained(suite, number, seed, kept, device, progress) for seed in table.seeds]
    if table.training is None:
        return ready
    again = [partial(_again, suite, number, trained.seed, kept, device, progress) for trained in ready]
    schools = [School(table.training, own, progress) for own in again]
    return [replace(trained, school=school) for trained, school in zip(ready, schools, strict=True)]


def number_of(suite: Suite, network: str | None, recipe: str | None = None) -> int:
    """The position of the first network of this name and of a recipe of this label; None is any.

    HeatmarkError with the nearest name where the suite has none.
    """
    names = [_name(table) for table in suite.table.networks]
    if network is not None and network not in names:
        raise HeatmarkError(f"suite {suite.table.name} has no network {network!r}; {nearest(network, names)}")
    labels = {i: suite.recipes[i].label for i, name in enumerate(names) if network in (None, name)}
    if recipe is not None and recipe not in labels.values():
        known = nearest(recipe, set(labels.values()))
        raise HeatmarkError(f"suite {suite.table.name} trains no such network by {recipe!r}; {known}")
    return next(i for i, label in labels.items() if recipe in (None, label))


def _loaded(suite: Suite, number: int, seed: int, device: torch.device) -> Trained:
    table = suite.table.networks[number]
    path = Path(str(table.weights).replace("{seed}", str(seed)))
    if is_callable(table.architecture):
        module = call(table.architecture, str(path))
    else:
        module = build(table.architecture, _outputs(suite, table))
        load_weights(module, path)
    about = path.with_suffix(".json")
    log = json.loads(about.read_text(encoding="utf-8")).get("log", []) if about.exists() else []
    return _ready(suite, number, seed, module, json.dumps(log) if log else "", device)


def _trained(suite: Suite, number: int, seed: int, kept: Path, device: torch.device, progress: Progress) -> Trained:
    table = suite.table.networks[number]
    assert table.training is not None
    course = Course(suite.recipes[number], suite.dataset, table.training, seed)
    identity = {
        **described(course),
        "architecture": [table.architecture, _outputs(suite, table)],
        "preprocess": asdict(_preprocess(table)),
        "code": code_hash(),
        "torch": torch.__version__,
        "device": device.type,
    }
    path = kept / f"{_name(table)}-{course.recipe.name}-{seed}-{key_of(identity)[:16]}.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        outputs = _outputs(suite, table)
        module = (
            call(table.architecture, outputs) if is_callable(table.architecture) else build(table.architecture, outputs)
        )
    about = path.with_suffix(".json")
    if path.exists() and about.exists():
        load_weights(module, path)
        log = json.loads(about.read_text(encoding="utf-8"))["log"]
    else:
        network = _ready(suite, number, seed, module, "", device).network
        log = train(course, network, device, path.with_suffix(".partial"), progress)
        if rank() == 0:
            write_trained(path, module, {**identity, "log": log})
            path.with_suffix(".partial").unlink()
        wait()
    return _ready(suite, number, seed, module, json.dumps(log), device)


def _again(
    suite: Suite,
    number: int,
    seed: int,
    kept: Path,
    device: torch.device,
    progress: Progress,
    dataset: Dataset,
    recipe: Recipe | None,
) -> Network:
    """The network of this seed trained on another data set, by its own recipe or another."""
    recipes = tuple(recipe if recipe and i == number else own for i, own in enumerate(suite.recipes))
    return _trained(replace(suite, dataset=dataset, recipes=recipes), number, seed, kept, device, progress).network


def _ready(suite: Suite, number: int, seed: int, module: torch.nn.Module, log: str, device: torch.device) -> Trained:
    table = suite.table.networks[number]
    module = module.to(device).to(memory_format=torch.channels_last).eval()
    network = Network(module, _name(table), suite.recipes[number].label, _preprocess(table), _label_map(suite, table))
    # Without the folder of somebody's own file, which differs from machine to machine.
    architecture = table.architecture.rpartition("/")[2] if is_callable(table.architecture) else table.architecture
    return Trained(network, architecture, network.recipe, seed, weights_hash(module), log)


def _name(table: NetworkTable) -> str:
    return table.name or table.architecture.rpartition("/")[2].replace(":", "-")


def _outputs(suite: Suite, table: NetworkTable) -> int:
    return table.outputs or len(suite.dataset.classes)


def _preprocess(table: NetworkTable) -> Preprocess:
    return Preprocess(**table.preprocess.model_dump())


def _label_map(suite: Suite, table: NetworkTable) -> tuple[int, ...] | None:
    """The output for each label: as listed, or from a JSON file of class numbers, counted from 1."""
    labels = len(suite.dataset.classes)
    if table.label_map is None:
        return None
    if not isinstance(table.label_map, str):
        if len(table.label_map) != labels:
            raise HeatmarkError(
                f"networks ({_name(table)}): label_map has {len(table.label_map)} outputs; expected one for each "
                f"of the {labels} labels of {suite.dataset.name}, -1 where there is none"
            )
        return table.label_map
    try:
        numbers = json.loads(Path(table.label_map).read_text(encoding="utf-8"))
        known = {int(number): int(output) for number, output in numbers.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise HeatmarkError(f"{table.label_map}: expected JSON from class number to output: {error}") from error
    return tuple(known.get(label + 1, -1) for label in range(labels))
