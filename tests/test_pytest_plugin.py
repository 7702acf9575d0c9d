"""The marker `heatmark`: a test for each promise, which fails where it is broken."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from bench.api import Explained, Metric, Scored
from bench.pytest_plugin import pytest_generate_tests


@dataclass(frozen=True)
class OfTheBatch(Metric):
    """Depends on what else is in the batch."""

    question: ClassVar[str] = "None?"
    blind_spot: ClassVar[str] = "All."

    def score(self, explained: Explained) -> Scored:
        means = explained.heatmaps.abs().flatten(1).mean(1)
        return Scored(means / means.sum())


def generated(mark: pytest.MarkDecorator | None, *arguments: str) -> dict[str, Callable[[], None]]:
    """The tests that pytest would run for a marked function with these arguments."""
    found: dict[str, Callable[[], None]] = {}

    def parametrize(name: str, values: list[Callable[[], None]], ids: list[str]) -> None:
        assert name == "promise"
        found.update(zip(ids, values, strict=True))

    definition = SimpleNamespace(nodeid="test_it", get_closest_marker=lambda name: mark and mark.mark)
    fake: Any = SimpleNamespace(definition=definition, fixturenames=arguments, parametrize=parametrize)
    pytest_generate_tests(cast("pytest.Metafunc", fake))
    return found


def test_a_broken_promise_fails_by_its_name_and_the_others_pass() -> None:
    tests = generated(pytest.mark.heatmark(OfTheBatch()), "promise")
    broken = []
    for name, test in tests.items():
        try:
            test()
        except AssertionError:
            broken.append(name)
    assert all(name.startswith("of_the_batch: ") for name in tests)
    assert broken
    assert len(broken) < len(tests) / 2


def test_a_test_that_does_not_take_the_promise_is_refused_and_others_are_left_alone() -> None:
    with pytest.raises(pytest.UsageError, match="expected an argument `promise`"):
        generated(pytest.mark.heatmark(OfTheBatch()))
    assert generated(None, "promise") == {}
