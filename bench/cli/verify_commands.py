"""`heatmark verify` and `submit`: commands that compute a part of a result set again."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import say
from bench.cli.options import AllowCode, Folder, device_of, sender_named
from bench.errors import HeatmarkError

if TYPE_CHECKING:
    import torch

Share = Annotated[float, typer.Option(min=0, max=1, help="The share of its cells to recompute; one at least.")]
Seed = Annotated[int, typer.Option(min=0, help="Which cells are drawn.")]
Train = Annotated[
    bool,
    typer.Option(
        "--train", help="Train networks that are not at hand; the sample is then of as few networks as will do."
    ),
]
Device = Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")]


@dataclass(frozen=True)
class Sample:
    """Which cells of a set are computed again, and whether networks are trained for it."""

    share: float
    seed: int
    train: bool


def verify(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it, or a published one.")],
    share: Share = 0.05,
    seed: Seed = 0,
    train: Train = False,
    device: Device = "auto",
    store: Folder = Path(".heatmark"),
    allow_code: AllowCode = False,
) -> None:
    """Check a result set against its checksums and recompute a random sample of it; exit status 1 for a difference."""
    sample = Sample(share, seed, train)
    _tried(folder, sample, device_of(device), store, allow_code=allow_code, as_submission=False)


def submit(
    folder: Annotated[Path, typer.Argument(help="A result set to send; or, without OUT, a submission to check.")],
    out: Annotated[
        Path | None, typer.Argument(help="The folder that a pull request adds, such as results/me-my-board.")
    ] = None,
    sender: Annotated[str, typer.Option(help="The name that the board and its citation are to carry.")] = "",
    share: Share = 0.02,
    seed: Seed = 0,
    train: Train = False,
    device: Device = "auto",
    store: Folder = Path(".heatmark"),
) -> None:
    """Make the folder that a pull request adds, and check it as it will be checked there; exit status 1 if refused.

    Files, sizes, checksums, protocols and images are checked, and a random
    share of the cells is computed again. Without OUT, FOLDER is checked.

    Refused before all that: code that does not come with heatmark.
    """
    named = "" if out is None else sender_named(sender)
    _check_code_is_here(folder)
    if out is not None:
        from bench.verification.submission import write_submission

        write_submission(folder, out, named, store / "networks")
        say(f"Written: {out}")
    sample = Sample(share, seed, train)
    _tried(out or folder, sample, device_of(device), store, allow_code=False, as_submission=True)
    say(f"Ready to send: {out or folder}")


def _check_code_is_here(folder: Path) -> None:
    """Say which code of a set's suite others would lack; status 1 where there is some."""
    from bench.results.result_set import manifest_in
    from bench.suites.read import suite_of_settings
    from bench.verification.outside_code import outside_code

    manifest = manifest_in(folder)
    if manifest is None:  # which is said where the set is read
        return
    # None of that code runs here: its names are all that is read.
    suite = suite_of_settings(manifest.get("settings", {}), manifest.get("command", ""), folder, allow_code=True)
    lines = list(outside_code(suite))
    for line in lines:
        say(f"refused {line}")
    if lines:
        raise typer.Exit(1)


def _tried(
    folder: Path, sample: Sample, device: "torch.device", store: Path, *, allow_code: bool, as_submission: bool
) -> None:
    """Say what is found of a result set; status 1 where it is refused as a submission, or a cell differs."""
    from bench.results.result_set import has_checksums, read_results

    results = read_results(folder)
    say("checksums: right" if has_checksums(folder) else "checksums: none in the manifest, so none checked")
    from bench.progress import CELLS_AGAIN, progress
    from bench.results.cell_store import Store
    from bench.runner.records import Run
    from bench.suites.load import with_plugins
    from bench.suites.read import suite_of_settings
    from bench.verification.recompute import cells_of, origin, recomputed, sample_of, sample_of_few_networks
    from bench.verification.submission import refusals

    manifest = results.manifest
    written, command = manifest.get("settings", {}), manifest.get("command", "")
    suite = with_plugins(suite_of_settings(written, command, folder, allow_code=allow_code))
    found: Counter[str] = Counter()
    with progress() as bars:
        run = Run(suite, Store(store), device, bars)
        for line in refusals(folder, results, run) if as_submission else ():
            found["refused"] += 1
            say(f"refused {line}")
        if found["refused"]:
            raise typer.Exit(1)
        say(origin(manifest, device))
        draw = sample_of_few_networks if sample.train else sample_of
        entries = draw(cells_of(results, run), sample.share, sample.seed)
        bars.advance(CELLS_AGAIN, 0, len(entries))
        for finding in recomputed(results, run, entries, folder, "train" if sample.train else "refuse"):
            found[finding.verdict] += 1
            bars.advance(CELLS_AGAIN, 1)
            say(f"{finding.verdict:<8}{finding.entry}: {finding.reason}")
    say(", ".join(f"{count} {verdict}" for verdict, count in sorted(found.items())))
    if found["differs"]:
        raise typer.Exit(1)
    if found["cannot"] and not found["same"]:
        hint = "" if sample.train else "; where their networks are not at hand, --train trains them"
        raise HeatmarkError(f"{folder}: none of the cells that were drawn could be recomputed here{hint}")
