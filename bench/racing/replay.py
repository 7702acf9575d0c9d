"""What a race would have found on a board whose scores are all there: for simulations and for those who plan."""

from dataclasses import dataclass, replace

import numpy as np

from bench.racing.decisions import Stop, decisions
from bench.sequential.looks import look_counts
from bench.statistics.board import Board
from bench.statistics.means import Counts


@dataclass(frozen=True)
class Replay:
    """How a race ended: the board as it was left, and what was left off when, in the order of the looks."""

    board: Board
    stops: tuple[Stop, ...]


def replay(board: Board, half_width: float | None = None) -> Replay:
    """Run the race over the images of a board of all entries (`build.entry_board`) in the order in which they stand."""
    looks, stopped = look_counts(len(board.images)), list[Stop]()
    count = looks[0]
    for count in looks:
        seen = _until(board, looks, count, stopped)
        if count < looks[-1]:
            stopped += decisions(seen, stopped, half_width)
        if len({stop.metric for stop in stopped} - {""}) == board.metrics.metric.nunique():
            break
    return Replay(_until(board, looks, count, stopped), tuple(stopped))


def _until(board: Board, looks: tuple[int, ...], count: int, stopped: list[Stop]) -> Board:
    """What of a board is there after so many images."""
    stops = _ends(board, stopped).clip(max=count)
    scores = board.scores[..., :count].copy()
    scores[np.broadcast_to((np.arange(count) >= stops[:, :, None])[:, :, None], scores.shape)] = np.nan
    return replace(board, scores=scores, images=board.images[:count], looks=looks, stops=stops)


def _ends(board: Board, stopped: list[Stop]) -> Counts:
    """After how many images each entry was left off under each metric."""
    stops = np.full(board.scores.shape[:2], len(board.images))
    names = board.entries[["network", "recipe", "attribution"]]
    for stop in stopped:
        if stop.metric:
            column = board.metrics.metric.eq(stop.metric).to_numpy(bool)
            stops[:, column] = np.minimum(stops[:, column], stop.images)
        else:
            own = names.eq([stop.network, stop.recipe, stop.attribution]).all(axis=1).to_numpy(bool)
            stops[own] = np.minimum(stops[own], stop.images)
    return stops
