"""What a metric returns is one number for each image, or one line that names it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.api import Attribution, Explained, HeatmarkError, Metric, Network, Request, Scored
from bench.checks.common import explained_on
from bench.checks.fixtures import TargetGradient, small_network, small_request
from bench.scoring.measure import measure

ONES = torch.ones(3)
RETURNED: dict[str, Any] = {
    "nothing": None,
    "one number": 1.0,
    "a tensor": ONES,
    "a list of numbers": Scored([1.0, 2.0, 3.0]),  # type: ignore[arg-type]
    "an array": Scored(np.ones(3)),  # type: ignore[arg-type]
    "one for all": Scored(torch.tensor(1.0)),
    "too few": Scored(ONES[:1]),
    "too many": Scored(torch.ones(4)),
    "a column": Scored(ONES[:, None]),
    "complex numbers": Scored(ONES + 1j),
    "sparse": Scored(ONES.to_sparse()),
    "no values": Scored(ONES.to("meta")),
    "too few statuses": Scored(ONES, status=("ok",)),
    "no statuses": Scored(ONES, status=(None,) * 3),  # type: ignore[arg-type]
    "several lines": Scored(ONES, status=("a\nb",) * 3),
    "too few curves": Scored(ONES, torch.ones(2, 5)),
    "a list of curves": Scored(ONES, [[1.0]] * 3),  # type: ignore[arg-type]
}


@dataclass(frozen=True)
class _Returns(Metric):
    case: str = ""

    def score(self, explained: Explained) -> Scored:
        found: Scored = RETURNED[self.case]
        return found


@pytest.mark.parametrize("case", RETURNED)
def test_what_is_no_score_for_each_image_is_one_line(case: str) -> None:
    explained = explained_on(small_network(), small_request(), TargetGradient())
    with pytest.raises(HeatmarkError, match="returned") as caught:
        measure([(_Returns(case=case), explained)])
    assert str(caught.value).startswith("metric ")
    assert str(caught.value).isprintable()


def test_a_number_with_a_status_is_no_score() -> None:
    @dataclass(frozen=True)
    class Broken(Metric):
        def score(self, explained: Explained) -> Scored:
            return Scored(ONES, status=("ok", "broken", "ok"))

    (found,) = measure([(Broken(), explained_on(small_network(), small_request(), TargetGradient()))])
    assert found.status == ("ok", "broken", "ok")
    assert found.score.isnan().tolist() == [False, True, False]


@dataclass(frozen=True)
class _Makes(Attribution):
    case: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        found: Tensor = MADE[self.case](request.images)
        return found


MADE: dict[str, Callable[[Tensor], Any]] = {
    "nothing": lambda _: None,
    "an array": lambda x: x.numpy(),
    "a tuple": lambda x: (x,),
    "sparse": lambda x: x.to_sparse(),
    "no values": lambda x: x.to("meta"),
    "whole numbers": lambda x: x.int(),
}


@pytest.mark.parametrize("case", MADE)
def test_what_is_no_map_of_the_images_is_one_line(case: str) -> None:
    with pytest.raises(HeatmarkError, match="returned"):
        _Makes(case=case).explain(small_network(), small_request())


def test_maps_in_half_precision_are_scored_in_single() -> None:
    @dataclass(frozen=True)
    class Coarse(TargetGradient):
        def attribute(self, network: Network, request: Request) -> Tensor:
            return super().attribute(network, request).half()

    assert Coarse().explain(small_network(), small_request()).dtype == torch.float32
