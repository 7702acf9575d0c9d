"""`heatmark check` in pytest: a test marked with plug-ins is run once for every promise of their kind.

Found by pytest wherever heatmark is installed:

    @pytest.mark.heatmark(MyMethod(), MyMethod(steps=4))
    def test_it_keeps_what_its_kind_promises(promise):
        promise()
"""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "heatmark(*plugins): run the test for every promise of these plug-ins, which `promise()` tries"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a marked test the promises of its plug-ins, one by one."""
    marker = metafunc.definition.get_closest_marker("heatmark")
    if marker is None:
        return
    from bench.checks import trials  # imports torch, which only marked tests have to wait for

    if "promise" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: marked `heatmark`; expected an argument `promise`")
    found = [(f"{plugin.label}: {name}", trial) for plugin in marker.args for name, trial in trials(plugin)]
    metafunc.parametrize("promise", [trial for _, trial in found], ids=[name for name, _ in found])
