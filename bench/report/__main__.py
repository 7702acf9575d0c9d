"""Write the reports of all result sets under a folder anew: `python -m bench.report results`."""

import sys
from pathlib import Path

from bench.files import write_whole
from bench.report.tables import plain
from bench.report.view import View, view_of
from bench.report.words import data_set
from bench.report.write import write_report
from bench.results.result_set import read_results
from bench.statistics.question import MEANINGS

_HEAD = """# Published boards

Each folder holds a result set (per-image scores, curves, networks, sample heatmaps, manifest) and what
`python3 -m nox -s leaderboard` writes from it: page, tables, figures, preview. Nothing of that is edited by hand. Open
`index.html` of a board in a browser: it needs nothing beside it. `heatmark compare` says what changed between two of
them; `heatmark site results site` makes one site of all.

*Scores made* is the day on which the scores were computed, and the hash of the code that did; pages and tables are as
the present code writes them. Where the two are not of one time, and why, the README of a folder says.

To send a board of yours: `heatmark submit FOLDER OUT --sender NAME` makes the folder that a pull request adds here, and
runs what will run there: files, sizes, checksums, protocols, images, and a random share of its cells computed again. It
is accepted when these come out the same. What is sent is given to the public domain (CC0). Others must be able to
compute it: a plug-in of your own goes into `methods/`, `metrics/` or `datasets/` of the same pull request; one from a
package of yours, and an architecture that is your own code, are refused.

| board | question | answer | how sure | images | scores made | run again with |
|---|---|---|---|--:|---|---|
"""


def main(root: Path) -> None:
    """Regenerate every report under `root` from the tables that lie there, and the list of them."""
    rows, words = [], set()
    for folder in sorted(scores.parent for scores in root.rglob("scores.parquet")):
        results = read_results(folder)
        write_report(results, folder)
        view = view_of(results)
        words.add(view.verdict.badge.words)
        rows.append(_row(view, folder.relative_to(root).as_posix()))
    said = [f"- *{own}*: {meaning}\n" for own, meaning in MEANINGS.items() if own in words]
    legend = ["\n## What *how sure* says\n\n", *said] if said else []
    write_whole(root / "README.md", "".join([_HEAD, *rows, *legend]).encode())


def _row(view: View, name: str) -> str:
    """A row of the table in Markdown."""
    manifest, verdict = view.board.manifest, view.verdict
    made = ", ".join(part for part in (str(manifest.get("created", "")), str(manifest.get("code", ""))[:12]) if part)
    cells = [
        f"[{plain(name)}]({name}/index.html)",
        plain(view.board.question.asks),
        plain(verdict.sentence),
        plain(verdict.badge.text),
        f"{len(view.board.images):,} of {plain(data_set(manifest))}",
        made or "—",
        f"`{manifest['command']}`",
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
