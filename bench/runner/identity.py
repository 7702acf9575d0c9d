"""The identity of a cell: everything that decides a score goes into its key."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from bench.api import Dataset, NetworkMetric, Plugin
from bench.api.registry import source_file
from bench.api.source_code import code_of
from bench.checks.network_promises import NETWORK_CHECKS
from bench.engine.compiled import libraries
from bench.runner.records import Run, Trained

# Everything else in the package decides a score.
NOT_COMPUTING = (
    *(
        "_version.py",
        "notebook.py",
        "progress.py",
        "pytest_plugin.py",
        "api/registry.py",
        "runner/collect.py",
        "scoring/__init__.py",
    ),
    *("checks/", "cli/", "plugins/", "racing/", "report/", "results/", "sequential/", "statistics/"),
    *("suites/", "verification/"),
)

# How a network is looked at: cells of networks that were looked at less closely are not taken.
LOOKING = ("checks/full_passes.py", "checks/network_promises.py", "checks/output_kinds.py")

_ROOT = Path(__file__).parents[1]
_PLACE = "the parts of a cell stand here"


def identity(run: Run, networks: Sequence[Trained], ids: Sequence[str], *parts: Plugin | str) -> dict[str, Any]:
    """Everything that decides the scores of a cell of these networks on these images."""
    compares = any(isinstance(part, NetworkMetric) for part in parts)
    return {
        "dataset": [_signature(run.dataset), run.dataset.fingerprint(), run.split, list(ids)],
        "networks": [
            [
                *(t.architecture, t.code, t.weights, asdict(t.network.preprocess), t.network.label_map, t.seed),
                *(t.network.precision, t.network.tolerance, t.network.compiler, t.network.output),
            ]
            for t in networks
        ],
        # What they were looked at for, and how: a cell from before a promise was asked for so is not taken.
        "promises": [*(check.__name__ for check in NETWORK_CHECKS), look_hash()],
        "trainings": [t.training and asdict(t.training) for t in networks] if compares else None,
        "parts": [_signature(part) if isinstance(part, Plugin) else part for part in parts],
        "target": [run.table.target, run.table.only_correct],
        "seed": run.table.seed,
        "references": [run.table.dataset.references, run.table.dataset.images if run.shares_its_pool else None],
        "device": run.device.type,
        "code": code_hash(),
        "torch": torch.__version__,
        "compilers": libraries(t.network.compiler for t in networks),
    }


def keys_of(
    run: Run, networks: Sequence[Trained], ids: Sequence[str], cells: Iterable[tuple[Plugin, ...]]
) -> list[str]:
    """The key of each cell of these networks on these images: what `key_of` makes of its `identity`, shared work once.

    Either all cells have a metric that compares networks, or none.
    """
    digest, last, suffix = None, "", b""
    keys = []
    signed = cache(lambda plugin: json.dumps(_signature(plugin), sort_keys=True))
    for parts in cells:
        if digest is None:
            around = json.dumps(identity(run, networks, ids, *parts) | {"parts": _PLACE}, sort_keys=True)
            before, last = around.split(json.dumps(_PLACE))
            digest, suffix = hashlib.sha256(before.encode()), last.encode()
        own = digest.copy()
        own.update(f"[{', '.join(map(signed, parts))}]".encode() + suffix)
        keys.append(own.hexdigest())
    return keys


@cache
def code_hash() -> str:
    """A hash of all code of the package that computes."""
    names = sorted(path.relative_to(_ROOT).as_posix() for path in _ROOT.rglob("*.py"))
    return _hash_of(
        name for name in names if not name.startswith((*NOT_COMPUTING, "methods/", "metrics/", "datasets/"))
    )


@cache
def look_hash() -> str:
    """A hash of the code that looks at networks before their first score."""
    return _hash_of(LOOKING)


def _hash_of(names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + (_ROOT / name).read_bytes())
    return digest.hexdigest()


def _signature(plugin: Plugin) -> list[Any]:
    # Where a data set lies does not count: its fingerprint says what lies there.
    places = ("root", "download") if isinstance(plugin, Dataset) else ()
    settings = {name: repr(value) for name, value in plugin.settings.items() if not name.endswith(places)}
    return [plugin.name, settings, code_of(source_file(type(plugin))), plugin.library]
