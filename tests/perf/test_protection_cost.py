"""What it costs that nobody can poison anybody: the share of a run's CPU time that goes into copies and comparisons."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.scoring import measure
from bench.suites.load import load_suite

LARGEST = 0.02


class Clock:
    """CPU seconds of what it is put around."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            began = time.thread_time()
            made = function(*given)
            self.seconds += time.thread_time() - began
            return made

        return timed

    def beside(self, guard: Callable[..., Any]) -> Callable[..., Any]:
        """The context manager, timed but for what happens inside it."""

        @contextmanager
        def timed(*given: Any) -> Iterator[None]:
            self.calls += 1
            opened = guard(*given)
            self.around(opened.__enter__)()
            yield
            self.around(opened.__exit__)(None, None, None)

        return timed


@pytest.mark.parametrize(
    ("name", "images", "only"),
    [
        ("embedded", 128, {}),
        ("imagenette", 4, {"attributions": ["simple_gradient", "random_map"], "metrics": ["deletion"]}),
    ],
)
def test_protection_costs_next_to_nothing(
    name: str, images: int, only: dict[str, list[str]], tmp_path: Path, monkeypatch, request, benchmark
) -> None:
    if name == "imagenette":
        request.getfixturevalue("real_data")
    clock = Clock()
    monkeypatch.setattr(measure, "unchanged", clock.beside(measure.unchanged))
    for own in ("request_to_give", "explained_to_give", "compared_to_give"):
        monkeypatch.setattr(measure, own, clock.around(getattr(measure, own)))
    suite = load_suite(name, {"dataset": {"images": images}}, only=only)
    suite = replace(suite, table=suite.table.model_copy(update={"gallery": 0}))
    with progress() as bars:
        run = Run(suite, Store(tmp_path), torch.device("cpu"), bars)
        began = time.process_time()
        run_suite(run)
        rest = time.process_time() - began - clock.seconds
    benchmark.extra_info["share"] = clock.seconds / rest
    benchmark.pedantic(lambda: None)
    assert clock.calls
    assert clock.seconds / rest <= LARGEST
