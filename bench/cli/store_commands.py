"""`heatmark store check` and `prune`: commands about a store."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import say
from bench.cli.options import AllowCode, Folder, device_of
from bench.errors import HeatmarkError

app = typer.Typer(no_args_is_help=True, help="Check the store of finished cells and trained networks, or prune it.")


@app.command()
def check(store: Folder = Path(".heatmark")) -> None:
    """Verify every file of a store and change nothing; exit status 1 where one is damaged."""
    _check_is_there(store)
    from bench.results.cell_store import Store
    from bench.verification.store import checked

    kinds: Counter[str] = Counter()
    damaged = 0
    for file in checked(Store(store)):
        kinds[file.kind] += 1
        if file.damage is not None:
            damaged += 1
            say(f"damaged {file.path}: {file.damage}")
    say(", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "empty")
    say(f"{damaged} damaged" if damaged else "all whole")
    if damaged:
        raise typer.Exit(1)


@app.command()
def prune(
    suites: Annotated[
        list[str] | None,
        typer.Argument(help="Keep what these suites need, as written and as --quick, alone."),
    ] = None,
    store: Folder = Path(".heatmark"),
    device: Annotated[str, typer.Option(help="The torch device whose cells the suites keep.")] = "auto",
    allow_code: AllowCode = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
) -> None:
    """Remove cells and heatmaps of other code or of none of the suites, what is damaged, and what dead runs have left.

    Trained networks and result sets stay. What is removed is computed again when a suite asks for it.
    """
    _check_is_there(store)
    from bench.progress import progress
    from bench.results.cell_store import Store
    from bench.suites.load import load_suite
    from bench.suites.read import has_quick
    from bench.verification import store as stores

    own, keep = Store(store), None
    if suites:
        where = device_of(device)
        with progress() as bars:
            sizes = [(name, quick) for name in suites for quick in {False, has_quick(name)}]
            loaded = [load_suite(name, quick=quick, allow_code=allow_code) for name, quick in sizes]
            keep, missing = stores.reachable(stores.Survey(suite, own, where, bars) for suite in loaded)
        for line in missing:
            say(f"not here: {line}")
    removed: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for _, reason, size in stores.prune(own, keep, dry=dry_run):
        removed[reason] += size
        files[reason] += 1
    for reason, size in removed.items():
        say(f"{files[reason]} files {reason}: {size:,} bytes")
    did = "would go" if dry_run else "removed"
    say(f"{sum(files.values())} files, {sum(removed.values()):,} bytes {did}")


def _check_is_there(store: Path) -> None:
    if not store.is_dir():
        raise HeatmarkError(f"--store {store}: no such folder; expected one that `heatmark run` has written")
