"""From a result set to its board."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import HeatmarkError
from bench.plugin_card import AttributionCard, Card, MetricCard
from bench.results.result_set import Results
from bench.sequential.looks import image_order, last_looks
from bench.statistics.board import COLUMN, ENTRY, OK, RUN, Board
from bench.statistics.means import Counts, over_seeds
from bench.statistics.names import codes_of, display_names, labels
from bench.statistics.question import question_of
from bench.statistics.recipe_effects import recipe_table
from bench.statistics.scale import recoveries


def board_of(results: Results, weights: Mapping[str, float] | None = None) -> Board:
    """The board that answers the question of a result set, with `weights` of metrics by label.

    Methods meet within a network: where there are several, its rows are methods, and the networks the blocks that
    they are averaged over. Recipes meet under one method on one network. Raises HeatmarkError when there are no
    scores, or one is there twice.
    """
    board = entry_board(results, weights)
    if board.question.kind == "recipes":
        return replace(board, effects=recipe_table(results))
    return _over_networks(board)


def network_boards(results: Results, weights: Mapping[str, float] | None = None) -> dict[str, Board]:
    """The board of each trained network by itself, by its name, with the recipe where there are several."""
    board = entry_board(results, weights)
    return {name: board.rows(rows) for name, rows in _runs(board.entries).items()}


def entry_board(results: Results, weights: Mapping[str, float] | None = None) -> Board:
    """Every method on every network as a row of its own: what was measured, before anything is asked of it.

    Raises HeatmarkError when there are no scores, or one is there twice.
    """
    scores, manifest = results.scores, results.manifest
    if not len(scores):
        raise HeatmarkError("the result set holds no scores; expected at least one entry, metric and image")
    entry, entries = codes_of(scores, ENTRY)
    metric, metrics = codes_of(scores, COLUMN)
    image, images = codes_of(scores, ["image"])
    seed = _slots(scores, entry, len(entries))
    shape = (len(entries), len(metrics), int(seed.max()) + 1, len(images))
    flat = np.ravel_multi_index((entry, metric, seed, image), shape)
    if np.bincount(flat).max() > 1:
        raise HeatmarkError("the scores hold a value twice for one entry, metric, seed and image; expected it once")
    array = np.full(int(np.prod(shape)), np.nan)
    array[flat] = np.where(scores["status"].eq(OK) & np.isfinite(scores["score"]), scores["score"], np.nan)
    looks = tuple(manifest.get("decided", {}).get("looks", ()))
    order = image_order(images["image"]) if looks else list(range(len(images)))
    present = np.bincount(flat, minlength=array.size).reshape(shape).max(2) > 0
    board = Board(
        entries=_described(entries, "attribution", RUN, AttributionCard, manifest),
        metrics=_described(metrics, "metric", COLUMN[1:], MetricCard, manifest),
        images=tuple(images["image"].iloc[order]),
        scores=array.reshape(shape)[..., order] if looks else array.reshape(shape),
        manifest=manifest,
        asked=weights or {},
        question=question_of(manifest, results.networks),
        level="seeds" if shape[2] > 1 else "images",
        looks=looks,
        stops=last_looks(present[..., order], looks) if looks else None,
    )
    return _without_degraded(board)


def _without_degraded(board: Board) -> Board:
    """The board without maps that were made worse on purpose; what metrics make of their order is kept."""
    degraded = board.entries.degraded.notna().to_numpy(bool)
    if not degraded.any() or degraded.all():
        return board
    recovered = recoveries(board.entries, pd.Index(board.metrics.label), board.quality)
    return replace(board.rows([int(row) for row in np.flatnonzero(~degraded)]), recovered=recovered)


def _over_networks(board: Board) -> Board:
    """The rows of one method on several networks as one row, its blocks the networks, seeds averaged within each."""
    runs = _runs(board.entries)
    if len(runs) == 1:
        return board
    known = board.entries[["attribution"]].drop_duplicates().reset_index(drop=True)
    position = {name: row for row, name in enumerate(known.attribution)}
    scores = np.full((len(known), len(board.metrics), len(runs), len(board.images)), np.nan)
    for block, rows in enumerate(runs.values()):
        for row in rows:
            scores[position[board.entries.attribution[row]], :, block] = over_seeds(board.scores[row])
    entries = known.assign(**{name: _shared(board.entries[name]) for name in RUN})[ENTRY]
    said = _described(entries, "attribution", RUN, AttributionCard, board.manifest)
    stops = _shortest(board, position)
    if stops is not None:  # so that every image is of all networks
        scores[np.broadcast_to((np.arange(scores.shape[3]) >= stops[:, :, None])[:, :, None], scores.shape)] = np.nan
    return replace(board, entries=said, scores=scores, level="networks", blocks=tuple(runs), whole=board, stops=stops)


def _shortest(board: Board, position: Mapping[str, int]) -> Counts | None:
    """After how many images each method was left off under each metric on the network where that came first."""
    if board.stops is None:
        return None
    stops = np.full((len(position), len(board.metrics)), len(board.images))
    for name, own in zip(board.entries.attribution, board.stops, strict=True):
        stops[position[name]] = np.minimum(stops[position[name]], own)
    return stops


def _runs(entries: pd.DataFrame) -> dict[str, list[int]]:
    """The rows of each trained network, by its name."""
    telling = [name for name in RUN if len(set(entries[name])) > 1] or RUN[:1]
    return {
        " / ".join(str(own[name].iloc[0]) for name in telling): [int(row) for row in own.index]
        for _, own in entries.groupby(RUN, sort=False)
    }


def _shared(names: "pd.Series[str]") -> str:
    """The name that all have, or nothing."""
    return str(names.iloc[0]) if len(set(names)) == 1 else ""


def _slots(scores: pd.DataFrame, entry: Counts, entries: int) -> Counts:
    """The position of each row's seed among the seeds of its entry."""
    seeds, known = pd.factorize(scores["seed"], sort=True)
    present = np.zeros((entries, len(known)), bool)
    present[entry, seeds] = True
    slots: Counts = (present.cumsum(1) - 1)[entry, seeds]
    return slots


def _described(
    frame: pd.DataFrame, main: str, others: list[str], kind: type[Card], manifest: Mapping[str, Any]
) -> pd.DataFrame:
    """The key columns, labels in code (`label`) and as people read them (`shown`), and what the cards say of each."""
    written = manifest.get(f"{main}s", {})
    cards = [kind.read(value, written.get(value, {})) for value in frame[main]]
    said = {own.name: [getattr(card, own.name) for card in cards] for own in fields(kind) if own.name not in frame}
    code, shown = labels(frame, cards, main, others, display_names(manifest, "recipes"))
    return frame.assign(label=code, shown=shown, **said)
