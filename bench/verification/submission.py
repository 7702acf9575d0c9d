"""A result set that somebody sends: the folder that a pull request adds, and what it must keep to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from bench.errors import HeatmarkError
from bench.files import write_whole
from bench.protocol_versions import versioned
from bench.report.write import SOMETIMES, write_with_report
from bench.results.publish import publishable
from bench.results.result_set import SCHEMAS, Results, has_checksums, read_results
from bench.runner.records import Run
from bench.scoring.protocols import as_stamped
from bench.verification.published_weights import FOLDER, weights_kept, write_weights, wrong_weights

LARGEST_FILE, LARGEST_FOLDER = 5_000_000, 20_000_000
LICENCE = "CC0-1.0"
ADDRESS = "https://creativecommons.org/publicdomain/zero/1.0/legalcode"
_MADE = ("leaderboard.md", "leaderboard.csv", "leaderboard.json", "leaderboard.tex", "preview.png", "index.html")
_WRITTEN = ("suite.toml", "CITATION.cff", "LICENSE", "README.md")
_NEEDED = (*(f"{name}.parquet" for name in SCHEMAS), "manifest.json", *_MADE, *_WRITTEN)


def write_submission(folder: Path, out: Path, sender: str, networks: Path) -> None:
    """Write into `out` what a pull request adds of the result set in `folder`: set, report, suite, citation, licence.

    Small networks that its suite trained come along from the folder `networks`. A README that is there stays.
    HeatmarkError where `out` is the set itself.
    """
    if out.resolve() == folder.resolve():
        raise HeatmarkError(f"{out} is the result set itself; expected another folder, such as results/me-my-board")
    results = publishable(read_results(folder))
    results.manifest.update(sender=sender, licence=LICENCE)
    write_with_report(results, out)
    write_weights(weights_kept(results.networks, networks), out)
    for name, text in _texts(results.manifest).items():
        write_whole(out / name, text.encode())
    if not (out / "README.md").exists():
        write_whole(out / "README.md", _readme(results.manifest).encode())


def refusals(folder: Path, results: Results, run: Run) -> Iterator[str]:
    """Why a submission is not taken, a line each; none where it keeps to everything that can be seen without computing.

    `results` is the set in `folder`, `run` its suite as its manifest has it.
    """
    yield from _of_files(folder)
    yield from wrong_weights(folder, results.networks)
    if not has_checksums(folder):
        yield f"{folder / 'manifest.json'}: no checksums of the tables; expected a set of the present version"
    manifest = results.manifest
    for name, text in _texts(manifest).items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") != text:
            yield f"{path} is not what the manifest says; `heatmark submit` writes it"
    if not manifest.get("sender"):
        yield f"{folder / 'manifest.json'}: no sender; `heatmark submit FOLDER OUT --sender NAME` writes it"
    yield from _of_protocols(results, run)
    yield from _of_images(results, run)


def _of_files(folder: Path) -> Iterator[str]:
    """Files that are missing, unknown or too large."""
    yield from (f"{folder / name} is missing" for name in _NEEDED if not (folder / name).is_file())
    sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    known = {*_NEEDED, *SOMETIMES}
    for path, size in sizes.items():
        name = path.relative_to(folder).as_posix()
        figure = name.startswith("figures/") and name.endswith(".svg")
        weights = name.startswith(f"{FOLDER}/")
        if name not in known and not figure and not weights:
            yield f"{path} is none of the files of a submission; remove it"
        if size > LARGEST_FILE:
            yield f"{path} has {size:,} bytes; expected {LARGEST_FILE:,} at most"
    if sum(sizes.values()) > LARGEST_FOLDER:
        yield f"{folder} has {sum(sizes.values()):,} bytes; expected {LARGEST_FOLDER:,} at most: fewer images or curves"


def _of_protocols(results: Results, run: Run) -> Iterator[str]:
    """Stamps that are not those of the metrics under their settings."""
    metrics = {metric.label: metric for metric in run.suite.metrics}
    found = results.scores[["metric", "protocol"]].astype(str).drop_duplicates()
    for metric, protocol in found.itertuples(index=False):
        if metric not in metrics:
            yield f"scores: the suite has no metric {metric}"
        elif versioned(protocol) != (expected := as_stamped(metrics[metric], protocol).stamp):
            yield f"scores: {metric} is stamped {protocol}; expected {expected}"


def _of_images(results: Results, run: Run) -> Iterator[str]:
    """Cells, networks or images of the suite that are not there, or there twice."""
    cell = ["network", "recipe", "seed", "attribution", "metric"]
    scores = results.scores.astype(dict.fromkeys((*cell[:2], *cell[3:], "image"), str))
    if scores.duplicated([*cell, "image"]).any():
        yield "scores: an image is there twice in one cell"
    counts = scores.groupby(cell).image.nunique()
    images = scores.image.nunique()
    for names, there in zip(counts.index.tolist(), counts.tolist(), strict=True):
        network, recipe, seed, attribution, metric = names
        expected = _planned(results.manifest, (network, recipe, attribution), metric, images)
        if there < expected:
            place = f"{network} by {recipe}, seed {seed}: {attribution}, {metric}"
            yield f"scores: {place} has {there} of {expected} images"
    for table, own in zip(run.table.networks, run.suite.recipes, strict=True):
        for seed in table.seeds:
            for method in run.suite.attributions:
                for metric in run.suite.metrics:
                    if (table.label, own.label, seed, method.label, metric.label) not in counts.index:
                        yield f"scores: {table.label} by {own.label}, seed {seed}: no {method.label}, {metric.label}"
    wanted = len(run.dataset.ids(run.split))
    wanted = min(wanted, run.table.dataset.images or wanted)
    wanted = min([wanted, *(stop["images"] for stop in _last_stops(results.manifest))])
    if images < wanted and not run.table.only_correct:
        yield f"scores: {images} images of {run.dataset.name} {run.split!r}; the suite asks for {wanted}"


def _planned(manifest: Mapping[str, Any], entry: tuple[str, str, str], metric: str, images: int) -> int:
    """How many images a cell is to have: all, or those until it was left off."""
    stops = [
        int(stop["images"])
        for stop in manifest.get("decided", {}).get("stopped", [])
        if stop["metric"] in ("", metric)
        and (not stop["attribution"] or (stop["network"], stop["recipe"], stop["attribution"]) == entry)
    ]
    return min([images, *stops])


def _last_stops(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was left off last, where everything was before the last image."""
    stops = manifest.get("decided", {}).get("stopped", [])
    whole = {stop["metric"] for stop in stops if not stop["attribution"]}
    return stops[-1:] if whole >= set(manifest["metrics"]) else []


def _texts(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The files that a manifest decides."""
    title = json.dumps(manifest.get("asks") or manifest["suite"], ensure_ascii=False)
    citation = [
        "cff-version: 1.2.0",
        "message: If you use these scores, please cite them, and the papers of the methods and metrics.",
        f"title: {title}",
        "type: dataset",
        "authors:",
        f"  - name: {json.dumps(manifest.get('sender', ''), ensure_ascii=False)}",
        f"license: {LICENCE}",
        *([f"date-released: {manifest['created']}"] if manifest.get("created") else []),
    ]
    return {
        "suite.toml": tomli_w.dumps(manifest["settings"]),
        "CITATION.cff": "\n".join(citation) + "\n",
        "LICENSE": f"{LICENCE}\n\nThe sender gives these files to the public domain, by the terms of\n{ADDRESS}\n",
    }


def _readme(manifest: Mapping[str, Any]) -> str:
    lines = [
        f"# {manifest.get('asks') or manifest['suite']}",
        "",
        f"Sent by {manifest['sender']}; `{manifest['command']}`.",
        "",
        "What it supports, and what it does not:",
    ]
    return "\n".join(lines) + "\n"
