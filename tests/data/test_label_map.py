import logging
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.api import Dataset, Sample
from bench.data.imagenet_classes import WNIDS, imagenet_names
from bench.data.label_map import label_map_of
from bench.errors import HeatmarkError


@dataclass(frozen=True)
class Named(Dataset):
    """Classes by any names."""

    names: tuple[str, ...] = ()
    ids_of_classes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.names

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        return self.ids_of_classes

    def ids(self, split: str) -> tuple[str, ...]:
        return ()

    def labels(self, split: str) -> tuple[int, ...]:
        return ()

    def sample(self, split: str, position: int) -> Sample:
        raise NotImplementedError

    def fingerprint(self) -> str:
        return ""


@given(st.permutations(range(1000)))
def test_folders_named_by_wordnet_ids_find_their_outputs_in_any_order(order: list[int]) -> None:
    names = tuple(WNIDS[output] for output in order)
    found = label_map_of(Named(names), imagenet_names(), WNIDS, "net")
    assert found == (None if order == list(range(1000)) else tuple(order))


def test_names_find_their_outputs_whatever_their_case_and_hyphens() -> None:
    categories = ("tench, Tinca tinca", "English springer", "cassette player", "Laysan Albatross")
    names = ("002.Laysan_Albatross", "English-Springer", "tinca tinca")
    assert label_map_of(Named(names), categories, (), "net") == (3, 1, 0)


def test_a_name_that_two_outputs_have_stands_for_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "heatmark"):
        assert label_map_of(Named(("crane", "tench")), ("crane", "tench", "crane"), (), "net") == (-1, 1)
    assert "net has no output for 1 of 2 classes: crane" in caplog.text


def test_a_data_set_without_any_known_class_is_refused_in_one_line() -> None:
    with pytest.raises(HeatmarkError, match=r"no class of .* is among the 2 outputs of net .*set `label_map`"):
        label_map_of(Named(("dog", "cat")), ("tench", "church"), (), "net")
