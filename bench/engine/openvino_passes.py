"""Forward passes by OpenVINO, which compiles networks for Intel's processors."""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.errors import HeatmarkError

# How far a logit may lie from the network's own, as a share of the largest; more means that the graph is another one.
_ROUNDING = {"f32": 1e-4, "bf16": 0.1}

Pass = Callable[[NDArray[Any]], Any]


def is_installed() -> bool:
    """Whether OpenVINO is at hand."""
    return find_spec("openvino") is not None


def check_usable(module: nn.Module, device: torch.device) -> None:
    """HeatmarkError where OpenVINO is not installed, or cannot compute this network there."""
    if not is_installed():
        raise HeatmarkError('OpenVINO is not installed: pip install "heatmark[openvino]"')
    if device.type != "cpu":
        raise HeatmarkError(f"OpenVINO computes on the processor, the network on {device}")
    others = {str(own.dtype) for own in module.parameters() if own.dtype != torch.float32}
    if others:
        raise HeatmarkError(f"OpenVINO computes in float32, the network in {', '.join(sorted(others))}")


class Converted(nn.Module):
    """A network in evaluation mode that OpenVINO carries out, compiled for each shape of images when that first comes.

    In float32, and under autocast in bfloat16, which it would otherwise choose by itself where the processor is fast
    at it. HeatmarkError where it is not installed, cannot compute the network, or gives another answer.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.graphs: dict[torch.Size, Any] = {}
        self.passes: dict[tuple[Any, ...], Pass] = {}

    def forward(self, images: Tensor) -> Tensor:
        """What the network returns of images (batch, channel, height, width)."""
        check_usable(self.module, images.device)
        precision = "bf16" if torch.is_autocast_enabled(images.device.type) else "f32"
        key = (images.shape, precision, torch.get_num_threads())
        if key not in self.passes:
            if images.shape not in self.graphs:
                self.graphs[images.shape] = _graph(self.module, images.shape)
            self.passes[key] = _checked_pass(self.module, self.graphs[images.shape], images, precision)
        return _outputs(self.passes[key], images)


def _outputs(one_pass: Pass, images: Tensor) -> Tensor:
    # Channels last, as most images lie in memory anyway.
    return torch.from_numpy(one_pass(images.permute(0, 2, 3, 1).contiguous().numpy())[0])


def _checked_pass(module: nn.Module, graph: Any, images: Tensor, precision: str) -> Pass:
    """A pass through the graph of a module; HeatmarkError where it answers otherwise than the module."""
    one_pass = _compiled(graph, precision)
    with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
        expected = module(images.clone())
        off = (_outputs(one_pass, images) - expected).abs().max() / expected.abs().max()
    if not off <= _ROUNDING[precision]:
        raise HeatmarkError(f"OpenVINO's graph gives another answer, {off:.1g} off")
    return one_pass


def _graph(module: nn.Module, shape: torch.Size) -> Any:
    """What the module does with images of this shape, as OpenVINO's graph that takes them with channels last.

    It holds what the network does with noise, and must be right for images too.
    """
    from openvino import Layout
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from openvino.preprocess import PrePostProcessor

    # What `openvino.convert_model` does, without the report that it sends to its makers.
    reader = FrontEndManager().load_by_framework("pytorch")
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
        _check_one_way(module, noise[:1])
        warnings.simplefilter("ignore")  # of tracing, whose answer is checked by ours instead of by passes of its own
        traced = {"check_trace": False}
        decoder = TorchScriptPythonDecoder(module, example_input=noise, trace_kwargs=traced)
        graph = reader.convert(reader.load(decoder))  # which reads from the decoder until then
    graph.reshape(list(shape))
    around = PrePostProcessor(graph)
    around.input().tensor().set_layout(Layout("NHWC"))
    around.input().model().set_layout(Layout("NCHW"))
    return around.build()


class _Reads(TorchDispatchMode):
    """Whether numbers are read, as by `if` or `item()`, that depend on an image: a graph keeps what they were once."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.depend = {image.untyped_storage().data_ptr(): image}  # kept, so that no other lies where one lay
        self.found = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = (filter(torch.is_tensor, tree_leaves(own)) for own in ((args, kwargs), result))
        if any(own.untyped_storage().data_ptr() in self.depend for own in given):
            self.depend |= {own.untyped_storage().data_ptr(): own for own in made}
            self.found = self.found or isinstance(result, bool | int | float)
        return result


def _check_one_way(module: nn.Module, image: Tensor) -> None:
    """HeatmarkError where the module looks at numbers to decide what it does: other images may go another way."""
    with _Reads(image) as reads:
        module(image)
    if reads.found:
        raise HeatmarkError("OpenVINO takes one way for all images, the network decides by their numbers")


def _compiled(graph: Any, precision: str) -> Pass:
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,  # several processes would be pinned to the same cores
    }
    compiled = _core().compile_model(graph, "CPU", settings)
    return lambda images: compiled(images, share_inputs=True)


@cache
def _core() -> Any:
    from openvino import Core

    return Core()
