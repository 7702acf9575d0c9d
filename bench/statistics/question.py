"""What a board compares (methods, recipes, protocols or metrics), and how sure its answer can be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import pandas as pd

from bench.errors import HeatmarkError, nearest

Kind = Literal["methods", "recipes", "protocols", "metrics"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_ASKS: dict[Kind, str] = {
    "methods": "Which method explains these networks best?",
    "recipes": "What does each training recipe change, and what does it cost?",
    "protocols": "How far does the order of methods hang on the protocol?",
    "metrics": "Which metrics recover the order of maps that get worse step by step?",
}


@dataclass(frozen=True)
class Question:
    """What a suite asks about: methods on one network at a time, recipes against plain training, protocols, metrics.

    `asks` is the question in a sentence.
    """

    kind: Kind
    asks: str


METHODS = Question("methods", _ASKS["methods"])

Sureness = Literal["clear", "depends", "not told apart", "cannot be tested"]
Words = Literal[
    "clear",
    "fragile",
    "what the metrics reward",
    "shown on",
    "not told apart",
    "effects significant",
    "no effect significant",
    "one seed",
    "no controls",
    "metrics fail",
    "cannot be tested",
]
MEANINGS: dict[Words, str] = {
    "clear": "The first is significantly ahead of the second, and would be whichever single metric is left out.",
    "fragile": (
        "The answer hangs on the metrics that are named: without one of them another would be first, or the lead might "
        "be chance, or no metric would be left."
    ),
    "what the metrics reward": (
        "The first is no worse than the truth itself, or worse than a control that never sees the network: its lead "
        "may be a taste of the metrics and no merit."
    ),
    "shown on": "Each of these networks shows the lead by itself, but they are too few to speak of others.",
    "not told apart": (
        "The lead of the first may be chance, or is too small to matter: another sample could turn the order round."
    ),
    "effects significant": (
        "So many of the tested differences to the plain training are larger than chance in images and training "
        "explains (p < .05, Holm); the others may be chance."
    ),
    "no effect significant": (
        "Every difference to the plain training may be chance in training; only more trainings from other seeds can "
        "tell, more images cannot."
    ),
    "one seed": (
        "Each network was trained only once, so that a difference may come from the chance in its training as well as "
        "from its recipe."
    ),
    "no controls": (
        "The board has no map of known worth, such as random numbers or the truth, so that nothing shows whether its "
        "metrics tell good maps from bad ones."
    ),
    "metrics fail": (
        "Maps were made worse step by step; a metric fails where it does not put them in their order more surely than "
        "chance would."
    ),
    "cannot be tested": "There is too little here to test anything: what is missing stands behind the colon.",
}


@dataclass(frozen=True)
class Badge:
    """How sure the answer is, and in a few words why it is no surer; `words` leads to a sentence that explains them."""

    kind: Sureness
    text: str
    words: Words

    @property
    def meaning(self) -> str:
        """What the badge says, in a plain sentence."""
        return MEANINGS[self.words]


def question_of(manifest: Mapping[str, Any], networks: pd.DataFrame) -> Question:
    """The question of a result set.

    Where the manifest is older than questions: recipes, where one network was trained by several and explained by one
    method; protocols, where the suite is called so; methods otherwise. Raises HeatmarkError for a kind of question
    that there is not.
    """
    kind = manifest.get("question") or _inferred(manifest, networks)
    if kind not in KINDS:
        raise HeatmarkError(f"the manifest asks about {kind!r}; {nearest(str(kind), KINDS)}")
    known = cast("Kind", kind)
    return Question(known, manifest.get("asks") or _ASKS[known])


def _inferred(manifest: Mapping[str, Any], networks: pd.DataFrame) -> Kind:
    if "protocol" in str(manifest.get("suite", "")):
        return "protocols"
    trained = networks[["network", "recipe"]].astype(str).drop_duplicates()
    competing = [card for card in manifest.get("attributions", {}).values() if not card.get("control")]
    return "recipes" if trained.network.duplicated().any() and len(competing) == 1 else "methods"
