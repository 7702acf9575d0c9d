import sys
from pathlib import Path

import pytest

import bench
from bench.api import Attribution
from bench.api import registry as plugins
from bench.errors import HeatmarkError
from bench.plugins import sources
from tests.support.plugins import entry_points

FIFTEEN_LINES = """
from dataclasses import dataclass

import torch

from bench.api import Attribution, Network, Request


@dataclass(frozen=True)
class {name}(Attribution):
    \"\"\"The image itself.\"\"\"

    def attribute(self, network: Network, request: Request) -> torch.Tensor:
        return request.images
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_plugins: None) -> Path:
    """A second folder that plug-ins are found in."""
    folder = tmp_path / "methods" / "attributions"
    folder.mkdir(parents=True)
    monkeypatch.setattr(bench, "__path__", [*bench.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bench.methods", raising=False)
    monkeypatch.delitem(sys.modules, "bench.methods.attributions", raising=False)
    yield folder
    for name in [name for name in sys.modules if name.startswith("bench.methods.attributions.zz_")]:
        del sys.modules[name]


def test_a_new_file_is_found_by_its_name(checkout: Path) -> None:
    (checkout / "zz_image.py").write_text(FIFTEEN_LINES.format(name="ItsClassNameDoesNotMatter"))
    assert plugins.plugin_class("attributions", "zz_image").name == "zz_image"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import no_such_library", r"zz_broken.py cannot be imported: ModuleNotFoundError: .*no_such_library"),
        ("x = (", r"zz_broken.py cannot be imported: SyntaxError"),
        ("import sys\nsys.exit(0)", r"zz_broken.py cannot be imported: SystemExit: 0"),
        ("x = 1", r"zz_broken.py must hold exactly one of the attributions, found: none"),
        (
            FIFTEEN_LINES.format(name="One") + FIFTEEN_LINES.format(name="Two"),
            "exactly one of the attributions, found: One, Two",
        ),
    ],
)
def test_a_file_that_is_no_plugin_is_named(checkout: Path, content: str, message: str) -> None:
    (checkout / "zz_broken.py").write_text(content)
    with pytest.raises(HeatmarkError, match=message):
        plugins.plugin_class("attributions", "zz_broken")
    assert "zz_broken" not in plugins.find("attributions")
    assert "simple_gradient" in plugins.find("attributions")
    assert list(plugins.problems("attributions")) == ["zz_broken"]


@pytest.mark.parametrize("kind", plugins.BASES)
def test_every_plugin_of_the_package_can_be_had(kind: str) -> None:
    assert plugins.problems(kind) == {}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(HeatmarkError, match="no attribution named 'simple_gradent'; did you mean 'simple_gradient'"):
        plugins.plugin_class("attributions", "simple_gradent")


class FromElsewhere(Attribution):
    """A class of an installed package."""

    def attribute(self, network, request):
        return request.images


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, fresh_plugins: None):
    """Pretend that a package with these entry points is installed."""

    def install(**targets: str) -> None:
        monkeypatch.setattr(sources, "entry_points", entry_points(**targets))

    monkeypatch.setitem(sys.modules, "elsewhere", sys.modules[__name__])
    return install


def test_an_entry_point_is_found_under_its_own_name(installed) -> None:
    installed(from_afar="elsewhere:FromElsewhere")
    assert plugins.plugin_class("attributions", "from_afar") is FromElsewhere
    assert FromElsewhere().label == "from_afar"
    assert FromElsewhere.display == "From afar"


def test_two_plugins_of_one_name_are_both_named(installed) -> None:
    installed(simple_gradient="elsewhere:FromElsewhere")
    with pytest.raises(HeatmarkError, match=r"two attributions are named .*simple_gradient.py and entry"):
        plugins.plugin_class("attributions", "simple_gradient")


@pytest.mark.parametrize(
    ("target", "message"), [("elsewhere:nothing", "cannot be loaded"), ("pathlib:Path", "expected a subclass")]
)
def test_a_broken_entry_point_is_named(installed, target: str, message: str) -> None:
    installed(broken=target)
    with pytest.raises(HeatmarkError, match=f"entry point broken = {target} .*{message}"):
        plugins.plugin_class("attributions", "broken")
