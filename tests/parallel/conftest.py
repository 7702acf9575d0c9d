"""What one process makes of the suite that others are compared with."""

from pathlib import Path

import pytest

from bench.parallel.carry_out import carried_out
from bench.results.result_set import Results
from tests.support.parallel_runs import SUITE, TRAINED, job_of, run_of


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parallel")


@pytest.fixture(scope="session")
def alone(folder: Path) -> Results:
    job = job_of(folder, SUITE.format(weights=TRAINED), "alone")
    return carried_out(job, run_of(job), None, None)
