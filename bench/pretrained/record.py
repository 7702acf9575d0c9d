"""A network of another library, and what that library says about its weights."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from bench.api import Preprocess
from bench.errors import HeatmarkError

_log = logging.getLogger("heatmark")
# What a suite says where the library does not; the rest of a `Preprocess` has defaults that fit any network.
_WHOLE = ("size", "mean", "std")


@dataclass(frozen=True)
class About:
    """What a library says about weights: how they want images, and what each output stands for.

    `categories` names the outputs, `wordnet_ids` gives their WordNet ids; both are empty where the library does not
    say. `weights` is which they are: their name, their file, and their revision where they have one. In the place of a
    `preprocess` stands why the library has none, or one that a `Preprocess` cannot say.
    """

    preprocess: Preprocess | str
    categories: tuple[str, ...] = ()
    wordnet_ids: tuple[str, ...] = ()
    weights: str = ""

    def preprocess_with(self, own: Mapping[str, Any], network_name: str) -> Preprocess:
        """How the weights want images, key by key as a suite's `own` settings say instead.

        Another size than that of the weights is said in the log: nothing else would tell why predictions are wrong.
        HeatmarkError where the weights do not say it and `own` does not say all of it.
        """
        if isinstance(self.preprocess, str):
            if missing := [key for key in _WHOLE if key not in own]:
                lacks = f", which lacks {', '.join(missing)}" if own else ""
                raise HeatmarkError(f"{self.preprocess}; set `preprocess` ({', '.join(_WHOLE)}){lacks}")
            return Preprocess(**own)
        ready = replace(self.preprocess, **own)
        if ready.size != self.preprocess.size:
            part = isinstance(ready.resize, int) and "resize" not in own and min(ready.size) < ready.resize
            cut = f"; of images resized to {ready.resize} it sees the middle only, so set `resize` too" if part else ""
            _log.warning(
                "%s: preprocess.size is %d x %d, and its weights want %d x %d: expect other predictions%s",
                *(network_name, *ready.size, *self.preprocess.size, cut),
            )
        return ready


def unsaid_preprocess(own: Preprocess, network_name: str) -> None:
    """Say in the log how images are taken where neither the weights nor the suite say it."""
    _log.warning(
        "%s: its weights do not say how they want images: taken at %d x %d, mean %g, deviation %g; set `preprocess`",
        *(network_name, *own.size, own.mean[0], own.std[0]),
    )


@dataclass(frozen=True)
class Pretrained:
    """A module with its weights, and what its library says about them."""

    module: nn.Module
    about: About
