"""What is read from the text of plug-in files is what an import would say."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import bench
from bench.api.registry import plugin_class
from bench.plugins.outline import BASES, Outline, outline
from bench.plugins.sources import PACKAGES, Source, source_of, sources

SHIPPED = [(kind, name) for kind in PACKAGES for name in sources(kind)]
VALUES = [0, 1, 2.5, "x", True, None, [1], {"a": 1}, "rise2018", "sum", "logit", "normal", "exact"]


def test_the_bases_are_those_that_an_import_looks_for() -> None:
    from bench.api.registry import BASES as IMPORTED

    assert {kind: {base.__name__ for base in bases} for kind, bases in IMPORTED.items()} == BASES


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_an_outline_says_what_the_class_says(kind: str, name: str) -> None:
    plugin, said = plugin_class(kind, name), outline(kind, source_of(kind, name))
    assert said is not None
    assert said.summary == plugin.summary()
    assert list(said.settings) == [field.name for field in fields(plugin)]
    for field in fields(plugin):
        for value in [field.default, *VALUES]:
            if field.type == said.settings[field.name]:
                assert type(fault(said.table, field.name, value)) is type(fault(plugin, field.name, value, field.type))


def fault(table: type, name: str, value: Any, of: Any = None) -> ValidationError | None:
    """What pydantic says against a value; of the type alone where it is given, without the plug-in's own checks."""
    try:
        if of is None:
            TypeAdapter(table).validate_json(json.dumps({name: value}))
        else:
            TypeAdapter(of).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return error
    return None


def test_most_settings_have_a_type_without_an_import() -> None:
    found = [of for kind, name in SHIPPED for of in shown(kind, name).settings.values()]
    assert sum(of is not Any for of in found) > 0.9 * len(found)


def shown(kind: str, name: str) -> Outline:
    said = outline(kind, source_of(kind, name))
    assert said is not None
    return said


@pytest.mark.usefixtures("fresh_plugins")
@pytest.mark.parametrize(
    "text",
    [
        "x = (",
        "import no_such_library",
        "from bench.no_such_module import x",
        "x = 1",
        "from elsewhere import Base\nclass A(Base): ...",
        "import bench.api\nclass A(bench.api.Attribution): ...",
        'from bench.api import Attribution\nclass A(Attribution):\n    "No dataclass."',
        "\0",
        "(" * 5000,
    ],
)
def test_what_only_an_import_tells_has_no_outline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "methods" / "attributions" / "zz_unclear.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    monkeypatch.setattr(bench, "__path__", [*bench.__path__, str(tmp_path)])
    assert outline("attributions", Source("zz_unclear", "bench.methods.attributions.zz_unclear", path)) is None
