"""Write the reports of all result sets under a folder anew: `python -m bench.report results`."""

import sys
from pathlib import Path

from bench.files import write_whole
from bench.report import write_report
from bench.report.index import index
from bench.results.result_set import read_results


def main(root: Path) -> None:
    """Regenerate every report under `root` from the tables that lie there, and the list of them."""
    folders = sorted(scores.parent for scores in root.rglob("scores.parquet"))
    for folder in folders:
        write_report(read_results(folder), folder)
    write_whole(root / "README.md", index(folders, root).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
