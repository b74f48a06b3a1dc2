"""Without common instances: two independent samples, against statsmodels and a likelihood that is maximised."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, norm
from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep

from pytest_behave.compare.paired import Margin
from pytest_behave.compare.unpaired import compare_values, score_z
from pytest_behave.measure.intervals import wilson
from pytest_behave.records import BaselineEntry, Estimate

test_proportions_2indep.__test__ = False  # it is not one of ours

STEADY = settings(max_examples=300)


@st.composite
def samples(draw, most=120):
    """Draw hits and size of baseline and candidate."""
    n_before, n_after = draw(st.integers(1, most)), draw(st.integers(1, most))
    return draw(st.integers(0, n_before)), n_before, draw(st.integers(0, n_after)), n_after


margins = st.floats(-0.95, 0.95).filter(lambda margin: margin == 0 or abs(margin) > 1e-4)


def z_by_likelihood(lost, n_lost, kept, n_kept, margin):
    """Statistic of lost / n_lost - kept / n_kept beyond a margin, from shares that maximise the likelihood."""
    least, width = max(0.0, margin), 1 - abs(margin)
    below, above = max(0.0, -margin), max(0.0, margin)  # how far the least share is from 0, the largest from 1

    def slope(part):
        """Derivative in the first share, which is ``part`` above the least there can be."""
        parts = (
            (lost, part + above, 1),
            (kept, part + below, 1),
            (n_lost - lost, width - part + below, -1),
            (n_kept - kept, width - part + above, -1),
        )
        return sum(count * sign / share for count, share, sign in parts if count)

    near = 1e-15 * width
    if slope(near) <= 0:
        part = 0.0
    elif slope(width - near) >= 0:
        part = width
    else:
        part = brentq(slope, near, width - near, xtol=1e-17, rtol=4 * np.finfo(float).eps)
    first, second = least + part, least + part - margin
    variance = first * (1 - first) / n_lost + second * (1 - second) / n_kept
    return (lost / n_lost - kept / n_kept - margin) / math.sqrt(variance)


def proportion(hits, n):
    """Return a share as the candidate's metric gives it."""
    low, high = wilson(hits, n)
    return Estimate(hits / n, float(low), float(high), n, interval="wilson")


def change(*counts, margin=0.0, worse=-1):
    hits_before, n_before, hits_after, n_after = counts
    entry = BaselineEntry(hits_before / n_before, n_before, n_before, hits=hits_before)
    return compare_values(entry, proportion(hits_after, n_after), Margin(margin), worse)


# --- two proportions ----------------------------------------------------------------------------------------------


@STEADY
@given(samples(), margins)
@example((10, 10, 0, 10), 0.3)
@example((0, 10, 10, 10), 0.3)
@example((5, 10, 5, 10), -0.2)
@example((3, 3, 1, 100), 0.5)
def test_the_score_is_that_of_the_constrained_likelihood(drawn, margin):
    before, n_before, after, n_after = drawn
    if margin == 0 and before + after in (0, n_before + n_after):
        assert score_z(*drawn, margin, -1) == 0.0
        return
    expected = z_by_likelihood(before, n_before, after, n_after, margin)
    # the cubic's root is found through an arc cosine, which keeps half of the digits where two roots meet
    assert score_z(*drawn, margin, -1) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_score_keeps_ten_digits_away_from_the_ends():
    for before, after, margin in itertools.product((12, 20, 31), (11, 18, 29), (-0.2, -0.03, 0.0, 0.02, 0.15)):
        expected = z_by_likelihood(before, 40, after, 37, margin)
        assert score_z(before, 40, after, 37, margin, -1) == pytest.approx(expected, rel=1e-10, abs=1e-10)


@STEADY
@given(samples().filter(lambda drawn: 0 < drawn[0] + drawn[2] < drawn[1] + drawn[3]))
def test_at_margin_zero_the_score_is_that_of_statsmodels(drawn):
    before, n_before, after, n_after = drawn
    with np.errstate(all="ignore"):  # it also divides shares by each other
        found = test_proportions_2indep(before, n_before, after, n_after, method="score", correction=False)
    assert score_z(*drawn, 0.0, -1) == pytest.approx(found.statistic, rel=1e-8, abs=1e-8)


@STEADY
@given(samples(), margins)
def test_a_share_of_errors_is_the_mirror_image_of_a_share_of_hits(drawn, margin):
    before, n_before, after, n_after = drawn
    mirrored = score_z(n_before - before, n_before, n_after - after, n_after, margin, 1)
    assert mirrored == pytest.approx(score_z(*drawn, margin, -1), abs=1e-6)
    exchanged = score_z(after, n_after, before, n_before, -margin, -1)
    assert exchanged == pytest.approx(-score_z(*drawn, margin, -1), abs=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    # Newcombe 1998, Stat. Med. 17:873, table II, method 10
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)), ((6, 7), (2, 7), (0.0582, 0.8062))],
)
def test_published_intervals_of_a_difference(before, after, expected):
    result = change(*after, *before)
    assert [result.low, result.high] == pytest.approx(expected, abs=5e-5)


@STEADY
@given(samples())
@example((0, 5, 0, 5))
@example((5, 5, 0, 5))
def test_the_interval_is_newcombes_as_statsmodels_has_it(drawn):
    before, n_before, after, n_after = drawn
    result = change(*drawn)
    expected = confint_proportions_2indep(after, n_after, before, n_before, method="newcomb")
    assert [result.low, result.high] == pytest.approx(list(expected), abs=1e-10)
    assert result.change == pytest.approx(after / n_after - before / n_before)
    assert result.test == "unpaired-score"
    assert result.flippable is None
    assert result.differs == (result.change != 0)


@STEADY
@given(samples(), st.sampled_from([-1, 1]))
def test_p_rises_with_the_margin(drawn, worse):
    found = [
        change(*drawn, margin=margin, worse=worse).p for margin in (-1.2, -0.5, -0.01, 0.0, 0.01, 0.3, 0.9, 1.0, 1.2)
    ]
    assert (np.diff(found) >= -1e-6).all()
    assert found[0] < 0.5 <= found[-1]


@STEADY
@given(samples().filter(lambda drawn: drawn[2] > 0), st.sampled_from([0.0, 0.05]))
def test_p_falls_as_the_candidate_hits_less(drawn, margin):
    before, n_before, after, n_after = drawn
    assert change(before, n_before, after - 1, n_after, margin=margin).p <= change(*drawn, margin=margin).p + 1e-9


def test_a_relative_margin_is_a_share_of_the_stored_value():
    entry = BaselineEntry(0.4, 100, 100, hits=40)
    result = compare_values(entry, proportion(45, 100), Margin(0.05, relative=True), 1)
    assert result.margin == pytest.approx(0.02)
    assert result.p == pytest.approx(norm.sf(z_by_likelihood(45, 100, 40, 100, 0.02)), rel=1e-9)
    nothing = compare_values(BaselineEntry(0.0, 100, 100, hits=0), proportion(5, 100), Margin(0.5, relative=True), 1)
    assert nothing.margin == 0.0
    assert nothing.p < 0.05


def test_large_samples_keep_their_digits():
    n = 10_000_000
    error = math.sqrt(0.8 * 0.2 / n + 0.799 * 0.201 / n)
    assert score_z(8_000_000, n, 7_990_000, n, 0.0, -1) == pytest.approx(0.001 / error, rel=1e-5)
    assert score_z(8_000_000, n, 7_990_000, n, 0.001, -1) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("n_before", "n_after"), [(20, 20), (60, 25)])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_a_loss_of_exactly_the_margin_is_rarely_called_one(n_before, n_after, margin):
    """The size, from the chance of every outcome."""
    outcomes = list(itertools.product(range(n_before + 1), range(n_after + 1)))
    z = np.array([score_z(one, n_before, other, n_after, margin, -1) for one, other in outcomes])
    one, other = np.array(outcomes)[norm.sf(z) <= 0.05].T
    for share in (0.15, 0.3, 0.5, 0.7, 0.9):
        size = (binom.pmf(one, n_before, share) * binom.pmf(other, n_after, share - margin)).sum()
        assert size <= 0.075, share  # a score test is not exact


# --- other metrics ------------------------------------------------------------------------------------------------


def test_values_with_intervals_are_compared_by_these():
    entry = BaselineEntry(0.70, 100, 100, low=0.64, high=0.78)
    result = compare_values(entry, Estimate(0.60, 0.55, 0.63, 90), Margin(0.02), -1)
    assert result.change == pytest.approx(-0.1)
    assert result.low == pytest.approx(-0.1 - math.hypot(0.05, 0.08))
    assert result.high == pytest.approx(-0.1 + math.hypot(0.03, 0.06))
    error = (result.high - result.low) / (2 * norm.ppf(0.975))
    assert result.p == pytest.approx(norm.sf(0.08 / error), rel=1e-10)
    assert (result.n, result.test) == (90, "unpaired-intervals")


def test_a_share_whose_hits_were_not_kept_is_compared_by_intervals():
    entry = BaselineEntry(0.70, 100, 100, low=0.6, high=0.78)
    assert compare_values(entry, proportion(60, 100), Margin(), -1).test == "unpaired-intervals"
    kept = BaselineEntry(0.70, 100, 100, hits=70)
    assert compare_values(kept, Estimate(0.6, 0.5, 0.7, 100, interval="t"), Margin(), -1).test == "unpaired-intervals"
    assert np.isnan(compare_values(kept, Estimate(0.6, 0.5, 0.7, 100, interval="t"), Margin(), -1).p)


@pytest.mark.parametrize(
    ("before", "after"), [((None, None), (0.5, 0.7)), ((0.5, 0.7), (None, None)), ((0.6, 0.6), (0.6, 0.6))]
)
def test_without_intervals_there_is_a_change_but_no_p(before, after):
    entry = BaselineEntry(0.6, 10, 10, low=before[0], high=before[1])
    result = compare_values(entry, Estimate(0.6, *after, 10), Margin(), -1)
    assert result.change == 0.0
    assert np.isnan(result.p)
    assert np.isnan(result.low) == (None in (*before, *after))


@pytest.mark.parametrize(("before", "after"), [(None, 0.5), (0.5, None), (None, None)])
def test_a_missing_value_has_no_change(before, after):
    assert compare_values(BaselineEntry(before, 0, 5), Estimate(after, None, None, 0), Margin(), 1) is None


def test_intervals_that_hold_a_zero_are_not_missing():
    entry = BaselineEntry(0.0, 10, 10, low=0.0, high=0.3)
    result = compare_values(entry, Estimate(0.0, 0.0, 0.2, 10), Margin(), 1)
    assert [result.low, result.high] == pytest.approx([-0.3, 0.2])
