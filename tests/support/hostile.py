"""Plug-ins that do what none may, one thing each, and otherwise their work: a table of deeds, and who commits them."""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_hooks
from torch.nn.utils import parametrize

from bench.api import Attribution, Explained, Metric, Network, PerturbationMetric, Plan, Request, Scored

Deed = Callable[[nn.Module], object]


class Leaked(BaseException):
    """Neither an error nor the user's wish to stop."""


class _Twice(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight * 2


class _Other(nn.ReLU):
    def forward(self, features: Tensor) -> Tensor:
        return features * 0


def _conv(module: nn.Module) -> nn.Conv2d:
    return next(part for part in module.modules() if isinstance(part, nn.Conv2d))


def _norm(module: nn.Module) -> nn.BatchNorm2d:
    return next(part for part in module.modules() if isinstance(part, nn.BatchNorm2d))


def _relu(module: nn.Module) -> tuple[nn.Module, str]:
    return next(
        (part, name) for part in module.modules() for name, own in part._modules.items() if type(own) is nn.ReLU
    )


def _halve(module: nn.Module) -> None:
    with torch.no_grad():
        for weights in module.parameters():
            weights.mul_(0.5)


def _to_numpy(module: nn.Module) -> None:
    _conv(module).weight.detach().numpy()[...] *= 0.5


def _replace_layer(module: nn.Module) -> None:
    part, name = _relu(module)
    setattr(part, name, nn.Tanh())


def _delete_layer(module: nn.Module) -> None:
    part, name = _relu(module)
    del part._modules[name]


def _add_layer(module: nn.Module) -> None:
    module.add_module("extra", nn.ReLU())


def _replace_forward(module: nn.Module) -> None:
    part, name = _relu(module)
    part._modules[name].forward = lambda features: features * 0  # type: ignore[union-attr,method-assign,assignment]


def _replace_own_forward(module: nn.Module) -> None:
    module.forward = lambda images: images.flatten(1)[:, :8]  # type: ignore[method-assign]


def _replace_class(module: nn.Module) -> None:
    part, name = _relu(module)
    part._modules[name].__class__ = _Other  # type: ignore[assignment]


def _patch_class(_: nn.Module) -> None:
    nn.ReLU.forward = lambda self, features: features * 0  # type: ignore[method-assign]


def _patch_call(_: nn.Module) -> None:
    before = nn.Module.__call__
    nn.Module.__call__ = lambda self, *given: before(self, *given) * 0.5  # type: ignore[method-assign]


def _replace_weight(module: nn.Module) -> None:
    _conv(module).weight = nn.Parameter(torch.zeros_like(_conv(module).weight))


def _set_data(module: nn.Module) -> None:
    _conv(module).weight.data = torch.zeros_like(_conv(module).weight)


def _delete_parameter(module: nn.Module) -> None:
    _norm(module).bias = None  # type: ignore[assignment]


def _hide_buffer(module: nn.Module) -> None:
    norm = _norm(module)
    norm.running_mean = norm.running_mean + 1  # type: ignore[operator]


def _reset_statistics(module: nn.Module) -> None:
    _norm(module).reset_running_stats()


def _run_in_training(module: nn.Module) -> None:
    module.train()
    with torch.no_grad():
        module(torch.rand(4, 3, 64, 64))
    module.eval()


NETWORK: dict[str, Deed] = {
    "halves every weight": _halve,
    "writes to a parameter": lambda m: _conv(m).weight.detach().zero_(),
    "writes to .data": lambda m: _conv(m).weight.data.mul_(0.5),
    "writes through numpy": _to_numpy,
    "puts other memory behind a parameter": _set_data,
    "replaces a parameter": _replace_weight,
    "deletes a parameter": _delete_parameter,
    "loads another state": lambda m: m.load_state_dict({k: torch.zeros_like(v) for k, v in m.state_dict().items()}),
    "writes to a buffer": lambda m: _norm(m).running_mean.add_(1),  # type: ignore[union-attr]
    "writes to the data of a buffer": lambda m: _norm(m).running_var.data.mul_(4),  # type: ignore[union-attr]
    "replaces a buffer": _hide_buffer,
    "resets statistics": _reset_statistics,
    "counts statistics anew": _run_in_training,
    "makes the network double": lambda m: m.double(),
    "sets the mode": lambda m: m.train(),
    "sets the mode of one layer": lambda m: _norm(m).train(),
    "sets requires_grad": lambda m: m.requires_grad_(not next(m.parameters()).requires_grad),
    "replaces a layer": _replace_layer,
    "deletes a layer": _delete_layer,
    "adds a layer": _add_layer,
    "replaces the forward of a layer": _replace_forward,
    "replaces the forward of the network": _replace_own_forward,
    "replaces the class of a layer": _replace_class,
    "changes the code of a class": _patch_class,
    "changes the code of all modules": _patch_call,
    "leaves a forward hook": lambda m: _conv(m).register_forward_hook(lambda _, __, output: output * 0),
    "leaves a forward pre-hook": lambda m: _conv(m).register_forward_pre_hook(lambda _, given: (given[0] * 0,)),
    "leaves a backward hook": lambda m: _conv(m).register_full_backward_hook(lambda _, given, __: (given[0],)),
    "leaves a global hook": lambda _: torch_hooks.register_module_forward_hook(lambda _, __, output: output * 0),
    "leaves a global pre-hook": lambda _: torch_hooks.register_module_forward_pre_hook(lambda _, g: (g[0] * 0,)),
    "registers a parametrisation": lambda m: parametrize.register_parametrization(_conv(m), "weight", _Twice()),
    "sets a stride": lambda m: setattr(_conv(m), "stride", (4, 4)),
    "sets an epsilon": lambda m: setattr(_norm(m), "eps", 10.0),
}
PROCESS: dict[str, Deed] = {
    "seeds torch": lambda _: torch.manual_seed(1),
    "seeds numpy": lambda _: np.random.seed(1),  # noqa: NPY002
    "seeds Python": lambda _: random.seed(1),
    "draws from all": lambda _: (torch.rand(3), np.random.rand(3), random.random()),  # noqa: NPY002, S311
    "sets the default dtype": lambda _: torch.set_default_dtype(torch.float64),
    "sets the default device": lambda _: torch.set_default_device("meta"),
    "turns gradients off": lambda _: torch.set_grad_enabled(False),
    "turns gradients off, or on": lambda _: torch.set_grad_enabled(not torch.is_grad_enabled()),
    "sets the threads": lambda _: torch.set_num_threads(torch.get_num_threads() + 1),
    "asks for determinism": lambda _: torch.use_deterministic_algorithms(True),
    "turns autocast on": lambda _: torch.set_autocast_enabled("cpu", True),
    "sets the precision": lambda _: torch.set_float32_matmul_precision("medium"),
    "flushes small numbers": lambda _: torch.set_flush_denormal(True),
    "raises numpy's errors": lambda _: np.seterr(all="raise"),
}
RAISES: dict[str, Deed] = {
    "ends Python": lambda _: sys.exit(0),
    "ends Python with a text": lambda _: sys.exit("enough"),
    "raises what is no error": lambda _: (_ for _ in ()).throw(Leaked("gone")),
}
REQUEST = {
    "writes to the images": lambda r: r.images.zero_(),
    "writes to the targets": lambda r: r.targets.zero_(),
    "writes to the truth": lambda r: r.truth.zero_(),
    "writes to the references": lambda r: r.references.mul_(0.5),
    "writes to the data of the references": lambda r: r.references.data.mul_(0.5),
}
EXPLAINED = {
    **{name: lambda e, deed=deed: deed(e.request) for name, deed in REQUEST.items()},
    "writes to the heatmaps": lambda e: e.heatmaps.zero_(),
    "writes to the data of the heatmaps": lambda e: e.heatmaps.data.neg_(),
    "writes to the attributions": lambda e: e.attributions.mul_(-1),
    "writes to the logits": lambda e: e.clean.zero_(),
    "writes to the data of the truth": lambda e: e.request.truth.data.zero_(),
    "turns the heatmaps through numpy": lambda e: np.copyto(e.heatmaps.numpy(), e.heatmaps.numpy()[:, ::-1].copy()),
}


@dataclass(frozen=True)
class HostileMethod(Attribution):
    """Does its deed, and gives a map."""

    deed: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        if self.deed in REQUEST:
            REQUEST[self.deed](request)
        else:
            (NETWORK | PROCESS | RAISES)[self.deed](network.module)
        return request.images.detach().clone()


@dataclass(frozen=True)
class HostileMetric(Metric):
    """Does its deed, and gives a score."""

    deed: str = ""

    def score(self, explained: Explained) -> Scored:
        if self.deed in EXPLAINED:
            EXPLAINED[self.deed](explained)
        else:
            (NETWORK | PROCESS | RAISES)[self.deed](explained.network.module)
        return Scored(explained.heatmaps.new_zeros(len(explained.heatmaps)))


@dataclass(frozen=True)
class HostileCurve(PerturbationMetric):
    """Does its deed where pixels are ranked, together with the curves of others."""

    deed: str = ""

    def ranking(self, explained: Explained) -> Tensor:
        if self.deed in EXPLAINED:
            EXPLAINED[self.deed](explained)
        else:
            (NETWORK | PROCESS | RAISES)[self.deed](explained.network.module)
        return explained.heatmaps

    def plan(self, height: int, width: int) -> Plan:
        return Plan(tuple(range(0, height * width + 1, 1024)), "image", "zeros")
