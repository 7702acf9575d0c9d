"""Code that a suite names and that does not come with heatmark: nobody else could compute its board again."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import HeatmarkError
from bench.plugins.sources import PACKAGES, Source, source_of
from bench.suites.read import SuiteFile, plugin_tables

_FOLDERS = {kind: package.removeprefix("bench.").replace(".", "/") for kind, package in PACKAGES.items()}


def outside_code(suite: SuiteFile) -> Iterator[str]:
    """A line for each plug-in and architecture of a suite that a fresh heatmark has not, with what to do about it.

    A plug-in file in a checkout counts as there once git knows it, since a pull request then brings it.
    """
    for number, network in enumerate(suite.table.networks):
        if network.runs_code:
            yield (
                f"{suite.file}: networks[{number}].architecture: {network.architecture} is code that does not come "
                "with heatmark; nobody else can run it, so send boards of networks by name"
            )
    files = []
    for table in plugin_tables(suite):
        name, folder = str(table.settings.get("name")), _FOLDERS[table.kind]
        remedy = f"copy its file into {folder}/ of a checkout, run the suite again, and send the file with the board"
        try:
            source = source_of(table.kind, name)
        except HeatmarkError as error:
            yield f"{table.where}.name: {error}; where it is a plug-in of the sender's, {remedy}"
            continue
        if source.entry is not None and (package := _package(source)) != "heatmark":
            yield f"{table.where}: {name} comes from the package {package}, not from heatmark; {remedy}"
        elif source.path is not None:
            files.append(source.path)
    for path in _unknown_to_git(sorted(set(files))):
        yield f"{path} is not in git, so the pull request would lack it; `git add` it and send it with the board"


def _package(source: Source) -> str:
    """The package that offers an entry point, with its version."""
    assert source.entry is not None  # noqa: S101 - for the type checker
    about = source.entry.dist
    if about is None:
        return source.module.partition(".")[0]
    return about.name if about.name == "heatmark" else f"{about.name} {about.version}"


def _unknown_to_git(files: Sequence[Path]) -> list[Path]:
    """Those of the files that lie in a git checkout and are new to it; none where there is no git or no checkout."""
    git = shutil.which("git")
    folders = sorted({path.parent for path in files}) if git else []
    new: set[Path] = set()
    for folder in folders:
        own = [path.name for path in files if path.parent == folder]
        ask = [str(git), "--no-optional-locks", "-C", str(folder), "ls-files", "--others", "--exclude-standard", "-z"]
        said = subprocess.run([*ask, "--", *own], capture_output=True, text=True, check=False)  # noqa: S603 - names of our files
        new |= {folder / name for name in said.stdout.split("\0") if name}
    return sorted(new)
