"""GitLab's code quality report names what fails, warns or is suspect, by a fingerprint that stays."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from pytest_behave.records import Run
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.report.gitlab import gitlab_json
from pytest_behave.report.lines import broken, failing_cases, suspects

from .test_record import BEHAVIOR, CASE, ODD, RUNS, SUITE

STEADY = settings(max_examples=30)
SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def entries(*behaviors, cases=(), **changes):
    return json.loads(gitlab_json(Run((replace(SUITE, behaviors=behaviors, cases=cases, **changes),))))


def test_a_behavior_and_a_case_have_one_entry_each():
    one, other = entries(BEHAVIOR, cases=(CASE,))
    assert one == {
        "description": behavior_sentence("loans", BEHAVIOR),
        "check_name": "pytest-behave-violated",
        "fingerprint": one["fingerprint"],
        "severity": "major",
        "location": {"path": "s.behave.yaml", "lines": {"begin": 7}},
    }
    assert other["location"] == {"path": "c.yaml", "lines": {"begin": 9}}
    assert other["description"] == "loans: case t-1: violated: not 4"


@pytest.mark.parametrize(
    ("changes", "strict", "severity"),
    [
        ({"verdict": "error"}, False, "blocker"),
        ({"verdict": "regressed"}, False, "critical"),
        ({"verdict": "violated"}, False, "major"),
        ({"verdict": "no-baseline"}, False, "major"),
        ({"verdict": "regressed", "severity": "warning"}, True, "minor"),
        ({"verdict": "violated", "severity": "warning"}, False, "minor"),
        ({"verdict": "suspect"}, False, "info"),
        ({"verdict": "suspect"}, True, "major"),
        ({"verdict": "undecided"}, True, "major"),
        ({"verdict": "undecided"}, False, None),
        ({"verdict": "holds"}, True, None),
        ({"verdict": "known-failure"}, True, None),
    ],
)
def test_the_severity_follows_verdict_and_severity(changes, strict, severity):
    found = entries(replace(BEHAVIOR, **changes), strict=strict)
    assert [entry["severity"] for entry in found] == ([severity] if severity else [])


def test_when_all_is_well_the_list_is_empty():
    assert gitlab_json(Run(())) == "[]\n"
    assert entries(replace(BEHAVIOR, verdict="holds")) == []


def fingerprint(**changes):
    of_suite = {name: changes.pop(name) for name in ("suite", "path", "rows", "model") if name in changes}
    (entry,) = entries(replace(BEHAVIOR, **changes), **of_suite)
    return entry["fingerprint"]


@pytest.mark.parametrize(
    "changes",
    [{"value": 0.9}, {"reason": "other"}, {"line": 99}, {"verdict": "error"}, {"size": 3}, {"rows": 5}, {"model": "m"}],
    ids=repr,
)
def test_a_fingerprint_stays_when_only_the_figures_change(changes):
    assert fingerprint(**changes) == fingerprint()


def test_each_behavior_has_its_own_fingerprint():
    others = [{"slice": "s"}, {"metric": "m"}, {"suite": "x"}, {"path": "p"}, {"slice": "race=A f", "metric": "pr"}]
    assert len({fingerprint(), *(fingerprint(**changes) for changes in others)}) == 1 + len(others)


@pytest.mark.parametrize("text", ODD, ids=repr)
def test_any_text_is_carried_as_json(text):
    (entry,) = entries(replace(BEHAVIOR, slice=text, reason=text, file=text))
    assert entry["location"]["path"] == (text or "s.behave.yaml")
    assert entry["description"].startswith("loans: ")


@STEADY
@given(run=RUNS)
def test_any_run_has_an_entry_for_all_that_is_not_well(run):
    found = json.loads(gitlab_json(run))
    wanted = [len(broken(suite)) + len(suspects(suite)) + len(failing_cases(suite)) for suite in run.suites]
    assert len(found) == sum(wanted)
    for entry in found:
        assert entry["severity"] in SEVERITIES
        assert entry["location"]["lines"]["begin"] >= 1
        assert len(entry["fingerprint"]) == 64
