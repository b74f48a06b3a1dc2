"""Verdicts follow from an estimate and its bounds alone, and never decide what the data cannot decide."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_behave.compare.verdicts import (
    MOST_SEARCHED,
    gap_between,
    instances_needed,
    judge,
    judge_gap,
    with_known_failure,
)
from pytest_behave.measure.intervals import wilson
from pytest_behave.records import Bounds, Estimate, KnownFailure, Verdict

STEADY = settings(max_examples=200)


def proportion(successes, trials):
    """Return the estimate of a share, as the metrics make it."""
    low, high = wilson(successes, trials)
    return Estimate(successes / trials, float(low), float(high), trials, interval="wilson")


def judged(estimate, size=100, min_size=1, **bounds):
    return judge(estimate, Bounds(**bounds), size=size, min_size=min_size)


def name(estimate, **bounds):
    return judged(estimate, **bounds).verdict


WIDE = Estimate(0.7, 0.6, 0.8, 100)

# --- bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "verdict", "reason"),
    [
        ({"min": 0.69}, "holds", ""),
        ({"min": 0.7}, "holds", ""),
        ({"min": 0.71}, "violated", "0.7 is below min 0.71"),
        ({"max": 0.71}, "holds", ""),
        ({"max": 0.7}, "holds", ""),
        ({"max": 0.69}, "violated", "0.7 is above max 0.69"),
        ({"min": 0.6, "max": 0.8}, "holds", ""),
        ({"min": 0.8, "max": 0.9}, "violated", "0.7 is below min 0.8"),
        ({"min": 0.5, "max": 0.6}, "violated", "0.7 is above max 0.6"),
        ({"min": 0.6, "decide": "proven"}, "holds", ""),
        ({"min": 0.65, "decide": "proven"}, "violated", "the interval reaches 0.6, below min 0.65 (proven)"),
        ({"max": 0.8, "decide": "proven"}, "holds", ""),
        ({"max": 0.75, "decide": "proven"}, "violated", "the interval reaches 0.8, above max 0.75 (proven)"),
        ({"min": 0.8, "decide": "refuted"}, "holds", ""),
        ({"min": 0.85, "decide": "refuted"}, "violated", "0.7 is below min 0.85"),
        ({"max": 0.6, "decide": "refuted"}, "holds", ""),
        ({"max": 0.55, "decide": "refuted"}, "violated", "0.7 is above max 0.55"),
        ({}, "holds", ""),
    ],
)
def test_a_bound_is_met_or_violated_as_it_says_how_to_decide(bounds, verdict, reason):
    assert judged(WIDE, **bounds) == Verdict(verdict, reason)


@pytest.mark.parametrize("value", [-1e300, -2.5, 0.0, 3.0, 1e300])
def test_values_of_any_size_have_bounds(value):
    estimate = Estimate(value, value - 1, value + 1, 10, interval="t")
    assert name(estimate, min=value, max=value) == "holds"
    assert name(estimate, min=math.nextafter(value, math.inf)) == "violated"
    assert name(estimate, max=math.nextafter(value, -math.inf)) == "violated"


def test_a_slice_below_its_least_size_is_undecided_whatever_its_value():
    for value in (0.0, 1.0, None):
        estimate = Estimate(value, None, None, 3, "no negatives")
        assert judged(estimate, size=29, min_size=30, min=0.5) == Verdict(
            "undecided", "29 instances, fewer than min_size 30"
        )
    assert judged(proportion(1, 30), size=30, min_size=30, min=0.5).verdict == "violated"


def test_what_is_undefined_is_undecided_with_the_reason():
    assert judged(Estimate(None, None, None, 0, "no negatives"), min=0.5) == Verdict("undecided", "no negatives")


@pytest.mark.parametrize("decide", ["proven", "refuted"])
def test_without_an_interval_only_the_value_can_decide(decide):
    estimate = Estimate(0.7, None, None, 5, "one instance")
    assert judged(estimate, min=0.5, decide=decide) == Verdict(
        "undecided", f"`decide: {decide}` needs an interval: one instance"
    )
    assert judged(dataclasses.replace(estimate, reason=""), max=0.9, decide=decide).reason.endswith("there is none")
    assert name(estimate, min=0.5) == "holds"


def test_a_violated_bound_outweighs_one_that_cannot_be_decided():
    half = Estimate(0.9, None, 0.95, 100)
    assert name(half, min=0.5, decide="proven") == "undecided"
    assert name(half, min=0.5, max=0.7, decide="proven") == "violated"


VALUES = st.floats(-10, 10)


@STEADY
@given(numbers=st.tuples(VALUES, VALUES, VALUES).map(sorted), bound=VALUES, side=st.sampled_from(["min", "max"]))
def test_proven_is_stricter_than_observed_and_observed_than_refuted(numbers, bound, side):
    low, value, high = numbers
    estimate = Estimate(value, low, high, 50)
    proven, observed, refuted = (
        name(estimate, **{side: bound}, decide=how) for how in ("proven", "observed", "refuted")
    )
    order = {"violated": 0, "holds": 1}
    assert order[proven] <= order[observed] <= order[refuted]


@STEADY
@given(
    numbers=st.tuples(VALUES, VALUES, VALUES).map(sorted),
    bound=VALUES,
    how=st.sampled_from(["proven", "observed", "refuted"]),
)
def test_a_max_is_a_min_seen_in_the_mirror(numbers, bound, how):
    low, value, high = numbers
    upright = name(Estimate(value, low, high, 50), min=bound, decide=how)
    mirrored = name(Estimate(-value, -high, -low, 50), max=-bound, decide=how)
    assert upright == mirrored


# --- how many instances would decide ------------------------------------------------------------------------------


def can_decide(trials, bound, side, decide):
    """Tell whether any outcome of so many trials could meet a bound (proven) or miss it (refuted)."""
    low, high = wilson(np.array([0, trials]), trials)
    if decide == "proven":
        return low[1] >= bound if side == "min" else high[0] <= bound
    return high[0] < bound if side == "min" else low[1] > bound


def least(bound, side, decide, most=5_000):
    """Return the least number of trials that can decide, by trying."""
    return next((trials for trials in range(1, most) if can_decide(trials, bound, side, decide)), None)


@pytest.mark.parametrize("decide", ["proven", "refuted"])
@pytest.mark.parametrize("side", ["min", "max"])
@pytest.mark.parametrize(
    "bound", [0.001, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999]
)
def test_the_number_that_is_named_is_the_least_that_decides(bound, side, decide):
    assert instances_needed(bound, side, decide) == least(bound, side, decide)


@settings(STEADY, max_examples=60)
@given(bound=st.floats(0.01, 0.99), side=st.sampled_from(["min", "max"]), decide=st.sampled_from(["proven", "refuted"]))
def test_for_any_bound_one_instance_less_could_not_decide(bound, side, decide):
    needed = instances_needed(bound, side, decide)
    assert can_decide(needed, bound, side, decide)
    assert needed == 1 or not can_decide(needed - 1, bound, side, decide)


EASY = {
    ("min", "proven"): [0.0, -1.0],
    ("max", "proven"): [1.0, 2.0],
    ("min", "refuted"): [1.0, 2.0],
    ("max", "refuted"): [0.0, -1.0],
}
HOPELESS = {
    ("min", "proven"): [1.0, 1.5],
    ("max", "proven"): [0.0, -0.5],
    ("min", "refuted"): [0.0, -1.0],
    ("max", "refuted"): [1.0, 2.0],
}


def each(table):
    return [(bound, *key) for key, bounds in table.items() for bound in bounds]


@pytest.mark.parametrize(("bound", "side", "decide"), each(EASY))
def test_bounds_that_one_instance_can_decide_need_one_at_most(bound, side, decide):
    assert can_decide(1, bound, side, decide)
    assert instances_needed(bound, side, decide) <= 1


@pytest.mark.parametrize(("bound", "side", "decide"), each(HOPELESS))
def test_bounds_that_no_number_can_decide_are_undecided(bound, side, decide):
    assert least(bound, side, decide) is None
    assert instances_needed(bound, side, decide) >= MOST_SEARCHED
    assert name(proportion(50, 50), **{side: bound}, decide=decide) == "undecided"


@pytest.mark.parametrize(("bound", "side", "decide"), each(HOPELESS))
def test_no_number_is_named_where_none_would_do(bound, side, decide):
    assert "would" not in judged(proportion(50, 50), **{side: bound}, decide=decide).reason


@pytest.mark.parametrize("bound", [0.0, 0.5, 1.0])
def test_the_value_alone_always_decides(bound):
    assert instances_needed(bound, "min", "observed") == instances_needed(bound, "max", "observed") == 0


def test_too_few_instances_are_told_how_many_would_do():
    assert judged(proportion(8, 8), min=0.9, decide="proven") == Verdict(
        "undecided", "8 instances cannot decide min 0.9 (proven): 35 would"
    )
    assert name(proportion(35, 35), min=0.9, decide="proven") == "holds"
    assert name(proportion(34, 35), min=0.9, decide="proven") == "violated"
    assert judged(proportion(0, 1_000), max=0.001, decide="proven").reason.endswith("(proven): 3,838 would")


@settings(STEADY, max_examples=100)
@given(
    trials=st.integers(1, 60),
    share=st.floats(0, 1),
    bound=st.floats(0.05, 0.95),
    side=st.sampled_from(["min", "max"]),
    decide=st.sampled_from(["proven", "refuted"]),
)
def test_what_is_undecided_could_have_had_no_other_outcome(trials, share, bound, side, decide):
    outcomes = {name(proportion(successes, trials), **{side: bound}, decide=decide) for successes in range(trials + 1)}
    found = name(proportion(round(share * trials), trials), **{side: bound}, decide=decide)
    assert found in outcomes
    if can_decide(trials, bound, side, decide):
        assert "undecided" not in outcomes
        assert len(outcomes) == 2 or decide == "proven"
    else:
        assert outcomes == {"undecided"}


def test_only_shares_are_held_to_a_least_number():
    mean = Estimate(0.99, 0.95, 1.0, 3, interval="t")
    assert name(mean, min=0.9, decide="proven") == "holds"


# --- gaps ---------------------------------------------------------------------------------------------------------


def gap(*shares, max_gap=0.1, better="higher"):
    members = [(f"g={index}", proportion(*share)) for index, share in enumerate(shares)]
    estimate, between = gap_between(members, better)
    return judge_gap(estimate, between, max_gap, None), estimate, between


def test_the_gap_lies_between_the_two_members_furthest_apart_the_worse_one_last():
    for better, between in (("higher", ("g=2", "g=1")), ("lower", ("g=1", "g=2"))):
        verdict, estimate, found = gap((60, 100), (50, 100), (90, 100), (70, 100), better=better)
        assert found == between
        assert estimate.value == pytest.approx(0.4)
        assert (estimate.n, estimate.interval) == (200, "newcombe")
        assert verdict == Verdict("violated", f"{between[0]} and {between[1]} differ by 0.4, above max_gap 0.1")


@pytest.mark.parametrize(
    ("max_gap", "verdict"), [(0.5, "holds"), (0.25, "holds"), (0.2, "violated"), (0.0, "violated")]
)
def test_a_gap_is_held_against_its_bound(max_gap, verdict):
    assert gap((1, 4), (2, 4), max_gap=max_gap)[0].verdict == verdict


@pytest.mark.parametrize(
    ("shares", "max_gap"),
    [(((8, 10), (7, 10)), 0.1), (((3, 10), (1, 10)), 0.2), (((9, 10), (6, 10)), 0.3), (((93, 100), (88, 100)), 0.05)],
)
def test_a_gap_of_exactly_its_bound_holds(shares, max_gap):
    # 8/10 - 7/10 is 0.10000000000000009 in doubles
    verdict, estimate, _ = gap(*shares, max_gap=max_gap)
    assert estimate.value == pytest.approx(max_gap, abs=1e-15)
    assert verdict == Verdict("holds")


@pytest.mark.parametrize("shares", [(), ((1, 2),)])
def test_there_is_no_gap_with_fewer_than_two_members(shares):
    verdict, estimate, between = gap(*shares)
    assert verdict == Verdict("undecided", "fewer than two members can be decided")
    assert (estimate.value, estimate.n, between) == (None, 0, None)


def test_equal_members_have_no_gap_and_are_named_the_same_every_time():
    one, other = gap((5, 10), (5, 10), (5, 10), max_gap=0.0), gap((5, 10), (5, 10), (5, 10), max_gap=0.0)
    assert one == other
    assert one[0] == Verdict("holds")


def test_a_gap_has_newcombes_interval():
    # Newcombe 1998, Stat. Med. 17:873, table II, method 10: 56/70 against 48/80
    _, estimate, _ = gap((56, 70), (48, 80))
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.0524, 0.3339)
    # 9/10 against 3/10
    _, estimate, _ = gap((9, 10), (3, 10))
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.1705, 0.8090)


def test_a_gap_without_the_intervals_of_its_members_has_none():
    estimate, between = gap_between([("a", Estimate(1.0, None, None, 3)), ("b", proportion(1, 2))], "higher")
    verdict = judge_gap(estimate, between, 0.1, None)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, None, None)
    assert verdict.verdict == "violated"


@settings(STEADY, max_examples=100)
@given(
    shares=st.lists(
        st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=6
    )
)
def test_a_gap_is_the_widest_difference_within_its_interval(shares):
    _, estimate, (better, worse) = gap(*shares)
    values = {f"g={index}": k / n for index, (k, n) in enumerate(shares)}
    assert estimate.value == max(values.values()) - min(values.values())
    assert values[better] - values[worse] == estimate.value
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1 + 1e-12


# --- known failures -----------------------------------------------------------------------------------------------

VIOLATED = Verdict("violated", "0.4 is below min 0.5")
KNOWN = KnownFailure("issue 88", "2027-03-01")


@pytest.mark.parametrize("today", ["2020-01-01", "2027-02-28", "2027-03-01"])
def test_a_known_failure_is_accepted_up_to_and_on_its_day(today):
    assert with_known_failure(VIOLATED, KNOWN, today, any_fails=True) == Verdict(
        "known-failure", "0.4 is below min 0.5; known: issue 88"
    )


@pytest.mark.parametrize("today", ["2027-03-02", "2027-10-01", "2028-01-01"])
def test_after_its_day_a_known_failure_fails(today):
    assert with_known_failure(VIOLATED, KNOWN, today, any_fails=True) == Verdict(
        "violated", "0.4 is below min 0.5; the known failure (issue 88) ended 2027-03-01"
    )


def test_a_known_failure_without_a_day_is_accepted_for_good():
    found = with_known_failure(VIOLATED, KnownFailure("issue 88"), "9999-12-31", any_fails=True)
    assert found.verdict == "known-failure"


@pytest.mark.parametrize("today", ["2020-01-01", "2028-01-01"])
def test_what_holds_again_fails_until_the_declaration_is_gone(today):
    assert with_known_failure(Verdict("holds"), KNOWN, today, any_fails=False) == Verdict(
        "violated", "holds again, so remove `known_failure` (issue 88)"
    )


def test_members_of_a_family_may_hold_while_another_fails():
    assert with_known_failure(Verdict("holds"), KNOWN, "2020-01-01", any_fails=True) == Verdict("holds")


@pytest.mark.parametrize("verdict", [Verdict("undecided", "3 instances"), Verdict("error", "the model raised")])
@pytest.mark.parametrize("any_fails", [True, False])
def test_what_was_not_decided_stays_so(verdict, any_fails):
    assert with_known_failure(verdict, KNOWN, "2020-01-01", any_fails=any_fails) == verdict


@pytest.mark.parametrize("verdict", [Verdict("holds"), VIOLATED, Verdict("undecided", "x"), Verdict("error", "x")])
def test_without_a_declaration_nothing_changes(verdict):
    assert with_known_failure(verdict, None, "2027-03-01", any_fails=False) == verdict


@STEADY
@given(value=st.floats(0, 1), bound=st.floats(0, 1), any_fails=st.booleans())
def test_a_known_failure_never_makes_a_failure_of_anything_but_what_holds(value, bound, any_fails):
    verdict = judged(Estimate(value, None, None, 10), min=bound)
    assume(any_fails or verdict.verdict != "violated")
    found = with_known_failure(verdict, KNOWN, "2020-01-01", any_fails=any_fails or verdict.verdict == "violated")
    assert (found.verdict == "violated") == (verdict.verdict == "holds" and not any_fails)
