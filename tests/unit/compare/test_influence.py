"""What each row adds to the error of a metric, against the jackknife, calculus and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.compare.influence import error_of, members_of, of_pairs, resampled, width_error
from pytest_behave.measure.confusion import averaged, balanced_accuracy, matthews, per_class
from pytest_behave.records.pairs import PairedInfluences, PairedRows, PairedStates, PairedValues

STEADY = settings(max_examples=100)


def of_table(function, classes):
    """Return a function of counts of states from one of the totals of confusion tables."""
    return lambda counts: np.asarray(function(per_class(counts.reshape(*counts.shape[:-1], classes, classes))))


def binary_f1(counts):
    hits, wrong = counts[..., 3], counts[..., 1] + counts[..., 2]
    with np.errstate(invalid="ignore"):
        return 2 * hits / (2 * hits + wrong)


def precision(counts):
    with np.errstate(invalid="ignore"):
        return counts[..., 2] / (counts[..., 1] + counts[..., 2])


SMOOTH = {
    "f1": (4, binary_f1),
    "precision": (3, precision),
    "mcc": (4, of_table(matthews, 2)),
    "mcc of three classes": (9, of_table(matthews, 3)),
    "macro f1": (9, of_table(averaged("f1", "macro"), 3)),
    "weighted precision": (9, of_table(averaged("precision", "weighted"), 3)),
    "balanced accuracy": (9, of_table(balanced_accuracy, 3)),
}


def states_of(name, n, seed=0):
    """Return the states of two models; the three-state ones are as likely each, others mostly right."""
    size, value = SMOOTH[name]
    random = np.random.default_rng(seed)
    if size == 3:
        baseline, candidate = random.integers(0, 3, (2, n))
    else:
        classes = int(np.sqrt(size))
        target = random.integers(0, classes, n)
        baseline, candidate = (
            classes * target + np.where(random.random(n) < 0.4, random.integers(0, classes, n), target)
            for _ in range(2)
        )
    return PairedStates(baseline, candidate, size, value, np.zeros(size, dtype=int))


# --- slopes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMOOTH)
def test_influences_are_those_of_the_jackknife(name):
    n = 2_000
    pairs = states_of(name, n)
    found = of_pairs(pairs).on(np.arange(n))
    for states, value, rows in (
        (pairs.baseline, found.baseline, found.baseline_rows),
        (pairs.candidate, found.candidate, found.candidate_rows),
    ):
        counts = np.bincount(states, minlength=pairs.size).astype(float)
        assert value == pytest.approx(float(pairs.value(counts)), abs=1e-12)
        left_out = pairs.value(counts - np.eye(pairs.size))  # one row less of each state
        jackknife = ((n - 1) * (value - left_out) / n)[states]
        assert rows == pytest.approx(jackknife, abs=5 / n**2)  # the two differ by the curvature, of that order
        assert np.sqrt((rows**2).sum()) == pytest.approx(np.sqrt((jackknife**2).sum()), rel=0.01)
        assert rows.sum() == pytest.approx(0, abs=1e-9)


def test_influences_of_f1_are_its_derivative():
    pairs = states_of("f1", 500)
    rows = of_pairs(pairs).on(np.arange(500)).candidate_rows
    _, fp, fn, tp = np.bincount(pairs.candidate, minlength=4)
    below = 2 * tp + fp + fn
    slope = np.array([0, -2 * tp / below**2, -2 * tp / below**2, 2 * (fp + fn) / below**2])
    assert rows == pytest.approx(slope[pairs.candidate], rel=1e-4, abs=1e-9)


def test_influences_of_a_mean_are_exact():
    values = np.random.default_rng(1).normal(size=(2, 30))
    found = of_pairs(PairedValues(values[0], values[1], binary=False)).on(np.arange(5, 25))
    part = values[:, 5:25]
    assert [found.baseline, found.candidate] == pytest.approx(part.mean(axis=1).tolist(), abs=1e-12)
    assert found.candidate_rows == pytest.approx((part[1] - part[1].mean()) / 20, abs=1e-12)
    assert found.freedom == 19


def test_rows_without_a_value_have_no_influence():
    values = np.array([1.0, np.nan, 3.0, 5.0])
    found = of_pairs(PairedValues(values, values + 1, binary=False)).on(np.arange(4))
    assert (found.baseline, found.candidate, found.freedom) == (3.0, 4.0, 2)
    assert found.baseline_rows.tolist() == pytest.approx([-2 / 3, 0, 0, 2 / 3])


@pytest.mark.parametrize("rows", [np.zeros(0, dtype=int), np.array([1])])
def test_no_rows_with_a_value_have_an_undefined_one(rows):
    values = np.array([1.0, np.nan])
    found = of_pairs(PairedValues(values, values, binary=True)).on(rows)
    assert np.isnan([found.baseline, found.candidate]).all()
    assert found.freedom == 0


@pytest.mark.parametrize("name", SMOOTH)
def test_no_rows_have_an_undefined_value(name):
    found = of_pairs(states_of(name, 10)).on(np.zeros(0, dtype=int))
    assert np.isnan([found.baseline, found.candidate]).all()
    assert (len(found.baseline_rows), len(found.candidate_rows)) == (0, 0)


def test_a_metric_in_the_form_of_influences_stays_and_one_of_rows_has_none():
    own = PairedInfluences(lambda _rows: None, "delong")
    assert of_pairs(own) is own
    with pytest.raises(TypeError, match="influences"):
        of_pairs(PairedRows(lambda _rows: (0.0, 0.0), 10))


# --- errors -------------------------------------------------------------------------------------------------------


def test_without_clusters_the_error_is_that_of_a_mean():
    values = np.random.default_rng(2).normal(size=40)
    error, freedom = error_of((values - values.mean()) / 40, None, 39)
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(40), rel=1e-12)
    assert freedom == 39


@pytest.mark.parametrize("clusters", [2, 5, 30, 100])
def test_with_clusters_the_error_is_the_robust_one_of_statsmodels(clusters):
    random = np.random.default_rng(clusters)
    groups = np.concatenate([np.arange(clusters), random.integers(0, clusters, 200)])
    values = random.normal(size=clusters)[groups] + random.normal(size=len(groups))
    n = len(values)
    error, freedom = error_of((values - values.mean()) / n, groups, n - 1)
    fitted = sm.OLS(values, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    # with one regressor statsmodels' factor is G / (G - 1) x (n - 1) / (n - 1)
    assert error == pytest.approx(float(fitted.bse[0]), rel=1e-10)
    assert freedom == clusters - 1


@pytest.mark.parametrize("n", [2, 3, 50])
def test_clusters_of_one_row_are_rows(n):
    random = np.random.default_rng(n)
    values = random.normal(size=n)
    rows = (values - values.mean()) / n
    names = random.permutation(1000)[:n]
    assert error_of(rows, names, n - 1) == pytest.approx(error_of(rows, None, n - 1), rel=1e-12)


def test_an_interval_is_as_wide_as_if_two_more_rows_had_independent_answers():
    random = np.random.default_rng(4)
    one, other = random.normal(size=(2, 400)) / 400
    variances = (one**2).sum() + (other**2).sum()
    assert width_error(0.3, variances, 399) == pytest.approx(np.sqrt(0.09 + 2 * variances / 400), rel=1e-12)
    # models that agree on every row: as wide as with two of 400 rows redrawn
    spread = [np.sqrt((random.permutation(one - other)[:2] ** 2).sum()) for _ in range(4_000)]
    assert width_error(0.0, variances, 399) == pytest.approx(np.sqrt(np.mean(np.square(spread))), rel=0.1)
    assert width_error(0.0, 0.0, 4) == 0.0


def test_one_cluster_and_one_row_have_no_error():
    rows = np.array([0.5, -0.5])
    error, freedom = error_of(rows, np.array([3, 3]), 1)
    assert np.isnan(error)
    assert freedom == 0
    assert np.isnan(error_of(np.zeros(1), None, 0)[0])


# --- resampling ---------------------------------------------------------------------------------------------------


@STEADY
@given(st.lists(st.integers(0, 8), min_size=1, max_size=40))
def test_members_are_the_positions_of_each_cluster(clusters):
    found = members_of(np.array(clusters))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(clusters)))
    assert [sorted({clusters[place] for place in part}) for part in found] == [[name] for name in sorted(set(clusters))]


def test_whole_clusters_are_drawn():
    rows, clusters = np.array([10, 11, 12, 13, 14, 15]), np.array([2, 0, 2, 1, 1, 2])
    random, seen = np.random.default_rng(3), set()
    for _ in range(200):
        counts = np.bincount(resampled(rows, members_of(clusters), random), minlength=16)[10:]
        assert len({*counts[[0, 2, 5]]}) == len({*counts[[3, 4]]}) == 1
        assert counts[[0, 1, 3]].sum() == 3
        seen.add(tuple(counts[[0, 1, 3]]))
    assert len(seen) == 10  # ways to draw three of three


def test_rows_are_drawn_with_replacement():
    rows = np.array([4, 7, 9])
    drawn = np.array([resampled(rows, None, random) for random in map(np.random.default_rng, range(300))])
    assert drawn.shape == (300, 3)
    assert [np.mean(drawn == row) for row in rows] == pytest.approx([1 / 3] * 3, abs=0.05)
    assert any(len(set(part.tolist())) < 3 for part in drawn)
