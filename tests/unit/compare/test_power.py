"""How many instances it takes: no fewer decide, as many catch nine losses in ten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from pytest_behave.compare.power import (
    CAUGHT,
    MOST_SEARCHED,
    Z_CAUGHT,
    can_decide,
    fewest_pairs,
    pairs_for_error,
    pairs_for_loss,
    pairs_to_decide,
    smallest_loss_caught,
    smallest_shift_caught,
)
from pytest_behave.compare.proportions import loss_p, tango_z

STEADY = settings(max_examples=80)
CRITICAL = norm.ppf(0.95)


def test_caught_is_nine_in_ten():
    assert norm.cdf(Z_CAUGHT) == pytest.approx(CAUGHT, abs=1e-12)


# --- too few to decide --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mcnemar", "alpha", "expected"),
    # all n of n pairs break: exact p is 2^-n, mid-p half of that
    [("mid-p", 0.05, 4), ("exact", 0.05, 5), ("mid-p", 0.001, 9), ("exact", 0.001, 10), ("mid-p", 0.5, 1)],
)
def test_the_fewest_pairs_that_can_decide(mcnemar, alpha, expected):
    assert fewest_pairs(0.0, alpha, mcnemar) == expected
    assert can_decide(expected, 0.0, alpha, mcnemar)
    assert not can_decide(expected - 1, 0.0, alpha, mcnemar)


@STEADY
@given(st.floats(0, 0.9), st.sampled_from([0.05, 0.001]), st.sampled_from(["mid-p", "exact"]))
def test_no_fewer_pairs_can_decide(margin, alpha, mcnemar):
    fewest = fewest_pairs(margin, alpha, mcnemar)
    assert [can_decide(n, margin, alpha, mcnemar) for n in range(fewest)] == [False] * fewest
    assert all(can_decide(n, margin, alpha, mcnemar) for n in (fewest, fewest + 1, 2 * fewest, 10 * fewest))


@pytest.mark.parametrize("margin", [1.0, 1.5, 40.0])
def test_no_number_of_pairs_shows_a_loss_of_more_than_everything(margin):
    assert fewest_pairs(margin, 0.05) == MOST_SEARCHED
    assert pairs_to_decide(3, 1, 20, margin=margin) == MOST_SEARCHED
    assert not can_decide(1_000_000, margin, 0.05)


def test_no_pairs_decide_nothing():
    assert not can_decide(0, 0.0, 0.5)


# --- enough to decide ---------------------------------------------------------------------------------------------


@STEADY
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200), st.sampled_from([0.0, 0.02, 0.1]))
def test_as_many_pairs_decide_as_are_said_to_and_one_less_do_not(broken, fixed, more, margin):
    n = broken + fixed + more - 1
    found = pairs_to_decide(broken, fixed, n, margin=margin)
    if n == 0 or broken + fixed == 0:
        assert found == fewest_pairs(margin, 0.05)
        return
    seen = (broken - fixed) / n > margin
    lost, won = (broken / n, fixed / n) if seen else ((broken + fixed) / n, 0.0)
    if lost - won <= margin:
        assert found == MOST_SEARCHED
        return

    def decides(size):
        return loss_p(round(lost * size), round(won * size), size, margin) <= 0.05

    if found == MOST_SEARCHED:
        assert not any(decides(2**power) for power in range(24))
        return
    assert decides(found)
    assert not decides(found - 1) or found == 1
    for size in range(1, min(found, 400)):  # a smaller one decides only where rounding is in its favour
        if decides(size):
            assert round(lost * size) > lost * size or round(won * size) < won * size


def test_a_stronger_loss_needs_fewer_pairs():
    needed = [pairs_to_decide(broken, 10, 1_000) for broken in (12, 15, 20, 40, 80)]
    assert needed == sorted(needed, reverse=True)
    assert pairs_to_decide(20, 10, 1_000, alpha=0.001) > pairs_to_decide(20, 10, 1_000)
    assert pairs_to_decide(40, 10, 1_000, margin=0.01) > pairs_to_decide(40, 10, 1_000)


def test_what_needs_more_pairs_than_anyone_has_is_not_searched_on():
    assert pairs_to_decide(1, 0, MOST_SEARCHED, margin=0.0) == MOST_SEARCHED
    assert pairs_to_decide(5_001, 5_000, 20_000) == MOST_SEARCHED


# --- the smallest loss that is caught -----------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "disagreement"), [(200, 0.1), (1_000, 0.1), (1_000, 0.02), (5_000, 0.3)])
@pytest.mark.parametrize("margin", [0.0, 0.02])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_smallest_loss_caught_is_caught_nine_times_in_ten(n, disagreement, margin, alpha):
    critical = norm.ppf(1 - alpha)
    loss = smallest_loss_caught(disagreement, n, margin, critical)
    random = np.random.default_rng(n)
    # of all pairs, half of the disagreement is fixed, and as many are broken but for those that are lost
    chances = [disagreement / 2 + loss, disagreement / 2, 1 - disagreement - loss]
    drawn = random.multinomial(n, chances, 4_000)
    caught = (tango_z(drawn[:, 0], drawn[:, 1], n, margin) >= critical).mean()
    assert caught == pytest.approx(0.9, abs=0.05)


@STEADY
@given(st.floats(0.001, 0.6), st.integers(20, 100_000), st.floats(0, 0.3), st.floats(1.0, 5.0))
def test_as_many_pairs_as_a_loss_needs_are_those_on_which_it_is_the_smallest(disagreement, n, margin, critical):
    loss = smallest_loss_caught(disagreement, n, margin, critical)
    if loss < 1:
        assert margin < loss
        assert pairs_for_loss(loss, disagreement, margin, critical) == pytest.approx(n, rel=1e-6, abs=1)
        assert pairs_for_loss((loss + margin) / 2, disagreement, margin, critical) > n
        assert smallest_loss_caught(disagreement, 4 * n, margin, critical) < loss
        assert smallest_loss_caught(disagreement, n, margin, critical + 1) > loss


def test_few_pairs_catch_no_loss():
    assert smallest_loss_caught(0.3, 2, 0.0, 4.0) == 1.0
    assert pairs_for_loss(0.02, 0.1, 0.02, CRITICAL) == MOST_SEARCHED
    assert pairs_for_loss(0.01, 0.1, 0.02, CRITICAL) == MOST_SEARCHED


def test_the_smallest_shift_of_a_mean_is_caught_nine_times_in_ten():
    shift = smallest_shift_caught(0.03, 0.1, CRITICAL)
    seen = np.random.default_rng(1).normal(shift, 0.03, 20_000)
    assert np.mean((seen - 0.1) / 0.03 >= CRITICAL) == pytest.approx(0.9, abs=0.01)


def test_pairs_for_a_loss_catch_it_nine_times_in_ten():
    n = pairs_for_loss(0.05, 0.1, 0.0, CRITICAL)
    broken, fixed = 0.1, 0.05
    differing = np.random.default_rng(2).multinomial(n, [broken, fixed, 1 - broken - fixed], 4_000)
    assert (tango_z(differing[:, 0], differing[:, 1], n, 0.0) >= CRITICAL).mean() == pytest.approx(0.9, abs=0.02)
    assert binom.cdf(0, n, broken) < 1e-3


def test_pairs_for_an_error_make_the_same_loss_significant():
    width, beyond, n, alpha = 0.2, 0.03, 100, 0.01
    needed = pairs_for_error(width, beyond, n, alpha)
    p = [norm.sf(beyond / (width / (2 * norm.ppf(0.975)) * np.sqrt(n / size))) for size in (needed, needed - 1)]
    assert p[0] <= alpha < p[1]


@pytest.mark.parametrize(("width", "beyond"), [(np.nan, 0.1), (0.0, 0.1), (np.inf, 0.1), (0.2, 0.0), (0.2, -0.1)])
def test_no_number_of_pairs_makes_a_loss_of_what_is_none_or_has_no_interval(width, beyond):
    assert pairs_for_error(width, beyond, 100, 0.05) == MOST_SEARCHED
    assert pairs_for_error(0.2, 1e-9, 100, 0.05) == MOST_SEARCHED
