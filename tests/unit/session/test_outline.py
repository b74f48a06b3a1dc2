"""Outlines survive the way to another process, and tell what a suite declares when nothing could be measured."""

from __future__ import annotations

import pytest

from pytest_behave.errors import BehaveError
from pytest_behave.session.outline import Entry, Group, Outline, from_text, to_text, unmeasured

OUTLINE = Outline(
    suite="loans",
    model="new",
    baseline="/suites/baselines/loans.json",
    groups=(
        Group("group=ä", "behaviors", (Entry("accuracy", "/suites/s.behave.yaml", 3), Entry("fpr", None, None))),
        Group("cases", "cases", (Entry("one", "/suites/more.yaml", 1),)),
    ),
    owner="@team",
)


def test_an_outline_is_the_same_in_another_process():
    assert from_text(to_text(OUTLINE)) == OUTLINE
    assert OUTLINE.size == 3


def test_why_there_is_no_outline_is_told_in_every_process():
    with pytest.raises(BehaveError, match="there is no slice 'a'"):
        from_text(to_text(BehaveError("there is no slice 'a'")))


def test_everything_that_a_suite_declares_is_an_error_when_nothing_was_measured():
    run = unmeasured(OUTLINE, "s.behave.yaml", "it died")
    assert [(item.slice, item.metric, item.verdict, item.line) for item in run.behaviors] == [
        ("group=ä", "accuracy", "error", 3),
        ("group=ä", "fpr", "error", None),
    ]
    assert [(case.id, case.verdict, case.file) for case in run.cases] == [("one", "error", "/suites/more.yaml")]
    assert {item.reason for item in (*run.behaviors, *run.cases)} == {"it died"}
    assert (run.suite, run.model, run.owner) == ("loans", "new", "@team")
