"""The table of what other libraries offer by name; `python -m tests.plugins.test_adapter_table` writes it."""

from importlib import import_module
from pathlib import Path

import pytest

from bench.plugins.sources import ADAPTERS, libraries

# The libraries warn when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore")
PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"
_HEAD = """# What other libraries offer by name

`captum:Saliency` in a suite, or in `bench.evaluate(..., attributions=["captum:Saliency"])`, is Captum's class with the
settings of its own signature. Everything that these libraries offer for image classifiers is here: it works, or one
line says why not. `hf:OWNER/NAME` takes any data set of Hugging Face. A test keeps this page.

One method by two libraries may score differently because its channels become one map in another way: here
`reduction = "absolute_sum"` (the sum of absolute values) unless you say otherwise, while some methods of heatmark have
that of their paper (`integrated_gradients` has `"sum_absolute"`, the absolute value of the sum). Set the same to
compare.
"""


def table() -> str:
    """The page."""
    parts = [_HEAD]
    for kind, package in ADAPTERS.items():
        for library in libraries(kind):
            adapter = import_module(f"{package}.{library}")
            rows = dict.fromkeys(adapter.names(), "works") | getattr(adapter, "REFUSED", {})
            if not rows:
                continue
            parts.append(f"\n## {library}: {kind}\n\n| name | |\n|---|---|\n")
            parts += [f"| `{library}:{name}` | {rows[name]} |\n" for name in sorted(rows, key=str.casefold)]
    return "".join(parts)


def test_the_page_names_all_that_adapters_offer_and_refuse() -> None:
    assert PAGE.read_text(encoding="utf-8") == table()


def test_no_name_is_offered_and_refused() -> None:
    for kind, package in ADAPTERS.items():
        for library in libraries(kind):
            adapter = import_module(f"{package}.{library}")
            assert not set(adapter.names()) & set(getattr(adapter, "REFUSED", {})), library


if __name__ == "__main__":
    PAGE.write_text(table(), encoding="utf-8")
