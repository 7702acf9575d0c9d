"""Where the command prints."""

import sys

from rich.console import Console

# A table in a file or a log is not cut to the width of no terminal.
console = Console(width=None if sys.stdout.isatty() else 200, emoji=False)
