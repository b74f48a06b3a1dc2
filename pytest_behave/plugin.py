"""The door: options, ini settings, markers and hooks. Imports nothing beyond the standard library and pytest.

The plugin proper (``session``) is imported and registered only with ``--behave`` or ``behave = true``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_behave.session.fixture import Behave

SUFFIXES = (".behave.yaml", ".behave.yml")
INACTIVE = "behavioral suites run only with --behave (or `behave = true` in the pytest configuration)"


class BehaveWarning(pytest.PytestWarning):
    """A behavior passed without being decided: there is too little data to tell."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("behave", "behavioral test suites of models")
    group.addoption("--behave", action="store_true", default=None, dest="behave", help="run *.behave.yaml suites")
    group.addoption(
        "--behave-strict",
        action="store_true",
        default=None,
        dest="behave_strict",
        help="fail behaviors that are undecided, instead of warning",
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
        help="write a report: json:PATH or md:PATH; may be given several times",
    )
    parser.addini("behave", "run *.behave.yaml suites", type="bool", default=False)
    parser.addini("behave_strict", "fail undecided behaviors", type="bool", default=False)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the pytest_behave_* hooks known."""
    from pytest_behave import hookspec

    pluginmanager.add_hookspecs(hookspec)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and, when asked for, the plugin proper."""
    config.addinivalue_line("markers", "behave: a behavior, case or gap declared in a suite (set by pytest-behave)")
    if is_active(config):
        from pytest_behave.session import register

        register(config)
    elif config.getoption("behave_report") or config.getoption("behave_strict"):
        raise pytest.UsageError(f"--behave-report and --behave-strict do nothing alone: {INACTIVE}")


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
        raise self.CollectError(f"{self.path.name}: {INACTIVE}")


@pytest.fixture(scope="session")
def behave(request: pytest.FixtureRequest) -> Behave:
    """Declare suites from Python: ``behave.suite(data=frame, target="y", model=predict, slices={...})``."""
    if not is_active(request.config):
        pytest.skip(INACTIVE)
    from pytest_behave.session.fixture import Behave

    return Behave(request.config)
