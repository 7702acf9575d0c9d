"""Batch normalisation folded into the convolutions before it: the same function in fewer passes over memory."""

import logging
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TypeGuard

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from bench.api import Network
from bench.api.module_state import HOOKS, evaluating, kept_of_networks, things_of

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


def folded(network: Network, images: Tensor) -> Network:
    """The network for evaluation, with the weights that it has now, its batch normalisation folded where that is safe.

    `images` (any, channel, height, width) are of the kind that it will be given. A network with parts of no known
    library, with hooks, that cannot be traced, or whose graph gives another answer is left as it is.
    """
    parts = tuple(network.module.modules())
    if not any(isinstance(part, nn.BatchNorm2d) for part in parts) or not all(map(_only_computes, parts)):
        return network
    dtype = next((own.dtype for own in network.module.parameters() if own.is_floating_point()), images.dtype)
    if dtype in (torch.float16, torch.bfloat16):
        return network  # the sums of folding would be rounded to it
    with evaluating(network.module), torch.no_grad():
        traced = _traced(network.module, things_of(network.module), images.shape[1:], dtype, images.device)
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
    made_here = type(part).__module__.startswith("bench.engine")  # such as a way back that tracing would lose
    pure = type(part).__module__.split(".")[0] in _PURE and not made_here
    return pure and not any(getattr(part, kind) for kind in HOOKS)


@kept_of_networks
def _traced(
    module: nn.Module,
    things: tuple[object, ...],  # noqa: ARG001
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
