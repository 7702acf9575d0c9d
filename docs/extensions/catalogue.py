"""Catalogue pages of every plug-in that is found, from what it says of itself: made anew at each build."""

import inspect
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from catalogue_pictures import draw_all

from bench.api import AnyMetric, ImageMetric, Plugin
from bench.api.registry import find, problems
from bench.plugins.outline import first_line
from bench.plugins.sources import libraries

KINDS = {
    "attributions": ("Attributions", "how a network is explained"),
    "recipes": ("Recipes", "how a network is trained"),
    "metrics": ("Metrics", "how a heatmap is scored"),
    "datasets": ("Data sets", "what networks are trained on and explained on"),
}
CAPTIONS = {
    "attributions": "A planted image, its truth, and a heatmap of the network `small_resnet` (red for, blue against).",
    "recipes": "The gradient of networks trained by it and plainly, on one planted image; from the published boards.",
    "metrics": "Five heatmaps of one planted image in the order of this metric, best first, with their scores.",
    "datasets": "Images of it.",
}


def write_catalogue(out: Path) -> None:
    """Write an index and a page for every plug-in into a folder, in the place of what was there."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    found = {kind: find(kind) for kind in KINDS}
    drawn = draw_all(found, out / "pictures")
    for kind, plugins in found.items():
        (out / kind).mkdir()
        for name, plugin in plugins.items():
            (out / kind / f"{name}.md").write_text("\n".join(_page(kind, plugin, drawn)), encoding="utf-8")
        (out / f"{kind}.md").write_text("\n".join(_index(kind, plugins)), encoding="utf-8")


def _index(kind: str, plugins: Mapping[str, type[Plugin]]) -> Iterator[str]:
    title, what = KINDS[kind]
    yield from (
        f"# {title}",
        "",
        f"{len(plugins)} {title.lower()}: {what}. Made from the plug-ins that were found.",
        "",
    )
    groups: dict[str, list[str]] = {}
    for name, plugin in plugins.items():
        groups.setdefault(plugin().family if issubclass(plugin, AnyMetric) else "", []).append(name)
    for group, names in sorted(groups.items()):
        yield from ([f"## {group.capitalize()}", ""] if group else [])
        yield from ("| name | what it is |", "|---|---|")
        yield from (f"| [{name}]({kind}/{name}.md) | {_cell(plugins[name].summary())} |" for name in names)
        yield ""
    lines = [f"| `{library}:NAME` | {_cell(first_line(path))} |" for library, path in libraries(kind).items()]
    if lines:
        yield from ("## Of other libraries", "", "[Every name of theirs](../adapters.md), and which work.", "")
        yield from ("| name | what it is |", "|---|---|", *lines, "")
    yield from (f"`{name}` cannot be had here: {_cell(why)}\n" for name, why in problems(kind).items())
    yield from ("```{toctree}", ":hidden:", "", *(f"{kind}/{name}" for name in plugins), "```", "")


def _page(kind: str, plugin: type[Plugin], drawn: Mapping[tuple[str, str], str]) -> Iterator[str]:
    made = plugin()
    card = made.card
    yield from (f"# {card.display}", "", card.summary, "")
    picture = drawn.get((kind, plugin.name))
    if picture:
        yield from (f"![{card.display}](../pictures/{picture})", "", CAPTIONS[kind], "")
    yield from ("| | |", "|---|---|", f"| name in suites | `{card.name}` |")
    yield from (f"| {key} | {_cell(value)} |" for key, value in _facts(made).items() if value)
    yield f"| source | {_cell(card.reference or 'this project')} |"
    yield ""
    yield from _settings(plugin)
    said = inspect.cleandoc(plugin.__doc__ or "").partition("\n")[2].strip()
    yield from (_prose(said), "")


def _facts(plugin: Plugin) -> dict[str, str]:
    """What only some kinds say of themselves."""
    if not isinstance(plugin, AnyMetric):
        facts = {
            "control": "yes: it competes with nobody" if getattr(plugin, "control", False) else "",
            "needs": "a truth map" if getattr(plugin, "needs_truth", False) else "",
            "works with": ", ".join(plugin.output_kinds),
        }
        return {key: value for key, value in facts.items() if value}
    low, high = plugin.range
    needs = (
        dict(zip(("a truth map", "fixations"), plugin.needs, strict=True)) if isinstance(plugin, ImageMetric) else {}
    )
    return {
        "question": plugin.question,
        "better": f"{plugin.direction}, between {low:g} and {high:g} {plugin.unit}".strip(),
        "a random map scores": "" if plugin.chance is None else f"{plugin.chance:g}",
        "cannot see": plugin.blind_spot,
        "needs": " and ".join(name for name, needed in needs.items() if needed),
        "protocol": plugin.stamp,
        "counts in orders": "no: it says what a map is like, not what it is worth" if plugin.is_property else "",
    }


def _settings(plugin: type[Plugin]) -> Iterator[str]:
    own = fields(plugin)
    if not own:
        yield from ("It has no settings.", "")
        return
    yield from ("| setting | default |", "|---|---|")
    yield from (f"| `{field.name}` | `{getattr(plugin(), field.name)!r}` |" for field in own)
    yield ""


def _prose(docstring: str) -> str:
    """A docstring as Markdown: what is not code keeps its characters."""
    parts = docstring.split("`")
    parts[::2] = [re.sub(r"([*_<\[\]|#])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _cell(text: str) -> str:
    """A text as a cell of a table holds it."""
    return _prose(" ".join(text.split()))


def setup(app: Any) -> dict[str, bool]:
    """Make the pages before Sphinx reads any."""
    app.connect("builder-inited", lambda own: write_catalogue(Path(own.srcdir) / "catalogue"))
    return {"parallel_read_safe": True}
