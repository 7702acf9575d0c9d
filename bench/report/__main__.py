"""Write the reports of all result sets under a folder anew: `python -m bench.report results`."""

import sys
from pathlib import Path

from bench.report import write_report
from bench.store import read_results


def main(root: Path) -> None:
    """Regenerate every report under `root`, from the tables that lie there."""
    for scores in sorted(root.rglob("scores.parquet")):
        write_report(read_results(scores.parent), scores.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
