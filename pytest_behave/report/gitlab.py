"""GitLab's code quality report: what fails or is doubtful, at the line of the suite that declares it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pytest_behave.records import Behavior, CaseResult, Run, SuiteRun
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.report.lines import broken, case_sentence, failing_cases, fails, suspects, unread_sentence
from pytest_behave.text import for_json

SEVERITY = {"error": "blocker", "regressed": "critical", "violated": "major", "no-baseline": "major"}


def gitlab_json(run: Run) -> str:
    """Return the report: a JSON list, an entry per behavior or case that fails, warns or is suspect, and per unread file.

    An entry's fingerprint is that of the suite's file and name, the slice and the metric, so that GitLab tells what is
    new in a merge request from what was there before.
    """
    unread = [
        _entry(unread_sentence(item), "error", SEVERITY["error"], [item.path], _location(item.path, 1))
        for item in run.unread
    ]
    entries = [*unread, *(entry for suite in run.suites for entry in _entries(suite))]
    return for_json(json.dumps(entries, indent=1)) + "\n"


def _entries(suite: SuiteRun) -> Iterator[dict[str, Any]]:
    for behavior in (*broken(suite), *suspects(suite)):
        sentence = behavior_sentence(suite.suite, behavior)
        key = [suite.path, suite.suite, behavior.slice, behavior.metric]
        yield _entry(sentence, str(behavior.verdict), _severity(suite, behavior), key, _place(suite, behavior))
    for case in failing_cases(suite):
        sentence = case_sentence(suite.suite, case)
        key = [suite.path, suite.suite, case.id]
        yield _entry(sentence, case.verdict, SEVERITY[case.verdict], key, _place(suite, case))


def _severity(suite: SuiteRun, behavior: Behavior) -> str:
    if not fails(behavior, strict=suite.strict):
        return "info" if behavior.verdict == "suspect" else "minor"
    return SEVERITY.get(str(behavior.verdict), "major")


def _place(suite: SuiteRun, item: Behavior | CaseResult) -> dict[str, Any]:
    return _location(item.file or suite.path, item.line or 1)


def _location(path: str, line: int) -> dict[str, Any]:
    return {"path": path, "lines": {"begin": line}}


def _entry(sentence: str, verdict: str, severity: str, key: list[str], location: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": sentence,
        "check_name": f"pytest-behave-{verdict}",
        "fingerprint": hashlib.sha256(json.dumps(key).encode()).hexdigest(),
        "severity": severity,
        "location": location,
    }
