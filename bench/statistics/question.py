"""What a board compares: methods, recipes, protocols or metrics."""

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
