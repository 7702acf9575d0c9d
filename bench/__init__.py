"""heatmark: a benchmark suite for the quality of attribution heatmaps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench._version import version as __version__

if TYPE_CHECKING:
    from bench.runner.evaluate import evaluate

_here = Path(__file__).resolve().parent
if not (_here / "methods").exists():
    # A checkout keeps the plug-in folders beside `bench`; a wheel carries them inside it.
    __path__.append(str(_here.parent))

__all__ = ["__version__", "evaluate"]


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        from bench.runner.evaluate import evaluate

        return evaluate
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
