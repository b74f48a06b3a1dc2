"""Paired proportions agree with binomial tails and with a likelihood that is maximised, not solved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, multinomial, norm
from statsmodels.stats.contingency_tables import mcnemar

from pytest_behave.compare import proportions
from pytest_behave.compare.proportions import loss_p, mcnemar_exact, mcnemar_mid_p, tango_interval, tango_z

STEADY = settings(max_examples=300)
Z = norm.ppf(0.975)
HUGE = 10_000_000


@st.composite
def counts(draw, most=200):
    """Draw broken, fixed, n."""
    n = draw(st.integers(1, most))
    broken = draw(st.integers(0, n))
    return broken, draw(st.integers(0, n - broken)), n


margins = st.floats(-0.99, 0.99).filter(lambda margin: margin == 0 or abs(margin) > 1e-6)


def z_by_likelihood(broken, fixed, n, margin):
    """Tango's statistic, the share of fixed pairs found where the likelihood's slope changes its sign."""
    alike, width = n - broken - fixed, (1 - abs(margin)) / 2
    of_fixed, of_broken = max(0.0, -margin), max(0.0, margin)

    def slope(above):
        """Derivative of the log-likelihood in the part of both shares that is above the least there can be."""
        parts = ((broken, above + of_broken, 1), (fixed, above + of_fixed, 1), (alike, width - above, -1))
        return sum(count * sign / part for count, part, sign in parts if count)

    near = 1e-15 * width
    if slope(near) <= 0:
        above = 0.0
    elif slope(width - near) >= 0:
        above = width
    else:
        above = brentq(slope, near, width - near, xtol=1e-18, rtol=4 * np.finfo(float).eps)
    share = of_fixed + above
    variance = n * (2 * share + margin - margin**2)
    return (broken - fixed - n * margin) / math.sqrt(variance)


# --- McNemar ------------------------------------------------------------------------------------------------------


@STEADY
@given(counts())
@example((0, 0, 1))
@example((7, 0, 7))
@example((0, 7, 7))
def test_mcnemar_is_a_binomial_tail(drawn):
    broken, fixed, _ = drawn
    discordant = broken + fixed
    exact = binom.sf(broken - 1, discordant, 0.5)
    mid = exact - binom.pmf(broken, discordant, 0.5) / 2
    assert mcnemar_exact(broken, fixed) == pytest.approx(exact, rel=1e-10, abs=1e-300)
    assert mcnemar_mid_p(broken, fixed) == pytest.approx(mid, rel=1e-10, abs=1e-300)


@STEADY
@given(counts().filter(lambda drawn: drawn[0] > drawn[1]))
def test_twice_the_exact_p_is_the_two_sided_one_of_statsmodels(drawn):
    broken, fixed, n = drawn
    found = mcnemar([[n, broken], [fixed, 0]], exact=True).pvalue
    assert min(2 * mcnemar_exact(broken, fixed), 1) == pytest.approx(found, rel=1e-10)


def test_a_published_table_of_airway_responses_has_its_mid_p_and_interval():
    # Bentur et al. 2009 in Fagerland, Lydersen & Laake 2014, Stat. Med. 33:2850: 1 and 7 of 21 pairs differ
    assert 2 * mcnemar_exact(7, 1) == pytest.approx(0.0703, abs=5e-5)
    assert 2 * mcnemar_mid_p(7, 1) == pytest.approx(0.0391, abs=5e-5)
    assert np.array(tango_interval(1, 7, 21)) == pytest.approx([-0.517, -0.026], abs=5e-4)


@pytest.mark.parametrize(
    ("broken", "fixed"),
    [(5_001_000, 4_999_000), (500_000, 500_000), (10_000, 9_000), (3_000_000, 2_990_000), (20, HUGE - 20)],
)
def test_millions_of_pairs_keep_their_digits(broken, fixed):
    exact = binom.sf(broken - 1, broken + fixed, 0.5)
    assert mcnemar_exact(broken, fixed) == pytest.approx(exact, rel=1e-8, abs=1e-300)
    assert mcnemar_mid_p(broken, fixed) == pytest.approx(
        exact - binom.pmf(broken, broken + fixed, 0.5) / 2, rel=1e-8, abs=1e-300
    )


def test_nothing_that_differs_is_as_likely_as_not():
    assert mcnemar_mid_p(0, 0) == 0.5
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_mid_p(0, 5) > 0.9
    assert mcnemar_exact(0, 5) == 1.0


@STEADY
@given(counts())
def test_the_mid_ps_of_a_loss_and_of_a_gain_add_up_to_one(drawn):
    broken, fixed, _ = drawn
    assert mcnemar_mid_p(broken, fixed) + mcnemar_mid_p(fixed, broken) == pytest.approx(1.0, abs=1e-12)


def test_the_exact_test_never_exceeds_its_level():
    for discordant in range(1, 200):
        broken = np.arange(discordant + 1)
        chance = binom.pmf(broken, discordant, 0.5)
        for level in (0.01, 0.05, 0.1):
            assert chance[mcnemar_exact(broken, discordant - broken) <= level].sum() <= level + 1e-12


def test_the_mid_p_test_keeps_its_level_when_the_number_of_differing_pairs_is_chance_too():
    for n in (10, 30, 100):
        for rate in (0.1, 0.3, 0.6):
            size = sum(
                binom.pmf(differing, n, rate)
                * binom.pmf(broken[mcnemar_mid_p(broken, differing - broken) <= 0.05], differing, 0.5).sum()
                for differing in range(n + 1)
                for broken in [np.arange(differing + 1)]
            )
            assert size <= 0.053, (n, rate)  # a mid-p test is not exact; this is what it takes


# --- Tango's score ------------------------------------------------------------------------------------------------


@STEADY
@given(counts(), margins)
@example((0, 0, 10), -0.2)
@example((10, 0, 10), 0.3)
@example((0, 10, 10), 0.3)
@example((0, 10, 10), -0.3)
@example((3, 0, 10), 0.3)
def test_tangos_score_is_that_of_the_constrained_likelihood(drawn, margin):
    if margin == 0 and drawn[0] + drawn[1] == 0:
        return
    assert tango_z(*drawn, margin) == pytest.approx(z_by_likelihood(*drawn, margin), rel=1e-10, abs=1e-10)


@STEADY
@given(counts())
def test_at_margin_zero_the_score_is_mcnemars(drawn):
    broken, fixed, n = drawn
    expected = (broken - fixed) / math.sqrt(broken + fixed) if broken + fixed else 0.0
    assert tango_z(broken, fixed, n, 0.0) == pytest.approx(expected, abs=1e-12)


@settings(STEADY, max_examples=60)
@given(counts(), margins)
def test_a_loss_is_a_gain_of_the_other_model(drawn, margin):
    broken, fixed, n = drawn
    assert tango_z(broken, fixed, n, margin) == pytest.approx(-tango_z(fixed, broken, n, -margin), abs=1e-9)
    low, high = tango_interval(broken, fixed, n)
    assert np.array(tango_interval(fixed, broken, n)) == pytest.approx([-high, -low], abs=1e-12)


@settings(STEADY, max_examples=60)
@given(counts())
@example((10, 0, 10))
@example((0, 0, 1))
@example((1, 0, 1))
def test_the_interval_holds_the_margins_that_the_score_does_not_rule_out(drawn):
    broken, fixed, n = drawn
    low, high = (float(end) for end in tango_interval(*drawn))
    loss = (broken - fixed) / n
    assert -1 <= low <= loss <= high <= 1
    for end, target in ((low, Z), (high, -Z)):
        if abs(end) < 1 - 1e-9:
            assert z_by_likelihood(*drawn, end) == pytest.approx(target, abs=1e-6)
    assert high == 1.0 if broken == n else high < 1.0
    assert low == -1.0 if fixed == n else low > -1.0


@pytest.mark.parametrize("margin", [-0.001, 0.0, 0.001, 0.3])
def test_the_score_of_millions_is_that_of_thousands_scaled(margin):
    # the statistic is homogeneous: a thousand times the counts is sqrt(1000) times the score
    small, large = tango_z(30, 25, 10_000, margin), tango_z(30_000, 25_000, HUGE, margin)
    assert large == pytest.approx(math.sqrt(1000) * small, rel=1e-9)
    low, high = tango_interval(5_000_000, 4_999_000, HUGE)
    wald = 1.959963984540054 * math.sqrt(0.9999) / math.sqrt(HUGE)
    assert [low, high] == pytest.approx([1e-4 - wald, 1e-4 + wald], rel=1e-3)


def test_nothing_compared_has_no_interval():
    assert np.isnan(tango_interval(0, 0, 0)).all()
    assert np.isnan(np.array(tango_interval([0, 1], [0, 1], [0, 4]))).tolist() == [[True, False], [True, False]]


# --- the p-value of a loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "broken", "expected"),
    [
        (1.0, 10, 0.5),  # all that can be lost is lost
        (1.0, 9, 1.0),
        (1.2, 10, 1.0),  # more than there is
        (-1.2, 0, 0.0),
        (-1.0, 0, 0.0),
    ],
)
def test_margins_at_and_beyond_all_that_can_be_lost(margin, broken, expected):
    assert loss_p(broken, 0, 10, margin) == pytest.approx(expected, abs=1e-12)


@STEADY
@given(counts(), st.sampled_from(["mid-p", "exact"]), st.floats(1e-9, 0.99), st.floats(0, 0.99))
def test_p_rises_with_the_margin(drawn, test, one, more):
    wider = min(one + more, 0.999)
    at_zero, narrow, wide = (float(loss_p(*drawn, margin, test)) for margin in (0.0, one, wider))
    assert 0 <= at_zero <= narrow <= wide + 1e-9 <= 1 + 1e-9
    low, middle = (float(loss_p(*drawn, -margin, test)) for margin in (wider, one))
    assert low <= middle + 1e-9


@STEADY
@given(counts().filter(lambda drawn: drawn[1] > 0), st.sampled_from([0.0, 0.02, 0.3, -0.1]))
def test_p_falls_as_a_fixed_instance_is_broken_instead(drawn, margin):
    broken, fixed, n = drawn
    assert loss_p(broken + 1, fixed - 1, n, margin) <= loss_p(broken, fixed, n, margin) + 1e-12


@STEADY
@given(counts().filter(lambda drawn: drawn[0] + drawn[1] < drawn[2]))
def test_p_falls_as_an_instance_that_agreed_breaks(drawn):
    broken, fixed, n = drawn
    assert loss_p(broken + 1, fixed, n) <= loss_p(broken, fixed, n)


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.3, -0.05])
@pytest.mark.parametrize("n", [15, 40])
def test_a_loss_of_exactly_the_margin_is_rarely_called_one(n, margin):
    """The size, from the chance of every outcome, for any number of pairs that differ."""
    outcomes = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)])
    called = loss_p(outcomes[:, 0], outcomes[:, 1], n, margin) <= 0.05
    for share in np.linspace(max(0.0, -margin), (1 - abs(margin)) / 2 + max(0.0, -margin), 12):
        chances = np.clip([share + margin, share, 1 - 2 * share - margin], 0.0, 1.0)
        drawn = np.column_stack([outcomes, n - outcomes.sum(axis=1)])[called]
        assert multinomial.pmf(drawn, n, chances / chances.sum()).sum() <= 0.075, (share, chances)


def test_arrays_give_what_their_elements_give():
    broken, fixed, n, margin = [3, 0, 9], [1, 0, 2], [10, 5, 400], [0.0, 0.1, 0.01]
    together = loss_p(broken, fixed, n, margin)
    assert together.tolist() == [float(loss_p(*row)) for row in zip(broken, fixed, n, margin, strict=True)]


@pytest.mark.parametrize(
    ("margin", "test", "expected"),
    [(0.0, "mid-p", "mcnemar-midp"), (0.0, "exact", "mcnemar-exact"), (0.1, "exact", "tango-score")],
)
def test_reports_name_the_test(margin, test, expected):
    assert proportions.test_name(margin, test) == expected
