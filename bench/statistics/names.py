"""Names of entries and metrics: in code, and as people read them."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from bench.errors import HeatmarkError, nearest
from bench.plugin_card import Card
from bench.statistics.means import Counts

_VALUES = {"torchcam": "torch-cam", "rise2018": "RISE", "quantus": "Quantus", "latec": "LATEC"}
_AT_COMMAS = re.compile(r", (?=\w+=)")
_NUMBER = re.compile(r"\d+\.\d+")


def labels(
    frame: pd.DataFrame, cards: Sequence[Card], main: str, others: Sequence[str], named: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """For each row its label in code and as people read it.

    With what tells rows apart alone: settings of a plug-in that is there with several, the values of `others` where
    there are several (for metrics, only of one that is there under several). `named` says how people read such values.
    """
    several = main == "attribution" or frame[main].duplicated().any()
    telling = [column for column in others if several and len(set(frame[column])) > 1]
    before = [[str(value) for value in row] for row in zip(*(frame[column] for column in telling), strict=True)]
    before = before or [[] for _ in cards]
    names = [card.name for card in cards]
    variants = pd.Series(frame[main].to_numpy()).groupby(names).nunique()
    code, shown, one = [], [], len(set(frame[main])) == 1
    for values, value, card in zip(before, frame[main], cards, strict=True):
        alone = variants[card.name] == 1
        code.append(" / ".join([*values, card.name if alone else value]))
        own = [] if values and main == "attribution" and one else [card.display if alone else display(value, card)]
        shown.append(" / ".join([*(named.get(value, value) for value in values), *own]))
    return code, shown


def display(label: str, card: Card) -> str:
    """The display name of a plug-in with the settings of its label: "Occlusion (window 16)"."""
    inside = label.removeprefix(card.name)
    said = [_setting(own) for own in _AT_COMMAS.split(inside[1:-1])] if inside[:1] == "(" else []
    return f"{card.display} ({', '.join(said)})" if said else card.display


def _setting(text: str) -> str:
    """A word speaks for itself; a number needs to be called something."""
    name, _, value = text.partition("=")
    if value == "True":
        return name.replace("_", " ")
    if name == "protocol":
        library, _, number = value.partition("-")
        return f"{_VALUES.get(library, library.replace('_', ' '))} {number}".rstrip()
    if re.fullmatch(r"[a-z]\w*", value):
        return _VALUES.get(value, value.replace("_", " "))
    value = f"{float(value):g}" if _NUMBER.fullmatch(value) else value.removeprefix("(").removesuffix(")").rstrip(",")
    return f"{name.replace('_', ' ')} {value}"


def display_names(manifest: Mapping[str, Mapping[str, Mapping[str, object]]], kind: str) -> dict[str, str]:
    """The display name of every label of a kind ("attributions", "recipes", "metrics") that a manifest has.

    Recipes of one plug-in that differ in the first of their settings that is a word, as a regulariser, all say it.
    """
    cards = {label: Card.read(label, card) for label, card in manifest.get(kind, {}).items()}
    if kind != "recipes":
        return {label: display(label, card) for label, card in cards.items()}
    return {label: display(_with_its_kind(label, card, cards.values()), card) for label, card in cards.items()}


def _with_its_kind(label: str, card: Card, cards: Iterable[Card]) -> str:
    """The label of a recipe that begins with the kind it is of, even where that is the default."""
    word = next((name for name, value in card.settings.items() if isinstance(value, str)), None)
    if word is None or len({str(other.settings.get(word)) for other in cards if other.name == card.name}) == 1:
        return label
    told = [part for part in _AT_COMMAS.split(label.removeprefix(card.name)[1:-1]) if part]
    others = [part for part in told if part.partition("=")[0] != word]
    return f"{card.name}({', '.join([f'{word}={card.settings[word]}', *others])})"


def listed(names: list[str], most: int = 6) -> str:
    """Names in a sentence; the last ones only counted where there are many."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def codes_of(frame: pd.DataFrame, columns: list[str]) -> tuple[Counts, pd.DataFrame]:
    """A number for every row's combination of columns, and the combinations, in order of first appearance."""
    combined = np.zeros(len(frame), np.int64)
    for column in columns:
        codes, known = pd.factorize(frame[column])
        combined = combined * len(known) + codes
    codes, _ = pd.factorize(combined)
    _, where = np.unique(codes, return_index=True)
    return codes, frame[columns].iloc[where].astype(str).reset_index(drop=True)


def chosen_rows(wanted: Sequence[str] | None, frame: pd.DataFrame, columns: list[str], what: str) -> list[int]:
    """The rows that are called so in any of these columns, all without a wish; HeatmarkError where none is."""
    if wanted is None:
        return list(range(len(frame)))
    chosen: list[int] = []
    for name in wanted:
        rows = [int(row) for row in np.flatnonzero((frame[columns] == name).any(axis=1))]
        if not rows:
            raise HeatmarkError(f"no {what} named {name!r} on this board; {nearest(name, frame['label'])}")
        chosen += [row for row in rows if row not in chosen]
    return chosen
