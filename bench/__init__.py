"""heatmark: a benchmark suite for the quality of attribution heatmaps."""

from pathlib import Path

_here = Path(__file__).resolve().parent
if not (_here / "methods").exists():
    # A checkout keeps the plug-in folders beside `bench`; a wheel carries them inside it.
    __path__.append(str(_here.parent))

from bench._version import version as __version__  # noqa: E402

__all__ = ["__version__"]
