"""The pytest side: collecting suites, running items, gathering results, writing reports."""

from __future__ import annotations

import pytest

from pytest_behave.session.controller import Controller
from pytest_behave.session.runner import RUNNER, Runner

__all__ = ["RUNNER", "register"]


def register(config: pytest.Config) -> None:
    """Register the part that runs suites in every process, and the part that reports in the controller alone."""
    runner = Runner(config)
    config.stash[RUNNER] = runner
    config.pluginmanager.register(runner, "behave-runner")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Controller(config), "behave-controller")
