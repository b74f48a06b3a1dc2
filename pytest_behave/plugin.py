"""The door: options, ini settings, markers and hooks. Imports nothing beyond the standard library and pytest.

The plugin proper (``session``) is imported and registered only with ``--behave`` or ``behave = true``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_behave.names import SUFFIXES

if TYPE_CHECKING:
    from pytest_behave.session.fixture import Behave

MODES = ("check", "new", "accept", "prune")
INACTIVE = "behavioral suites run only with --behave (or `behave = true` in the pytest configuration)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("behave", "behavioral test suites of models")
    group.addoption("--behave", action="store_true", default=None, dest="behave", help="run *.behave.yaml suites")
    group.addoption(
        "--behave-strict",
        action="store_true",
        default=None,
        dest="behave_strict",
        help="fail behaviors that are undecided or suspect, instead of warning",
    )
    group.addoption(
        "--behave-model",
        metavar="NAME",
        dest="behave_model",
        help="the candidate, where a suite declares several models",
    )
    group.addoption(
        "--behave-report",
        action="append",
        default=[],
        metavar="TYPE:PATH",
        dest="behave_report",
        help="write a report: json:PATH, md:PATH or gitlab:PATH; may be given several times",
    )
    group.addoption(
        "--behave-baseline",
        choices=MODES,
        default="check",
        dest="behave_baseline",
        help="check (default): compare with the baseline; new: add what it lacks; accept: overwrite what was measured; "
        "prune: remove what is no longer declared",
    )
    group.addoption(
        "--behave-against",
        metavar="REF",
        dest="behave_against",
        help="compare with the baseline of another git commit, such as the merge base of a pull request",
    )
    group.addoption(
        "--behave-reason",
        metavar="TEXT",
        default="",
        dest="behave_reason",
        help="with --behave-baseline=accept: why, kept beside the values that change",
    )
    group.addoption(
        "--behave-cache",
        metavar="DIR|off",
        dest="behave_cache",
        help="where models' outputs are kept from run to run; off: call models for every row; default: .behave_cache",
    )
    group.addoption(
        "--behave-changed",
        action="store_true",
        default=False,
        dest="behave_changed",
        help="leave out suites of which nothing changed since they were green: files, data, code, versions",
    )
    group.addoption(
        "--behave-engine",
        metavar="NAME",
        default="local",
        dest="behave_engine",
        help="where datasets are measured that are read in parts: local (default), dask, dask:tcp://scheduler:8786",
    )
    group.addoption(
        "--behave-memory",
        metavar="SIZE",
        dest="behave_memory",
        help="what a dataset may take, such as 2GB, before it is read in parts (default: half of what is free)",
    )
    parser.addini("behave", "run *.behave.yaml suites", type="bool", default=False)
    parser.addini("behave_strict", "fail undecided behaviors", type="bool", default=False)
    parser.addini("behave_cache", "where models' outputs are kept, or off", default=".behave_cache")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the pytest_behave_* hooks known."""
    from pytest_behave import hookspec

    pluginmanager.add_hookspecs(hookspec)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and, when asked for, the plugin proper."""
    config.addinivalue_line("markers", "behave: a behavior, case or gap declared in a suite (set by pytest-behave)")
    mode = config.getoption("behave_baseline")
    if is_active(config):
        _check_baseline_options(config, mode)
        from pytest_behave.session import register

        register(config)
        return
    given = {
        "--behave-report": config.getoption("behave_report"),
        "--behave-strict": config.getoption("behave_strict"),
        f"--behave-baseline={mode}": mode != "check",
        "--behave-against": config.getoption("behave_against"),
        "--behave-reason": config.getoption("behave_reason"),
        "--behave-cache": config.getoption("behave_cache"),
        "--behave-changed": config.getoption("behave_changed"),
        "--behave-engine": config.getoption("behave_engine") != "local",
        "--behave-memory": config.getoption("behave_memory"),
    }
    idle = [name for name, value in given.items() if value]
    if idle:
        raise pytest.UsageError(f"{idle[0]} does nothing alone: {INACTIVE}")


def _check_baseline_options(config: pytest.Config, mode: str) -> None:
    if config.getoption("behave_against") and mode != "check":
        raise pytest.UsageError(f"--behave-against only compares: run --behave-baseline={mode} by itself")
    if config.getoption("behave_changed") and mode != "check":
        raise pytest.UsageError(f"--behave-changed only checks: run --behave-baseline={mode} without it")
    if config.getoption("behave_reason") and mode not in ("new", "accept"):
        raise pytest.UsageError("--behave-reason is the reason of --behave-baseline=accept, which is not given")


def is_active(config: pytest.Config) -> bool:
    """Tell whether suites are to run."""
    return bool(config.getoption("behave") or config.getini("behave"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Refuse a suite that was named on the command line without --behave, instead of silently running nothing."""
    if file_path.name.endswith(SUFFIXES) and not is_active(parent.config) and parent.session.isinitpath(file_path):
        refused: pytest.Collector = InactiveSuite.from_parent(parent, path=file_path)
        return refused
    return None


class InactiveSuite(pytest.File):
    """A suite that was asked for by name without --behave."""

    def collect(self) -> Iterable[pytest.Item]:
        """Say what is missing."""
        from pytest_behave.text import for_terminal

        raise self.CollectError(for_terminal(f"{self.path.name}: {INACTIVE}"))


@pytest.fixture(scope="session")
def behave(request: pytest.FixtureRequest) -> Behave:
    """Declare suites from Python: ``behave.suite(data=frame, target="y", model=predict, slices={...})``."""
    if not is_active(request.config):
        pytest.skip(INACTIVE)
    from pytest_behave.session.fixture import Behave

    return Behave(request.config)
