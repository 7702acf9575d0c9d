"""Small random networks of every layout, and by hand where their last map is: a module, and how to cut the map out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import timm
import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformer

from bench.api import Network, Request
from bench.checks.fixtures import small_request

SIZE = (48, 32)
GRID = (6, 4)
VIT = {"img_size": SIZE, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5}


@dataclass(frozen=True)
class Told:
    """A network, the module that gives its last map, the map (batch, channel, row, column) in what that gives."""

    make: Callable[[], nn.Module]
    module: str
    cut: Callable[[Tensor], Tensor]


def tokens(others: int) -> Callable[[Tensor], Tensor]:
    return lambda given: given[:, others:].unflatten(1, GRID).permute(0, 3, 1, 2)


class _Written(nn.Module):
    """A transformer written anew: tokens first or images first, in rows or in columns, its class token at the end."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches, self.token = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.randn(1, 1, 8))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first, norm_first=True) for _ in range(2)
        )
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        places = self.patches(images).transpose(2, 3).flatten(2).mT
        given = torch.cat([places, self.token.expand(len(images), -1, -1)], 1)
        given = given if self.batch_first else given.transpose(0, 1)
        for block in self.blocks:
            given = block(given)
        return self.head(given[:, -1] if self.batch_first else given[-1])


class _Patches(nn.Module):
    """Tokens from patches that no convolution cuts out, and a mean of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.block = nn.Linear(3 * 64, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        patches = images.unflatten(3, (4, 8)).unflatten(2, (6, 8)).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return self.head(self.block(self.first(patches)).mean(1))


def columns(given: Tensor) -> Tensor:
    """The map in tokens that go down the columns, the class token last."""
    return given[:, :-1].unflatten(1, GRID[::-1]).permute(0, 3, 2, 1)


TOLD = {
    "maps": Told(
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, 2, 1),
            nn.GELU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        ),
        "3",
        lambda given: given,
    ),
    "channels last": Told(
        lambda: timm.models.SwinTransformer(
            img_size=SIZE, patch_size=4, window_size=2, embed_dim=8, depths=(1, 1), num_heads=(1, 2), num_classes=5
        ),
        "norm",
        lambda given: given.permute(0, 3, 1, 2),
    ),
    "windows": Told(
        lambda: SwinTransformer([4, 4], 8, [1, 1], [1, 2], [2, 2], num_classes=5),
        "norm",
        lambda given: given.permute(0, 3, 1, 2),
    ),
    "class token": Told(lambda: timm.models.VisionTransformer(**VIT), "blocks.0", tokens(1)),
    "mean with class token": Told(
        lambda: timm.models.VisionTransformer(**VIT, global_pool="avg"), "blocks.1", tokens(1)
    ),
    "mean": Told(
        lambda: timm.models.VisionTransformer(**VIT, global_pool="avg", class_token=False, fc_norm=False),
        "norm",
        tokens(0),
    ),
    "attention pool": Told(
        lambda: timm.models.VisionTransformer(**VIT, global_pool="map", class_token=False), "norm", tokens(0)
    ),
    "registers": Told(
        lambda: timm.models.VisionTransformer(**VIT, reg_tokens=3, no_embed_class=True), "blocks.0", tokens(4)
    ),
    "distilled": Told(lambda: timm.models.deit.VisionTransformerDistilled(**VIT), "blocks.0", tokens(2)),
    "class token last, in columns": Told(lambda: _Written(batch_first=True), "blocks.0", columns),
    "tokens before images": Told(
        lambda: _Written(batch_first=False), "blocks.0", lambda given: columns(given.transpose(0, 1))
    ),
    "patches without a convolution": Told(_Patches, "block", tokens(0)),
}


@lru_cache
def network_of(layout: str) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = TOLD[layout].make()
        for part in module.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=part.in_features**-0.5)
    return Network(module.double().eval(), name=layout, chunk=16)


def request() -> Request:
    return small_request(3, *SIZE)


def told_by_hand(layout: str) -> tuple[Tensor, Tensor]:
    """The last maps (batch, channel, row, column) of the request and the gradients there, by a hook on the module."""
    network, told, asked, kept = network_of(layout), TOLD[layout], request(), []

    def keep(_: nn.Module, __: object, output: Tensor) -> Tensor:
        kept.append(output.clone())
        return kept[0].clone()

    handle = network.module.get_submodule(told.module).register_forward_hook(keep)
    values = network.logits_of(asked.images.clone().requires_grad_(), asked.targets)
    handle.remove()
    (gradients,) = torch.autograd.grad(values.sum(), kept)
    return told.cut(kept[0]).detach(), told.cut(gradients)


def logits_with(layout: str, image: int, maps: Tensor) -> float:
    """The target logit of one image where these maps (1, channel, row, column) take the place of its last ones."""
    network, told, asked = network_of(layout), TOLD[layout], request().select([image])

    def put(_: nn.Module, __: object, output: Tensor) -> Tensor:
        new = output.clone()
        told.cut(new).copy_(maps)
        return new

    handle = network.module.get_submodule(told.module).register_forward_hook(put)
    with torch.no_grad():
        found = network.logits_of(asked.images, asked.targets)
    handle.remove()
    return float(found)
