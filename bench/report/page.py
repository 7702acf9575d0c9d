"""The report as one page that needs nothing beside it."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.leaderboard.board import ENTRY, OK, Board
from bench.leaderboard.means import Array
from bench.leaderboard.metric_audit import Finding, findings, flips
from bench.leaderboard.place_stability import chance
from bench.leaderboard.wording import listed
from bench.report.figures import FEW_TO_CORRELATE
from bench.report.gallery import gallery
from bench.report.script_data import script_data
from bench.report.tables import ARROW, number, table_of
from bench.report.words import MANY, PROTOCOLS, TEST, answer, steps
from bench.results.result_set import Results

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "weights.js", "gallery.js")
_MOST_ROWS = 200
_MOST_LETTERS = 12


def page(results: Results, board: Board, drawings: list[tuple[str, str, str]]) -> str:
    """The whole page; `drawings` are names, captions and SVG texts of the figures."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["name"] = _breaking
    audit = findings(board)
    pictures = gallery(results.heatmaps, board)
    context = {
        "style": Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704, our own file
        "script": Markup("\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)),  # noqa: S704, ours
        "manifest": board.manifest,
        "manifest_text": json.dumps(board.manifest, indent=2, ensure_ascii=False),
        "board": board,
        "answer": answer(board, audit),
        "missing": missing(results, board, audit),
        "columns": _columns(board, audit),
        "rows": _rows(board),
        "steps": [
            {
                **asdict(s),
                "ahead": board.entries.label[s.ahead],
                "behind": board.entries.label[s.behind],
                "chance": chance(s.p),
            }
            for s in steps(board)
        ],
        "many": MANY,
        "flips": flips(board).to_dict("records"),
        "figures": [(name, caption, Markup(text)) for name, caption, text in drawings],  # noqa: S704, drawn by us
        "networks": results.networks.to_dict("records"),
        "attacked": bool(results.networks.robust_accuracy.notna().any()),
        "refused": _refused(results.scores),
        "methods": _methods(board),
        "data": {"board": script_data(board), "gallery": pictures},
        "families": _families(board),
        "reductions": any("reduction=" in label for label in board.entries.attribution),
        "protocols": {name: PROTOCOLS[name] for name in board.metrics.protocol.unique() if name in PROTOCOLS},
        "few": FEW_TO_CORRELATE,
        "test": TEST,
        "has_pictures": bool(pictures["images"]),
        "has_curves": any(name.startswith("curve_") for name, _, _ in drawings),
    }
    return environment.get_template("page.html.j2").render(context)


def _breaking(name: str) -> Markup:
    """A name that breaks between its words where it must."""
    return Markup(re.sub(r"([_(,=/])", r"\1<wbr>", str(escape(name))))  # noqa: S704, escaped


def missing(results: Results, board: Board, audit: list[Finding]) -> list[str]:
    """What a reader may look for and not find, and why."""
    entries, metrics, means = board.entries, board.metrics, board.means
    said = []
    if len(board.images) < 2:
        said.append(f"{len(board.images)} image: a mean without interval, and no test, can be had from it.")
    silent = [entries.label[row] for row in range(len(entries)) if not means.images[row].any()]
    partly = [
        entries.label[row]
        for row in board.methods
        if row not in board.overall.rows and entries.label[row] not in silent and board.weights.any()
    ]
    said += [f"No score at all: {listed(silent)}."] if silent else []
    said += (
        [f"Not in the order, because some metric that counts could not score them: {listed(partly)}."] if partly else []
    )
    for verdict, text in (
        ("no scores", "Metrics without scores"),
        ("all scores are the same", "Metrics that give every method the same score"),
    ):
        names = [
            label for label, own in zip(metrics.label, audit, strict=True) if verdict in (own.verdict, *own.reasons)
        ]
        said += [f"{text}: {listed(names)}."] if names else []
    if not (entries.control & entries.needs_truth).any():
        said.append(
            "No oracle: the data set has no truth map, or the suite leaves it out; the ceiling is the best control."
        )
    if not entries.floor.any():
        said.append("No random control: means cannot be placed between floor and ceiling.")
    kinds = set(results.heatmaps.kind)
    if "heatmap" not in kinds:
        said.append("No sample heatmaps were stored.")
    elif "image" not in kinds:
        said.append(
            "The images, and the heatmaps of controls that are drawn from them, are not part of these results: their "
            "licence does not allow it. The methods' heatmaps stand alone; your own run shows everything."
        )
    said += ["No curves were stored."] if not len(results.curves) else []
    said += (
        ["No training logs: the networks were not trained by this run."]
        if not results.networks.log.astype(bool).any()
        else []
    )
    return said


def _columns(board: Board, audit: list[Finding]) -> list[dict[str, Any]]:
    """What the page shows of each metric."""
    return [
        {
            **board.metrics.loc[
                metric,
                [
                    "label",
                    "metric",
                    "name",
                    "protocol",
                    "target",
                    "direction",
                    "family",
                    "question",
                    "summary",
                    "blind_spot",
                    "reference",
                ],
            ],
            "chance": board.metrics.chance[metric],
            "range": board.metrics.range[metric],
            "arrow": ARROW[board.metrics.direction[metric]],
            "weight": float(board.weights[metric]),
            "scored": float(board.scored[metric]),
            "settings": _settings(board.metrics.settings[metric]),
            "protocol_said": PROTOCOLS.get(board.metrics.protocol[metric].partition(",")[0], ""),
            "audit": finding,
        }
        for metric, finding in enumerate(audit)
    ]


def _settings(settings: dict[str, Any] | None) -> str:
    return ", ".join(f"{name} = {value}" for name, value in (settings or {}).items())


def _rows(board: Board) -> list[dict[str, Any]]:
    """The board, one row per entry with a cell per metric."""
    table = table_of(board)
    lowest, highest = (
        _ends(board.means.low, board.means.mean, np.nanmin),
        _ends(board.means.high, board.means.mean, np.nanmax),
    )
    write = [_whole if whole else number for whole in _counted(board)]
    rows = []
    for place, (row, (_, own)) in enumerate(zip(board.order, table.groupby("entry", sort=False), strict=True), 1):
        first = own.iloc[0]
        cells = [
            {
                **one,
                "text": write[metric](one["mean"], np.nan, np.nan),
                "full": write[metric](one["mean"], one["low"], one["high"]),
                "equal": bool(one["tied"]) and bool(board.pairs[metric].equal[board.standings[metric].rows[0], row]),
                "ranks": _ranks(one["first"], one["last"]),
                "letters": _letters(one["group"]),
                "bar": _bar(one["mean"], one["low"], one["high"], lowest[metric], highest[metric])
                + _place(one["calibrated"]),
            }
            for metric, one in enumerate(own.to_dict("records"))
        ]
        rows.append(
            {
                "entry": row,
                "place": place,
                "first": first,
                "bar": _bar(first.wins, first.wins_low, first.wins_high, 0, 1),
                "full": _percent(first.wins, first.wins_low, first.wins_high),
                "ranks": _ranks(first.overall_first, first.overall_last),
                "letters": _letters(first.overall_group),
                "key": " ".join(map(str, board.entries.loc[row, ENTRY])).lower(),
                "cells": cells,
            }
        )
    return rows


def _counted(board: Board) -> list[bool]:
    """Which metrics count something: without a highest score, and every score a whole number."""
    known = np.nan_to_num(board.scores)
    whole = (known == np.round(known)).all((0, 2, 3))
    bounded = [one is None or one[1] is not None for one in board.metrics.range]
    return [bool(one) and not end for one, end in zip(whole, bounded, strict=True)]


def _whole(value: float, low: float, high: float) -> str:
    """A mean of counts: without decimals where it is a whole number itself."""
    return f"{value:,.0f}" if value == round(value) and not low < high else number(value, low, high)


def _ranks(first: float, last: float) -> str:
    if np.isnan(first):
        return "—"
    return f"{first:.0f}" if first == last else f"{first:.0f} to {last:.0f}"


def _letters(group: str) -> str:
    """The letters of an entry's groups, of many the first."""
    letters = group.split()
    shown = letters if len(letters) <= _MOST_LETTERS else [*letters[: _MOST_LETTERS - 1], "…"]
    return " ".join(shown) or "—"


def _percent(mean: float, low: float, high: float) -> str:
    return f"{mean:.0%}" if np.isnan(low) else f"{mean:.0%} [{low:.0%}, {high:.0%}]"


def _ends(interval: Array, mean: Array, choose: Any) -> list[float]:
    ends = np.where(np.isfinite(interval), interval, mean)
    return [float(choose(column)) if np.isfinite(column).any() else 0.0 for column in ends.T]


def _bar(mean: float, low: float, high: float, lowest: float, highest: float) -> str:
    """Where mean and interval lie between the ends of the column, in per cent, as a style."""
    if np.isnan(mean):
        return ""
    width = highest - lowest or 1.0
    ends = [mean if np.isnan(end) else end for end in (mean, low, high)]
    centre, left, right = (100 * (end - lowest) / width for end in ends)
    return f"--m:{centre:.1f};--a:{left:.1f};--b:{right:.1f}"


def _place(calibrated: float) -> str:
    """Where the place between floor and ceiling lies on a bar from 0 to 1, as a style."""
    return "" if np.isnan(calibrated) else f";--p:{100 * min(max(calibrated, 0), 1):.1f}"


def _refused(scores: pd.DataFrame) -> dict[str, Any]:
    """Scores that were refused, by entry, metric and reason."""
    bad = scores[~scores.status.eq(OK)]
    counts = bad.groupby([*ENTRY, "metric", "status"], observed=True, sort=False).size().reset_index(name="images")
    counts = counts.sort_values("images", ascending=False, kind="stable")
    return {
        "rows": counts.head(_MOST_ROWS).to_dict("records"),
        "more": max(len(counts) - _MOST_ROWS, 0),
        "images": len(bad),
    }


def _families(board: Board) -> list[dict[str, Any]]:
    """The families of metrics that count in the order, with their weights."""
    weights = pd.Series(board.weights).groupby(board.metrics.family.to_numpy(), sort=False).sum()
    return [{"name": name or "other", "weight": weight} for name, weight in weights.items() if weight]


def _methods(board: Board) -> list[dict[str, Any]]:
    """A card for each attribution and recipe."""
    cards = {**board.manifest.get("recipes", {}), **board.manifest.get("attributions", {})}
    return [{"label": label, "control": False, "reference": "", "summary": "", **card} for label, card in cards.items()]
