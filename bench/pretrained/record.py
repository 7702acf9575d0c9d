"""A network of another library, and what that library says about its weights."""

from dataclasses import dataclass

from torch import nn

from bench.api import Preprocess


@dataclass(frozen=True)
class About:
    """What a library says about weights: how they want images, and what each output stands for.

    `categories` names the outputs, `wordnet_ids` gives their WordNet ids; both are empty where the library does not
    say. `weights` is which they are: their name, their file, and their revision where they have one.
    """

    preprocess: Preprocess
    categories: tuple[str, ...] = ()
    wordnet_ids: tuple[str, ...] = ()
    weights: str = ""


@dataclass(frozen=True)
class Pretrained:
    """A module with its weights, and what its library says about them."""

    module: nn.Module
    about: About
