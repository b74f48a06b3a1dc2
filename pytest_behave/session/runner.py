"""What every process does: collect suite files, measure those that it read, attach results to reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_behave.errors import BehaveError
from pytest_behave.names import SUFFIXES
from pytest_behave.records import Run
from pytest_behave.session.ahead import suite_files_ahead
from pytest_behave.session.collect import SuiteFile, SuiteItem
from pytest_behave.session.toolbox import Toolbox
from pytest_behave.text import for_terminal, sentences


class Runner:
    """The hooks of a process that collects and runs. A suite is measured when its first item runs.

    An xdist worker measures the suites that it read before it runs any item, as others may wait for them.
    """

    def __init__(self, config: pytest.Config, toolbox: Toolbox) -> None:
        self._config = config
        self._parts = toolbox
        self._is_worker = hasattr(config, "workerinput")

    @pytest.hookimpl
    def pytest_collection(self) -> None:
        """Let an xdist worker that would wait for others read suites that are to come."""
        changed = self._parts.changed
        if self._is_worker and (changed is None or not changed.leaves_out):
            self._parts.suites.expect_later(suite_files_ahead(self._config))

    @pytest.hookimpl
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect ``*.behave.yaml``."""
        if not file_path.name.endswith(SUFFIXES):
            return None
        name = self._parts.options.relative(file_path)
        # a file's name may hold anything, its node id may not
        named: dict[str, Any] = {} if for_terminal(name) == name else {"nodeid": for_terminal(name)}
        changed = self._parts.changed
        stand_in = None if changed is None else changed.stand_in(file_path, parent, **named)
        if stand_in is not None:
            return stand_in
        if any(parent.session.isinitpath(path) for path in (file_path, *file_path.parents)):
            self._parts.suites.expect(file_path)
        suite: pytest.Collector = SuiteFile.from_parent(parent, path=file_path, **named)
        return suite

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Measure, in an xdist worker, the suites that it read and of which anything was selected."""
        if self._is_worker:
            self._measure_own(session.items)
        return (yield)

    def _measure_own(self, items: Sequence[pytest.Item]) -> None:
        first = {item.suite_path: item for item in reversed(items) if isinstance(item, SuiteItem)}
        for path in reversed(first):
            if self._parts.workshop.has_read(path):
                first[path].measure_early()

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        """Send what tests declared to the controller, from an xdist worker; let other workers have what was not done."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["behave_views"] = json.dumps(views_to_accept(self._parts))
            output["behave_said"] = self._parts.messages.take()
        self._parts.share.close()

    @pytest.hookimpl
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain failed comparisons with a metric of a suite."""
        if "pytest_behave.evaluate.views" not in sys.modules:
            return None
        from pytest_behave.session.fixture import explain_comparison

        lines = explain_comparison(op, left, right)
        return None if lines is None else list(map(for_terminal, lines))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach to an item's report which results it stands for: only primitives cross between processes."""
        if call.excinfo is not None and isinstance(call.excinfo.value, BehaveError):
            call.excinfo.value.args = ("\n".join(sentences(call.excinfo.value)),)  # what pytest is to show of it
        report = yield
        if call.when == "call":
            if isinstance(item, SuiteItem):
                report.behave = item.told()  # type: ignore[attr-defined]
            if self._parts.messages.said:
                report.behave_said = self._parts.messages.take()  # type: ignore[attr-defined]
        return report


def views_to_accept(toolbox: Toolbox) -> list[dict[str, Any]]:
    """Return the suites that tests declared, as the controller gets them when baselines are accepted."""
    from pytest_behave.report.record import run_to_json

    found = []
    for number, view in enumerate(toolbox.views if toolbox.options.accepts else ()):
        run, path, outputs = view.run_to_accept()
        staged = toolbox.workshop.place_to_keep(path / str(number))
        staged.write_bytes(outputs)
        found.append({"record": run_to_json(Run((run,))), "path": str(path), "staged": str(staged)})
    return found
