"""The command `heatmark`."""

import logging
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from bench._version import version
from bench.cli import plan_command, plugin_commands, result_commands, run_commands, store_commands, verify_commands
from bench.cli.console import OneLine, complain, console
from bench.errors import HeatmarkError, exits_refused


class _Commands(TyperGroup):
    """Commands in which nobody else's code ends the process, and a wrong value is refused in one line."""

    def invoke(self, ctx: Any) -> Any:
        with exits_refused():
            try:
                return super().invoke(ctx)
            except typer.BadParameter as error:
                said = error.format_message().replace("Value error, ", "").rstrip(".")
                command = error.ctx.command_path if error.ctx else "heatmark"
                raise HeatmarkError(f"{said}; `{command} --help` says what is expected") from error


BOARDS, RESULTS, PLUGINS = "Boards", "Results", "Plug-ins"
app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure how good attribution heatmaps are.",
)
app.command(rich_help_panel=BOARDS)(run_commands.run)
app.command(rich_help_panel=BOARDS)(plan_command.plan)
app.command(rich_help_panel=BOARDS)(run_commands.train)
app.command(rich_help_panel=RESULTS)(result_commands.report)
app.command(rich_help_panel=RESULTS)(result_commands.publish)
app.command(rich_help_panel=RESULTS)(result_commands.pictures)
app.command(rich_help_panel=RESULTS)(result_commands.compare)
app.command(rich_help_panel=RESULTS)(verify_commands.verify)
app.command(rich_help_panel=RESULTS)(verify_commands.submit)
app.command(rich_help_panel=RESULTS)(result_commands.figure)
app.command(rich_help_panel=RESULTS)(result_commands.site)
app.command("list", rich_help_panel=PLUGINS)(plugin_commands.list_plugins)
app.command(rich_help_panel=PLUGINS)(plugin_commands.check)
app.command(rich_help_panel=PLUGINS)(plugin_commands.new)
app.command(rich_help_panel=BOARDS)(run_commands.show)
app.add_typer(store_commands.app, name="store", rich_help_panel=RESULTS)


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
    lines = logging.StreamHandler()
    lines.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[lines])
    logging.getLogger("heatmark").setLevel(logging.DEBUG if debug else logging.INFO)


def main() -> NoReturn:
    """Run the command; an error is one line, and the exit status 2.

    Of an error that nobody foresaw the line says so, and how to see where it came from.
    """
    try:
        app(prog_name="heatmark")
    except (HeatmarkError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        complain(error)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        complain(f"unexpected {type(error).__name__}: {error}; `heatmark --debug ...` shows where")
    else:
        raise SystemExit(0)
    raise SystemExit(2)
