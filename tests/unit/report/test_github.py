"""Annotations stand on the lines of the suite, ten at most, and no text of the data becomes a command."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from pytest_behave.records import Run
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.report.github import MOST_ANNOTATIONS, workflow_commands
from pytest_behave.report.lines import failing, failing_cases
from pytest_behave.text import printable

from .test_record import BEHAVIOR, CASE, RUNS, SUITE

STEADY = settings(max_examples=30)
COMMAND = re.compile(r"::(?:error|warning) (?P<properties>[^:]*)::(?P<message>.*)")


def commands(behaviors=(), cases=(), **changes):
    return list(workflow_commands(Run((replace(SUITE, behaviors=behaviors, cases=cases, **changes),))))


def unescaped(text):
    """Undo what the runner undoes: actions/toolkit, packages/core/src/command.ts."""
    for escape, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def read(command):
    """Return properties and message of a command as GitHub reads them."""
    match = COMMAND.fullmatch(command)
    pairs = [pair.split("=", 1) for pair in match["properties"].split(",")]
    return {key: unescaped(value) for key, value in pairs}, unescaped(match["message"])


def test_a_behavior_and_a_case_have_one_annotation_each():
    assert commands((BEHAVIOR,), (CASE,)) == [
        f"::error file=s.behave.yaml,line=7,title=race=A fpr::{behavior_sentence('loans', BEHAVIOR).replace('%', '%25')}",
        "::error file=c.yaml,line=9,title=case t-1::loans: case t-1: violated: not 4",
    ]


@pytest.mark.parametrize("verdict", ["holds", "undecided", "known-failure", None])
def test_what_does_not_fail_has_none(verdict):
    assert commands((replace(BEHAVIOR, verdict=verdict),), (replace(CASE, verdict="holds"),)) == []


def test_what_has_no_place_of_its_own_stands_on_the_first_line_of_the_suite():
    (command,) = commands((replace(BEHAVIOR, file=None, line=None),))
    assert command.startswith("::error file=s.behave.yaml,line=1,")


@pytest.mark.parametrize(
    "text",
    ["a,b:c", "100%", "%0A", "a\nb", "a\r\n::set-output name=x::y", "::stop-commands::x", "]", "é日", "\x1b[31m"],
)
def test_no_text_ends_a_command_early_or_starts_another(text):
    behavior = replace(BEHAVIOR, slice=text, reason=text, file=text, verdict="error")
    (command,) = commands((behavior,))
    assert len(command.splitlines()) == 1
    properties, message = read(command)
    assert set(properties) == {"file", "line", "title"}
    assert properties["file"] == printable(text)
    assert properties["title"] == f"{printable(text)} fpr"
    assert message.startswith("loans: ")


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (9, 9), (10, 10), (11, 9), (200, 9)])
def test_there_are_ten_at_most_and_the_last_says_how_many_more(count, shown):
    behaviors = tuple(replace(BEHAVIOR, slice=f"s{number:03d}") for number in range(count))
    found = commands(behaviors)
    assert len(found) <= MOST_ANNOTATIONS == 10
    assert len([command for command in found if "title=s" in command]) == shown
    if count > shown:
        assert found[-1] == f"::error title=pytest-behave::{count - shown} more behaviors fail; see the step summary"


def test_cases_count_among_the_ten_after_the_behaviors():
    found = commands((BEHAVIOR,) * 8, tuple(replace(CASE, id=f"c{number}") for number in range(8)))
    assert [read(command)[0]["title"] for command in found[8:]] == ["case c0", "pytest-behave"]


@pytest.mark.parametrize(
    ("changes", "strict", "kinds"),
    [
        ({"verdict": "suspect"}, False, ["warning"]),
        ({"verdict": "suspect"}, True, ["error"]),
        ({"verdict": "undecided"}, True, ["error"]),
        ({"verdict": "regressed"}, False, ["error"]),
        ({"verdict": "no-baseline"}, False, ["error"]),
        ({"verdict": "violated", "severity": "warning"}, False, ["warning"]),
        ({"verdict": "regressed", "severity": "warning"}, True, ["warning"]),
        ({"verdict": "suspect", "severity": "warning"}, True, ["warning"]),
        ({"verdict": "holds", "severity": "warning"}, True, []),
    ],
)
def test_what_does_not_fail_but_is_doubtful_is_a_warning(changes, strict, kinds):
    found = commands((replace(BEHAVIOR, **changes),), strict=strict)
    assert [command.split()[0].strip(":") for command in found] == kinds


def test_errors_and_warnings_are_ten_each():
    warned = tuple(replace(BEHAVIOR, slice=f"w{number}", verdict="suspect") for number in range(25))
    found = commands((BEHAVIOR,) * 12 + warned)
    assert [command.split()[0] for command in found] == ["::error"] * 10 + ["::warning"] * 10
    assert found[-1] == "::warning title=pytest-behave::16 more behaviors warn; see the step summary"


@STEADY
@given(run=RUNS)
def test_any_run_gives_one_command_per_failure(run):
    found = list(workflow_commands(run))
    errors = [command for command in found if command.startswith("::error ")]
    fails = sum(len(failing(suite)) + len(failing_cases(suite)) for suite in run.suites)
    assert len(errors) == min(fails, MOST_ANNOTATIONS)
    assert len(found) - len(errors) <= MOST_ANNOTATIONS
    for command in found:
        assert len(command.split("\n")) == len(command.split("\r")) == 1
        assert read(command)
