"""The packages import one another in one direction, and every module has its place and a size that can be read."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.runner.identity import NOT_COMPUTING

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "bench"
MODULES = sorted(BENCH.rglob("*.py"))
PLUGINS = sorted(path for top in ("methods", "metrics", "datasets") for path in (ROOT / top).rglob("*.py"))
LAYERS = "A package imports only packages below its line, and none on its line"
CIRCLES = "No circle between the modules of any package"
MATHEMATICS = "The mathematics stands by itself"
LARGEST_MODULE, LARGEST_PACKAGE = 300, 16


def broken_contracts(tree: Path) -> list[str]:
    """The names of the contracts that a tree breaks; every contract has been checked."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    verdicts = [line.rpartition(" ") for line in done.stdout.splitlines() if line.endswith((" KEPT", " BROKEN"))]
    assert len(verdicts) == len(contracts()), done.stdout + done.stderr
    broken = [name for name, _, verdict in verdicts if verdict == "BROKEN"]
    assert bool(done.returncode) == bool(broken), done.stdout + done.stderr
    return broken


def contracts() -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code and its contracts, to be spoilt."""
    shutil.copytree(BENCH, tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__", "trained"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_contracts_are_kept(copy: Path) -> None:
    assert broken_contracts(copy) == []


def test_no_contract_ignores_an_import_or_a_module() -> None:
    settings = {key for contract in contracts() for key in contract}
    assert not {key for key in settings if "ignore" in key or "skip" in key}, settings


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("api/network.py", "import bench.runner.run", [LAYERS, CIRCLES]),
        ("results/pictures.py", "def late():\n    from bench.statistics import board", [LAYERS, CIRCLES]),
        ("api/request.py", "if TYPE_CHECKING:\n    from bench.engine import drawn", [LAYERS, CIRCLES]),
        ("training/loop.py", "from bench.attribution import paths", [LAYERS]),
        ("stray.py", "", [LAYERS]),
        ("stray/__init__.py", "", [LAYERS]),
        ("functional/ranking.py", "from bench.functional.correlation import pearson", [CIRCLES]),
        ("functional/noise.py", "from bench.files import file_hash", [LAYERS, MATHEMATICS]),
    ],
)
def test_a_contract_catches(copy: Path, module: str, line: str, broken: list[str]) -> None:
    path = copy / "bench" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(f"\n{line}\n")
    assert broken_contracts(copy) == broken


def test_the_mathematics_is_forbidden_all_other_packages() -> None:
    (forbidden,) = [own["forbidden_modules"] for own in contracts() if own["type"] == "forbidden"]
    children = {path for path in BENCH.iterdir() if path.suffix == ".py" or list(path.glob("*.py"))}
    allowed = {"__init__", "errors", "functional"}
    assert forbidden == sorted(f"bench.{path.stem}" for path in children if path.stem not in allowed)


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every import of a file, wherever it stands, as node and module."""
    yield from imports_in(ast.parse(path.read_text()))


def imports_in(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Import):
            yield from ((node, name.name) for name in node.names)


def of_ours(module: str) -> bool:
    return module.startswith(".") or module.split(".")[0] == "bench"


def test_the_mathematics_imports_torch_numpy_scipy_and_how_errors_are_said() -> None:
    allowed = {*sys.stdlib_module_names, "torch", "numpy", "scipy"}
    for path in (BENCH / "functional").glob("*.py"):
        for _, module in imports(path):
            own = module == "bench.errors" or module.startswith("bench.functional")
            assert own or module.split(".")[0] in allowed, f"{path}: {module}"


STANDS_ON = {
    "methods": {"attribution", "training"},
    "metrics": {"scoring", "attribution", "engine"},
    "datasets": {"data"},
}


def test_a_plugin_imports_the_contract_and_what_plugins_of_its_kind_are_made_of() -> None:
    for path in PLUGINS:
        allowed = {"api", "errors", "functional", "files", *STANDS_ON[path.relative_to(ROOT).parts[0]]}
        for _, module in imports(path):
            assert not of_ours(module) or module.split(".")[1] in allowed, f"{path}: {module}"


def test_no_import_of_our_own_is_for_type_checkers_only() -> None:
    for path in (*MODULES, *PLUGINS):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                assert not [module for _, module in imports_in(node) if of_ours(module)], path


def test_imports_inside_functions_only_keep_the_start_short() -> None:
    """Only what starts a command, or every run of pytest, or is imported by `import bench` may wait with an import."""
    for path in (*MODULES, *PLUGINS):
        if path in (BENCH / "__init__.py", BENCH / "pytest_plugin.py") or path.parent == BENCH / "cli":
            continue
        top = ast.parse(path.read_text()).body
        known = {ast.unparse(node) for node in top if isinstance(node, ast.Import | ast.ImportFrom)}
        for node, module in imports(path):
            assert not of_ours(module) or ast.unparse(node) in known, f"{path}: {ast.unparse(node)}"


def test_modules_can_be_read_in_one_go() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in (*MODULES, *PLUGINS)}
    assert not {path: count for path, count in lines.items() if count > LARGEST_MODULE}


def test_packages_can_be_overlooked() -> None:
    """No package holds more than sixteen modules beside its `__init__`."""
    sizes = Counter(path.parent.relative_to(ROOT) for path in MODULES if path.name != "__init__.py")
    assert not {package: count for package, count in sizes.items() if count > LARGEST_PACKAGE}


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.name for path in MODULES if path.name not in {"__init__.py", "__main__.py"})
    assert not [name for name, count in names.items() if count > 1]


def test_what_does_not_compute_exists() -> None:
    for name in NOT_COMPUTING:
        path = BENCH / name
        assert path.is_dir() if name.endswith("/") else path.is_file(), name
