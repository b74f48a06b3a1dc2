"""The words and figures that every report shares say what was measured, on one line that cannot steer a terminal."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.records import Instance, Run
from pytest_behave.report import lines
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.text import printable

from .test_record import BEHAVIOR, CASE, SUITE

STEADY = settings(max_examples=200)

# --- figures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (123456.0, "123456"),
        (0.5, "0.500"),
        (-0.25, "-0.250"),
        (0.6666666, "0.667"),
        (0.001, "0.001"),
        (0.00012345, "0.00012"),
        (1.23456, "1.235"),
        (12345.678, "1.235e+04"),
        (1e12, "1e+12"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_a_figure_has_as_many_digits_as_a_reader_wants(value, shown):
    assert lines.figure(value) == shown


@STEADY
@given(value=st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, math.nan]))
def test_any_number_has_a_short_figure(value):
    shown = lines.figure(value)
    assert len(shown) <= 11
    if math.isfinite(value):
        assert float(shown) == pytest.approx(value, rel=0.05, abs=0.0005)


def test_intervals_and_bounds_are_shown_in_words():
    assert lines.interval(BEHAVIOR) == "[0.150, 0.850]"
    assert lines.interval(replace(BEHAVIOR, low=None)) == ""
    assert lines.bounds(BEHAVIOR) == "max 0.45"
    both = replace(BEHAVIOR, bounds={"min": 0.7, "max": 0.9}, decide="proven")
    assert lines.bounds(both) == "min 0.7, max 0.9 (proven)"


# --- texts --------------------------------------------------------------------------------------------------------


@STEADY
@given(text=st.text(), width=st.integers(4, 40))
def test_a_clipped_text_is_no_wider_than_asked_and_says_that_it_is_cut(text, width):
    shown, whole = lines.clipped(text, width), printable(text)
    assert len(shown) <= width
    assert shown == whole if len(whole) <= width else shown == whole[: width - 3] + "..."


# --- sentences ----------------------------------------------------------------------------------------------------


def test_a_behavior_is_told_in_one_sentence():
    assert behavior_sentence("loans", BEHAVIOR) == (
        "loans: race=A (10 rows, n 4): fpr: violated: 0.5 is above max 0.45, 95% [0.150, 0.850]"
    )
    whole = replace(BEHAVIOR, n=10, low=None)
    assert behavior_sentence("loans", whole) == "loans: race=A (10 rows): fpr: violated: 0.5 is above max 0.45"


def test_a_case_is_told_in_one_sentence_and_shown_in_a_section():
    assert lines.case_sentence("loans", CASE) == "loans: case t-1: violated: not 4"
    assert lines.case_section(replace(CASE, input={"text": "hi\nthere", "n": 1}, failures=("not 4", "not\x1b"))) == (
        "input   text: hi there\ninput   n: 1\noutput  5\nfailed  not 4\nfailed  not\\x1b"
    )


@pytest.mark.parametrize(
    ("verdict", "output", "section"),
    [
        ("error", None, "input   n: 1"),
        ("error", 5, "input   n: 1\noutput  5"),
        ("violated", None, "input   n: 1\noutput  None"),
    ],
)
def test_a_case_whose_model_failed_has_no_output(verdict, output, section):
    case = replace(CASE, verdict=verdict, output=output, input={"n": 1}, failures=())
    assert lines.case_section(case) == section


@pytest.mark.parametrize(
    ("instance", "line"),
    [
        (Instance("a1", "1", "0", 0.25, {"text": "hi"}), "a1: target 1, output 0 (score 0.250)  text hi"),
        (Instance("a1", None, "0", None, {}), "a1: output 0"),
        (Instance("a1", "1", None, math.nan, {}), "a1: target 1 (score nan)"),
        (Instance("a\n1", "x" * 90, None, None, {}), f"a 1: target {'x' * 67}..."),
        (Instance("a1", None, None, None, dict.fromkeys("abcdef", "v")), "a1:  a v; b v; c v; d v"),
    ],
)
def test_an_instance_is_one_line(instance, line):
    assert lines.instance_line(instance) == line
    assert lines.instance_section([instance, instance]) == f"{line}\n{line}"


# --- order and counts ---------------------------------------------------------------------------------------------


def behavior(verdict, value=None, slice_="s", metric="m", **bounds):
    return replace(BEHAVIOR, verdict=verdict, value=value, slice=slice_, metric=metric, bounds=bounds)


def test_the_worst_comes_first():
    ranked = [
        behavior("error"),
        behavior("violated", 0.1, min=0.9),
        behavior("violated", 0.9, max=0.2),
        behavior("violated", 0.5, max_gap=0.1),
        behavior("violated", 0.5, "a", min=0.6),
        behavior("violated", 0.5, "b", "a", min=0.6),
        behavior("violated", 0.5, "b", "b", min=0.6),
        behavior("undecided"),
        behavior("known-failure", 0.1, min=0.9),
        behavior("holds", 0.9, min=0.1),
    ]
    assert lines.worst_first(reversed(ranked)) == ranked


@pytest.mark.parametrize(
    ("value", "bounds", "excess"),
    [
        (0.5, {"min": 0.7}, 0.2),
        (0.5, {"max": 0.4}, 0.1),
        (0.5, {"max_gap": 0.2}, 0.3),
        (0.5, {"min": 0.4, "max": 0.6}, 0.0),
        (0.5, {}, 0.0),
        (None, {"min": 0.4}, 0.0),
    ],
)
def test_the_excess_is_how_far_a_value_lies_beyond_its_bound(value, bounds, excess):
    assert lines.excess(behavior("violated", value, **bounds)) == pytest.approx(excess)


VERDICTS = ("holds", "holds", "violated", "error", "error", "undecided", "known-failure", None)


def test_verdicts_are_counted_over_behaviors_and_cases_of_all_suites():
    suite = replace(SUITE, behaviors=tuple(map(behavior, VERDICTS)), cases=(CASE, replace(CASE, verdict="holds")))
    assert lines.count_line(Run((suite, suite))) == (
        "6 hold, 2 known failures, 2 undecided, 4 violated, 4 errors in 2 suites"
    )
    assert lines.count_line(Run(())) == "nothing measured in 0 suites"
    one = replace(SUITE, behaviors=tuple(map(behavior, ("holds", "error", "known-failure"))), cases=())
    assert lines.count_line(Run((one,))) == "1 holds, 1 known failure, 1 error in 1 suite"


def test_what_fails_the_build_is_violated_or_an_error_and_when_strict_undecided():
    suite = replace(SUITE, behaviors=tuple(map(behavior, VERDICTS)))
    assert [item.verdict for item in lines.failing(suite)] == ["error", "error", "violated"]
    assert [item.verdict for item in lines.failing(replace(suite, strict=True))][-1] == "undecided"
    cases = tuple(replace(CASE, verdict=verdict) for verdict in ("holds", "violated", "error", "known-failure"))
    assert lines.failing_cases(replace(SUITE, cases=cases)) == list(cases[1:3])
