"""What is installed is whole: every folder in the wheel, plug-ins found from a wheel and an editable install."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

METHOD = '''
from dataclasses import dataclass

import torch

from bench.api import Attribution, Network, Request


@dataclass(frozen=True)
class {name}(Attribution):
    """Each pixel times the gradient of the target logit."""

    def attribute(self, network: Network, request: Request) -> torch.Tensor:
        images = request.images.requires_grad_()
        (gradients,) = torch.autograd.grad(network.logits_of(images, request.targets).sum(), images)
        return images.detach() * gradients
'''


def test_the_oldest_that_are_tried_are_the_lower_bounds() -> None:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    session = (ROOT / "noxfile.py").read_text()
    for name in ("torch", "torchvision", "numpy", "pandas"):
        (bound,) = (need.partition(">=")[2] for need in needs if need.partition(">=")[0] == name)
        assert f'"{name}=={bound}.0"' in session


def test_every_folder_of_code_is_named_in_the_build() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = set(tomllib.load(file)["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "bench").rglob("*.py")}
    for top in ("methods", "metrics", "datasets"):
        folders |= {Path("bench") / path.parent.relative_to(ROOT) for path in (ROOT / top).rglob("*.py")}
    assert {".".join(folder.parts) for folder in folders} <= named


def test_plugin_folders_are_no_packages() -> None:
    for top in ("methods", "metrics", "datasets"):
        assert not list((ROOT / top).rglob("__init__.py"))


def test_plugins_never_import_each_other() -> None:
    for top in ("methods", "metrics", "datasets"):
        for path in (ROOT / top).rglob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["from"], ["import"]):
                    assert not words[1].startswith(("bench.methods", "bench.metrics", "bench.datasets")), path


def run(*command: str | Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, *packages: str | Path) -> Path:
    """The commands of a fresh environment with these packages installed."""
    run(sys.executable, "-m", "uv", "venv", "--python", sys.executable, folder, folder=folder.parent)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "uv", "pip", "install", "--python", python, *packages, folder=folder.parent)
    return folder / "bin"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the checkout, without what git ignores."""
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(
        ROOT,
        tmp_path / "heatmark",
        ignore=lambda folder, names: {*ignored(folder, names), *({"results", "tests"} if folder == str(ROOT) else ())},
    )
    return tmp_path / "heatmark"


@pytest.mark.long
def test_a_wheel_runs_the_embedded_suite_outside_the_checkout(source: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", tmp_path / "dist", ".", folder=source)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if not name.startswith(("bench/", "heatmark-"))]
    commands = environment(tmp_path / "environment", wheel, "datasets")
    output = run(commands / "heatmark", "run", "embedded", "--images", "4", folder=tmp_path)
    assert "Truth" in output
    run(commands / "python", "-c", "import datasets; datasets.Dataset", folder=tmp_path)


@pytest.mark.long
def test_a_new_file_is_benchmarked_with_no_other_edit(source: Path, tmp_path: Path) -> None:
    commands = environment(tmp_path / "environment", "--editable", source, "datasets")
    new = source / "methods" / "attributions" / "zz_new.py"
    new.write_text(METHOD.format(name="New").lstrip())
    assert len(new.read_text().splitlines()) <= 15
    options = ("run", "embedded", "--images", "2", "--attributions", "zz_new,random_map", "--metrics", "gini")
    assert "zz_new" in run(commands / "heatmark", "list", "attributions", folder=tmp_path)
    assert "Zz new" in run(commands / "heatmark", *options, folder=tmp_path)
    assert "zz_new" in run(sys.executable, "-m", "bench", "list", "attributions", folder=source)
    assert "Zz new" in run(sys.executable, "-m", "bench", *options, folder=source)
    run(commands / "python", "-c", "import datasets; datasets.Dataset", folder=source)


@pytest.mark.long
def test_a_method_of_another_package_is_found_by_its_entry_point(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "their_package.py").write_text(METHOD.format(name="Theirs"))
    (other / "pyproject.toml").write_text(
        """
        [project]
        name = "their-package"
        version = "1"
        [tool.setuptools]
        py-modules = ["their_package"]
        [project.entry-points."heatmark.attributions"]
        their_method = "their_package:Theirs"
        """
    )
    commands = environment(tmp_path / "environment", source, other)
    options = ("run", "embedded", "--images", "2", "--attributions", "their_method,random_map", "--metrics", "gini")
    assert "Their method" in run(commands / "heatmark", *options, folder=tmp_path)
