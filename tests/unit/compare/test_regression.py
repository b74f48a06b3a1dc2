"""The verdict on a change follows from its size, its p-value and what could be decided at all."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.compare.power import MOST_SEARCHED
from pytest_behave.compare.regression import judge_change
from pytest_behave.records import Change, Tolerance, Verdict

STEADY = settings(max_examples=200)
LOST = Change(
    value=0.8, change=-0.05, low=-0.08, high=-0.02, n=500, test="mcnemar-midp", p=0.001, p_adjusted=0.01,
    tolerance=0.0, broken=40, fixed=15,
)  # fmt: skip
LOSS = "a loss beyond max_regression"


def judged(change=LOST, tolerance=None, **options):
    settings_ = {
        "name": "max_regression", "worse": -1, "decide": None, "alpha": 0.05, "differs": True, "decidable": True,
        "coverage": 1.0, "needed": MOST_SEARCHED,
    }  # fmt: skip
    return judge_change(change, tolerance or Tolerance(change.tolerance or 0.0), **(settings_ | options))


def with_(**fields):
    return dataclasses.replace(LOST, **fields)


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (LOST, {}, "regressed"),
        (with_(p_adjusted=0.05), {}, "regressed"),
        (with_(p_adjusted=0.051), {}, "suspect"),
        (with_(p_adjusted=0.01), {"alpha": 0.001}, "suspect"),
        (with_(p=None, p_adjusted=None), {}, "suspect"),
        (with_(tolerance=0.05), {}, "holds"),
        (with_(tolerance=0.0499), {}, "regressed"),
        (with_(change=0.05), {}, "holds"),
        (with_(change=0.0), {}, "holds"),
        (with_(change=-1e-14), {}, "holds"),
        (LOST, {"worse": 1}, "holds"),
        (with_(change=0.05), {"worse": 1}, "regressed"),
        # nothing differs
        (with_(change=0.0, p_adjusted=1.0), {"differs": False}, "holds"),
        (with_(change=0.0, p_adjusted=1.0), {"differs": False, "decidable": False}, "holds"),
        (with_(change=0.0, tolerance=-0.02, p_adjusted=0.01), {"differs": False}, "regressed"),
        (with_(change=0.0, tolerance=-0.02, p_adjusted=0.2), {"differs": False}, "suspect"),
        (with_(change=0.03, tolerance=-0.02, p_adjusted=0.2), {}, "holds"),
        # nothing to decide with
        (LOST, {"decidable": False}, "undecided"),
        (LOST, {"coverage": 0.49}, "undecided"),
        (LOST, {"coverage": 0.5}, "regressed"),
        (LOST, {"coverage": 0.49, "differs": False}, "undecided"),
        (with_(value=None, change=None, reason="undefined"), {}, "undecided"),
        # other ways to decide
        (with_(p_adjusted=0.9), {"decide": "observed"}, "regressed"),
        (with_(p_adjusted=0.9, tolerance=0.05), {"decide": "observed"}, "holds"),
        (LOST, {"decide": "refuted"}, "regressed"),
        (with_(change=0.05, low=-0.01, high=0.1), {"decide": "proven"}, "regressed"),
        (with_(change=0.05, low=-0.01, high=0.1, tolerance=0.01), {"decide": "proven"}, "holds"),
        (with_(change=-0.05, low=-0.1, high=0.01), {"decide": "proven", "worse": 1}, "regressed"),
        (with_(change=-0.05, low=-0.1, high=0.0), {"decide": "proven", "worse": 1}, "holds"),
        (with_(low=None, high=None), {"decide": "proven"}, "undecided"),
        (with_(change=0.0), {"decide": "proven", "differs": False}, "holds"),
    ],
)
def test_verdicts_on_a_change(change, options, expected):
    assert judged(change, **options).verdict == expected


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (LOST, {}, f"{LOSS} 0 (p 0.001, 0.01 among all bounds)"),
        (
            with_(p_adjusted=0.3, tolerance=0.02),
            {"needed": 1_200},
            (f"{LOSS} 0.02, within noise (p 0.001, 0.3 among all bounds); 1,200 that differ as much would decide"),
        ),
        (
            with_(broken=None, fixed=None, paired=False),
            {},
            f"{LOSS} 0 (unpaired) (p 0.001, 0.01 among all bounds)",
        ),
        (
            with_(broken=None, fixed=None, p=None, p_adjusted=None),
            {"name": "max_gap_regression"},
            "a loss beyond max_gap_regression 0, within noise",
        ),
        (LOST, {"decide": "observed"}, f"{LOSS} 0"),
        (LOST, {"decide": "proven"}, "a loss of 0.08 is not ruled out (proven)"),
        (with_(change=0.05), {"worse": 1, "decide": "observed"}, f"{LOSS} 0"),
        (
            LOST,
            {"decidable": False, "needed": 4},
            "500 instances cannot decide max_regression 0; 4 that differ as much would decide",
        ),
        (LOST, {"decidable": False}, "500 instances cannot decide max_regression 0"),
        (LOST, {"coverage": 0.333}, "only 33% of the instances can be compared with the baseline"),
        (with_(value=None, change=None, reason="undefined"), {}, "undefined"),
        (
            with_(low=None),
            {"decide": "proven"},
            "`decide: proven` needs an interval of the change, and there is none",
        ),
    ],
)
def test_a_verdict_says_why(change, options, reason):
    assert judged(change, **options).reason == reason


@pytest.mark.parametrize(
    ("tolerance", "shown"),
    [
        (Tolerance(0.02), "max_regression 0.02"),
        (Tolerance(0.02, relative=True), "max_regression 2%"),
        (Tolerance(0.005, best=True), "max_regression 0.005 from best"),
    ],
)
def test_a_tolerance_is_shown_as_it_is_declared(tolerance, shown):
    assert judged(with_(tolerance=tolerance.by), tolerance).reason.startswith(f"a loss beyond {shown} (p")


@pytest.mark.parametrize(
    ("worse", "tolerance", "margin", "best"),
    [
        (-1, Tolerance(0.01, best=True), -0.03, "0.84"),
        (1, Tolerance(0.01, best=True), -0.03, "0.76"),
        (-1, Tolerance(0.05, relative=True, best=True), 0.02, "0.82"),  # 5 % of 0.8 less 0.02 that is lost already
    ],
)
def test_the_best_accepted_value_is_told_where_the_accepted_one_is_worse(worse, tolerance, margin, best):
    found = judged(with_(change=worse * 0.05, tolerance=margin), tolerance, worse=worse)
    assert found.verdict == "regressed"
    assert f"{tolerance}, which was {best} (p" in found.reason


def test_what_holds_needs_no_reason():
    assert judged(with_(change=0.01)) == Verdict("holds")


ORDER = {"holds": 0, "suspect": 1, "regressed": 2}


@STEADY
@given(
    st.floats(-0.5, 0.5), st.floats(0, 0.3), st.floats(0, 0.3), st.floats(0, 1), st.sampled_from([None, "observed", "proven"])
)  # fmt: skip
def test_a_larger_tolerance_or_p_never_makes_a_verdict_worse(change, tolerance, more, p, decide):
    base = with_(change=change, low=change - 0.1, high=change + 0.1, tolerance=tolerance, p_adjusted=p)
    first = ORDER[judged(base, decide=decide).verdict]
    assert ORDER[judged(dataclasses.replace(base, tolerance=tolerance + more), decide=decide).verdict] <= first
    assert ORDER[judged(dataclasses.replace(base, p_adjusted=1.0), decide=decide).verdict] <= first


@STEADY
@given(st.floats(-0.5, 0.5), st.floats(0, 0.3), st.floats(0, 1), st.sampled_from([None, "observed", "proven"]))
def test_a_rise_of_errors_is_judged_as_a_fall_of_hits(change, tolerance, p, decide):
    fell = with_(change=change, low=change - 0.1, high=change + 0.2, tolerance=tolerance, p_adjusted=p)
    rose = dataclasses.replace(fell, change=-change, low=-change - 0.2, high=-change + 0.1)
    assert judged(fell, decide=decide).verdict == judged(rose, worse=1, decide=decide).verdict
