"""heatmark: a benchmark suite for the quality of attribution heatmaps."""

from pathlib import Path
from typing import Any

from bench._version import version as __version__

_here = Path(__file__).resolve().parent
if not (_here / "methods").exists():
    # A checkout keeps the plug-in folders beside `bench`; a wheel carries them inside it.
    __path__.append(str(_here.parent))

__all__ = ["__version__", "evaluate", "explain", "leaderboard"]


def __getattr__(name: str) -> Any:
    """Import a public function when somebody takes it, so that `import bench` is instant; types: `__init__.pyi`."""
    if name in {"evaluate", "explain"}:
        from bench.runner import evaluate as public

        return getattr(public, name)
    if name == "leaderboard":
        from bench.notebook import leaderboard

        return leaderboard
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
