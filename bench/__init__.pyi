from bench._version import version as __version__
from bench.notebook import leaderboard as leaderboard
from bench.runner.evaluate import evaluate as evaluate
from bench.runner.evaluate import explain as explain

__all__ = ["__version__", "evaluate", "explain", "leaderboard"]
