"""`python -m bench` is the command `heatmark`."""

from bench.cli import main

main()
