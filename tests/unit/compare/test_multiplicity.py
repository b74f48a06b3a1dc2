"""All bounds of a suite share one error rate: Holm as statsmodels has it, max-T as all sign flips give it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from pytest_behave.compare.multiplicity import (
    FLIPS,
    MOST_UNITS,
    Flippable,
    adjusted,
    flipped_statistics,
    holm,
    max_t,
    sign_flip_p,
    units_of,
)
from pytest_behave.compare.proportions import mcnemar_mid_p

STEADY = settings(max_examples=100)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def every_flip(parts):
    """Return observed statistics and their values under all signs: parts are (hypotheses, units)."""
    parts = np.asarray(parts, dtype=np.float64)
    spread = np.sqrt((parts**2).sum(axis=1, keepdims=True))
    scaled = np.divide(parts, spread, out=np.zeros_like(parts), where=spread > 0)
    signs = np.array(list(itertools.product([-1, 1], repeat=parts.shape[1]))).T
    return scaled.sum(axis=1), scaled @ signs


def step_down(observed, flipped):
    """Westfall & Young's algorithm 2.8 in words: the largest of those not yet rejected, flip by flip; ties count half."""
    left, result, least = list(range(len(observed))), {}, 0.0
    while left:
        worst = max(left, key=lambda index: (observed[index], -index))
        reached = 0.0
        for flip in range(flipped.shape[1]):
            largest = max(flipped[index][flip] for index in left)
            tie = abs(largest - observed[worst]) < 1e-9
            reached += 0.5 if tie else float(largest > observed[worst])
        least = max(least, (reached + 0.5) / (flipped.shape[1] + 1))
        result[worst] = min(least, 1.0)
        left.remove(worst)
    return [result[index] for index in range(len(observed))]


@st.composite
def families(draw):
    """Draw the parts of up to five hypotheses in up to eight units, as broken and fixed instances give them."""
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    return draw(arrays(np.int64, shape, elements=st.integers(-2, 3)))


def flippables(parts):
    """Return hypotheses of given parts; those of 0 are left out, as comparing does."""
    result = []
    for row in np.asarray(parts, dtype=np.float64):
        units, spread = np.flatnonzero(row), np.sqrt((row**2).sum())
        result.append(Flippable(units, row[units], float(row.sum() / spread) if spread else 0.0))
    return result


# --- Holm ---------------------------------------------------------------------------------------------------------


@settings(STEADY, max_examples=25)  # statsmodels takes its time
@given(p_values)
def test_holm_is_that_of_statsmodels(values):
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1], rel=1e-12, abs=1e-300)


@STEADY
@given(p_values, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order_and_never_lowers_p(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    shuffled = holm([values[index] for index in order])
    assert shuffled.tolist() == holm(values)[order].tolist()
    assert (holm(values) >= np.array(values)).all()


# --- max-T --------------------------------------------------------------------------------------------------------


@STEADY
@given(families())
def test_max_t_is_the_step_down_over_all_flips(parts):
    observed, flipped = every_flip(parts)
    assert max_t(observed, flipped) == pytest.approx(step_down(observed, flipped), abs=1e-12)


@STEADY
@given(families())
def test_one_hypothesis_alone_has_the_share_of_flips_that_reach_it(parts):
    observed, flipped = every_flip(parts)
    alone = [float(max_t([one], row[None])[0]) for one, row in zip(observed, flipped, strict=True)]
    assert sign_flip_p(observed, flipped) == pytest.approx(alone, abs=1e-12)


@STEADY
@given(families(), st.randoms(use_true_random=False))
def test_max_t_never_lowers_p_keeps_the_order_of_statistics_and_not_that_of_hypotheses(parts, random):
    observed, flipped = every_flip(parts)
    found = max_t(observed, flipped)
    assert (found >= sign_flip_p(observed, flipped) - 1e-12).all()
    assert (np.diff(found[np.argsort(-observed, kind="stable")]) >= 0).all()
    order = list(range(len(observed)))
    random.shuffle(order)
    distinct = len(set(observed.round(9).tolist())) == len(observed)
    if distinct:  # hypotheses with the same statistic are taken in their order
        assert max_t(observed[order], flipped[order]) == pytest.approx(found[order], abs=1e-12)


@STEADY
@given(families(), st.data())
def test_a_hypothesis_that_repeats_another_costs_nothing(parts, data):
    again = data.draw(st.integers(0, len(parts) - 1))
    observed, flipped = every_flip(parts)
    twice = max_t(np.append(observed, observed[again]), np.vstack([flipped, flipped[again]]))
    assert twice[:-1] == pytest.approx(max_t(observed, flipped), abs=1e-12)
    assert twice[-1] == pytest.approx(twice[again], abs=1e-12)


@STEADY
@given(families())
def test_more_hypotheses_only_raise_p(parts):
    observed, flipped = every_flip(parts)
    fewer = max_t(observed[:-1], flipped[:-1]) if len(observed) > 1 else np.zeros(0)
    assert (max_t(observed, flipped)[:-1] >= fewer - 1e-12).all()


def test_the_p_of_broken_and_fixed_instances_alone_is_mcnemars_mid_p():
    for broken, fixed in ((5, 0), (6, 2), (9, 3), (1, 0), (3, 3)):
        observed, flipped = every_flip([[1] * broken + [-1] * fixed])
        flips = 2 ** (broken + fixed)
        exact = float(mcnemar_mid_p(broken, fixed))
        assert max_t(observed, flipped)[0] == pytest.approx((exact * flips + 0.5) / (flips + 1), abs=1e-12)


# --- the flips that are drawn -------------------------------------------------------------------------------------


def test_drawn_flips_have_the_spread_and_the_overlap_of_their_parts():
    random = np.random.default_rng(1)
    parts = random.normal(size=(6, 40)) * (random.random((6, 40)) < 0.7)
    parts[1] = parts[0]
    flipped = flipped_statistics(flippables(parts))
    assert flipped.shape == (6, FLIPS)
    assert flipped.dtype == np.float32
    scaled = parts / np.sqrt((parts**2).sum(axis=1, keepdims=True))
    assert flipped @ flipped.T / FLIPS == pytest.approx(scaled @ scaled.T, abs=4 / np.sqrt(FLIPS))
    assert flipped[0].tolist() == flipped[1].tolist()


def test_drawn_p_values_are_those_of_all_flips_within_the_error_of_drawing():
    random = np.random.default_rng(2)
    for _ in range(10):
        parts = random.integers(-1, 3, (4, 10))
        hypotheses = flippables(parts)
        observed, flipped = every_flip(parts)
        p = max_t([item.observed for item in hypotheses], flipped_statistics(hypotheses))
        assert p == pytest.approx(max_t(observed, flipped), abs=4 * 0.5 / np.sqrt(FLIPS))


def test_a_unit_flips_the_same_way_whatever_other_hypotheses_there_are():
    few = [Flippable(np.array([0, 3, 7]), np.array([1.0, -1.0, 2.0]), 0.8)]
    many = [*few, Flippable(np.arange(900), np.ones(900), 30.0), Flippable(np.array([5]), np.array([1.0]), 1.0)]
    assert flipped_statistics(few)[0] == pytest.approx(flipped_statistics(many)[0], abs=1e-6)


def test_parts_of_one_unit_flip_together():
    apart = Flippable(np.array([0, 1]), np.array([1.0, 1.0]), 1.4)
    together = Flippable(np.array([0, 0]), np.array([1.0, 1.0]), 1.0)
    opposed = Flippable(np.array([0, 0]), np.array([1.0, -1.0]), 0.0)
    flipped = flipped_statistics([apart, together, opposed])
    assert np.unique(np.abs(flipped[0])).tolist() == pytest.approx([0, np.sqrt(2)], abs=1e-6)
    assert set(np.abs(flipped[1]).tolist()) == {1.0}
    assert not flipped[2].any()


def names(count):
    return np.array([f"r{number}" for number in range(count)], dtype=object)


@pytest.mark.parametrize("count", [0, 1, 5, 100, MOST_UNITS])
def test_few_rows_are_their_own_units(count):
    assert sorted(units_of(names(count)).tolist()) == list(range(count))


@pytest.mark.parametrize("count", [MOST_UNITS + 1, 20 * MOST_UNITS])
def test_more_rows_are_put_into_groups(count):
    units = units_of(names(count))
    assert units.min() >= 0
    assert units.max() < MOST_UNITS
    assert np.bincount(units, minlength=MOST_UNITS).std() == pytest.approx(np.sqrt(count / MOST_UNITS), rel=0.1)


@pytest.mark.parametrize("count", [100, MOST_UNITS, MOST_UNITS + 1, 20 * MOST_UNITS])
def test_units_do_not_depend_on_the_order_of_the_rows(count):
    order = np.random.default_rng(1).permutation(count)
    assert units_of(names(count)[order]).tolist() == units_of(names(count))[order].tolist()


def test_units_of_very_many_rows_do_not_depend_on_which_others_there_are():
    units = units_of(names(5 * MOST_UNITS))
    assert units_of(names(4 * MOST_UNITS)).tolist() == units[: 4 * MOST_UNITS].tolist()


@pytest.mark.parametrize("count", [3, 3 * MOST_UNITS])
def test_rows_of_a_cluster_are_one_unit(count):
    clusters = np.random.default_rng(3).permutation(np.repeat(np.arange(count), 2))
    units = units_of(names(count)[clusters])
    assert units.max() < MOST_UNITS
    assert len(np.unique(np.column_stack([clusters, units]), axis=0)) == count


# --- both together ------------------------------------------------------------------------------------------------


def test_without_flips_all_is_holm_and_with_flips_alone_all_is_max_t():
    values = [0.01, 0.2, 0.03]
    assert adjusted(values, [None] * 3)[1].tolist() == pytest.approx(holm(values).tolist())
    hypotheses = flippables([[1, 1, 1, 1, 1, -1, 0], [0, 1, 0, -1, 1, 1, 1]])
    expected = max_t([item.observed for item in hypotheses], flipped_statistics(hypotheses))
    assert adjusted([0.0, 0.0], hypotheses)[1].tolist() == expected.tolist()


def test_flips_and_holm_share_the_level_by_their_numbers():
    hypotheses = flippables([[1, 1, 1, 1, 1, -1, 0], [0, 1, 0, -1, 1, 1, 1]])
    together = adjusted([0.0, 0.002, 0.0, 0.01, 0.03], [hypotheses[0], None, hypotheses[1], None, None])[1]
    flips = max_t([item.observed for item in hypotheses], flipped_statistics(hypotheses))
    assert together[[0, 2]].tolist() == pytest.approx((flips * 5 / 2).tolist())
    assert together[[1, 3, 4]].tolist() == pytest.approx((holm([0.002, 0.01, 0.03]) * 5 / 3).tolist())


def test_no_hypotheses_have_no_p_values():
    assert [part.tolist() for part in adjusted([], [])] == [[], []]


@STEADY
@given(families(), p_values, st.randoms(use_true_random=False))
def test_p_values_do_not_depend_on_the_order_of_bounds_and_are_never_lowered(parts, others, random):
    hypotheses = [*flippables(parts), *[None] * len(others)]
    own = np.array([*[np.nan] * len(parts), *others])
    p, together = adjusted(own, hypotheses)
    assert not np.isnan(p).any()
    assert (together >= p).all()
    assert (together <= 1).all()
    assert p[len(parts) :].tolist() == own[len(parts) :].tolist()
    order = list(range(len(own)))
    random.shuffle(order)
    statistics = [item.observed for item in hypotheses if item is not None]
    if len(set(np.round(statistics, 9).tolist())) == len(statistics):
        shuffled = adjusted(own[order], [hypotheses[index] for index in order])[1]
        assert shuffled == pytest.approx(together[order], abs=1e-12)


def test_a_p_value_of_its_own_is_kept_and_one_that_is_missing_comes_from_flips():
    hypotheses = flippables([[1, 1, 1, 1, 1], [1, 1, 1, 1, -1]])
    p, together = adjusted([0.9, np.nan], hypotheses)
    assert p[0] == 0.9
    assert together[0] == 0.9  # never below its own
    assert p[1] == pytest.approx(float(mcnemar_mid_p(4, 1)), abs=4 * 0.5 / np.sqrt(FLIPS))


@pytest.mark.parametrize("others", [0, 300, 3_000])
def test_a_certain_loss_is_found_among_any_number_of_bounds_of_the_other_kind(others):
    """Two thousand flips cannot tell 1/2,000 from nothing, but that does not make the loss less certain."""
    certain = Flippable(np.arange(1_000), np.ones(1_000), np.sqrt(1_000))
    p, together = adjusted([np.nan, *[0.5] * others], [certain, *[None] * others])
    assert p[0] < 1e-6
    assert together[0] < 1e-6
    assert (together[1:] == 1).all()


def test_no_p_is_below_that_of_all_flips():
    """The bound that stands in for flips that were not drawn is never below the share that reaches the statistic."""
    for differing in (1, 2, 5, 10, 30, 200):
        for broken in range(differing // 2 + 1, differing + 1):
            hypothesis = flippables([[1] * broken + [-1] * (differing - broken)])
            p, together = adjusted([np.nan], hypothesis)
            exact = float(mcnemar_mid_p(broken, differing - broken))
            assert p[0] >= exact - 4 * np.sqrt(exact / FLIPS), (broken, differing)
            assert together[0] == p[0]


@pytest.mark.parametrize("with_flips", [0.0, 0.5, 1.0])
def test_runs_of_models_that_are_equally_good_are_seldom_red(with_flips):
    """Family-wise error over overlapping slices, where some bounds are adjusted by flips and some by Holm."""
    random = np.random.default_rng(4)
    rows, slices, runs, alpha = 300, 12, 200, 0.05
    masks = random.random((slices, rows)) < random.uniform(0.1, 0.7, (slices, 1))
    by_flips = np.arange(slices) < with_flips * slices
    red = 0
    for _ in range(runs):
        loss = np.where(random.random(rows) < 0.3, random.choice([-1, 1], rows), 0)
        hypotheses, own = [], []
        for mask, flips in zip(masks, by_flips, strict=True):
            differing = np.flatnonzero(mask & (loss != 0))
            z = loss[differing].sum() / np.sqrt(max(len(differing), 1))
            hypotheses.append(Flippable(differing, loss[differing].astype(float), float(z)) if flips else None)
            broken = int((loss[differing] > 0).sum())
            own.append(float(mcnemar_mid_p(broken, len(differing) - broken)))
        red += adjusted(own, hypotheses)[1].min() <= alpha
    assert red / runs <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)


def test_max_t_finds_what_holm_misses_where_slices_overlap():
    random = np.random.default_rng(5)
    loss = np.where(random.random(300) < 0.3, random.choice([-1, 1], 300, p=[0.35, 0.65]), 0)
    parts = np.array([loss * (random.random(300) < 0.95) for _ in range(100)])
    hypotheses = flippables(parts)
    p = norm.sf([item.observed for item in hypotheses])
    assert adjusted(p, hypotheses)[1].min() < holm(p).min() / 5
