"""What the plugin works with in one process, as items and the ``behave`` fixture find it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_behave.session.conftests import Conftests
from pytest_behave.session.messages import Messages
from pytest_behave.session.options import RunOptions
from pytest_behave.session.places import Places
from pytest_behave.session.sharing import Share
from pytest_behave.session.suites import Suites
from pytest_behave.session.workshop import Workshop

if TYPE_CHECKING:
    from pytest_behave.changed import Changed
    from pytest_behave.evaluate.views import SuiteView


@dataclass(frozen=True)
class Toolbox:
    """One object for each job. ``views`` are the suites that tests declared; ``changed`` is None where not needed."""

    options: RunOptions
    messages: Messages
    conftests: Conftests
    places: Places
    workshop: Workshop
    share: Share
    suites: Suites
    changed: Changed | None
    views: list[SuiteView] = field(default_factory=list)


TOOLBOX: pytest.StashKey[Toolbox] = pytest.StashKey()
