"""The summary fits its terminal: one line when all is well, else what broke, worst first, with the evidence."""

from __future__ import annotations

from dataclasses import replace
from unicodedata import category, east_asian_width

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.records import Instance, Run
from pytest_behave.report.terminal import MOST_INSTANCES, MOST_ROWS, summary_lines
from pytest_behave.text import printable

from .test_record import BEHAVIOR, CASE, RUNS, SUITE

STEADY = settings(max_examples=30)
WIDTHS = [40, 60, 80, 120]
LONG = "a name of a slice that goes on and on and will not fit into any table of any terminal at all, ever"


def run_of(*behaviors, cases=(), **changes):
    return Run((replace(SUITE, behaviors=behaviors, cases=cases, **{"notes": (), **changes}),))


def shown(run, width=80):
    return list(summary_lines(run, width))


def columns(line):
    """Return how many columns of a terminal a line takes."""
    seen = [character for character in line if category(character) not in ("Mn", "Me")]
    return len(seen) + sum(east_asian_width(character) in "WF" for character in seen)


def too_wide(run, width):
    """Return the lines wider than the terminal, but for reasons of errors, which are never cut."""
    whole = {f"    {printable(behavior.reason)}" for suite in run.suites for behavior in suite.behaviors}
    return [line for line in shown(run, width) if columns(line) > width and line not in whole]


# --- what it says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_when_all_is_well_there_is_one_line(width):
    run = run_of(replace(BEHAVIOR, verdict="holds"), replace(BEHAVIOR, verdict="undecided"))
    assert shown(run, width) == ["behave: 1 holds, 1 undecided in 1 suite"]


def test_what_broke_is_a_table_with_its_evidence():
    gap = replace(
        BEHAVIOR, slice="race", metric="fpr gap", bounds={"max_gap": 0.1}, between=("race=A", "race=B"), instances=()
    )
    assert shown(run_of(BEHAVIOR, gap, replace(BEHAVIOR, slice="fine", verdict="holds"), owner="@risk")) == [
        "behave: 1 holds, 2 violated in 1 suite",
        "",
        "loans (10 rows, model m:p, owner @risk)",
        "  slice    metric    rows    value [95%]           bound",
        "  race     fpr gap   10      0.500 [0.150, 0.850]  max_gap 0.1",
        "      between race=A and race=B",
        "  race=A   fpr       10      0.500 [0.150, 0.850]  max 0.45",
        "      a1: target 1, output 0 (score 0.250) text hi",
    ]


def test_a_narrow_terminal_gets_a_list_of_the_same():
    assert shown(run_of(BEHAVIOR), 40) == [
        "behave: 1 violated in 1 suite",
        "",
        "loans (10 rows, model m:p)",
        "  race=A fpr",
        "    0.500 [0.150, 0.850], max 0.45, 10",
        "    rows",
        "      a1: target 1, output 0 (score 0...",
    ]


def test_errors_are_told_once_and_whole():
    reason = "model 'm:p', batch 1 of 1, raised ValueError: " + "and so on " * 20
    errors = [replace(BEHAVIOR, verdict="error", reason=reason, slice=f"s{number}") for number in range(3)]
    other = replace(BEHAVIOR, verdict="error", reason="another\nreason", slice="t")
    lines = shown(run_of(*errors, other))
    assert lines[3:] == [
        "  error in s0 fpr and 2 more:",
        f"    {reason.strip()}",
        "  error in t fpr:",
        "    another reason",
    ]


def test_failing_cases_and_notes_are_shown():
    lines = shown(run_of(cases=(CASE, replace(CASE, verdict="holds")), notes=("2 of 10 outputs are 'z'",)))
    assert lines[2:] == ["loans (10 rows, model m:p)", "  note: 2 of 10 outputs are 'z'", "  case t-1: not 4"]


def test_suites_without_failures_and_notes_are_left_out():
    fine = replace(SUITE, suite="fine", behaviors=(replace(BEHAVIOR, verdict="holds"),), cases=(), notes=())
    lines = shown(Run((fine, replace(SUITE, suite="broken"))))
    assert not [line for line in lines if "fine" in line]
    assert [line for line in lines if line.startswith("broken (")]


def test_long_lists_end_with_how_many_more_and_where_they_are():
    behaviors = [replace(BEHAVIOR, slice=f"s{number:02d}", instances=()) for number in range(MOST_ROWS + 5)]
    cases = tuple(replace(CASE, id=f"c{number}") for number in range(MOST_ROWS + 7))
    lines = shown(run_of(*behaviors, cases=cases))
    assert "  ... and 5 more; --behave-report=md:PATH has them all" in lines
    assert "  ... and 7 more cases; --behave-report=md:PATH has them all" in lines
    assert len([line for line in lines if line.startswith("  s") and "max 0.45" in line]) == MOST_ROWS
    assert len([line for line in lines if line.startswith("  case c")]) == MOST_ROWS


def test_a_few_instances_are_enough():
    instances = tuple(Instance(f"i{number}", "1", "0", None, {}) for number in range(10))
    lines = shown(run_of(replace(BEHAVIOR, instances=instances)))
    assert [line.split(":")[0].strip() for line in lines if line.startswith("      i")] == ["i0", "i1", "i2"][
        :MOST_INSTANCES
    ]


# --- the width ----------------------------------------------------------------------------------------------------

NAMES = {
    "short": ("s", "m"),
    "long slice": (LONG, "m"),
    "long metric": ("s", LONG),
    "both long": (LONG, LONG),
    "wide characters": ("\u540d\u524d" * 30, "\u6307\u6a19" * 30),
    "combining characters": ("e\u0301" * 60, "m"),
    "of equal length": ("slice of seventeen", "metric of eighteen"),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("bounds", [{"min": 0.7}, {"min": 0.123456, "max": 0.987654}, {"max_gap": 0.1}], ids=repr)
@pytest.mark.parametrize("decide", ["observed", "proven"])
def test_a_table_of_any_names_fits(width, names, bounds, decide):
    behavior = replace(BEHAVIOR, bounds=bounds, decide=decide, size=1_234_567)
    named = replace(behavior, slice=names[0], metric=names[1])
    assert too_wide(run_of(behavior, named), width) == []
    assert too_wide(run_of(named), width) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_else_fits_too(width):
    instance = Instance(LONG, LONG, LONG, 0.123456, {LONG: LONG, "n": LONG})
    behavior = replace(BEHAVIOR, between=(LONG, LONG), instances=(instance,) * 3)
    many = [replace(behavior, slice=f"s{number}") for number in range(MOST_ROWS + 1)]
    errors = [
        replace(BEHAVIOR, verdict="error", slice=LONG, reason="why"),
        replace(BEHAVIOR, verdict="error", reason="why"),
    ]
    cases = tuple(replace(CASE, id=LONG, reason=LONG) for _ in range(MOST_ROWS + 1))
    suite = replace(SUITE, suite=LONG, model=LONG, owner=LONG, notes=(LONG, "x" * 200))
    suite = replace(suite, behaviors=(*many, *errors, *(replace(BEHAVIOR, verdict="known-failure") for _ in range(9))))
    assert too_wide(Run((replace(suite, cases=cases),) * 12), width) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_that_was_measured_is_lost_on_a_narrow_terminal(width):
    text = " ".join(" ".join(shown(run_of(replace(BEHAVIOR, slice=LONG)), width)).split())
    for part in ("fpr", "0.500 [0.150, 0.850]", "max 0.45", "10", LONG[:12]):
        assert part in text or part == "fpr"


@STEADY
@given(run=RUNS, width=st.sampled_from(WIDTHS) | st.integers(30, 200))
def test_any_run_fits_any_terminal_and_steers_none(run, width):
    assert too_wide(run, width) == []
    for line in shown(run, width):
        assert len(line.splitlines()) <= 1
        assert line == "" or printable(line) == " ".join(line.split())
