import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.api import Network, Precision
from bench.engine.autotune import remembered_chunk
from bench.engine.predict import clean_logits, fastest_chunk, forward, kept_for_gradients, logits_in_chunks, usual_chunk
from bench.methods.attributions.random_map import RandomMap
from bench.metrics.faithfulness.insertion import Insertion
from bench.scoring.measure import explained_by, measure


class Limited(nn.Module):
    """A device that holds only so many images."""

    def __init__(self, inner: nn.Module, room: int) -> None:
        super().__init__()
        self.inner, self.room, self.seen = inner, room, []

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.room:
            raise torch.OutOfMemoryError("no room")
        self.seen.append(len(images))
        return self.inner(images)


def test_out_of_memory_halves_says_so_and_carries_on(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    images = torch.randn(20, 3, 8, 8, dtype=torch.float64)
    limited = replace(network, module=Limited(network.module, 3), chunk=16)
    with caplog.at_level(logging.WARNING), torch.no_grad():
        logits, limit = forward(limited, images, 16)
        torch.testing.assert_close(logits, network.logits(images), rtol=0, atol=1e-12)
    assert limit == 2
    assert [record.args[1] for record in caplog.records] == [8, 4, 2]
    assert limited.module.seen[:10] == [2] * 10


def test_one_image_that_does_not_fit_is_an_error(network: Network) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        logits_in_chunks(replace(network, module=Limited(network.module, 0)), torch.zeros(2, 3, 8, 8))


def test_curves_are_the_same_when_memory_runs_out(network: Network, request_of) -> None:
    request = request_of(3)
    scores = []
    for tried in (network, replace(network, module=Limited(network.module, 2), chunk=64)):
        explained = explained_by(RandomMap(), tried, request, network.logits(request.images).detach())
        scores.append(measure([(Insertion(), explained)])[0].score)
    torch.testing.assert_close(*scores, rtol=0, atol=1e-12)


def test_the_fastest_chunk_is_one_that_fits(network: Network) -> None:
    limited = replace(network, module=Limited(network.module, 10))
    assert fastest_chunk(limited, torch.zeros(2, 3, 8, 8, dtype=torch.float64)) in {4, 8}


def test_chunks_of_a_slow_network_are_not_tried_for_minutes(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def slow(_: Network, inputs: Tensor, *_trials: float) -> float:
        tried.append(len(inputs))
        return 1.0 + 0.4 * len(inputs)  # every larger chunk is faster per image

    monkeypatch.setattr("bench.engine.predict.seconds_of", slow)
    assert fastest_chunk(network, torch.zeros(2, 3, 8, 8, dtype=torch.float64)) == 8
    assert tried == [4, 8] * 3


def test_a_machine_that_is_busy_for_a_while_changes_no_chunk(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def busy_at_first(_: Network, inputs: Tensor, *_trials: float) -> float:
        tried.append(len(inputs))
        return len(inputs) * (1.0 if len(inputs) >= 16 else 2.0) * (5.0 if 2 <= len(tried) <= 4 else 1.0) / 1000

    monkeypatch.setattr("bench.engine.predict.seconds_of", busy_at_first)
    assert fastest_chunk(network, torch.zeros(2, 3, 8, 8, dtype=torch.float64)) == 16


def test_a_chunk_s_gradients_have_room(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.float64)
    each = kept_for_gradients(network, images[:1])
    assert kept_for_gradients(network, images) == 2 * each > images[0].nbytes
    monkeypatch.setattr("bench.engine.predict._ROOM", 9 * each)
    monkeypatch.setattr("bench.engine.predict.seconds_of", lambda *_: 1.0)  # every larger chunk is faster per image
    assert fastest_chunk(network, images) == 8
    monkeypatch.setattr("bench.engine.predict._ROOM", each)
    assert fastest_chunk(network, images) == 4


def test_a_measured_chunk_is_remembered(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    single = replace(network, module=network.module.float())
    cpu = torch.device("cpu")
    first = remembered_chunk(single, "tiny", cpu, tmp_path / "chunks.json")
    monkeypatch.setattr("bench.engine.autotune.fastest_chunk", lambda *_: 12345)
    assert remembered_chunk(single, "tiny", cpu, tmp_path / "chunks.json") == first
    assert remembered_chunk(single, "another", cpu, tmp_path / "chunks.json") == 12345


class Telling(nn.Module):
    """Says in its logits whether a GPU's convolutions, and its matrix products, may be TF32."""

    def forward(self, images: Tensor) -> Tensor:
        allowed = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision() != "highest"
        return torch.tensor(allowed).to(images).expand(len(images), -1)


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_convolutions_are_in_the_precision_that_is_named(precision: Precision) -> None:
    network, images = Network(Telling(), precision=precision), torch.zeros(2, 3, 4, 4)
    before = torch.backends.cudnn.allow_tf32
    assert logits_in_chunks(network, images)[0].tolist() == [precision == "tf32"] * 2
    assert clean_logits(network, images)[0].tolist() == [False, False]
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize(("size", "chunk"), [((224, 224), 16), ((384, 384), 16), ((160, 160), 31), ((64, 64), 64)])
def test_where_nothing_was_measured_a_chunk_is_as_large_as_is_fast_on_most_processors(
    network: Network, size: tuple[int, int], chunk: int
) -> None:
    own = replace(network, preprocess=replace(network.preprocess, size=size), chunk=5)
    assert usual_chunk(own, torch.device("cpu")) == chunk
    assert usual_chunk(own, torch.device("meta")) == 5
