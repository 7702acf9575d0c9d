"""What a race would have found on a board whose scores are all there: for simulations and for those who plan."""

from dataclasses import dataclass, replace

import numpy as np

from bench.racing.decisions import Stop, decisions, ends_of
from bench.sequential.looks import look_counts
from bench.statistics.board import Board


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
        if (ends_of(board, stopped) <= count).all():
            break
    return Replay(_until(board, looks, count, stopped), tuple(stopped))


def _until(board: Board, looks: tuple[int, ...], count: int, stopped: list[Stop]) -> Board:
    """What of a board is there after so many images."""
    stops = ends_of(board, stopped).clip(max=count)
    scores = board.scores[..., :count].copy()
    scores[np.broadcast_to((np.arange(count) >= stops[:, :, None])[:, :, None], scores.shape)] = np.nan
    return replace(board, scores=scores, images=board.images[:count], looks=looks, stops=stops)
