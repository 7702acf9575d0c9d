"""How the documentation is built: `python3 -m nox -s docs`. Nothing is fetched."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from bench._version import version as release

project = "heatmark"
author = "The heatmark contributors"
copyright = author  # noqa: A001 - Sphinx calls it so
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
    "catalogue",
    "board_answers",
]
exclude_patterns = ["examples", "generated", "extensions"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # functions stand in the settings of the gallery

html_theme = "pydata_sphinx_theme"
html_title = "heatmark"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_copy_source = False

autodoc_typehints = "description"
autodoc_member_order = "bysource"
default_role = "literal"  # docstrings write `name` for code

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r".*\.py",
    "abort_on_example_error": True,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "capture_repr": ("_repr_html_", "__repr__"),
    "write_computation_times": False,
    "show_signature": False,
}


def setup(app: Any) -> None:
    """Docstrings are plain text with `code`: bars and stars outside of it are themselves."""
    app.connect("autodoc-process-docstring", _plain)


def _plain(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:  # noqa: ARG001
    lines[:] = [line if line.startswith(">>>") else _escaped(line) for line in lines]


def _escaped(line: str) -> str:
    parts = line.split("`")
    parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
