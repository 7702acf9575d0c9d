import logging
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.api import Network
from bench.engine import openvino_passes
from bench.engine.autotune import remembered_compiler
from bench.engine.compiled import candidates, libraries
from bench.engine.mixed_precision import is_quick_in_bf16
from bench.engine.predict import logits_in_chunks
from bench.methods.attributions.random_map import RandomMap
from bench.metrics.faithfulness.deletion import Deletion
from bench.scoring.measure import explained_by, measure

CPU = torch.device("cpu")
# Its binding for Python warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def single(network: Network) -> Network:
    return replace(network, module=network.module.float(), compiler="openvino")


@pytest.fixture
def openvino() -> None:
    if find_spec("openvino") is None:
        pytest.skip('openvino is not installed: pip install "heatmark[openvino]"')


def went_on(network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> str:
    with caplog.at_level(logging.WARNING):
        assert remembered_compiler(network, "tiny", CPU, tmp_path / "chunks.json", "openvino") == "none"
    (record,) = caplog.records
    return record.getMessage()


@pytest.mark.usefixtures("openvino")
def test_openvino_gives_the_same_logits_and_scores(single: Network, request_of) -> None:
    request = request_of(3)
    request = request.with_images(request.images.float().contiguous(memory_format=torch.channels_last))
    plain = replace(single, compiler="none")
    images = request.images[torch.arange(10) % 3]
    torch.testing.assert_close(logits_in_chunks(single, images), logits_in_chunks(plain, images), rtol=0, atol=1e-5)
    scores = []
    for own in (plain, single):
        explained = explained_by(RandomMap(), own, request, plain.logits(request.images).detach())
        scores.append(measure([(Deletion(), explained)])[0].score)
    torch.testing.assert_close(*scores, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("openvino")
def test_a_shape_is_converted_once_for_both_precisions(single: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    convert = openvino_passes._graph
    monkeypatch.setattr(openvino_passes, "_graph", lambda module, shape: shapes.append(shape) or convert(module, shape))
    own = openvino_passes.Converted(single.module)
    for images in (torch.rand(2, 3, 12, 10), torch.rand(3, 3, 12, 10), torch.rand(2, 3, 12, 10)):
        own(images)
        with torch.autocast("cpu", torch.bfloat16):
            own(images)
    assert shapes == [(2, 3, 12, 10), (3, 3, 12, 10)]


@pytest.mark.usefixtures("openvino")
def test_openvino_follows_weights_and_precision(single: Network) -> None:
    images = torch.randn(2, 3, 12, 10)
    before = logits_in_chunks(single, images)
    low = logits_in_chunks(replace(single, precision="bf16"), images)
    assert (low - before).abs().max() < 0.05
    # A processor that does not compute in bfloat16 is left to compute in fp32.
    assert torch.equal(low, before) == (not is_quick_in_bf16(CPU))
    with torch.no_grad():
        for weight in single.module.parameters():
            weight.mul_(0.5)
    after = logits_in_chunks(single, images)
    torch.testing.assert_close(after, logits_in_chunks(replace(single, compiler="none"), images), rtol=0, atol=1e-5)


@pytest.mark.usefixtures("openvino")
def test_openvino_is_measured_where_it_is_at_hand() -> None:
    assert candidates(CPU) == ("none", "inductor", "openvino")
    assert list(libraries(["inductor", "openvino", "openvino"])) == ["openvino"]


class OtherWay(nn.Module):
    """Goes another way for images that are brighter than noise, which a graph of it does not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def is_bright(self, images: Tensor) -> bool:
        """Whether the images are."""
        return bool(images.mean() > 100)

    def forward(self, images: Tensor) -> Tensor:
        bright = images.mean((1, 2, 3))
        factor = 5.0 if self.is_bright(images) else 1.0
        return torch.stack([bright, bright * factor], 1) * self.weight


class UnseenWay(OtherWay):
    """Looks at the images where nothing sees it."""

    def is_bright(self, images: Tensor) -> bool:
        return images.flatten().tolist()[0] > 100


class ByItem(OtherWay):
    """Looks at what was written into another tensor, past the comparison of two."""

    def is_bright(self, images: Tensor) -> bool:
        levels = torch.zeros(2)
        levels[1:].copy_(images.mean())
        return levels.amax().item() > 100


class OneWay(OtherWay):
    """Decides by its weights and the shape of the images, which are always the same."""

    def is_bright(self, images: Tensor) -> bool:
        return self.weight.item() > 1 or images.shape[2] > torch.ones(7).sum()


@pytest.mark.usefixtures("openvino")
def test_a_graph_that_answers_otherwise_is_refused() -> None:
    other = Network(UnseenWay(), chunk=2, compiler="openvino")
    torch.testing.assert_close(logits_in_chunks(other, torch.ones(2, 3, 4, 4)), torch.ones(2, 2))
    with pytest.raises(Exception, match=r"OpenVINO's graph gives another answer, 0\.8 off"):
        logits_in_chunks(replace(other, chunk=3), torch.full((3, 3, 4, 4), 200.0))


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("module", [OtherWay(), ByItem()])
def test_what_decides_by_the_images_goes_on_without(
    module: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = "network goes on without openvino: OpenVINO takes one way for all images, the network decides by their "
    assert went_on(Network(module, chunk=2), tmp_path, caplog) == said + "numbers"


@pytest.mark.usefixtures("openvino")
def test_what_decides_by_weights_and_shapes_is_converted() -> None:
    own = Network(OneWay(), chunk=2, compiler="openvino")
    for side, factor in ((4, 1.0), (8, 5.0)):
        expected = torch.tensor([[1.0, factor]] * 2)
        torch.testing.assert_close(logits_in_chunks(own, torch.ones(2, 3, side, side)), expected)


class Unconvertible(nn.Module):
    """Computes where no graph can follow."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.fft.fftn(images.mean((2, 3)).double(), norm="backward").real.float().cummax(1).values


@pytest.mark.usefixtures("openvino")
def test_what_cannot_be_converted_goes_on_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = Network(Unconvertible(), chunk=2)
    assert went_on(other, tmp_path, caplog).startswith("network goes on without openvino: ")


@pytest.mark.usefixtures("openvino")
def test_other_precisions_of_weights_go_on_without(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = went_on(network, tmp_path, caplog)
    assert said == "small goes on without openvino: OpenVINO computes in float32, the network in torch.float64"


def test_without_the_library_the_run_goes_on_and_says_how_to_get_it(
    single: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bench.engine.openvino_passes.find_spec", lambda _: None)
    said = went_on(single, tmp_path, caplog)
    assert said == 'small goes on without openvino: OpenVINO is not installed: pip install "heatmark[openvino]"'
    assert candidates(CPU) == ("none", "inductor")
