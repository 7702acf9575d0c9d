"""timm's networks and their weights: `timm:resnet50.a1_in1k`, the weights by the tag behind the dot."""

import math
from typing import Any

from torch import nn

from bench.api import Preprocess
from bench.data.hub_files import UNREADABLE, checkpoint, hub_file, library, revision_of
from bench.errors import HeatmarkError, nearest
from bench.pretrained.record import About, Pretrained

_FILES = ("model.safetensors", "pytorch_model.bin")


def untrained(name: str, outputs: int) -> nn.Module:
    """The network with random weights; HeatmarkError with the nearest name where timm has none."""
    timm = _timm(name)
    if not timm.is_model(name):
        raise HeatmarkError(f"timm has no architecture {name!r}; {nearest(name, timm.list_models())}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=outputs)
    return network


def about(name: str) -> About:
    """What timm says about the weights of this name, none of which is loaded; HeatmarkError where it has none."""
    return _about(name, _configuration(name), "")


def pretrained(name: str, *, download: bool) -> Pretrained:
    """The network with the weights of its tag; HeatmarkError that says which file is needed where it is not here."""
    timm, known = _timm(name), _configuration(name)
    what = f"timm:{name}"
    if known["hf_hub_id"]:
        repository, _, revision = known["hf_hub_id"].partition("@")
        files = [known["hf_hub_filename"]] if known["hf_hub_filename"] else _FILES
        path = hub_file(repository, files, revision or None, what, download=download)
    elif known["url"]:
        path = checkpoint(known["url"], what, download=download)
    else:
        raise HeatmarkError(f"timm has no weights of {name}; name a file of `weights`, or another network")
    # Files of the hub hold a state dict, also where the original weights have a format of their own.
    own_format = known["custom_load"] if not known["hf_hub_id"] or known["custom_load"] == "hf" else False
    overlay = {"file": str(path), "custom_load": own_format}
    try:
        module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except UNREADABLE as error:
        raise HeatmarkError(f"{path} is not a file of these weights: {' '.join(str(error).split())[:200]}") from error
    revision = revision_of(path)
    place = f"{known['hf_hub_id']} {path.name} at {revision}" if revision else path.name
    return Pretrained(module, _about(name, known, place))


def _about(name: str, known: dict[str, Any], place: str) -> About:
    data = library("timm.data", "timm", f"timm:{name}")
    subset = data.infer_imagenet_subset(known)
    # A subset that timm knows by the number of its classes alone, such as all birds of iNaturalist, has no list.
    ids = tuple(data.ImageNetInfo(subset).label_names()) if subset else ()
    names = tuple(data.ImageNetInfo(subset).label_descriptions()) if subset else tuple(known["label_names"] or ())
    return About(_preprocess(name, known), names, ids, ", ".join(part for part in (f"timm {name}", place) if part))


def _preprocess(name: str, known: dict[str, Any]) -> Preprocess | str:
    config = library("timm.data", "timm", f"timm:{name}").resolve_data_config(pretrained_cfg=known)
    height, width = config["input_size"][1:]
    share, mode = config["crop_pct"], config["crop_mode"]
    if mode == "border" or (mode == "center" and height != width):
        return f"{name} wants images padded or of another form"
    scaled = math.floor(height / share), math.floor(width / share)
    return Preprocess(
        size=(height, width),
        resize=scaled if mode == "squash" else scaled[0],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
    )


def _configuration(name: str) -> dict[str, Any]:
    timm = _timm(name)
    if not timm.is_model(name):
        raise HeatmarkError(f"timm has no network {name!r}; {nearest(name, timm.list_models())}")
    tagged = timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)
    if "." in name and name not in tagged:
        raise HeatmarkError(f"timm has no weights {name!r}; {nearest(name, tagged)}")
    found = timm.get_pretrained_cfg(name)
    return found.to_dict(remove_source=False, remove_null=False) if found is not None else {}


def _timm(name: str) -> Any:
    return library("timm", "timm", f"timm:{name}")
