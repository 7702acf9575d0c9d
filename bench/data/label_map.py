"""Which output of a network stands for which class of a data set, found by what both are called."""

import logging
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bench.api import Dataset
from bench.errors import HeatmarkError
from bench.settings import LARGEST

_WORDNET_ID = re.compile(r"n\d{8}")
_SHOWN = 5
_log = logging.getLogger("heatmark")


def output_of_each_label(
    given: tuple[int, ...] | str | None,
    dataset: Dataset | None,
    categories: Sequence[str],
    wordnet_ids: Sequence[str],
    network_name: str,
) -> tuple[int, ...] | None:
    """The output for each label, -1 where there is none: as listed, from a JSON file of class numbers, or by meaning.

    None where labels are outputs, or nobody says what either is called.
    """
    labels = None if dataset is None else len(dataset.classes)
    if isinstance(given, str):
        known = read_label_map(Path(given))
        return tuple(known.get(number, -1) for number in range(1, 1 + (labels or max(known, default=0))))
    if given is not None:
        if dataset is not None and len(given) != labels:
            raise HeatmarkError(
                f"{len(given)} outputs; expected one for each of the {labels} labels of {dataset.name}, "
                "-1 where there is none"
            )
        return given
    if dataset is None or not dataset.labelled or not (categories or wordnet_ids):
        return None
    return label_map_of(dataset, categories, wordnet_ids, network_name)


def label_map_of(
    dataset: Dataset, categories: Sequence[str], wordnet_ids: Sequence[str], network_name: str
) -> tuple[int, ...] | None:
    """The output for each label, -1 where the network has none; None where labels are outputs.

    By WordNet ids where both have them (classes may be named by theirs, as folders of ImageNet are), else by names:
    `categories` may list several, parted by commas, and case, hyphens and the numbers before CUB's names do not
    count. What has no output is said in the log; HeatmarkError where nothing has one.
    """
    classes = dataset.classes
    own = dataset.wordnet_ids or (classes if all(_WORDNET_ID.fullmatch(name) for name in classes) else ())
    if own and wordnet_ids:
        outputs = {wordnet_id: output for output, wordnet_id in enumerate(wordnet_ids)}
        found = tuple(outputs.get(wordnet_id, -1) for wordnet_id in own)
    else:
        outputs = _by_name(categories)
        found = tuple(outputs.get(_plain(name), -1) for name in classes)
    lacking = [name for name, output in zip(classes, found, strict=True) if output < 0]
    some = ", ".join(lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
    if len(lacking) == len(classes):
        raise HeatmarkError(
            f"no class of {dataset.name} is among the {len(categories) or len(wordnet_ids)} outputs of {network_name} "
            f"by name or WordNet id ({some}); set `label_map`"
        )
    if lacking:
        _log.warning("%s has no output for %d of %d classes: %s", network_name, len(lacking), len(classes), some)
    return None if found == tuple(range(len(classes))) else found


def check_outputs(outputs: int, classes: int, network_name: str) -> None:
    """HeatmarkError where labels that are outputs would have none; a note in the log where outputs are over."""
    if outputs < classes:
        raise HeatmarkError(
            f"{network_name} has {outputs} outputs and the data set {classes} classes; expected an output for each: "
            "set `label_map`, with -1 for a class that has none"
        )
    if outputs > classes:
        _log.warning(
            "%s: %d outputs, %d classes: output i is taken for class i; set `label_map` where that is wrong",
            *(network_name, outputs, classes),
        )


def check_readable(dataset: Dataset | None, where: str) -> None:
    """HeatmarkError that blames the data set, or the folder in its settings that is not there, for what it says.

    `where` is the place of the network that asks first, and would be blamed otherwise.
    """
    if dataset is None:
        return
    try:
        len(dataset.classes)
    except HeatmarkError as error:
        own = {field.name: getattr(dataset, field.name) for field in fields(dataset) if field.name.endswith("root")}
        lost = next((f".{name}" for name, root in own.items() if root and not Path(str(root)).is_dir()), "")
        file, _, network = where.rpartition(": ")
        place = f"{file}: dataset{lost}" if network and file else f"images{lost}"
        raise HeatmarkError(f"{place}: {error}") from error


def _by_name(categories: Sequence[str]) -> dict[str, int]:
    """The output of each name; names that two outputs share stand for none."""
    outputs: dict[str, set[int]] = {}
    for output, category in enumerate(categories):
        for name in {category, *category.split(",")}:
            outputs.setdefault(_plain(name), set()).add(output)
    return {name: own.pop() for name, own in outputs.items() if len(own) == 1}


def _plain(name: str) -> str:
    unnumbered = re.sub(r"^\d+\.", "", name.strip())
    return re.sub(r"[\s_-]+", " ", unnumbered).casefold()


def read_label_map(path: Path) -> dict[int, int]:
    """The output for each class number, counted from 1, in a JSON file; HeatmarkError where it is another."""
    try:
        known = TypeAdapter(dict[int, int]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise HeatmarkError(f"{path}: expected JSON from class number to output: {said}") from error
    if wrong := [output for output in known.values() if not -1 <= output <= LARGEST]:
        raise HeatmarkError(f"{path}: expected outputs from 0, or -1 where there is none, got {wrong[0]}")
    return known
