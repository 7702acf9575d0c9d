"""The report as one page that needs nothing beside it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.report.figures.drawings import Drawing, effect_name
from bench.report.figures.place import SCALES
from bench.report.figures.style import COLUMN, PAGE, figures, file_name, inlined, svg
from bench.report.gallery import gallery, overlays
from bench.report.heat_table import MARKS, families, heads, ramp, table, two
from bench.report.script_data import script_data
from bench.report.short_names import shortened
from bench.report.view import ARROW, Line, View
from bench.report.words import PROTOCOLS, bibtex, counts_nothing, data_set, facts, left_off, linked, missing, test_of
from bench.results.result_set import Results
from bench.statistics.board import ENTRY, OK
from bench.statistics.finding import control_of, most_telling, speaks_of_own
from bench.statistics.metric_audit import flips
from bench.statistics.names import display_names
from bench.statistics.place_stability import depends_on
from bench.statistics.recipe_effects import ACCURACY, Effect, Row, recipe_table

_HERE = Path(__file__).parent / "templates"
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.filters["linked"] = linked
_SCRIPTS = ("page.js", "weights.js", "gallery.js")
_MOST_ROWS = 200
_WIDE = ("answer", "networks", "order", "training")
_BADGES = {"clear": "good", "depends": "care", "not told apart": "care", "cannot be tested": "muted"}


@dataclass(frozen=True)
class Shown:
    """A figure on the page: as wide as a column, and where it stands alone as wide as a page; `file` is the widest."""

    name: str
    section: str
    title: str
    caption: str
    column: Markup
    page: Markup
    file: str


def shown(drawing: Drawing) -> Shown:
    """A figure for the page."""
    texts = []
    for width in (COLUMN, PAGE) if drawing.section in _WIDE else (COLUMN,):
        with figures():
            text = svg(drawing.draw(width))
        texts.append(Markup(inlined(text, f"{drawing.name}-{'w' if width == PAGE else 'c'}", drawing.said)))  # noqa: S704
    return Shown(drawing.name, drawing.section, drawing.title, drawing.caption, texts[0], texts[-1], text)


def page(results: Results, view: View, drawn: Sequence[Shown]) -> str:
    """The whole page."""
    pictures = gallery(results, view)
    return _TEMPLATES.get_template("page.html.j2").render(
        **_files(), **_answer(view, drawn, pictures), **_board(view), **_rest(results, view, drawn, pictures)
    )


def _files() -> dict[str, Any]:
    read = {name: (_HERE / name).read_text(encoding="utf-8") for name in ("page.css", *_SCRIPTS)}
    script = "\n".join(read[name] for name in _SCRIPTS)
    return {"style": Markup(read["page.css"]), "script": Markup(script), "ramp": ramp()}  # noqa: S704, our own files


def _answer(view: View, drawn: Sequence[Shown], pictures: dict[str, Any]) -> dict[str, Any]:
    manifest, verdict = view.board.manifest, view.verdict
    recipes = view.kind == "recipes"
    return {
        "title": view.board.question.asks,
        "kind": view.kind,
        "facts": facts(view),
        "finding": verdict.sentence,
        "badge": verdict.badge.text,
        "meaning": verdict.badge.meaning,
        "badge_class": _BADGES[verdict.badge.kind],
        "reasons": [*verdict.reasons, *_of_truth(view)],
        "hero": "effects" if recipes else "place",
        "heroes": _heroes(view, drawn) if recipes else [],
        "overlays": overlays(pictures, view),
        "bibtex": bibtex(manifest, view.board.question.asks),
    }


def _of_truth(view: View) -> list[str]:
    """What the data set says of itself, among it what its truth is, where the board has a truth."""
    manifest = view.board.manifest
    said, entries = str(manifest["dataset"].get("summary", "")), view.board.entries
    return [f"{data_set(manifest)}: {said}"] if said and (entries.control & entries.needs_truth).any() else []


def _heroes(view: View, drawn: Sequence[Shown]) -> Sequence[Shown]:
    """What the finding speaks of: the effects on what recipes train on, or on one metric, and those on accuracy."""
    if not view.verdict.effects:
        return []
    by_name = {one.name: one for one in drawn}
    telling = most_telling(view.verdict.effects)
    network = telling.network
    names = [effect_name(network, telling.code), effect_name(network, ACCURACY["accuracy"])]
    if speaks_of_own(view.board, view.verdict.effects):
        network = next((one.name for one in drawn if one.name.startswith("own_")), "own_").removeprefix("own_")
        names = [f"own_{network}", f"effect_{network}_{file_name(ACCURACY['accuracy'])}"]
    return [by_name[name] for name in names if name in by_name]


def _board(view: View) -> dict[str, Any]:
    columns, entries = heads(view), view.board.entries
    return {
        "heads": columns,
        "short": shortened([head.column.name for head in columns], 18),
        "families": families(view),
        "marks": [(own, said) for own, said in MARKS.items() if any(own == column.verdict for column in view.columns)],
        "nothing": counts_nothing(view),
        "rows": table(view),
        "ties": any(standing.rows for standing in view.board.standings),
        "scale": SCALES[view.placed],
        "placed": view.placed,
        "ceiling": "truth" if (entries.control & entries.needs_truth).any() else "the best control",
        "over": "images and networks" if view.board.level == "networks" else view.verdict.over,
        "two": two,
        "bar": _bar,
        "interval": _interval,
        "test": test_of(view.board.manifest),
    }


def _rest(results: Results, view: View, drawn: Sequence[Shown], pictures: dict[str, Any]) -> dict[str, Any]:
    board, manifest = view.board, view.board.manifest
    present = {one.name for one in drawn} | {one.section for one in drawn}
    weighable = view.kind != "recipes" and len(board.overall.rows) > 1 and len(board.metrics) > 1
    order = "ranks" in present or weighable
    sections = [
        ("board", "Board", True),
        ("price", "Price", "price" in present),
        ("by-network", "Networks", "networks" in present),
        ("order", "Order", order),
        ("gallery", "Gallery", bool(pictures["rows"])),
        ("curves", "Curves", "curves" in present),
        ("cost", "Cost", "cost" in present),
        ("more", "More", True),
    ]
    return {
        "manifest": manifest,
        "manifest_text": json.dumps(manifest, indent=1, ensure_ascii=False),
        "figures": drawn,
        "present": present,
        "sections": [(target, text) for target, text, there in sections if there],
        "weighable": weighable,
        "depends": depends_on(board) if weighable else [],
        "missing": missing(results, view),
        "left_off": left_off(view.board.manifest),
        "planned": view.board.looks[-1] if view.board.looks else len(view.board.images),
        "audit": _audit(view),
        "recovered": bool(view.board.recovered),
        "asks_of_metrics": view.kind == "metrics",
        "cards": _cards(view),
        "methods": _methods(view),
        "flips": flips(board).to_dict("records"),
        "networks": results.networks.to_dict("records"),
        "attacked": bool(results.networks.robust_accuracy.notna().any()),
        "seeds": int(results.networks.seed.nunique()),
        "control": control_of(view.board) if view.kind == "recipes" else "",
        "refused": _refused(results.scores),
        "effects": _effects(results, view) if view.kind == "recipes" else [],
        "protocols": {name: PROTOCOLS[name] for name in board.metrics.protocol.unique() if name in PROTOCOLS},
        "reductions": any("reduction=" in str(name) for name in board.entries.attribution),
        "number": lambda value: "—" if value != value else f"{value if abs(value) >= 0.005 else 0:.2f}",
        "data": {"board": script_data(view), "gallery": pictures},
    }


def _bar(line: Line) -> str:
    """Where place and interval lie on a bar from 0 to 1, as a style."""
    ends = [line.place if np.isnan(end) else end for end in (line.place, line.low, line.high)]
    centre, low, high = (100 * min(max(end, 0), 1) for end in ends)
    return f"--m:{centre:.1f};--a:{low:.1f};--b:{high:.1f}"


def _interval(line: Line) -> str:
    return "" if np.isnan(line.low) else f"[{line.low:.2f}, {line.high:.2f}]"


def _audit(view: View) -> list[dict[str, Any]]:
    metrics = view.board.metrics
    return [
        {
            "name": str(metrics.shown[metric]),
            "code": metrics.label[metric],
            "finding": finding,
            "recovery": view.board.recovered.get(str(metrics.label[metric])),
            "blind_spot": metrics.blind_spot[metric],
        }
        for metric, finding in enumerate(view.audit)
    ]


def _cards(view: View) -> list[dict[str, Any]]:
    """What the page says of each metric."""
    metrics = view.board.metrics
    plain = ["protocol", "target", "direction", "family", "question", "summary", "blind_spot", "reference"]
    return [
        {
            **metrics.loc[metric, plain],
            "name": str(metrics.shown[metric]),
            "chance": metrics.chance[metric],
            "range": metrics.range[metric],
            "arrow": ARROW[metrics.direction[metric]],
            "unit": str(metrics.unit[metric]),
            "smallest": float(view.board.smallest[metric]),
            "weight": float(view.board.weights[metric]),
            "settings": ", ".join(f"{name} = {value}" for name, value in (metrics.settings[metric] or {}).items()),
            "protocol_said": PROTOCOLS.get(metrics.protocol[metric].partition(",")[0], ""),
        }
        for metric in range(len(metrics))
    ]


def _methods(view: View) -> list[dict[str, Any]]:
    """A card for each attribution and recipe."""
    manifest = view.board.manifest
    blank = {"control": False, "reference": "", "summary": ""}
    return [
        {**blank, **card, "label": label, "title": display_names(manifest, kind)[label]}
        for kind in ("recipes", "attributions")
        for label, card in manifest.get(kind, {}).items()
    ]


def _refused(scores: pd.DataFrame) -> dict[str, Any]:
    """Scores that were refused, by entry, metric and reason."""
    bad = scores[~scores.status.eq(OK)]
    counts = bad.groupby([*ENTRY, "metric", "status"], observed=True, sort=False).size().reset_index(name="images")
    counts = counts.sort_values("images", ascending=False, kind="stable")
    more = max(len(counts) - _MOST_ROWS, 0)
    return {"rows": counts.head(_MOST_ROWS).to_dict("records"), "more": more, "images": len(bad)}


def _effects(results: Results, view: View) -> list[tuple[tuple[str, str], list[list[str]]]]:
    """What recipes change, as texts: for each network and recipe a row for each measure."""
    names = display_names(results.manifest, "recipes") | display_names(results.manifest, "metrics")
    known = {(one.network, one.recipe_code, one.attribution, one.code): one for one in view.verdict.effects}
    methods = display_names(results.manifest, "attributions")
    found: dict[tuple[str, str], list[list[str]]] = {}
    for row in recipe_table(results).to_dict("records"):
        network, recipe, metric = row["network"], row["recipe"], row["metric"]
        effect = known.get((network, recipe, methods.get(row["attribution"], ""), metric))
        texts = [names.get(metric, metric), *_effect(row, effect)]
        found.setdefault((network, names.get(recipe, recipe)), []).append(texts)
    return list(found.items())


def _effect(row: Row, effect: Effect | None) -> list[str]:
    low, high = row["difference_low"], row["difference_high"]
    own = row["recipe"] == row["control"] or np.isnan(row["difference"])
    told, needed = ("", np.inf) if effect is None else (effect.judgement, effect.seeds_needed)
    return [
        "—" if np.isnan(row["mean"]) else f"{row['mean']:.4g}",
        "—" if own else f"{row['difference']:+.3g}",
        "" if np.isnan(low) else f"{low:+.3g} to {high:+.3g}",
        "one seed" if told == "untested" else told,
        f"{needed:.0f}" if np.isfinite(needed) and told == "not told apart" else "",
    ]
