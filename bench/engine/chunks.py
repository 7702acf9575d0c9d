"""The fastest chunk size, measured once on a machine and remembered in a file."""

import json
from pathlib import Path

import torch

from bench.engine.predict import fastest_chunk
from bench.handed import Network
from bench.store import write_whole


def remembered_chunk(network: Network, architecture: str, device: torch.device, file: Path) -> int:
    """The chunk size for this architecture, input size and device; measured when `file` does not know it."""
    height, width = network.preprocess.size
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    name = f"{architecture} {height}x{width} {network.precision} {device.type} {kind}"
    known: dict[str, int] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if name not in known:
        channels = len(network.preprocess.mean)
        noise = torch.randn(8, channels, height, width, generator=torch.Generator().manual_seed(0))
        images = noise.to(device, memory_format=torch.channels_last)
        known[name] = fastest_chunk(network, images)
        write_whole(file, (json.dumps(known, indent=2, sort_keys=True) + "\n").encode())
    return known[name]
