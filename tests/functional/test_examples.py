"""The examples in the docstrings of the mathematics say what it does."""

import doctest
import inspect

import pytest
import torch

from bench import functional

FUNCTIONS = {name: value for name in functional.__all__ if inspect.isfunction(value := getattr(functional, name))}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_an_example_holds(name: str) -> None:
    names = {"torch": torch, **{name: getattr(functional, name) for name in functional.__all__}}
    (example,) = doctest.DocTestFinder(recurse=False).find(FUNCTIONS[name], name, globs=names)
    assert example.examples, f"{name} has no example"
    said: list[str] = []
    assert not doctest.DocTestRunner().run(example, out=said.append).failed, "".join(said)


def test_the_package_exports_every_public_function_of_its_modules() -> None:
    modules = [
        value for value in vars(functional).values() if inspect.ismodule(value) and value.__name__.startswith("bench.")
    ]
    own = {
        name
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert own == set(FUNCTIONS)
