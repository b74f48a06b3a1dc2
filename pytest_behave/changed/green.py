"""Which suites were green, and with what: ``green.json`` beside the prediction cache, written by the controller alone."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_behave.names import SUFFIXES

if TYPE_CHECKING:
    import pytest

NAME = "green.json"
LOCK = "green.lock"
PATIENCE_IN_SECONDS = 10  # for another process that writes: it takes milliseconds
FORMAT = "pytest-behave/green-1"


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is known by suite (its node id): ``state`` and day it was ``green``, or the day it ``failed``."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return dict(found["suites"]) if found["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


class Tally:
    """Counts what passed of each suite, from the reports that arrive."""

    def __init__(self) -> None:
        self._passed: dict[str, set[str]] = {}
        self._failed: dict[str, set[str]] = {}
        self._expected: dict[str, tuple[int, dict[str, Any]]] = {}

    def add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Take the report of any phase of any item, or of a collector."""
        if report.outcome == "passed" and report.when != "call":
            return
        suite = report.nodeid.partition("::")[0]
        if not suite.endswith(SUFFIXES):
            return
        is_good = report.outcome == "passed" or (report.outcome == "skipped" and hasattr(report, "wasxfail"))
        if not is_good:
            self._failed.setdefault(suite, set()).add(report.nodeid)
        else:
            self._passed.setdefault(suite, set()).add(report.nodeid)

    def expect(self, suite: str, items: int, state: dict[str, Any]) -> None:
        """Remember how many items a suite has, and the state that they are judged in."""
        self._expected[suite] = (items, state)

    def verdicts(self, *, complete: bool) -> dict[str, dict[str, Any]]:
        """Return what is to be remembered; of a run that did not end by itself only what failed."""
        today = dt.date.today().isoformat()  # noqa: DTZ011 - the user's own calendar
        found: dict[str, dict[str, Any]] = {suite: {"failed": today} for suite in self._failed}
        for suite, (items, state) in self._expected.items():
            if complete and suite not in found and len(self._passed.get(suite, ())) == items:
                found[suite] = {"green": today, "state": state}
        return found


def remember(folder: Path, found: Mapping[str, dict[str, Any]], make_folder: Callable[[], object]) -> None:
    """Add to what is known, one process at a time; raises OSError, and NotImplementedError where files have no locks."""
    if not _news(read(folder), found):
        return
    from filelock import FileLock

    make_folder()
    with FileLock(folder / LOCK, timeout=PATIENCE_IN_SECONDS):
        known = read(folder)
        suites = {**known, **_news(known, found)}
        text = json.dumps({"format": FORMAT, "suites": suites}, indent=1, sort_keys=True)
        unfinished = folder / f".{NAME}.{os.getpid()}"
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(folder / NAME)


def _news(known: Mapping[str, dict[str, Any]], found: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what differs from what is known; what never was green needs no remark when it fails."""
    return {
        suite: entry
        for suite, entry in found.items()
        if (suite in known or "state" in entry) and known.get(suite) != entry
    }
