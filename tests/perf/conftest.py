"""The published table and figure are made anew from whatever has been timed."""

import pytest
from contest import RESULTS
from speed_report import publish


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (RESULTS / "timings.csv").exists():
        publish()
