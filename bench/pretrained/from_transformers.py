"""Image classifiers of Hugging Face: `hf:facebook/deit-tiny-patch16-224`, `hf:OWNER/NAME@REVISION`, `hf:FOLDER`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bench.api import Preprocess, Sample
from bench.data.hub_files import UNREADABLE, hub_folder, library, revision_of
from bench.data.transforms import prepare
from bench.errors import HeatmarkError
from bench.pretrained.record import About, Pretrained

_FILES = ("*.json", "model*.safetensors")
_PROCESSOR = "preprocessor_config.json"
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
# How far apart two ways of resizing may be: levels of 255, on average over an image.
_LEVELS = 2.0


class Logits(nn.Module):
    """A model of transformers that returns its logits, not a record of them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, outputs) of images (batch, 3, height, width)."""
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def untrained(name: str, outputs: int, *, download: bool) -> nn.Module:
    """The network with random weights; its configuration is fetched if that is allowed."""
    transformers = _transformers(name)
    config = transformers.AutoConfig.from_pretrained(_folder(name, ("*.json",), download=download), num_labels=outputs)
    return Logits(transformers.AutoModelForImageClassification.from_config(config))


def pretrained(name: str, *, download: bool) -> Pretrained:
    """The network with its weights; HeatmarkError that says which files are needed where they are not here."""
    transformers = _transformers(name)
    folder = _folder(name, _FILES, download=download)
    try:
        with _without_bars(transformers.utils.logging):
            model = transformers.AutoModelForImageClassification.from_pretrained(folder, local_files_only=True)
    except UNREADABLE as error:
        raise HeatmarkError(f"hf:{name}: {' '.join(str(error).split())[:200]}") from error
    return Pretrained(Logits(model), _about(name, folder, model.config))


def _about(name: str, folder: Path, config: Any) -> About:
    labels = config.id2label
    names = tuple(str(labels[output]) for output in range(config.num_labels))
    # Without names transformers calls the outputs LABEL_0, LABEL_1 and so on.
    known = names if names[0] != "LABEL_0" else ()
    revision = revision_of(folder)
    source = f"Hugging Face {name if not Path(name).is_dir() else Path(name).name}"
    return About(_preprocess(name, folder, config), known, (), f"{source} at {revision}" if revision else source)


def _preprocess(name: str, folder: Path, config: Any) -> Preprocess | str:
    """What the image processor does; why it is not known, where there is none or it does more than `prepare` can."""
    try:
        processor = _transformers(name).AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except UNREADABLE as error:
        if not (folder / _PROCESSOR).is_file():
            return f"{name} has no {_PROCESSOR}"
        return f"{folder / _PROCESSOR} cannot be used: {' '.join(str(error).split())[:200]}"
    preprocess = _described(processor.to_dict(), getattr(config, "image_size", None))
    height, width = 300, 400
    ramps = np.linspace(0, 255, height)[:, None, None], np.linspace(255, 0, width)[None, :, None], np.full(3, 9.0)
    picture = (((ramps[0] + ramps[1]) / 2 + ramps[2] * [0, 1, 2]).clip(0, 255)).astype(np.uint8)
    expected = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0]
    pixels = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    own = prepare(Sample("ramps", pixels, 0), preprocess).image
    allowed = _LEVELS / 255 / min(preprocess.std)
    if own.shape != expected.shape or (own - expected).abs().mean() > allowed:
        return f"{name}: {type(processor).__name__} does more than `preprocess` can say"
    return preprocess


def _described(settings: dict[str, Any], image_size: int | None) -> Preprocess:
    """A processor's settings as a `Preprocess`."""
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    shorter = size.get("shortest_edge")
    resize: int | tuple[int, int] | None = shorter or (_sides(size) if size else None)
    cut = _sides(crop) if settings.get("do_center_crop") and crop else None
    if shorter and cut is None and settings.get("crop_pct"):
        # ConvNeXt's rule: small images are cut out of larger ones, images from 384 on are squashed.
        cut = (shorter, shorter)
        resize = int(shorter / settings["crop_pct"]) if shorter < 384 else cut
    if not settings.get("do_resize", True):
        resize = None
    scale = settings.get("rescale_factor", 1 / 255) * 255 if settings.get("do_rescale", True) else 255.0
    normalised = settings.get("do_normalize", True)
    mean = settings["image_mean"] if normalised else [0.0] * 3
    std = settings["image_std"] if normalised else [1.0] * 3
    squashed = resize if isinstance(resize, tuple) else None
    fallback = (image_size, image_size) if image_size else (shorter or 224,) * 2
    final = cut or squashed or fallback
    return Preprocess(
        size=final,
        resize=None if resize == final else resize,
        mean=tuple(value / scale for value in mean),
        std=tuple(value / scale for value in std),
        interpolation=_FILTERS[int(settings.get("resample", 2) or 0)],  # type: ignore[arg-type]
    )


@contextmanager
def _without_bars(logging: Any) -> Iterator[None]:
    """Without the progress bars of transformers, which would stand among the lines of a command."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _sides(size: dict[str, Any]) -> tuple[int, int]:
    return int(size["height"]), int(size["width"])


def _folder(name: str, patterns: tuple[str, ...], *, download: bool) -> Path:
    if Path(name).is_dir():
        return Path(name)
    repository, _, revision = name.partition("@")
    return hub_folder(repository, patterns, revision or None, f"hf:{name}", download=download)


def _transformers(name: str) -> Any:
    return library("transformers", "hf", f"hf:{name}")
