"""The finding of a board in one sentence, how sure it is, and why it is no surer."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.statistics.board import Board
from bench.statistics.metric_audit import flips
from bench.statistics.names import display_names, listed
from bench.statistics.paired_tests import ALPHA, holm, images_needed
from bench.statistics.place_stability import left_out, without_each
from bench.statistics.places import Place, Scale, fair_scores, of_these_networks
from bench.statistics.question import Badge, Words
from bench.statistics.recipe_effects import LARGEST_DROP, Effect
from bench.statistics.replicates import seeds_needed

SIGNIFICANTLY = "significantly (p < .05, Holm)"
TOLD = frozenset({"better", "worse", "more", "less"})
_MOST_NAMED = 3
_FEWEST = 10  # images that say how many it would take
_MOST_SEEDS = 100  # or networks that anybody would train: more says no more than that it is hopeless


Finding = tuple[str, Badge, list[str]]


def methods_finding(board: Board, scale: Scale, rows: Sequence[Place], controls: Sequence[Place]) -> Finding:
    """What a board of methods, or of protocols, finds: the sentence, the badge, the reasons."""
    if len(rows) < 2:
        return _nothing_to_compare(board, rows)
    first, second = rows[:2]
    standing = board.overall
    warnings = beside_controls(board, first.entry)
    if not np.isfinite(standing.adjusted[0, 1]):
        few = "image" if standing.pairs.images[0, 1] < 2 else "network"
        said = f"{first.method} is before {second.method}, but one {few} is no test."
        return said, Badge("cannot be tested", f"cannot be tested: too few {few}s", "cannot be tested"), []
    told, each = bool(standing.adjusted[0, 1] < ALPHA), of_these_networks(board)
    carrying = carried_by(board)
    reasons = _second_and_controls(board, second, controls)
    if not told and not each:
        return _not_told(board, scale, rows, warnings, reasons)
    lead, networks = _lead(scale, first, second, "beats"), len(board.blocks)
    but = [_only_while(board, carrying)] if carrying else []
    said = f"{first.method} {lead}, {SIGNIFICANTLY}{_but([*but, *warnings])}."
    if each:
        said = f"{first.method} {lead}, {SIGNIFICANTLY} on each of these {networks} networks{_but([*but, *warnings])}."
        reasons.append(f"{networks} networks are too few to speak of others.")
    if board.question.kind == "protocols":
        said = _of_protocols(board, first.method, [*but, *warnings])
    if carrying:
        reasons += _carried(board, carrying)
    if not board.entries.control.any():
        return said, Badge("cannot be tested", "cannot be tested: no controls on this board", "no controls"), reasons
    if carrying or warnings:
        fragile = "the winner" if board.question.kind == "protocols" else "fragile:"
        words: Words = "fragile" if carrying else "what the metrics reward"
        on = listed(carrying, _MOST_NAMED) if carrying else words
        return said, Badge("depends", f"{fragile} depends on {on}", words), reasons
    if each:
        return said, Badge("depends", f"shown on {networks} networks", "shown on"), reasons
    return said, Badge("clear", "clear", "clear"), reasons


def recipes_finding(board: Board, effects: Sequence[Effect]) -> Finding:
    """What a board of recipes finds: an effect with its price, and no winner."""
    if not effects:
        return (
            "There are no two recipes to compare.",
            Badge("cannot be tested", "cannot be tested: one recipe", "cannot be tested"),
            [],
        )
    told = [effect for effect in effects if effect.judgement in TOLD]
    tested = [effect for effect in effects if effect.judgement != "untested"]
    subject = most_telling(effects)
    if speaks_of_own(board, effects):
        said, subject = _own_finding(effects, trained_on(board))
    else:
        size = _signed(subject.effect)
        said = f"{subject.recipe} changes {subject.metric} of {subject.attribution} by {size} for {_priced(subject)}"
    reasons = []
    if not tested:
        said += ": one training each, so chance of training is in it."
        badge = Badge("cannot be tested", "one seed: chance of training is in it", "one seed")
    else:
        seeds = " (one seed)" if subject.judgement == "untested" else ""
        count = f"{len(told) or 'none'} of {len(tested)} effects {'is' if len(told) < 2 else 'are'} significant"
        said += f"{seeds}; {count} against {control_of(board)} (p < .05, Holm)."
        badge = Badge("clear", f"{len(told)} of {len(tested)} effects significant", "effects significant")
        unsure = [effect.seeds_needed for effect in tested if effect.judgement == "not told apart"]
        if unsure and np.isfinite(np.median(unsure)):
            needed = f"{np.median(unsure):.0f} seeds or more"
            reasons.append(f"Of the effects that are not significant, half would take {needed} (not more images).")
        if not told:
            badge = Badge(
                "not told apart",
                f"none of {len(tested)} effects significant: more seeds, not images",
                "no effect significant",
            )
    if any(effect.own for effect in effects):
        reasons.append("No recipe is called best: it cannot be judged by what it trains on.")
    if badge.kind != "cannot be tested" and not board.entries.control.any():
        reasons.append("No controls on this board: whether these metrics can be trusted was not tested.")
        badge = Badge(
            "cannot be tested", f"{badge.text.partition(':')[0]}; metrics not tested: no controls", "no controls"
        )
    return said, badge, reasons


def trained_on(board: Board) -> pd.DataFrame:
    """What becomes of the measures that recipes train on, a row of `Board.effects` for each recipe.

    `improved`: whether its interval lies on the better side of no change.
    """
    if board.effects is None:
        return pd.DataFrame({"network": [], "recipe": []})
    own = board.effects[board.effects.own.astype(bool) & board.effects.difference.notna()]
    # A word, as the name of a regulariser, says what is trained on; a number, as the side of a patch, may be chance.
    settings = dict(zip(board.metrics.metric, board.metrics.settings, strict=True))
    named = [any(isinstance(value, str) for value in (settings[metric] or {}).values()) for metric in own.metric]
    own = own[np.array(named, bool)].drop_duplicates(["network", "recipe"])
    lower = own.metric.map(dict(zip(board.metrics.metric, board.metrics.direction.eq("lower"), strict=True)))
    better = np.where(lower.astype(bool), -own.difference_high, own.difference_low)
    return own.assign(improved=better > 0)


def speaks_of_own(board: Board, effects: Sequence[Effect]) -> bool:
    """Whether most recipes train on a measure of this board, so that the finding is about these."""
    return 2 * len(trained_on(board)) > len({(effect.network, effect.recipe) for effect in effects})


def _own_finding(effects: Sequence[Effect], own: pd.DataFrame) -> tuple[str, Effect]:
    """How many recipes improve what they train on, and which does most without losing much accuracy."""
    improved = own[own.improved]
    by = {(effect.network, effect.recipe_code, effect.code): effect for effect in effects}
    shown = improved if len(improved) else own
    rows = [(row["change"], by[row["network"], row["recipe"], row["metric"]]) for row in shown.to_dict("records")]
    cheap = [row for row in rows if row[1].price > -LARGEST_DROP] or rows
    change, most = max(cheap, key=lambda row: abs(row[0]))
    said = f"{len(improved)} of {len(own)} recipes improve what they train on"
    return f"{said}: {most.recipe} changes {most.metric} by {change:+.0%} for {_priced(most)}", most


def _priced(effect: Effect) -> str:
    return f"{100 * effect.price:+.1f} points of accuracy"


def control_of(board: Board) -> str:
    """What recipes are compared with, in a sentence."""
    if board.effects is None:
        return "their baseline"
    names = display_names(board.manifest, "recipes")
    controls = {names.get(str(name), str(name)).lower() for name in board.effects.control.unique()}
    return controls.pop() if len(controls) == 1 else "their baseline"


def beside_controls(board: Board, best: int) -> list[str]:
    """That the best method is no worse than the truth, or significantly worse than a control that sees no network."""
    rows = [best, *(int(row) for row in np.flatnonzero(board.entries.control))]
    pairs = board.tested(fair_scores, np.flatnonzero(board.weights).tolist(), rows)
    adjusted = holm(pairs.p, np.ones(pairs.p.shape, bool))
    said = []
    for at, row in list(enumerate(rows))[1:]:
        told, above = adjusted[0, at] < ALPHA, pairs.difference[0, at] > 0
        if board.entries.needs_truth[row] and (above or not told):
            said.append("beats the truth itself" if above and told else "is level with the truth itself")
        elif not board.entries.needs_truth[row] and told and not above:
            said.append(f"loses to {board.entries.shown[row]}")
    return said


def carried_by(board: Board) -> list[str]:
    """The metrics without any one of which the first would be another, or not told from the second."""
    counted = np.flatnonzero(board.weights)
    shown = dict(zip(board.metrics.label, board.metrics.shown, strict=True))
    if len(counted) == 1:
        return [board.metrics.shown[int(counted[0])]]
    best = board.overall.rows[0]
    alone = board.overall.leaders == [best]
    return [shown[own.metric] for own in left_out(board) if own.first != best or (own.tied and alone)]


def _only_while(board: Board, carrying: list[str]) -> str:
    """That the first place depends on these metrics."""
    if np.count_nonzero(board.weights) == 1:
        return f"is judged by {carrying[0]} alone"
    every = {1: "counts", 2: "both count"}.get(len(carrying), "all count")
    return f"wins only while {listed(carrying, _MOST_NAMED)} {every}"


def _carried(board: Board, carrying: list[str]) -> list[str]:
    if np.count_nonzero(board.weights) == 1:
        return [f"Only {carrying[0]} counts in the order."]
    return without_each(board)


def _second_and_controls(board: Board, second: Place, controls: Sequence[Place]) -> list[str]:
    """That the second lies below controls that see no network, and that there is no truth, where it is so."""
    blind = [own for own in controls if not board.entries.needs_truth[own.entry] and own.place > second.place]
    above = listed([f"{own.method} ({own.place:.0%})" for own in blind])
    said = [f"{second.method} ({second.place:.0%}) lies below what ignores the network: {above}."] if blind else []
    truth = (board.entries.control & board.entries.needs_truth).any()
    return said if truth else [*said, "There is no truth here: the board says who wins, not who is right."]


def _not_told(board: Board, scale: Scale, rows: Sequence[Place], warnings: list[str], reasons: list[str]) -> Finding:
    first, second = rows[:2]
    standing = board.overall
    alike = [row for row, p in zip(standing.rows, standing.adjusted[0], strict=True) if not p < ALPHA]
    why = _more(board)
    if standing.equal[0, 1]:
        said, why = f"{first.method} and {second.method} are equal: nearer than matters under every metric", ""
    else:
        names = listed([board.entries.shown[row] for row in alike], _MOST_NAMED)
        said = f"{names} cannot be told apart: {first.method} {_lead(scale, first, second, 'leads')}"
        said += f"; {why}" if why and board.level == "images" else ""
    also = f"; {first.method} {listed(warnings, _MOST_NAMED)}" if warnings else ""
    decide = f": {why}" if why and board.level != "images" else ""
    return f"{said}{also}.", Badge("not told apart", f"not told apart{decide}", "not told apart"), reasons


def _more(board: Board) -> str:
    """How many more images would tell the first from the second, or that seeds or networks decide."""
    pairs, count = board.overall.pairs, len(board.overall.rows)
    tests = count * (count - 1) // 2
    needed = float(images_needed(pairs, tests)[0, 1])
    of_seeds, blocks = float(pairs.of_seeds[0, 1]), board.scores.shape[2]
    seen = int(pairs.images[0, 1])
    if board.level == "images" or needed < 10 * seen:
        more = max(np.ceil(needed - seen), 1)
        return f"about {_roughly(more)} more images would tell the first two" if seen >= _FEWEST and more < 1e5 else ""
    of_images = max(float(pairs.error[0, 1] ** 2) - of_seeds, 0)
    spread, difference = float(np.sqrt(of_seeds * blocks)), float(pairs.difference[0, 1])
    seeds = seeds_needed(difference, spread, tests, of_images, seen)
    return f"more {board.level}, not images" + (f" (about {seeds:.0f})" if seeds <= _MOST_SEEDS else "")


def _roughly(count: float) -> str:
    """An estimate without digits that it has not."""
    return f"{float(f'{count:.1g}'):,.0f}"


def _lead(scale: Scale, first: Place, second: Place, verb: str) -> str:
    if scale == "wins":
        return f"{verb} {second.method}, {first.place:.0%} to {second.place:.0%} of their comparisons"
    return f"{verb} {second.method}, {first.place:.0%} to {second.place:.0%} of the way from random to truth"


def _but(warnings: Sequence[str]) -> str:
    return f", but {listed(list(warnings), _MOST_NAMED)}" if warnings else ""


def _of_protocols(board: Board, best: str, warnings: list[str]) -> str:
    table, labels = flips(board), set(board.metrics.label)
    protocols = table.between.map(lambda between: labels.issuperset(between.split(" | "))).astype(bool)
    said = []
    if table.pairs[protocols].sum():
        said.append(f"another protocol swaps {_swapped(table[protocols], ' of the pairs of methods')}")
    if table.pairs[~protocols].sum():
        ways = dict.fromkeys(way for between in table.between[~protocols] for way in re.findall(r"\w+=(\w+)", between))
        how = f" ({listed([way.replace('_', ' ') for way in ways], _MOST_NAMED)})" if ways else ""
        said.append(f"reading maps otherwise{how} swaps {_swapped(table[~protocols])}")
    answer = ", ".join(said)
    winner = f"The winner, {best}, {listed(warnings or ['stays first whichever metric is left out'], 4)}."
    return f"{answer[0].upper()}{answer[1:]}. {winner}" if answer else winner


def _swapped(rows: pd.DataFrame, of: str = "") -> str:
    """How many pairs of methods change places, in percent, and how many of all pairs do so significantly."""
    share, sure = rows.flipped.sum() / rows.pairs.sum(), rows.significantly.sum() / rows.pairs.sum()
    return f"{share:.0%}{of} ({f'{sure:.0%}' if sure else 'none'} significantly)"


def _nothing_to_compare(board: Board, rows: Sequence[Place]) -> Finding:
    if not board.weights.any():
        said, why = "No metric of this board says what a map is worth.", "nothing counts"
    elif len(board.methods) == 1:
        said, why = f"{board.entries.shown[board.methods[0]]} is the only method.", "one method"
    elif rows:
        said, why = f"{rows[0].method} alone has a score under every metric that counts.", "one method"
    else:
        said, why = "No method has a score under every metric that counts.", "no scores"
    return said, Badge("cannot be tested", f"cannot be tested: {why}", "cannot be tested"), []


def most_telling(effects: Sequence[Effect]) -> Effect:
    """The surest effect, before all on something that is a worth and that its recipe does not train on."""

    def size(effect: Effect) -> tuple[bool, bool, bool, float]:
        half = (effect.high - effect.low) / 2
        surest = -effect.p if effect.p == effect.p else abs(effect.effect) / half if half > 0 else 0.0
        return not effect.own, effect.judgement in TOLD, not effect.is_property, surest

    return max(effects, key=size)


def _signed(value: float) -> str:
    return f"{value:+.2f}" if 0.1 <= abs(value) < 1000 else f"{value:+.2g}"
