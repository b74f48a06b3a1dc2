"""The ``behave`` fixture: suites declared in Python, and assertions on them that explain themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_behave.session.toolbox import TOOLBOX

if TYPE_CHECKING:
    import pytest

    from pytest_behave.evaluate.views import SuiteView


class Behave:
    """What the ``behave`` fixture gives."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def suite(self, **declaration: Any) -> SuiteView:
        """Return a suite over a data frame: ``data``, ``model``, and the parts of the suite format by name.

        See ``pytest_behave.evaluate.views.suite_of_frame`` for the arguments.
        """
        from pytest_behave.evaluate.views import suite_of_frame

        folder, toolbox = Path(self._config.rootpath), self._config.stash[TOOLBOX]
        view = suite_of_frame(
            **declaration,
            folder=folder,
            extensions=toolbox.conftests.extensions(folder / "behave.suite"),
            ref=toolbox.options.against,
            accepts=toolbox.options.accepts,
            cache=toolbox.places.open_cache(),
        )
        toolbox.views.append(view)
        return view


def explain_comparison(operator: str, left: object, right: object) -> list[str] | None:
    """Return the lines that a failed comparison with a metric shows, or None if neither side is one."""
    from pytest_behave.evaluate.views import MetricValue, Regression

    values = [side for side in (left, right) if isinstance(side, (MetricValue, Regression))]
    if not values:
        return None
    lines = [f"{left!r} {operator} {right!r}"]
    for value in values:
        lines += value.explain()
    return lines
