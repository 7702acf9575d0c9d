"""What is said of work that takes long: bars that fit a terminal, lines elsewhere."""

import io
from threading import Event
from threading import enumerate as enumerate_threads

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

import bench.progress as own
from bench.progress import CELLS, Lines, Progress, progress


def test_without_a_terminal_a_line_now_and_then_says_how_far_how_fast_and_how_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = iter([0.0, 0.0, 10.0, 40.0, 50.0, 75.0])
    with Bars(disable=True) as bars:
        said = Progress(bars, Lines(lambda: next(now)))
        said.advance("small_resnet", 0, 1000)
        for _ in range(4):
            said.advance("small_resnet", 100)
    assert capsys.readouterr().err.splitlines() == [
        "heatmark: small_resnet: 200 of 1,000, 5 a second, about 2.7 min left",
        "heatmark: small_resnet: 400 of 1,000, 5.33 a second, about 1.9 min left",
    ]


def test_a_line_says_the_stage_and_leaves_out_of_the_pace_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 0.0, 10.0, 20.0, 60.0])
    with Bars(disable=True) as bars:
        said = Progress(bars, Lines(lambda: next(now)))
        said.advance(CELLS, 0, 1000)
        said.advance(CELLS, 400, known=True, stage="first by standard")
        said.advance(CELLS, 100, stage="second by madry")
        said.advance(CELLS, 200)
    assert capsys.readouterr().err.splitlines() == [
        "heatmark: second by madry: images x cells: 700 of 1,000, 5 a second, about 60 s left"
    ]


def test_a_step_of_minutes_is_not_silent(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 0.0, 15.0, 31.0, 45.0, 62.0])
    rounds = iter([False, False, False, False, True])
    stop = Event()
    stop.wait = lambda timeout: next(rounds)  # type: ignore[method-assign,assignment,misc]
    with Bars(disable=True) as bars:
        lines = Lines(lambda: next(now))
        Progress(bars, lines).advance(CELLS, 0, 4096, stage="first by standard")
        lines.remind(stop)
    assert capsys.readouterr().err.splitlines() == [
        "heatmark: first by standard: images x cells: 0 of 4,096, 31 s so far",
        "heatmark: first by standard: images x cells: 0 of 4,096, 62 s so far",
    ]


def test_reminders_end_with_the_work() -> None:
    before = set(enumerate_threads())
    with progress() as said:
        said.advance("images", 1, 2)
        (reminder,) = set(enumerate_threads()) - before
    reminder.join(timeout=5)
    assert not reminder.is_alive()


def test_work_that_is_soon_done_says_nothing_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as said:
        said.advance("images", 1, 2)
        said.advance("images", 1)
    assert capsys.readouterr().err == ""


def test_a_bar_fits_eighty_columns_and_keeps_both_ends_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(own.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        own, "Console", lambda stderr: Console(file=file, width=80, force_terminal=True, color_system=None)
    )
    with progress() as said:
        said.advance("small_resnet / gradient_regularized(regulariser=ssim, scale=3.0)", 12, 4800)
        said.bars.refresh()
    line = next(line for line in file.getvalue().splitlines() if "12/4800" in line)
    assert "small_resnet" in line
    assert "scale=3.0)" in line
    assert len(line.removeprefix("\x1b[2K")) <= 80
