"""The pytest side: collecting suites, running items, gathering results, writing reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_behave.session.conftests import Conftests
from pytest_behave.session.controller import Controller
from pytest_behave.session.messages import Messages
from pytest_behave.session.options import RunOptions
from pytest_behave.session.places import Places
from pytest_behave.session.runner import Runner
from pytest_behave.session.sharing import Alone, SharedFolder
from pytest_behave.session.suites import Suites
from pytest_behave.session.toolbox import TOOLBOX, Toolbox
from pytest_behave.session.workshop import Workshop

if TYPE_CHECKING:
    from pytest_behave.changed import Changed

__all__ = ["TOOLBOX", "register"]


def register(config: pytest.Config) -> None:
    """Build the parts of a run, each with one job, and register those that have hooks; the controller's in one process."""
    worker: dict[str, str] | None = getattr(config, "workerinput", None)
    options, messages, conftests = RunOptions(config), Messages(config), Conftests(config)
    places = Places(config, messages)
    workshop = Workshop(config, options, places, conftests, messages.terminal)
    share = Alone(places.shared) if worker is None else SharedFolder(places.shared, worker["workerid"])
    workers = 1 if worker is None else int(worker["workercount"])
    suites = Suites(options, workshop, share, messages, workers)
    changed = _changed(config, options, conftests, places, messages, suites, workshop)
    toolbox = Toolbox(options, messages, conftests, places, workshop, share, suites, changed)
    config.stash[TOOLBOX] = toolbox
    plugins: dict[str, object] = {
        "conftests": conftests,
        "places": places,
        "workshop": workshop,
        "runner": Runner(config, toolbox),
    }
    if worker is None:
        plugins["controller"] = Controller(config, toolbox)
    if changed is not None:
        plugins["changed"] = changed
    for name, plugin in plugins.items():
        config.pluginmanager.register(plugin, f"behave-{name}")


def _changed(  # noqa: PLR0913, PLR0917 - it watches all of them
    config: pytest.Config,
    options: RunOptions,
    conftests: Conftests,
    places: Places,
    messages: Messages,
    suites: Suites,
    workshop: Workshop,
) -> Changed | None:
    """Return what remembers green suites and leaves unchanged ones out, if this run does either."""
    keeps = places.cache is not None and options.mode == "check" and not config.option.collectonly
    if not keeps and not config.getoption("behave_changed"):
        return None
    from pytest_behave.changed import Changed

    changed = Changed(config, places.cache, conftests.above, suites.known, messages.say, keeps=keeps)
    workshop.witness = changed.witness if keeps else None
    return changed
