"""Counts of pairs of states stand for the rows: resampling and swapping them is resampling and swapping rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import f1_score

from pytest_behave.compare.joint import RESAMPLES, bootstrap, joint_counts, swap_p, values
from pytest_behave.compare.proportions import mcnemar_mid_p, tango_interval
from pytest_behave.measure.confusion import averaged, matthews, per_class
from pytest_behave.records.pairs import PairedStates

STEADY = settings(max_examples=100)
CLASSES = 3
BY_TARGET = np.repeat(np.arange(CLASSES), CLASSES)
ALIKE = np.zeros(3, dtype=int)


def macro_f1(counts):
    """Macro F1 of counts of (target, predicted), as the package measures it."""
    return averaged("f1", "macro")(per_class(counts.reshape(*counts.shape[:-1], CLASSES, CLASSES)))


def accuracy(counts):
    """Share of rows on the diagonal."""
    return counts[..., :: CLASSES + 1].sum(axis=-1) / counts.sum(axis=-1)


def share_of_ones(counts):
    return counts[..., 1] / counts.sum(axis=-1)


def precision(counts):
    """Hits among relevant rows: states 0 irrelevant, 1 a miss, 2 a hit."""
    with np.errstate(invalid="ignore"):
        return counts[..., 2] / (counts[..., 1] + counts[..., 2])


def of_predictions(target, before, after, value=macro_f1):
    return PairedStates(CLASSES * target + before, CLASSES * target + after, CLASSES**2, value, BY_TARGET)


def two_models(seed, n, wrong=0.3, worse=0.0):
    """Return targets and what two models say that are right equally often, but for those that turn ``worse``."""
    random = np.random.default_rng(seed)
    target = random.integers(0, CLASSES, n)
    said = [np.where(random.random(n) < wrong, random.integers(0, CLASSES, n), target) for _ in range(2)]
    after = np.where(random.random(n) < worse, (target + 1) % CLASSES, said[1])
    return target, said[0], after


@STEADY
@given(st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 3), min_size=1, max_size=60))
def test_each_pair_of_states_is_counted_once(rows):
    target, before, after = np.array(rows).T
    pairs = of_predictions(target, before, after)
    for some in (np.arange(len(rows)), np.arange(0, len(rows), 2)):
        table = joint_counts(pairs, some)
        counted = dict(zip(zip(table.baseline, table.candidate, strict=True), table.counts, strict=True))
        expected = {}
        for row in some:
            cell = int(pairs.baseline[row]), int(pairs.candidate[row])
            expected[cell] = expected.get(cell, 0) + 1
        assert {(int(one), int(other)): int(count) for (one, other), count in counted.items()} == expected
        labels = np.unique(np.r_[target[some], before[some]]).tolist()
        assert values(table, macro_f1)[0] == pytest.approx(
            f1_score(target[some], before[some], labels=labels, average="macro", zero_division=0)
        )


def test_many_states_are_counted_as_few_are():
    random = np.random.default_rng(0)
    states = random.integers(0, 200, (2, 50))
    table = joint_counts(PairedStates(states[0], states[1], 200, macro_f1, np.zeros(200, dtype=int)), np.arange(50))
    assert table.counts.sum() == 50
    assert sorted(zip(table.baseline.tolist(), table.candidate.tolist(), strict=True)) == sorted(
        set(zip(states[0].tolist(), states[1].tolist(), strict=True))
    )


@pytest.mark.parametrize(("n", "classes"), [(12, 3), (12, 2), (200, 3)])
def test_a_bootstrap_of_counts_is_one_of_rows_and_four_more(n, classes):
    """The four are spread over all ways in which the models can differ on a target that occurs."""
    target, before, after = two_models(1, n, worse=0.1)
    target = target % classes
    table = joint_counts(of_predictions(target, before, after), np.arange(n))
    low, high, error = bootstrap(table, macro_f1, BY_TARGET)
    added = np.array([(y, one, other) for y, one, other in np.ndindex(3, 3, 3) if one != other and y in target])
    rows = np.vstack([np.column_stack([target, before, after]), added])
    weights = np.r_[np.ones(n), np.full(len(added), 4 / len(added))] / (n + 4)
    random, changes = np.random.default_rng(7), []
    for _ in range(500):
        drawn = rows[random.choice(len(rows), n + 4, p=weights)].T
        said = [f1_score(drawn[0], part, average="macro", zero_division=0) for part in drawn[1:]]
        changes.append(said[1] - said[0])
    assert error == pytest.approx(np.std(changes, ddof=1), rel=0.12)  # known to 1 / sqrt(2 x 500)
    assert [low, high] == pytest.approx(np.percentile(changes, [2.5, 97.5]).tolist(), abs=0.3 * error)


@pytest.mark.parametrize(("broken", "fixed", "n"), [(0, 0, 30), (3, 0, 30), (5, 2, 100), (60, 40, 1_000)])
def test_for_a_proportion_the_bootstrap_is_the_adjusted_interval_of_bonett_and_price(broken, fixed, n):
    cells = [broken, fixed, n - broken - fixed]
    pairs = PairedStates(np.repeat([1, 0, 1], cells), np.repeat([0, 1, 1], cells), 2, share_of_ones, ALIKE[:2])
    low, high, error = bootstrap(joint_counts(pairs, np.arange(n)), share_of_ones, pairs.groups)
    # Bonett & Price 2012 add one to each count in n + 2; four spread over two ways to differ are two in n + 4
    b, c = (broken + 2) / (n + 4), (fixed + 2) / (n + 4)
    assert error == pytest.approx(np.sqrt((b + c - (b - c) ** 2) / (n + 4)), rel=0.1)
    assert [low, high] == pytest.approx([c - b - 1.96 * error, c - b + 1.96 * error], abs=max(0.4 * error, 1 / n))


@pytest.mark.parametrize("worse", [1, -1])
def test_swaps_of_counts_are_swaps_of_rows(worse):
    target, before, after = two_models(2, 60, worse=0.07)
    table = joint_counts(of_predictions(target, before, after), np.arange(60))
    one, other = values(table, macro_f1)
    loss = worse * (other - one)
    random, reached = np.random.default_rng(8), []
    for _ in range(2_000):
        swap = random.random(60) < 0.5
        said = np.where(swap, after, before), np.where(swap, before, after)
        counts = [np.bincount(CLASSES * target + part, minlength=CLASSES**2) for part in said]
        change = worse * float(macro_f1(counts[1]) - macro_f1(counts[0]))
        reached.append(0.5 if abs(change - loss) < 1e-9 else float(change > loss))
    found = swap_p(table, macro_f1, worse, 0.0, 0.0)
    if loss < 0:
        assert found == 1.0
    else:
        assert found == pytest.approx(np.mean(reached), abs=0.04)


@pytest.mark.parametrize(("broken", "fixed"), [(1, 0), (2, 0), (3, 1), (5, 0), (9, 2), (20, 10), (60, 40)])
def test_for_a_proportion_the_swaps_are_mcnemars_test(broken, fixed):
    before = np.repeat([1, 0, 1, 0], [broken, fixed, 50, 20])
    after = np.repeat([0, 1, 1, 0], [broken, fixed, 50, 20])
    pairs = PairedStates(before, after, 2, share_of_ones, ALIKE[:2])
    table = joint_counts(pairs, np.arange(len(before)))
    p = swap_p(table, pairs.value, -1, 0.0, 0.0)
    exact = float(mcnemar_mid_p(broken, fixed))
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / RESAMPLES))


def test_models_that_say_the_same_are_not_certain_to_be_the_same():
    target, before, _ = two_models(3, 80)
    table = joint_counts(of_predictions(target, before, before), np.arange(80))
    low, high, error = bootstrap(table, macro_f1, BY_TARGET)
    assert -0.1 < low < 0 < high < 0.1
    assert swap_p(table, macro_f1, -1, 0.0, error) == 1.0
    assert swap_p(table, macro_f1, -1, 0.1, error) > 0.99


def test_many_states_that_are_the_same_have_the_interval_of_pairs_that_agree():
    states = np.arange(80)
    table = joint_counts(PairedStates(states, states, 80, macro_f1, states), states)
    low, high, error = bootstrap(table, macro_f1, states)
    assert (low, high) == tuple(float(end) for end in tango_interval(0, 0, 80))
    assert error == 0.0


def test_of_many_pairs_of_states_only_those_seen_are_added_the_other_way_round():
    random = np.random.default_rng(5)
    before, after = random.integers(0, 60, (2, 500))
    pairs = PairedStates(
        before, after, 60, lambda counts: counts[..., 0] / counts.sum(axis=-1), np.zeros(60, dtype=int)
    )
    low, high, error = bootstrap(joint_counts(pairs, np.arange(500)), pairs.value, pairs.groups)
    agreed = (
        np.r_[before, np.zeros(50, dtype=int)],
        np.r_[np.where(before == 0, 0, np.maximum(after, 1)), np.zeros(50, dtype=int)],
    )
    never = PairedStates(*agreed, 60, pairs.value, pairs.groups)
    assert bootstrap(joint_counts(never, np.arange(550)), pairs.value, pairs.groups)[2] == 0.0
    gained, lost = ((before != 0) & (after == 0)).mean(), ((before == 0) & (after != 0)).mean()
    assert error == pytest.approx(np.sqrt((gained + lost) / 500), rel=0.1)
    assert low < gained - lost < high


def test_a_value_that_most_resamples_leave_undefined_has_no_interval_and_proves_nothing():
    def picky(counts):
        return np.where(counts[..., 0] % 3 == 0, counts[..., 1] / counts.sum(axis=-1), np.nan)

    before, after = np.repeat([0, 1, 1], [30, 30, 30]), np.repeat([1, 0, 1], [30, 30, 30])
    table = joint_counts(PairedStates(before, after, 2, picky, ALIKE[:2]), np.arange(90))
    low, high, error = bootstrap(table, picky, ALIKE[:2])
    assert np.isnan([low, high, error]).all()
    for margin in (0.02, 0.5, -0.02):
        assert swap_p(table, picky, -1, margin, error) == 1.0


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("margin", [0.0, 0.001, 0.1, 0.5])
def test_few_rows_that_all_break_are_no_more_certain_than_mcnemar_is(n, margin):
    target = np.arange(n) % CLASSES
    pairs = of_predictions(target, target, (target + 1) % CLASSES, accuracy)
    table = joint_counts(pairs, np.arange(n))
    error = bootstrap(table, accuracy, BY_TARGET)[2]
    least = float(mcnemar_mid_p(n, 0))
    assert swap_p(table, accuracy, -1, margin, error) >= least - 4 * np.sqrt(least / RESAMPLES)


@settings(STEADY, max_examples=40)
@given(st.integers(0, 1_000), st.sampled_from([10, 40, 200]), st.sampled_from([0.0, 0.1, 0.4]))
def test_p_rises_with_the_margin(seed, n, worse):
    target, before, after = two_models(seed, n, worse=worse)
    table = joint_counts(of_predictions(target, before, after), np.arange(n))
    error = bootstrap(table, macro_f1, BY_TARGET)[2]
    found = [swap_p(table, macro_f1, -1, margin, error) for margin in (0.0, 0.01, 0.1, 0.3, 0.9, 1.5)]
    assert (np.diff(found) >= -1e-12).all()
    assert found[-1] > 0.95


@settings(STEADY, max_examples=40)
@given(st.integers(0, 1_000), st.sampled_from([10, 60]))
def test_the_mirror_image_of_a_loss_is_a_gain(seed, n):
    target, before, after = two_models(seed, n, worse=0.1)
    there = joint_counts(of_predictions(target, before, after), np.arange(n))
    back = joint_counts(of_predictions(target, after, before), np.arange(n))
    assert values(back, macro_f1) == values(there, macro_f1)[::-1]
    p = [swap_p(table, macro_f1, worse, 0.0, 0.0) for table, worse in ((there, -1), (back, 1), (there, 1), (back, -1))]
    assert p[0] == pytest.approx(p[1], abs=0.1)  # drawn
    assert p[2] == pytest.approx(p[3], abs=0.1)  # drawn
    if values(there, macro_f1)[0] != values(there, macro_f1)[1]:
        assert min(p) < 0.6
        assert max(p) == 1.0


def test_a_margin_below_zero_is_held_against_a_proportions_error_where_nothing_varies():
    target, before, _ = two_models(4, 400)
    table = joint_counts(of_predictions(target, before, before), np.arange(400))
    assert swap_p(table, macro_f1, -1, -0.04, 0.0) == pytest.approx(2.24e-5, rel=0.01)  # 0.04 / sqrt(0.04 0.96 / 400)
    assert 0.05 < swap_p(table, macro_f1, -1, -0.005, 0.0) < 0.5


def test_no_rows_have_no_value():
    table = joint_counts(of_predictions(*[np.zeros(0, dtype=int)] * 3), np.zeros(0, dtype=int))
    assert np.isnan(values(table, macro_f1)).all()


@pytest.mark.parametrize(("value", "n"), [(macro_f1, 20), (macro_f1, 200), ("mcc", 30), (precision, 40)])
def test_models_that_are_equally_good_seldom_seem_worse(value, n):
    def mcc(counts):
        return matthews(per_class(counts.reshape(*counts.shape[:-1], CLASSES, CLASSES)))

    random = np.random.default_rng(9)
    runs, alarms, alpha = 200, 0, 0.05
    for run in range(runs):
        if value is precision:
            said = random.integers(0, 3, (2, n))
            pairs = PairedStates(said[0], said[1], 3, precision, ALIKE)
        else:
            target, before, after = two_models(run, n)
            pairs = of_predictions(target, before, after, mcc if value == "mcc" else value)
        table = joint_counts(pairs, np.arange(n))
        alarms += swap_p(table, pairs.value, -1, 0.0, 0.0) <= alpha
    assert alarms <= binom.ppf(0.9987, runs, alpha)  # three standard errors
