"""The files of a new plug-in or suite, from templates that work as they are."""

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.cli.options import NewKind
from bench.errors import HeatmarkError, nearest
from bench.files import write_whole
from bench.plugins.sources import sources

# Where the files of a kind lie in a checkout, and those of their tests under `tests/`.
_FOLDERS = {
    "attribution": "methods/attributions",
    "recipe": "methods/recipes",
    "metric": "metrics/{family}",
    "dataset": "datasets",
}
_METRICS = "bench.metrics."
_ROOT = Path(__file__).parents[2]
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - code and settings, made of checked names; no page
)


@dataclass(frozen=True)
class NewPlugin:
    """A plug-in to be: its kind, its public name, and for a metric its family, which is the folder of its question."""

    kind: NewKind
    name: str
    family: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", self.name) or keyword.iskeyword(self.name):
            expected = "small letters, digits and _, as a file and a module are named"
            raise HeatmarkError(f"{self.name!r} is no name of a plug-in: expected {expected}, such as my_method")
        modules = [source.module for own in sources("metrics").values() for source in own]
        families = {module.split(".")[2] for module in modules if module.startswith(_METRICS)}
        if self.kind == "metric" and self.family not in families:
            given = f"no family {self.family!r}" if self.family else "a metric belongs to a family"
            raise HeatmarkError(f"--family: {given}; {nearest(self.family, families)}")
        known = {} if self.kind == "suite" else sources(self.group)
        if self.name in known:
            raise HeatmarkError(
                f"there is a {self.kind} named {self.name!r} already, {known[self.name][0]}; expected another name"
            )

    @property
    def group(self) -> str:
        """The kind as folders and entry points name it."""
        return f"{self.kind}s"

    def text(self, template: str, module: str = "", package: str = "", project: str = "") -> str:
        """A file of it."""
        words = self.name.split("_")
        return _TEMPLATES.get_template(template).render(
            name=self.name,
            class_name="".join(word.capitalize() for word in words),
            title=" ".join(words).capitalize(),
            group=self.group,
            family=self.family,
            module=module,
            package=package,
            project=project,
        )


def checkout_files(new: NewPlugin) -> dict[Path, str]:
    """The plug-in and its test in the checkout that this package runs from; a suite in the folder one is in."""
    if new.kind == "suite":
        return {Path(f"{new.name}.toml"): new.text("suite.toml.j2")}
    if not (_ROOT / "methods").is_dir():
        raise HeatmarkError(
            "no checkout: give --package DIR, a folder for a package of your own, or `python -m bench new` in one"
        )
    folder = _FOLDERS[new.kind].format(family=new.family)
    module = f"bench.{folder.replace('/', '.')}.{new.name}"
    return {
        _ROOT / folder / f"{new.name}.py": new.text(f"{new.kind}.py.j2"),
        _ROOT / "tests" / folder / f"test_{new.name}.py": new.text("test.py.j2", module),
    }


def package_files(new: NewPlugin, folder: Path) -> dict[Path, str]:
    """An installable package in `folder` that offers the plug-in by an entry point, with its test and a CI file."""
    if new.kind == "suite":
        raise HeatmarkError("--package: a suite is a file and needs no package")
    project = folder.resolve().name
    package = re.sub(r"\W", "_", project.lower())
    if not package.isidentifier() or keyword.iskeyword(package):
        raise HeatmarkError(f"--package {folder}: expected the name of a package, such as my-maps")
    module = f"{package}.{new.name}"
    return {
        folder / "pyproject.toml": new.text("pyproject.toml.j2", module, package, project),
        folder / "README.md": new.text("readme.md.j2", module, package, project),
        folder / package / "__init__.py": f'"""{project}: plug-ins for heatmark."""\n',
        folder / package / f"{new.name}.py": new.text(f"{new.kind}.py.j2", module, package, project),
        folder / "tests" / f"test_{new.name}.py": new.text("test.py.j2", module),
        folder / ".github" / "workflows" / "tests.yml": new.text("tests.yml.j2"),
    }


def write_new(files: dict[Path, str]) -> None:
    """Write all files; HeatmarkError, and none written, where one is there already."""
    for path in files:
        if path.exists():
            raise HeatmarkError(f"{path} is there already; expected another name, or none there")
    for path, text in files.items():
        write_whole(path, text.encode())
