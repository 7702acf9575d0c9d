"""Architectures that people explain, small, with random weights, for images of 64 x 64 pixels and ten classes."""

from collections.abc import Callable
from functools import partial

import timm
import torch
from timm.models.metaformer import GroupNorm1, MetaFormer, Pooling
from timm.models.mlp_mixer import MlpMixer
from torch import nn
from torchvision.models import MaxVit, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from bench.api import Network

SIZE = 64
SWIN = {"patch_size": [4, 4], "embed_dim": 16, "depths": [1, 2], "num_heads": [1, 2], "window_size": [4, 4]}
VIT = {"patch_size": 16, "embed_dim": 48, "depth": 2, "num_heads": 3, "img_size": SIZE, "num_classes": 10}
WINDOWS = {"img_size": SIZE, "patch_size": 4, "window_size": 4, "embed_dim": 16, "depths": (1, 2), "num_heads": (1, 2)}


def _timm(name: str, **settings: object) -> Callable[[], nn.Module]:
    return partial(timm.create_model, name, pretrained=False, **{"num_classes": 10, **settings})


MAKERS: dict[str, Callable[[], nn.Module]] = {
    "torchvision ViT": lambda: VisionTransformer(SIZE, 16, 2, 3, 48, 96, num_classes=10),
    "torchvision Swin": lambda: SwinTransformer(**SWIN, num_classes=10),
    "torchvision SwinV2": lambda: SwinTransformer(
        **SWIN, num_classes=10, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2
    ),
    "torchvision MaxViT": lambda: MaxVit((SIZE, SIZE), 8, 4, [8, 16], [1, 1], 8, 0.0, num_classes=10),
    "torchvision ConvNeXt": lambda: ConvNeXt([CNBlockConfig(16, 32, 1), CNBlockConfig(32, None, 2)], num_classes=10),
    "timm ViT, class token": _timm("vit_tiny_patch16_224", **VIT),
    "timm ViT, mean": _timm("vit_tiny_patch16_224", **VIT, global_pool="avg", class_token=False),
    "timm ViT, attention pool": _timm("vit_tiny_patch16_224", **VIT, global_pool="map", class_token=False),
    "timm ViT, registers": _timm("vit_small_patch14_reg4_dinov2", **VIT),
    "timm DeiT, distilled": _timm("deit_tiny_distilled_patch16_224", **VIT),
    "timm ViT of CLIP": _timm("vit_base_patch16_clip_224", **VIT),
    "timm EVA": _timm("eva02_tiny_patch14_224", **VIT),
    "timm Swin": _timm("swin_tiny_patch4_window7_224", **WINDOWS),
    "timm SwinV2": _timm("swinv2_tiny_window8_256", **WINDOWS),
    "timm ConvNeXtV2": _timm("convnextv2_atto", depths=(1, 1, 1, 1), dims=(8, 16, 16, 32)),
    "timm MobileViT": _timm("mobilevit_xxs"),
    "timm PoolFormer": lambda: MetaFormer(
        depths=(1, 1), dims=(16, 32), num_classes=10, token_mixers=Pooling, norm_layers=GroupNorm1
    ),
    "timm MLP-Mixer": lambda: MlpMixer(img_size=SIZE, embed_dim=32, num_blocks=2, num_classes=10),
    "timm EfficientNetV2": _timm("efficientnetv2_rw_t"),
    "timm RegNet": _timm("regnetx_002"),
    "timm MobileNetV4": _timm("mobilenetv4_conv_small_035"),
}


def network(architecture: str) -> Network:
    """The architecture with random weights, in float64; none are zero at the start of its head or its branches."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = MAKERS[architecture]()
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv2d):
                nn.init.normal_(part.weight, std=part.weight[0].numel() ** -0.5)
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0
        with torch.no_grad():
            module.train()(torch.randn(8, 3, SIZE, SIZE))
    return Network(module.eval().double(), name=architecture, chunk=16)
