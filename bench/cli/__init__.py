"""The command `heatmark`."""

import logging
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from bench._version import version
from bench.cli import plugin_commands, result_commands, run_commands, store_commands
from bench.cli.console import console
from bench.errors import HeatmarkError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure how good attribution heatmaps are.",
)
app.command()(run_commands.run)
app.command()(run_commands.train)
app.command()(result_commands.report)
app.command()(result_commands.publish)
app.command()(result_commands.pictures)
app.command()(result_commands.compare)
app.command()(result_commands.verify)
app.command()(result_commands.figure)
app.command()(result_commands.site)
app.command("list")(plugin_commands.list_plugins)
app.command()(plugin_commands.check)
app.command()(run_commands.show)
app.add_typer(store_commands.app, name="store")


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"heatmark {version}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, also of plug-ins that failed.")] = False,
) -> None:
    del show_version  # its callback has done all of it
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    logging.getLogger("heatmark").setLevel(logging.DEBUG if debug else logging.INFO)


def main() -> NoReturn:
    """Run the command; an error that the user can mend is one line."""
    try:
        app()
    except (HeatmarkError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        said = Console(stderr=True, emoji=False)
        said.print(f"heatmark: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(2) from error
    raise SystemExit(0)
