"""Rules of zennit by the names of its composites: `zennit:epsilon_plus_flat`."""

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, HeatmarkError, Network, OutputKind, Request
from bench.api.adapter import FAILURES, adapted_class, refuse, settings_of, unsupported

try:
    import zennit.composites as library
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
except ImportError:
    library = None

WORKING = (
    *("beta_smooth", "deconvnet", "epsilon_alpha2_beta1", "epsilon_alpha2_beta1_flat", "epsilon_plus"),
    *("epsilon_plus_flat", "excitation_backprop", "guided_backprop"),
)
REFUSED = {
    "epsilon_gamma_box": "it needs the lowest and highest value of every pixel; use epsilon_plus_flat",
}


@dataclass(frozen=True)
class ZennitMethod(Attribution):
    """The target's logit shared out by a composite of zennit, batch norms merged in a copy of the network."""

    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits",)
    target: ClassVar[Any]

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Relevances (batch, channel, height, width)."""
        chosen = {name: value for name, value in self.settings.items() if name != "reduction"}
        composite = self.target(canonizers=[SequentialMergeBatchNorm()], **chosen)
        module = copy.deepcopy(network.module)
        try:
            with Gradient(module, composite) as attributor:
                relevances: Tensor = attributor(
                    request.images.requires_grad_(),
                    lambda logits: logits.detach() * F.one_hot(request.targets, logits.shape[1]).to(logits),
                )[1]
        except FAILURES as error:
            raise unsupported(f"{self.name} on network {network.name!r}", error) from error
        return relevances


def names() -> tuple[str, ...]:
    """The composites that work."""
    return tuple(sorted(WORKING))


def plugin(name: str) -> type[Attribution]:
    """The plug-in class of one of zennit's composites; HeatmarkError where there is none."""
    if library is None:
        raise HeatmarkError(f'zennit:{name} needs zennit: pip install "heatmark[zennit]"')
    if name not in WORKING or name not in library.COMPOSITES:
        raise refuse("zennit", name, REFUSED, WORKING)
    target = library.COMPOSITES[name]
    made = adapted_class(ZennitMethod, "zennit", target, settings_of(target.__init__))
    made.name = f"zennit:{name}"
    return made
