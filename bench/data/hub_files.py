"""Files where libraries keep them: torch's folder of checkpoints, Hugging Face's cache of models and data sets."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any, Literal
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError

from bench.errors import HeatmarkError

# What reading a file raises that is cut short, or is not a file of weights.
UNREADABLE = (SafetensorError, RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, UnpicklingError)
EVERYTHING = "*"
Kind = Literal["model", "dataset"]
ALLOW = "allow the download (`download = true` in the suite, or --download)"


def library(module: str, extra: str, what: str) -> ModuleType:
    """The library; HeatmarkError with the command that installs it where it is absent."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.replace("_", "-")
        raise HeatmarkError(f'{what} needs {package}: pip install "heatmark[{extra}]"') from error


def checkpoint(url: str, what: str, *, download: bool) -> Path:
    """The file of this address in torch's folder of checkpoints, downloaded if that is allowed.

    HeatmarkError that says which file is needed and where to put it.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if path.is_file():
        return path
    if not download:
        raise HeatmarkError(f"{what}: no weights at {path}; put {url} there, or {ALLOW}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), progress=True)
    except (OSError, RuntimeError) as error:
        raise HeatmarkError(f"{what}: cannot download {url} ({_line(error)}); put it at {path}") from error
    return path


def hub_file(repository: str, names: Sequence[str], revision: str | None, what: str, *, download: bool) -> Path:
    """The first of these files that a repository of the Hugging Face hub has; HeatmarkError where there is none."""
    hub = library("huggingface_hub", "hf", what)
    reason: Exception | None = None
    for name in names:
        try:
            return Path(hub.hf_hub_download(repository, name, revision=revision, local_files_only=not download))
        except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
            reason = error
    raise _absent(hub, f"models/{repository}", " or ".join(names), what, reason if download else None)


def hub_folder(
    repository: str, patterns: Sequence[str], revision: str | None, what: str, *, download: bool, kind: Kind = "model"
) -> Path:
    """The folder of a repository of the Hugging Face hub; files of these patterns are fetched if that is allowed."""
    hub = library("huggingface_hub", "hf", what)
    try:
        found = hub.snapshot_download(
            repository, repo_type=kind, revision=revision, allow_patterns=list(patterns), local_files_only=not download
        )
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        reason = error if download else None
        files = "a copy" if list(patterns) == [EVERYTHING] else " and ".join(patterns)
        raise _absent(hub, f"{kind}s/{repository}", files, what, reason) from error
    return Path(found)


def revision_of(path: Path) -> str:
    """The commit that a file or folder of Hugging Face's cache belongs to; empty for any other."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1][:12] if "snapshots" in parts[:-1] else ""


def _absent(hub: Any, repository: str, files: str, what: str, reason: Exception | None) -> HeatmarkError:
    cache, folder = hub.constants.HF_HUB_CACHE, repository.replace("/", "--")
    repository = repository.partition("/")[2]
    if reason is not None:
        return HeatmarkError(f"{what}: cannot download {files} of {repository}: {_line(reason)}")
    return HeatmarkError(
        f"{what}: {files} of {repository} is not in {cache}; copy the folder {folder} of another machine's cache "
        f"there, or {ALLOW}"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
