"""Batch normalisation and ReLU folded into the convolutions before them: the same in fewer passes over memory."""

import logging
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TypeGuard

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from bench.api import Network
from bench.api.module_state import HOOKS, evaluating

# Modules of these only compute, so that they may be traced once and run as a graph from then on.
_PURE = {"torch", "torchvision", "timm", "bench", "efficientnet_lite_pytorch"}
# Convolutions that only pad what they are given, by module and class: their weights may be scaled like torch's own.
_PADDING = {("efficientnet_lite_pytorch.utils", "Conv2dStaticSamePadding")}
# How far rounding may move a logit, as a share of the largest; more means that the graph is not the network.
_ROUNDING = 1e-4
_log = logging.getLogger("heatmark")


@dataclass(frozen=True)
class _Folding:
    """A convolution, the normalisation behind it, and the convolution of the graph that does the work of both."""

    convolution: nn.Conv2d
    norm: nn.BatchNorm2d
    both: nn.Conv2d

    def update(self) -> None:
        own, norm = self.convolution, self.norm
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("a normalisation without running statistics was to be folded")
        statistics = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        self.both.weight, self.both.bias = fuse_conv_bn_weights(own.weight, own.bias, *statistics)


class _Rectified(nn.Module):
    """A convolution and the ReLU behind it: one pass over memory where no gradient is taken, the same to rounding."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, images: Tensor) -> Tensor:
        """What both make of images (batch, channel, height, width)."""
        own = self.convolution
        plain = type(own) is nn.Conv2d and images.device.type == "cpu" and images.dtype == torch.float32
        call = _one_pass()
        if call is None or torch.is_grad_enabled() or not plain or torch.is_autocast_enabled("cpu"):
            convolved: Tensor = own(images)
            return convolved.relu_()
        settings = own.padding, own.stride, own.dilation, own.groups
        return call(images, own.weight, own.bias, *settings, "relu", [], "")


@cache
def _one_pass() -> Callable[..., Tensor] | None:
    """A convolution of oneDNN with what follows it, as torch's own compiler calls it; None where torch lacks it."""
    if not torch.backends.mkldnn.is_available():
        return None
    try:
        call: Callable[..., Tensor] = torch.ops.mkldnn._convolution_pointwise.default
        call(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 1), None, (0, 0), (1, 1), (1, 1), 1, "relu", [], "")
    except (AttributeError, RuntimeError) as error:
        _log.debug("no convolution with ReLU in one pass: %s", error)
        return None
    return call


def folded(network: Network, images: Tensor) -> Network:
    """The network for evaluation, with the weights that it has now, with what follows convolutions folded where safe.

    That is batch normalisation and, where no gradient is taken, ReLU.

    `images` (any, channel, height, width) are of the kind that it will be given. A network with parts of no known
    library, with hooks, that cannot be traced, or whose graph gives another answer is left as it is.
    """
    parts = tuple(network.module.modules())
    if not any(isinstance(part, nn.BatchNorm2d | nn.ReLU) for part in parts) or not all(map(_only_computes, parts)):
        return network
    dtype = next((own.dtype for own in network.module.parameters() if own.is_floating_point()), images.dtype)
    if dtype in (torch.float16, torch.bfloat16):
        return network  # the sums of folding would be rounded to it
    with evaluating(network.module), torch.no_grad():
        traced = _traced(network.module, parts, images.shape[1:], dtype, images.device)
        if traced is None:
            return network
        graph, foldings = traced
        for folding in foldings:
            folding.update()
    return replace(network, module=graph)


class _Tracer(fx.Tracer):
    """Leaves convolutions whole, those that pad too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_convolution(m) or super().is_leaf_module(m, module_qualified_name)


def _is_convolution(part: nn.Module) -> TypeGuard[nn.Conv2d]:
    return type(part) is nn.Conv2d or (type(part).__module__, type(part).__name__) in _PADDING


def _only_computes(part: nn.Module) -> bool:
    made_here = type(part).__module__.startswith("bench.engine")  # folded before, or with a way back of its own
    pure = type(part).__module__.split(".")[0] in _PURE and not made_here
    return pure and not any(getattr(part, kind) for kind in HOOKS)


# Two only: it keeps networks. The key holds all parts, so that one with another part is another network.
@lru_cache(maxsize=2)
def _traced(
    module: nn.Module,
    parts: tuple[nn.Module, ...],  # noqa: ARG001
    shape: torch.Size,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[fx.GraphModule, list[_Folding]] | None:
    """The module as a graph without normalisations that can be folded; None where that is another function."""
    try:
        graph = fx.GraphModule(module, _Tracer().trace(module))
    except Exception as error:  # noqa: BLE001 - tracing runs a network's own code, and the run goes on without it
        _log.debug("not folded: %s", error)
        return None
    foldings = _fold(graph)
    _rectify(graph)
    for folding in foldings:
        folding.update()
    noise = torch.randn(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0)).to(device)
    expected = module(noise)
    return (graph, foldings) if (graph(noise) - expected).abs().max() <= _ROUNDING * expected.abs().max() else None


def _fold(graph: fx.GraphModule) -> list[_Folding]:
    """Take each normalisation out of the graph that follows a convolution and nothing else does."""
    called = Counter(node.target for node in graph.graph.nodes if node.op == "call_module")
    foldings: list[_Folding] = []
    for node in list(graph.graph.nodes):
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        convolution, norm = graph.get_submodule(str(before.target)), graph.get_submodule(str(node.target))
        once = called[node.target] == called[before.target] == 1
        if once and _is_convolution(convolution) and type(norm) is nn.BatchNorm2d and norm.track_running_stats:
            foldings.append(_Folding(convolution, norm, deepcopy(convolution)))
            graph.set_submodule(str(before.target), foldings[-1].both)
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return foldings


def _rectify(graph: fx.GraphModule) -> None:
    """Let each ReLU that follows a convolution, where nothing else does, be carried out with it."""
    for number, node in enumerate(graph.graph.nodes):
        before = node.args[0] if _is_relu(graph, node) else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        convolution = graph.get_submodule(str(before.target))
        if type(convolution) is not nn.Conv2d or convolution.padding_mode != "zeros":
            continue
        if isinstance(convolution.padding, str):
            continue
        name = f"rectified_{number}"
        graph.add_submodule(name, _Rectified(convolution))
        with graph.graph.inserting_before(node):
            both = graph.graph.call_module(name, before.args, before.kwargs)
        node.replace_all_uses_with(both)
        graph.graph.erase_node(node)
        graph.graph.erase_node(before)
    graph.delete_all_unused_submodules()
    graph.recompile()


def _is_relu(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return type(graph.get_submodule(str(node.target))) is nn.ReLU
    return node.op == "call_function" and node.target in (nn.functional.relu, torch.relu, torch.relu_)
