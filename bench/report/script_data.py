"""What the page's script computes with: shares won, their resamples, pairs of methods."""

import base64
from typing import Any

import numpy as np

from bench.report.view import View
from bench.statistics.board import Board
from bench.statistics.means import Array, over_seeds, ratio, resampled

_REPLICATES = 200
SMALL = 1e-3  # a p-value below is only said to be so


def script_data(view: View) -> dict[str, Any]:
    """What the script needs: shares won, their resamples for other weights, and the pairs of methods."""
    board, rows = view.board, view.board.overall.rows
    known = np.isfinite(board.wins)
    shares = np.where(known, board.wins, 0).sum((2, 3)) / np.maximum(known.sum((2, 3)), 1)
    names = {line.entry: line.name for line in view.lines}
    ends = {line.kind: line.entry for line in view.controls} if view.placed else {}
    metrics = board.metrics
    return {
        "entries": [names[row] for row in range(len(board.entries))],
        "metrics": [str(metrics.shown[one]) for one in range(len(metrics))],
        "codes": metrics.label.to_list(),
        "weights": [round(float(weight), 6) for weight in board.weights],
        "methods": rows,
        "level": board.level,
        "floor": ends.get("random"),
        "ceiling": ends.get("truth"),
        "shares": [[round(float(share), 5) for share in own] for own in shares],
        "replicates": _replicates(board, rows),
        "pairs": _pairs(board, rows),
    }


def _replicates(board: Board, rows: list[int]) -> dict[str, Any]:
    """Shares won in resampled images, (resample, method, metric), as 16-bit integers."""
    if not rows:
        return {"count": 0, "values": ""}
    weights = resampled(np.random.default_rng(0), _REPLICATES, len(board.images))
    means = []
    for row in rows:  # one by one: all at once they take as much memory as the rest of the report
        own = over_seeds(board.wins[row])
        known = np.isfinite(own)
        means.append(ratio(weights @ np.where(known, own, 0).T, weights @ known.T, 0))
    mean = np.stack(means, 1)
    quantised = np.round(mean * 65535).astype("<u2")
    return {"count": _REPLICATES, "values": base64.b64encode(quantised.tobytes()).decode()}


def _pairs(board: Board, rows: list[int]) -> list[dict[str, Any]]:
    """For each metric the effect sizes and adjusted p-values of all pairs of methods, row by row above the diagonal."""
    upper = np.triu_indices(len(rows), 1)
    found = []
    for metric, standing in enumerate(board.standings):
        adjusted = np.full((len(board.entries),) * 2, np.nan)
        adjusted[np.ix_(standing.rows, standing.rows)] = standing.adjusted
        here = np.ix_(rows, rows)
        found.append(
            {
                "effect": _short(board.superiority[metric][here][upper]),
                "p": _short(np.where(adjusted < SMALL, 0, adjusted)[here][upper]),
                "difference": _short(board.pairs[metric].difference[here][upper]),
                "equal": board.pairs[metric].equal[here][upper].tolist(),
            }
        )
    return found


def _short(values: Array) -> list[float | None]:
    return [float(f"{value:.3g}") if np.isfinite(value) else None for value in values]
