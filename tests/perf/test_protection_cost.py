"""What it costs that numbers can be trusted: the share of a run's CPU time in copies, comparisons and looks.

A network is looked at once, however many images are scored: a run of few of the suite's images bears its share of that.
"""

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
from bench.runner import networks
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.scoring import measure
from bench.suites.load import load_suite

LARGEST = 0.02


class Clock:
    """CPU seconds of what it is put around, of this thread or of all."""

    def __init__(self, now: Callable[[], float] = time.thread_time) -> None:
        self.seconds, self.calls, self.now = 0.0, 0, now

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = self.now()
            made = function(*given, **named)
            self.seconds += self.now() - began
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
    looks = Clock(time.process_time)
    for own in ("look_at", "look_at_full"):
        monkeypatch.setattr(networks, own, looks.around(getattr(networks, own)))
    whole = load_suite(name).table.dataset.images or images
    suite = load_suite(name, {"dataset": {"images": images}}, only=only)
    suite = replace(suite, table=suite.table.model_copy(update={"gallery": 0}))
    with progress() as bars:
        run = Run(suite, Store(tmp_path), torch.device("cpu"), bars)
        began = time.process_time()
        run_suite(run)
        rest = time.process_time() - began - clock.seconds - looks.seconds
    share = (clock.seconds + looks.seconds * images / whole) / rest
    benchmark.extra_info |= {"share": share, "looks": looks.seconds * images / whole / rest}
    benchmark.pedantic(lambda: None)
    assert clock.calls
    assert looks.seconds
    assert share <= LARGEST
