"""A site of boards: an index of their questions, a matrix of methods by boards, and every board below it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.errors import HeatmarkError
from bench.files import write_whole
from bench.report.heat_table import STEPS, ramp, two
from bench.report.view import View, view_of
from bench.report.words import data_set
from bench.results.result_set import read_results

_HERE = Path(__file__).parent / "templates"
_FILES = ("preview.png", "leaderboard.csv", "leaderboard.json", "leaderboard.tex", "leaderboard.md")
_MORE = ("recipes.csv", "recipes.md", "training.csv", "README.md", "suite.toml", "CITATION.cff", "LICENSE")
_BADGES = {"clear": "good", "depends": "care", "not told apart": "care", "cannot be tested": "muted"}


@dataclass(frozen=True)
class Entry:
    """A board of the site: where it lies, what it asks and answers, and the places of its methods by display name."""

    address: str
    title: str
    finding: str
    badge: str
    badge_class: str
    meaning: str
    facts: str
    places: dict[str, float]


def write_site(folder: Path, out: Path) -> int:
    """Write the site of all boards under `folder` into `out`; the number of boards.

    Raises HeatmarkError where there is none, or one has no report.
    """
    boards = sorted(scores.parent for scores in folder.rglob("scores.parquet"))
    if not boards:
        raise HeatmarkError(f"no board under {folder}; expected a folder of published result sets, as results/")
    if out.resolve() == folder.resolve():
        raise HeatmarkError(f"{out} holds the boards themselves; expected another folder for the site")
    entries = []
    for board in boards:
        address = board.relative_to(folder).as_posix()
        _copy(board, out / address, "../" * (address.count("/") + 1))
        entries.append(_entry(address, view_of(read_results(board))))
    timings = folder / "performance" / "performance.svg"
    if timings.is_file():
        write_whole(out / "performance.svg", timings.read_bytes())
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("site.html.j2").render(
        entries=entries,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704, our own file
        ramp=ramp(),
        matrix=_matrix(entries),
        columns=[entry for entry in entries if entry.places],
        speed=timings.is_file(),
        step=lambda place: int(np.clip(round(place * (STEPS - 1)), 0, STEPS - 1)),
        two=two,
    )
    write_whole(out / "index.html", text.encode())
    return len(entries)


def _copy(board: Path, out: Path, up: str) -> None:
    """The files of a board; its page with a link `up` to the index of all boards."""
    if not (board / "index.html").is_file():
        raise HeatmarkError(f"{board} has no report; `heatmark report {board}` writes it")
    for name in (*_FILES, *_MORE):
        if (board / name).is_file():
            write_whole(out / name, (board / name).read_bytes())
    page = (board / "index.html").read_text(encoding="utf-8")
    links = f' · <a href="{up}index.html#questions">All boards</a>'
    write_whole(out / "index.html", page.replace("<!--boards-->", links, 1).encode())
    if (board / "figures").is_dir():
        shutil.copytree(board / "figures", out / "figures", dirs_exist_ok=True)


def _entry(address: str, view: View) -> Entry:
    verdict, manifest = view.verdict, view.board.manifest
    placed = view.kind != "recipes" and view.placed
    return Entry(
        address=address,
        title=view.board.question.asks,
        finding=verdict.sentence,
        badge=verdict.badge.text,
        badge_class=_BADGES[verdict.badge.kind],
        meaning=verdict.badge.meaning,
        facts=f"{len(view.board.images):,} images of {data_set(manifest)}{_sent(manifest)}",
        places={line.name: line.place for line in view.lines if np.isfinite(line.place)} if placed else {},
    )


def _sent(manifest: Mapping[str, Any]) -> str:
    """Who sent a board, where somebody has."""
    return f", sent by {manifest['sender']}" if manifest.get("sender") else ""


def _matrix(entries: list[Entry]) -> list[tuple[str, list[float | None]]]:
    """Methods by boards: the place of each where it has one; those on most boards first."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.places))
    rows = [(name, [entry.places.get(name) for entry in entries if entry.places]) for name in names]
    return sorted(rows, key=lambda row: -sum(place is not None for place in row[1]))
