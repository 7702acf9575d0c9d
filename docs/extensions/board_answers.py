"""What all published boards answer together: `python docs/extensions/board_answers.py` writes docs/answers.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from bench.report.view import View, view_of
from bench.results.result_set import read_results
from bench.statistics.board import Board
from bench.statistics.build import network_boards
from bench.statistics.means import means, over_seeds
from bench.statistics.names import listed
from bench.statistics.recipe_effects import recipe_table

DOCS = Path(__file__).parents[1]
RESULTS = DOCS.parent / "results"
VERDICTS = ("distrust", "care", "untried", "trust")
SCRATCH, CLAIMS, TUNED = (f"recipes-planted/{name}" for name in ("scratch", "claims", "regularizers"))
TRUTH = ("relevance_mass", "auc_judd")
RESAMPLES = 500
IN_DOMAIN = "single_deletion"


class Interval(NamedTuple):
    """A difference with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As a table holds it."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    @property
    def sure(self) -> bool:
        """Whether it lies on one side of zero."""
        return self.low > 0 or self.high < 0


def difference(board: Board, metric: str, better: str, worse: str) -> Interval:
    """How much better a method is than another on a board of one network, over the images that both have."""
    names = list(board.entries.attribution)
    quality = board.quality[:, list(board.metrics.label).index(metric)]
    found = means(quality[[names.index(better)]] - quality[[names.index(worse)]])
    return Interval(float(found.mean[0]), float(found.low[0]), float(found.high[0]))


def boards(results: Path) -> dict[str, View]:
    """Every published board by its folder."""
    paths = [path.parent for path in sorted(results.rglob("scores.parquet"))]
    return {path.relative_to(results).as_posix(): view_of(read_results(path)) for path in paths}


def answers(results: Path, views: dict[str, View]) -> str:
    """The page: a section for each question."""
    audited = {name: view for name, view in views.items() if view.kind != "recipes"}
    effects = {name: recipe_table(read_results(results / name)) for name in (SCRATCH, CLAIMS, TUNED)}
    lines = [
        "# What the published boards answer together",
        "",
        "Made from the per-image scores under `results/` by `python docs/extensions/board_answers.py`. Differences are",
        "with 95% intervals, each by itself and not corrected for how many there are: over images for methods, over",
        "three training seeds for recipes unless said otherwise. Positive is better. All networks here are small; none",
        "of this is shown of large ones.",
        "",
        *_train_or_attribute(effects, views),
        *_gnl(network_boards(read_results(results / "gnl2020-imagenette"))),
        *_promises(effects),
        "## Which metrics should not be trusted, and by which test",
        "",
        *_distrusted(audited),
        *trust_rows(audited),
        "",
        *_looking(views["protocols"], effects[CLAIMS]),
        *_in_domain(views["in_domain"].board),
    ]
    return "\n".join(lines) + "\n"


def _train_or_attribute(effects: dict[str, pd.DataFrame], views: dict[str, View]) -> Iterator[str]:
    yield from ("## Does it pay to train for interpretability, or to attribute better?", "")
    own = effects[SCRATCH]
    board = views["protocols"].board  # of one network
    named = [name for name in board.entries.attribution[board.methods] if name != "simple_gradient" and "(" not in name]
    trained = {metric: _effects(own, metric) for metric in TRUTH}
    methods = {metric: {name: difference(board, metric, name, "simple_gradient") for name in named} for metric in TRUTH}
    for metric in TRUTH:
        recipe, method = (max(own[metric], key=lambda name: own[metric][name].value) for own in (trained, methods))
        one, other = trained[metric][recipe], methods[metric][method]
        more = "attributing better gives more" if other.low > one.high else "the two intervals overlap"
        more = "training gives more" if one.low > other.high else more
        yield (
            f"- By `{metric}` the largest effect of a recipe is {one} (`{recipe}`), that of a method {other} "
            f"(`{method}`), both against the gradient of plain training: {more}."
        )
    yield ""
    price = _effects(own, "accuracy")
    yield f"The recipes cost accuracy: {listed([f'`{name}` {e}' for name, e in price.items()])}. A method costs passes."
    yield "The recipes are of networks trained from scratch on `planted` (`recipes-planted/scratch`), the methods of"
    yield "the shipped `small_resnet` (`protocols`): this compares two boards, and effects chosen as the largest."
    yield from ("", "| against the gradient of plain training | relevance mass | AUC-Judd |", "|---|--:|--:|")
    for kind, table in (("recipe", trained), ("method", methods)):
        for name in table[TRUTH[0]]:
            yield f"| {kind} `{name}` | {' | '.join(str(table[metric][name]) for metric in TRUTH)} |"
    yield ""


def _effects(table: pd.DataFrame, metric: str) -> dict[str, Interval]:
    """What each recipe changes under a metric, by its label."""
    rows = table[table.metric.eq(metric) & table.recipe.ne(table.control)]
    return {r.recipe: Interval(r.difference, r.difference_low, r.difference_high) for r in rows.itertuples()}


def _gnl(boards: dict[str, Board]) -> Iterator[str]:
    yield from ("## Does GNL-IG beat IG: where, and by how much?", "")
    others = ("integrated_gradients", "random_map", "edges")
    found = [
        (network, metric, [difference(board, metric, "gnl_integrated_gradients", other) for other in others])
        for network, board in boards.items()
        for metric in board.metrics.label
    ]
    ahead = [own[0].low > 0 for _, _, own in found]
    blind = [f"{metric} on {network}" for network, metric, own in found if own[2].low <= 0]
    yield (
        f"Its interval against IG lies above zero in {sum(ahead)} of {len(ahead)} comparisons, "
        f"on {len(next(iter(boards.values())).images)} photographs of Imagenette and {len(boards)} networks."
    )
    if blind:
        yield f"It cannot be told from Sobel edges, which know nothing of the network, or is worse, in {listed(blind)}."
    yield from ("", "| network | metric | minus IG | minus random map | minus edges |", "|---|---|--:|--:|--:|")
    yield from (f"| {network} | {metric} | {' | '.join(map(str, own))} |" for network, metric, own in found)
    yield ""


def _promises(effects: dict[str, pd.DataFrame]) -> Iterator[str]:
    yield from ("## Do norm-regularised recipes keep their promises?", "")
    claims, tuned = effects[CLAIMS], effects[TUNED]
    rows = []
    for metric in dict.fromkeys(claims.metric[claims.attribution.ne("")]):
        own = {name: e for name, e in _effects(claims, metric).items() if name.startswith("norm_adversarial")}
        rows += [f"| `{name}` | `{metric}` | {e} | {_judged(e)} |" for name, e in own.items()]
        kept = sum(e.low > 0 for e in own.values())
        yield f"- `{metric}`: {kept} of {len(own)} adversarial norms are better than plain training."
    mine = tuned[tuned.own & tuned.recipe.ne(tuned.control)]
    lower = int((mine.difference_high < 0).sum())
    yield (
        f"- Gradient regularisers: {lower} of {len(mine)} lower the penalty that they train on (one network each, so "
        f"the intervals are over images and chance of training is in them), by {-100 * mine.change.max():.1f}% to "
        f"{-100 * mine.change.min():.0f}%."
    )
    price = {name: e for name, e in _effects(claims, "accuracy").items() if name.startswith("norm_adversarial")}
    yield f"- The price in accuracy: {listed([f'`{name}` {e}' for name, e in price.items()])}."
    yield from ("", "| recipe | promise, by | effect | kept |", "|---|---|--:|---|", *rows, "")
    yield from ("| regulariser | change of its own penalty | interval |", "|---|--:|--:|")
    for row in mine.itertuples():
        own = Interval(row.difference, row.difference_low, row.difference_high)
        yield f"| `{row.recipe}` | {100 * row.change:+.1f}% | {_plain(own)} |"
    yield ""


def _plain(own: Interval) -> str:
    """An interval of a penalty, which may be tiny."""
    return f"{own.value:+.3g} [{own.low:+.3g}, {own.high:+.3g}]"


def _judged(own: Interval) -> str:
    return ("yes" if own.value > 0 else "no, worse") if own.sure else "not shown"


def _distrusted(views: dict[str, View]) -> Iterator[str]:
    worst: dict[str, list[str]] = {}
    for name, view in views.items():
        for label, finding in zip(view.board.metrics.label, view.audit, strict=True):
            if finding.verdict == "distrust":
                worst.setdefault(str(label), []).append(f"{name}: {finding.reasons[0]}")
    yield from (f"- **{label}**: {'; '.join(reasons)}." for label, reasons in sorted(worst.items()))
    yield from ("", "A verdict holds for a board: its network, images and methods.", "")


def trust_rows(views: dict[str, View]) -> Iterator[str]:
    """A table of what the audit says of every metric on every board of methods or protocols."""
    yield from ("| metric | board | verdict | because |", "|---|---|---|---|")
    rows = [
        (str(label), name, finding.verdict, "; ".join(finding.reasons))
        for name, view in views.items()
        for label, finding in zip(view.board.metrics.label, view.audit, strict=True)
        if finding.verdict in VERDICTS
    ]
    yield from (
        f"| `{label}` | {board} | **{verdict}** | {reasons} |" for label, board, verdict, reasons in sorted(rows)
    )


def _looking(view: View, claims: pd.DataFrame) -> Iterator[str]:
    yield from ("## Do methods that look where people look explain better?", "")
    yield "No published board scores gaze and faithfulness of the same maps: `cub-gaze` has gaze alone. So of people"
    yield "this is not answered. Of planted images, where the truth is the object, over the methods of `protocols`"
    yield "(Spearman's correlation of their mean scores, interval over resampled images):"
    yield from ("", "| agreement with the truth | faithfulness | correlation |", "|---|---|--:|")
    board = view.board
    faithful = [label for label in board.metrics.label if label.startswith(("deletion", "insertion"))]
    for metric in TRUTH:
        for other in faithful:
            yield f"| `{metric}` | `{other}` | {correlation(board, metric, other)} |"
    gaze = {
        metric: _effects(claims, metric)["gaze_harmonized(epsilon=4.0)"]
        for metric in dict.fromkeys(claims.metric[claims.attribution.ne("")])
    }
    yield from ("", "Training to look where the truth is (gaze harmonisation, against plain training) changes:", "")
    yield from (f"- `{metric}` by {own} ({_judged(own)})" for metric, own in gaze.items())


def _in_domain(board: Board) -> Iterator[str]:
    yield from ("", "## Does the order of methods stay when the network knows the images it is shown?", "")
    yield f"Kendall's tau between the orders of {len(board.methods)} methods by mean score, on a network that has"
    yield "learnt from images without single cells (recipe `masked`; board `in_domain`, IDSDS), with percentile"
    yield f"intervals over {RESAMPLES} draws of its images. 1: the same order; 0: as if by chance."
    others = [label for label in board.metrics.label if label != IN_DOMAIN]
    yield from ("", f"| | {' | '.join(f'`{label}`' for label in others)} |", f"|---|{'--:|' * len(others)}")
    for own in board.metrics.label:
        cells = [str(rank_agreement(board, own, other)) if own != other else "" for other in others]
        yield f"| `{own}` | {' | '.join(cells)} |"


def rank_agreement(board: Board, one: str, other: str) -> Interval:
    """Kendall's tau of the methods' mean qualities under two metrics, with a percentile interval."""
    return _resampled(board, one, other, stats.kendalltau)


def correlation(board: Board, one: str, other: str) -> Interval:
    """Spearman's correlation of the methods' mean qualities under two metrics, with a percentile interval."""
    return _resampled(board, one, other, stats.spearmanr)


def _resampled(board: Board, one: str, other: str, agreement: Callable[[Any, Any], Any]) -> Interval:
    labels = list(board.metrics.label)
    scores = over_seeds(board.quality)[board.methods][:, [labels.index(one), labels.index(other)]]
    rng = np.random.default_rng(0)
    images = scores.shape[2]
    drawn = [rng.integers(0, images, images) for _ in range(RESAMPLES)]
    found = [agreement(*np.nanmean(scores[:, :, chosen], 2).T).statistic for chosen in [slice(None), *drawn]]
    low, high = np.quantile(found[1:], [0.025, 0.975])
    return Interval(float(found[0]), float(low), float(high))


def setup(app: Any) -> dict[str, bool]:
    """Write the page and the table of audits before Sphinx reads any page."""

    def write(own: Any) -> None:
        views = boards(RESULTS)
        table = trust_rows({name: view for name, view in views.items() if view.kind != "recipes"})
        folder = Path(own.srcdir) / "generated"
        folder.mkdir(exist_ok=True)
        (folder / "metric_trust.md").write_text("\n".join(table) + "\n", encoding="utf-8")
        (DOCS / "answers.md").write_text(answers(RESULTS, views), encoding="utf-8")

    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    (DOCS / "answers.md").write_text(answers(RESULTS, boards(RESULTS)), encoding="utf-8")
