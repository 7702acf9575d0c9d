"""What all published boards answer together: written anew at each build."""

from pathlib import Path
from typing import Any

from bench.report.view import view_of
from bench.results.result_set import read_results

RESULTS = Path(__file__).parents[2] / "results"
VERDICTS = ("distrust", "care", "untried", "trust")


def metric_trust(results: Path) -> str:
    """A table of what the audit says of every metric on every board of methods or protocols."""
    lines = ["| metric | board | verdict | because |", "|---|---|---|---|"]
    rows = []
    for path in sorted(results.rglob("scores.parquet")):
        view = view_of(read_results(path.parent))
        if view.kind == "recipes":
            continue
        board = path.parent.relative_to(results).as_posix()
        rows += [
            (str(label), board, finding.verdict, "; ".join(finding.reasons))
            for label, finding in zip(view.board.metrics.label, view.audit, strict=True)
            if finding.verdict in VERDICTS
        ]
    lines += [f"| `{label}` | {board} | **{verdict}** | {reasons} |" for label, board, verdict, reasons in sorted(rows)]
    return "\n".join(lines) + "\n"


def setup(app: Any) -> dict[str, bool]:
    """Write the tables before Sphinx reads any page."""

    def write(own: Any) -> None:
        folder = Path(own.srcdir) / "generated"
        folder.mkdir(exist_ok=True)
        (folder / "metric_trust.md").write_text(metric_trust(RESULTS), encoding="utf-8")

    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
