"""What a page says beside its numbers: the facts, the protocols, what is missing, how to cite."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from bench.report.view import View
from bench.results.result_set import Results
from bench.statistics.names import display_names, listed

# Those without a version are on boards made before protocols had any.
PROTOCOLS = {
    "rise2018": "as published: a row of pixels a step, towards zero or from a blur, of the probability",
    "quantus": "as Quantus: single channels by signed attributions, summed over the steps, so not between 0 and 1",
    "quantus-0.6": "as Quantus 0.6: single channels by signed attributions, summed over the steps, not between 0 and 1",
    "torchcam": "as torch-cam: 20 steps, towards or from zero, of the probability",
    "torchcam-0.4": "as torch-cam handed a softmax: 20 steps, towards or from zero, of the probability",
    "torchcam-0.5": "as torch-cam 0.5: 20 steps, towards or from zero, of the logit, which has no bounds",
    "attribench": "as attribench: 100 points, towards or from zero, of the logit, which has no bounds",
    "attribench-0.1": "as attribench 0.1: 100 points, towards or from zero, of the logit, which has no bounds",
    "latec": "as LATEC: 50 pixels a step, towards zero or from a blur, without the ends of the curve",
    "latec-2024": "as LATEC (2024): 50 pixels a step, towards zero or from a blur, without the ends of the curve",
}
_TEST = "paired t-test corrected for skewness, Holm over all pairs"
_MOST_NETWORKS = 3
_ROUNDING = 1e-9


def order_said(view: View) -> str:
    """Why methods do not stand in the order of their places; empty where they do."""
    places = [line.place for line in view.methods if np.isfinite(line.place)]
    if len(places) < 2 or np.diff(places).max() < _ROUNDING:
        return ""
    return "Two methods stand in the order of their differences where both have a score, and some lack scores."


def facts(view: View) -> list[str]:
    """One line: data, networks with their accuracy, the class explained, images, date, version."""
    manifest = view.board.manifest
    said = [f"{len(view.board.images):,} images of {data_set(manifest)}"]
    said += networks_and_accuracy(view)
    said += [f"explaining the {manifest['target'].partition(',')[0]} class".replace("label class", "labelled class")]
    said += [str(manifest["created"])] if manifest.get("created") else []
    return [*said, f"heatmark {manifest['versions'].get('heatmark', '?')}"]


def networks_and_accuracy(view: View) -> list[str]:
    """The networks of a board, each with its accuracy where it has one, as one text; how many where they are many."""
    told = [f"{name} ({share:.0%} accuracy)" if share == share else name for name, share in view.accuracy.items()]
    return [listed(told)] if len(told) <= _MOST_NETWORKS else [f"{len(told)} networks"] if told else []


def test_of(manifest: Mapping[str, Any]) -> str:
    """How methods are told apart."""
    looks = manifest.get("decided", {}).get("looks")
    if not looks:
        return _TEST
    return f"{_TEST}; alpha spent over looks after {', '.join(map(str, looks[:-1]))} and {looks[-1]} images"


def left_off(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a run with `--decide` has left off before the last image that was planned: `what`, after `images`, `why`.

    Networks are named where there are several; metrics are left off on all of them. `attribution` and `metrics` are
    their labels, empty where all are meant; what was left off under several metrics at once is one row.
    """
    decided = manifest.get("decided", {})
    names = {kind: display_names(manifest, kind) for kind in ("attributions", "metrics")}
    stops = [own for own in decided.get("stopped", []) if own["images"] < decided["looks"][-1]]
    several = len({(own["network"], own["recipe"]) for own in stops if own["attribution"]}) > 1
    together: dict[tuple[Any, ...], list[str]] = {}
    for own in stops:
        alone = "" if own["attribution"] else own["metric"]
        key = (own["network"], own["recipe"], own["attribution"], own["images"], own["reason"], alone)
        together.setdefault(key, []).extend([own["metric"]] if own["metric"] else [])
    return [
        {
            "what": _what(names["attributions"].get(attribution, ""), [names["metrics"][name] for name in metrics]),
            "attribution": attribution,
            "metrics": metrics,
            "network": network if several else "",
            "images": images,
            "why": why,
        }
        for (network, _, attribution, images, why, _), metrics in together.items()
    ]


def counts_nothing(view: View) -> dict[str, list[str]]:
    """The metrics that count nothing in the order, for each (first) reason; none of recipes, which have no order."""
    board, found = view.board, dict[str, list[str]]()
    if view.kind == "recipes":
        return found
    for metric in np.flatnonzero(board.weights == 0):
        why = "no weight was asked for" if board.asked else view.audit[metric].reasons[0]
        found.setdefault(why, []).append(str(board.metrics.shown[metric]))
    return found


def _what(attribution: str, metrics: list[str]) -> str:
    return " under ".join([*filter(None, [attribution]), *([listed(metrics)] if metrics else [])])


def data_set(manifest: Mapping[str, Any]) -> str:
    """The data set as people call it."""
    card = manifest["dataset"]
    return str(card.get("display") or card.get("label", "a data set"))


def bibtex(manifest: Mapping[str, Any], title: str) -> str:
    """How to cite a board."""
    key = re.sub(r"[^a-zA-Z0-9]+", "-", str(manifest["suite"])).strip("-") or "board"
    year = str(manifest.get("created", ""))[:4]
    lines = [
        f"@misc{{heatmark-{key},",
        f"  title = {{{{{_braced(title)}}}}},",
        f"  note = {{Board {_braced(str(manifest['suite']))} of heatmark {manifest['versions'].get('heatmark', '')}}},",
        *([f"  year = {{{year}}},"] if year else []),
        "}",
    ]
    return "\n".join(lines)


def linked(reference: str) -> Markup:
    """A reference with its arXiv identifiers as links."""
    parts = re.split(r"(arXiv:\d{4}\.\d{4,5})", reference)
    link = Markup('<a href="https://arxiv.org/abs/{}">{}</a>')
    return Markup("").join(
        link.format(part.removeprefix("arXiv:"), part) if place % 2 else part for place, part in enumerate(parts)
    )


def _braced(text: str) -> str:
    return re.sub(r"[{}\\]", "", text)


def missing(results: Results, view: View) -> list[str]:
    """What a reader may look for and not find, and why."""
    board, audit = view.board, view.audit
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
    if view.kind != "recipes":
        said += _without_controls(view)
    kinds = set(results.heatmaps.kind)
    if "heatmap" not in kinds:
        said.append("No sample heatmaps were stored.")
    elif "image" not in kinds:
        said.append(
            "The images, and the heatmaps of controls that are drawn from them, are not part of these results: their "
            "licence does not allow it. The methods' heatmaps stand alone; your own run shows everything."
        )
    said += ["No curves were stored."] if not len(results.curves) else []
    trained = results.networks.log.astype(bool).any()
    return said if trained else [*said, "No training logs: the networks were not trained by this run."]


def _without_controls(view: View) -> list[str]:
    entries, said = view.board.entries, []
    if not (entries.control & entries.needs_truth).any():
        said.append("No truth among the controls: the data set has none, or the suite leaves it out.")
    if not entries.floor.any():
        said.append("No random control: methods cannot be placed between random and truth.")
    return said
