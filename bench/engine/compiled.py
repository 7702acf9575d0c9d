"""Compiled forward passes: by a back end of torch.compile or OpenVINO, done without where that does not work."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import version

import torch
from torch import Tensor, nn

from bench.api import Compiler, Network
from bench.api.module_state import kept_of_networks, written_things_of
from bench.engine.memory import room_for
from bench.engine.openvino_passes import Converted, is_installed
from bench.errors import HeatmarkError

_CANDIDATES: dict[str, tuple[Compiler, ...]] = {"cpu": ("inductor", "openvino"), "cuda": ("inductor", "cudagraphs")}

_COMPILATIONS = 1000

_log = logging.getLogger("heatmark")


def candidates(device: torch.device) -> tuple[Compiler, ...]:
    """The compilers at hand that may be the fastest on a device, and none."""
    here = _CANDIDATES[device.type]
    return ("none", *(own for own in here if own != "openvino" or is_installed()))


def libraries(compilers: Iterable[Compiler]) -> dict[str, str]:
    """The libraries beside torch that some of these compilers are, and their versions."""
    return {own: version(own) for own in sorted(set(compilers)) if own == "openvino"}


def compiled(network: Network) -> Network:
    """The network compiled with the weights that it has now; nothing happens before its first full chunk."""
    module = network.module
    return replace(network, module=_compiled(module, network.compiler, written_things_of(module)))


@kept_of_networks
def _compiled(module: nn.Module, compiler: Compiler, state: tuple[object, ...]) -> nn.Module:  # noqa: ARG001
    # What is compiled keeps the weights of its module as constants, so that it gets a module of its own.
    constant = deepcopy(module).eval()
    own = Converted(constant) if compiler == "openvino" else torch.compile(constant, backend=compiler, dynamic=False)
    return FastForm(constant, own)


class FastForm(nn.Module):
    """A network as a compiler carries it out; HeatmarkError where that has a number and the network itself has none.

    Compilers join ReLU to the layer before it and make 0 of NaN there: of a network that divides by the norm or the
    deviation of an image nothing can be said where a curve ends, at a blank image, and a number would be a wrong one.
    """

    def __init__(self, module: nn.Module, carried_out: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.module, self.carried_out = module, carried_out
        self.tried: set[tuple[torch.Size, bool]] = set()

    def forward(self, images: Tensor) -> Tensor:
        """What the network returns of images (batch, channel, height, width)."""
        kind = images.shape, torch.is_autocast_enabled(images.device.type)
        if kind not in self.tried:
            self.carried_out(images)  # by images a library checks whether it understood the network
            self._try(images)
            self.tried.add(kind)
        return self.carried_out(images)

    def _try(self, images: Tensor) -> None:
        shown = _degenerate(images)
        with torch.inference_mode(False), torch.no_grad():
            numbers = _are_numbers(self.module(shown.clone()))
        for part, own in zip(shown.split(len(images)), numbers.split(len(images)), strict=True):
            whole = images.clone()
            whole[: len(part)] = part
            if (_are_numbers(self.carried_out(whole))[: len(part)] & ~own).any():
                raise HeatmarkError("it gives numbers for a blank image, of which the network itself gives none")


def _degenerate(images: Tensor) -> Tensor:
    """Images such as these in which there is nothing to see: blank ones, and half of one."""
    blank, half = torch.zeros_like(images[:1]), images[:1].clone()
    half[..., : half.shape[-1] // 2] = 0
    return torch.cat([blank, blank + 1, half])


def _are_numbers(outputs: Tensor) -> Tensor:
    return outputs.isfinite().reshape(len(outputs), -1).all(1)


@contextmanager
def constant_weights(compiler: Compiler) -> Iterator[None]:
    """What is compiled inside keeps its weights as constants: they are laid out once, and fused with what follows."""
    if compiler in ("none", "openvino"):
        yield
        return
    from torch._dynamo import config as dynamo  # these take seconds to import
    from torch._inductor import config as inductor

    # Each network and shape counts as a compilation of the same code.
    with inductor.patch(freezing=True), dynamo.patch(recompile_limit=_COMPILATIONS):
        yield


def full_chunk(network: Network, images: Tensor, chunk: int) -> Tensor:
    """Logits of at most `chunk` images by a compiled network, given to it as one shape and kind of tensor.

    It would be compiled anew for each shape, and for tensors from outside of inference mode.
    """
    whole = images
    if len(images) < chunk or not images.is_inference():
        whole = room_for(chunk, images)
        whole[: len(images)], whole[len(images) :] = images, images[-1:]
    # The graph writes its next output to the same place.
    return network.logits(whole)[: len(images)].clone()


def works(network: Network, trial: Callable[[], object]) -> bool:
    """Whether the network runs compiled; if not, one line of the log says why."""
    try:
        trial()
    except Exception as error:  # noqa: BLE001 - a compiler may fail in any way, and the run goes on without it
        _log.warning("%s goes on without %s: %s", network.name, network.compiler, reason(error))
        return False
    return True


def reason(error: BaseException) -> str:
    """One line for people on why something could not be compiled."""
    if isinstance(error, HeatmarkError):
        return str(error)
    if "C++ compiler" in str(error) or "CppCompile" in type(error).__name__:
        return "it needs a C++ compiler (install g++ or clang++, or name one in CXX)"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
