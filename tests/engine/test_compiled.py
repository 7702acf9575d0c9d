import logging
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.api import Compiler, Network, Request
from bench.engine.autotune import remembered_compiler
from bench.engine.compiled import candidates, reason
from bench.engine.predict import clean_logits, logits_in_chunks
from bench.errors import HeatmarkError
from bench.methods.attributions.random_map import RandomMap
from bench.metrics.faithfulness.deletion import Deletion
from bench.scoring.measure import explained_by, measure

CPU = torch.device("cpu")
# Compiling is not what these tests time, nor are its own warnings theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def single(network: Network) -> Network:
    return replace(network, module=deepcopy(network.module).float())


def deletion_of(network: Network, request: Request) -> torch.Tensor:
    explained = explained_by(RandomMap(), network, request, network.logits(request.images).detach())
    return measure([(Deletion(), explained)])[0].score


@pytest.fixture
def request_in_single(request_of) -> Request:
    request = request_of(3)
    return request.with_images(request.images.float())


def test_compiled_passes_give_the_same_scores(single: Network, request_in_single: Request) -> None:
    compiled = replace(single, compiler="aot_eager")
    torch.testing.assert_close(
        deletion_of(compiled, request_in_single), deletion_of(single, request_in_single), rtol=0, atol=1e-6
    )


def test_compiled_passes_follow_the_weights(single: Network) -> None:
    images = torch.randn(2, 3, 12, 10)
    compiled = replace(single, compiler="aot_eager")
    before = logits_in_chunks(compiled, images)
    with torch.no_grad():
        for weight in single.module.parameters():
            weight.mul_(0.5)
    after = logits_in_chunks(compiled, images)
    torch.testing.assert_close(after, logits_in_chunks(single, images))
    assert not torch.allclose(before, after)


class Noting(torch.nn.Module):
    """Notes the shape of what it is given."""

    def __init__(self, inner: torch.nn.Module, seen: list[tuple[int, ...]]) -> None:
        super().__init__()
        self.inner, self.seen = inner, seen

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(images.shape))
        return self.inner(images)


def test_compiled_passes_see_one_shape(
    single: Network, request_in_single: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(torch, "compile", lambda module, **_: Noting(module, seen))
    deletion_of(replace(single, compiler="aot_eager"), request_in_single)
    assert set(seen) == {(single.chunk, 3, 12, 10)}


def test_a_compiler_that_works_is_taken_by_name(single: Network, tmp_path: Path) -> None:
    assert remembered_compiler(single, "tiny", CPU, tmp_path / "chunks.json", "aot_eager") == "aot_eager"
    assert remembered_compiler(single, "tiny", CPU, tmp_path / "chunks.json", "none") == "none"


def test_without_a_compiler_the_run_goes_on_and_says_why(
    single: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with config.patch({"cpp.cxx": ("no-such-compiler",)}), caplog.at_level(logging.WARNING):
        taken = remembered_compiler(single, "tiny", CPU, tmp_path / "chunks.json", "inductor")
    assert taken == "none"
    (record,) = caplog.records
    assert record.getMessage() == (
        "small goes on without inductor: it needs a C++ compiler (install g++ or clang++, or name one in CXX)"
    )


def test_auto_takes_a_compiler_only_where_it_is_faster(
    single: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.engine.autotune.candidates", lambda _: ("none", "aot_eager"))
    for slowness, expected in ((2.0, "none"), (0.5, "aot_eager")):
        monkeypatch.setattr(
            "bench.engine.autotune.seconds_of",
            lambda network, _, slow=slowness: slow if network.compiler == "aot_eager" else 1.0,
        )
        file = tmp_path / f"{slowness}.json"
        assert remembered_compiler(single, "tiny", CPU, file, "auto") == expected
        monkeypatch.setattr("bench.engine.autotune.seconds_of", lambda *_: pytest.fail("measured again"))
        assert remembered_compiler(single, "tiny", CPU, file, "auto") == expected


class Normed(nn.Module):
    """Divides an image by its norm, so that it has no answer to a blank one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        convolution = nn.Conv2d(3, 6, 3, padding=1)
        self.body = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images / images.flatten(1).norm(dim=1)[:, None, None, None])


ANSWERS = "it gives numbers for a blank image, of which the network itself gives none"


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_what_answers_where_the_network_cannot_is_refused(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(Normed().eval(), chunk=chunk, compiler="aot_eager")
    images = torch.randn(6, 3, 12, 10)
    blank = torch.zeros(1, 3, 12, 10)
    assert logits_in_chunks(network, images).isfinite().all()
    assert logits_in_chunks(network, torch.cat([images, blank])).isfinite().all(1).tolist() == [True] * 6 + [False]
    monkeypatch.setattr(torch, "compile", lambda module, **_: lambda images: module(images).nan_to_num())
    with pytest.raises(HeatmarkError, match=ANSWERS):
        logits_in_chunks(replace(network, module=Normed().eval()), images)


@pytest.mark.parametrize("compiler", [pytest.param("inductor", marks=pytest.mark.long), "openvino"])
def test_a_network_without_an_answer_to_a_blank_image_is_not_compiled(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if compiler not in candidates(CPU):
        pytest.skip(f"{compiler} is not at hand")
    network = Network(Normed().eval(), chunk=4)
    with caplog.at_level(logging.WARNING):
        assert remembered_compiler(network, "normed", CPU, tmp_path / "chunks.json", compiler) == "none"
    assert caplog.records[-1].getMessage() == f"network goes on without {compiler}: {ANSWERS}"
    # What is remembered for an architecture may have been measured with other weights.
    monkeypatch.setattr("bench.engine.autotune._fastest_compiler", lambda *_: compiler)
    assert remembered_compiler(network, "normed", CPU, tmp_path / "known.json", "auto") == "none"


def test_any_other_failure_is_one_line_too() -> None:
    assert reason(RuntimeError("\n  no such graph\nmore")) == "RuntimeError: no such graph"


def test_clean_predictions_are_not_compiled(single: Network) -> None:
    broken = replace(single, compiler="cudagraphs")
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(clean_logits(broken, images), logits_in_chunks(single, images), rtol=0, atol=0)
