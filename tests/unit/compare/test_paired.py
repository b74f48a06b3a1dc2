"""Two models on the same instances: changes, intervals and p-values, whatever form the metric has."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_behave.compare.multiplicity import FLIPS, adjusted
from pytest_behave.compare.paired import Margin, Settings, compare_pairs, tail, unskewed
from pytest_behave.compare.proportions import loss_p, mcnemar_exact, mcnemar_mid_p, tango_interval, tango_z
from pytest_behave.compare.tails import t_quantile
from pytest_behave.records.pairs import Influences, PairedInfluences, PairedRows, PairedStates, PairedValues

STEADY = settings(max_examples=80)
NOWHERE = np.zeros(0, dtype=np.int64)


def share_of_hits(counts):
    """Hits among relevant rows, as precision has it: states 0 irrelevant, 1 a miss, 2 a hit."""
    with np.errstate(invalid="ignore"):
        return counts[..., 2] / (counts[..., 1] + counts[..., 2])


def compared(pairs, rows=None, *, margin=0.0, worse=-1, clusters=None, **options):
    """Compare on one slice of the rows, ``size`` (60) ones where the pairs do not tell; ``margin`` may be a number."""
    size = options.pop("size", 60)
    size = len(pairs.baseline) if hasattr(pairs, "baseline") else size
    chosen = Settings(np.arange(size) if clusters is None else clusters, clusters, **options)
    slices = [np.arange(size) if rows is None else np.asarray(rows, dtype=np.int64)]
    (result,) = compare_pairs(pairs, slices, [margin if isinstance(margin, Margin) else Margin(margin)], worse, chosen)
    return result


def p_of(result):
    """Return the p-value, from sign flips where that is the test."""
    return float(adjusted([result.p], [result.flippable])[0][0])


def binary(*cells):
    """Return values from counts of (wrong, fixed, broken, right) where higher is better."""
    return PairedValues(np.repeat([0.0, 0, 1, 1], cells), np.repeat([0.0, 1, 0, 1], cells), binary=True)


def values_of(seed, n, shift=0.0):
    """Return values of both models, those of the candidate higher by ``shift`` on average."""
    random = np.random.default_rng(seed)
    before = random.gamma(2.0, size=n)
    return PairedValues(before, before + shift + random.normal(size=n), binary=False)


def states(seed, n):
    random = np.random.default_rng(seed)
    return PairedStates(random.integers(0, 3, n), random.integers(0, 3, n), 3, share_of_hits, np.zeros(3, dtype=int))


def mean_influences(values):
    """Return the mean of values in the form of influences."""

    def on(rows):
        parts = values.baseline[rows], values.candidate[rows]
        one, other = (float(part.mean()) for part in parts)
        spread = ((part - part.mean()) / len(rows) for part in parts)
        return Influences(one, other, *spread, freedom=len(rows) - 1)

    return PairedInfluences(on, "t")


def mean_of_rows(values, resamples):
    """Return the mean of values in the form of a metric of whole rows."""
    return PairedRows(lambda rows: (values.baseline[rows].mean(), values.candidate[rows].mean()), resamples)


def means(seed, n, shift=0.0):
    return mean_influences(values_of(seed, n, shift))


def medians(seed, n, resamples=300):
    """Return a metric of whole rows: a median."""
    values = values_of(seed, n)
    return PairedRows(
        lambda rows: (float(np.median(values.baseline[rows])), float(np.median(values.candidate[rows]))), resamples
    )


def widened(error, freedom, before, after):
    """Return half of an interval: Student's, two more rows of independent answers reckoned in."""
    variances = (before.var() + after.var()) / len(before)
    return stats.t.ppf(0.975, freedom) * np.sqrt(error**2 + 2 * variances / (freedom + 1))


def exact_sign_flips(parts):
    """Return how often a sum with random signs exceeds the observed one, ties counted half, over all signs."""
    sums = np.array([np.dot(signs, parts) for signs in itertools.product([-1, 1], repeat=len(parts))])
    tied = np.isclose(sums, np.sum(parts), atol=1e-9)
    return float(np.mean(np.where(tied, 0.5, sums > np.sum(parts))))


# --- margins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "baseline", "expected"),
    [
        (Margin(), 0.8, 0.0),
        (Margin(0.02), 0.8, 0.02),
        (Margin(0.02, relative=True), 0.8, 0.016),
        (Margin(0.02, relative=True), -0.8, 0.016),  # a bias may be negative, a tolerance not
        (Margin(0.02, relative=True), 0.0, 0.0),
        (Margin(2.0, relative=True), 0.8, 1.6),
        (Margin(0.02, extra=-0.05), 0.8, -0.03),
        (Margin(0.02, relative=True, extra=-0.05), 0.8, -0.034),
    ],
)
def test_a_margin_is_in_the_unit_of_the_metric(margin, baseline, expected):
    assert margin.of(baseline) == pytest.approx(expected, abs=1e-15)


# --- binary values ------------------------------------------------------------------------------------------------


@st.composite
def tables(draw):
    return tuple(draw(st.integers(0, 30)) for _ in range(4))


@STEADY
@given(tables(), st.sampled_from([0.0, 0.03, -0.02]), st.sampled_from(["mid-p", "exact"]))
def test_four_counts_decide_a_proportion(cells, margin, mcnemar):
    _, fixed, broken, right = cells
    n = sum(cells)
    result = compared(binary(*cells), margin=margin, mcnemar=mcnemar)
    if n == 0:
        assert np.isnan([result.baseline, result.candidate, result.p]).all()
        assert not result.differs
        return
    assert (result.n, result.baseline, result.candidate) == (n, (broken + right) / n, (fixed + right) / n)
    assert result.p == pytest.approx(float(loss_p(broken, fixed, n, margin, mcnemar)), rel=1e-12)
    low, high = tango_interval(broken, fixed, n)
    assert [result.low, result.high] == pytest.approx([-float(high), -float(low)], abs=1e-12)
    assert result.low - 1e-9 <= result.change <= result.high + 1e-9
    assert result.differs == bool(broken + fixed)
    assert result.test == ("tango-score" if margin else f"mcnemar-{mcnemar.replace('-', '')}")
    assert result.flippable.observed == pytest.approx(float(tango_z(broken, fixed, n, margin)), abs=1e-12)
    assert sorted(result.flippable.parts.tolist()) == [-1.0] * fixed + [1.0] * broken


@STEADY
@given(tables(), st.sampled_from([0.0, 0.03, -0.02]))
def test_a_share_of_errors_is_the_mirror_image_of_a_share_of_hits(cells, margin):
    pairs = binary(*cells)
    hits = compared(pairs, margin=margin)
    errors = compared(PairedValues(1 - pairs.baseline, 1 - pairs.candidate, binary=True), margin=margin, worse=1)
    assert errors.p == pytest.approx(hits.p, rel=1e-12, nan_ok=True)
    assert errors.change == pytest.approx(-hits.change, abs=1e-12, nan_ok=True)
    assert [errors.low, errors.high] == pytest.approx([-hits.high, -hits.low], abs=1e-12, nan_ok=True)


def test_slices_are_compared_one_by_one():
    random = np.random.default_rng(0)
    pairs = PairedValues(*random.integers(0, 2, (2, 60)).astype(float), binary=True)
    slices = [np.arange(60), np.arange(20), NOWHERE, np.array([5]), np.flatnonzero(random.random(60) < 0.5)]
    margins = [Margin(0.1), Margin(), Margin(0.5, relative=True), Margin(), Margin(extra=-0.1)]
    together = compare_pairs(pairs, slices, margins, 1, Settings(np.arange(60)))
    for rows, margin, result in zip(slices, margins, together, strict=True):
        alone = compared(pairs, rows, margin=margin, worse=1)
        assert repr(alone).split("flippable")[0] == repr(result).split("flippable")[0]
        expected = pairs.candidate[rows].mean() - pairs.baseline[rows].mean() if len(rows) else np.nan
        assert result.change == pytest.approx(expected, nan_ok=True)
    assert together[2].n == 0
    assert together[1].flippable.units.max() < 20


def test_rows_that_a_metric_leaves_out_do_not_count():
    pairs = PairedValues(np.array([1, 0, np.nan, 1, np.nan]), np.array([0, 0, np.nan, 1, np.nan]), binary=True)
    result = compared(pairs)
    assert (result.n, result.baseline, result.candidate) == (3, 2 / 3, 1 / 3)
    assert np.isnan(compared(pairs, [2, 4]).baseline)
    assert result.flippable.units.tolist() == [0]


def test_no_slices_have_no_changes():
    assert compare_pairs(binary(1, 1, 1, 1), [], [], 1, Settings(np.arange(4))) == []


def test_all_that_breaks_is_certain_only_as_rows_are_many():
    for n in (1, 3, 10, 1_000):
        result = compared(binary(0, 0, n, 0))
        assert (result.baseline, result.candidate, result.change) == (1.0, 0.0, -1.0)
        assert result.p == pytest.approx(0.5 ** (n + 1), rel=1e-10)
        assert result.low == -1.0
        assert result.high < 0.6
    assert compared(binary(0, 0, 10, 0), mcnemar="exact").p == pytest.approx(float(mcnemar_exact(10, 0)))


@pytest.mark.parametrize("pairs", [binary(0, 0, 1, 0), values_of(0, 1), means(0, 1), medians(0, 1)])
def test_one_row_decides_nothing(pairs):
    result = compared(pairs, size=1)
    assert np.isnan(result.p) or result.p >= 0.2
    assert not result.flippable or p_of(result) >= 0.2
    assert np.isnan(result.low) or result.low == -1.0


@pytest.mark.parametrize(
    "pairs",
    [
        binary(15, 15, 15, 15),
        values_of(0, 60),
        states(0, 60),
        PairedInfluences(lambda rows: Influences(np.nan, np.nan, 0.0 * rows, 0.0 * rows, 0), "t"),
        PairedRows(lambda rows: (1 / len(rows), 1.0), 10),  # a user's own function may raise on no rows
    ],
    ids=["binary", "values", "states", "influences", "rows"],
)
@pytest.mark.parametrize("clusters", [None, np.arange(60)], ids=["rows", "clusters"])
def test_no_common_rows_have_no_change(pairs, clusters):
    result = compared(pairs, NOWHERE, clusters=clusters)
    assert np.isnan([result.baseline, result.candidate, result.change, result.low, result.high, result.p]).all()
    assert result.n == 0
    assert not result.differs
    assert result.flippable is None


# --- laws of all forms --------------------------------------------------------------------------------------------


FORMS = {
    "binary": lambda seed, n: PairedValues(
        *np.random.default_rng(seed).integers(0, 2, (2, n)).astype(float), binary=True
    ),
    "values": values_of,
    "states": states,
    "influences": means,
    "rows": medians,
}


def exchanged(pairs):
    """Return the pairs with baseline and candidate in each other's place."""
    if isinstance(pairs, PairedRows):
        return replace(pairs, on=lambda rows: pairs.on(rows)[::-1])
    if isinstance(pairs, PairedInfluences):
        return replace(pairs, on=lambda rows: exchanged(pairs.on(rows)))
    if isinstance(pairs, Influences):
        rows = {"baseline_rows": pairs.candidate_rows, "candidate_rows": pairs.baseline_rows}
        return replace(pairs, baseline=pairs.candidate, candidate=pairs.baseline, **rows)
    return replace(pairs, baseline=pairs.candidate, candidate=pairs.baseline)


def with_itself(pairs):
    """Return the baseline compared with itself."""
    if isinstance(pairs, PairedRows):
        return replace(pairs, on=lambda rows: (pairs.on(rows)[0],) * 2)
    if isinstance(pairs, PairedInfluences):
        return replace(pairs, on=lambda rows: with_itself(pairs.on(rows)))
    if isinstance(pairs, Influences):
        return replace(pairs, candidate=pairs.baseline, candidate_rows=pairs.baseline_rows)
    return replace(pairs, candidate=pairs.baseline)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_exchanging_the_models_turns_a_loss_into_a_gain(form, clustered, seed):
    clusters = np.arange(60) // 3 if clustered else None
    pairs = FORMS[form](seed, 60)
    there, back = (compared(part, worse=1, clusters=clusters) for part in (pairs, exchanged(pairs)))
    assert back.change == pytest.approx(-there.change, abs=1e-12)
    width = there.high - there.low
    loose = 0.12 * width if there.test == "swapped-counts" else 1e-9  # its interval is drawn
    assert [back.low, back.high] == pytest.approx([-there.high, -there.low], abs=loose)
    if there.test != "swapped-counts":  # which calls all gains alike
        assert p_of(there) + p_of(back) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("clustered", [False, True])
def test_a_model_has_lost_nothing_against_itself(form, clustered):
    clusters = np.arange(60) // 3 if clustered else None
    for worse, margin in itertools.product((1, -1), (0.0, 0.1, Margin(0.1, relative=True))):
        result = compared(with_itself(FORMS[form](1, 60)), worse=worse, margin=margin, clusters=clusters)
        assert result.change == 0.0
        assert not result.differs
        assert p_of(result) >= 0.49
        assert result.low <= 0 <= result.high


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("worse", [1, -1])
@pytest.mark.parametrize("clustered", [False, True])
def test_p_rises_with_the_margin_and_is_small_only_if_the_loss_is_beyond(form, worse, clustered):
    clusters = np.arange(60) // 2 if clustered else None
    pairs = FORMS[form](2, 60)
    margins = (0.0, 0.01, 0.05, 0.2, 0.6, 3.0)
    results = [compared(pairs, worse=worse, margin=margin, clusters=clusters) for margin in margins]
    p = [p_of(result) for result in results]
    assert (np.diff(p) >= -0.02).all()
    assert p[-1] > 0.99
    for margin, result, own in zip(margins, results, p, strict=True):
        assert result.margin == margin
        if worse * result.change <= margin:
            assert own >= 0.4


@pytest.mark.parametrize("form", FORMS)
def test_the_same_data_give_the_same_comparison(form):
    one, other = (compared(FORMS[form](3, 60)) for _ in range(2))
    assert [one.low, one.high, p_of(one)] == [other.low, other.high, p_of(other)]


# --- means --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 10, 300])
@pytest.mark.parametrize("worse", [1, -1])
def test_the_interval_and_the_p_of_a_mean_are_students_of_the_differences(n, worse):
    pairs = values_of(n, n, 0.2)
    result = compared(pairs, worse=worse)
    students = stats.ttest_rel(pairs.candidate, pairs.baseline)
    change, error = float((pairs.candidate - pairs.baseline).mean()), stats.sem(pairs.candidate - pairs.baseline)
    assert change / error == pytest.approx(students.statistic)
    half = widened(error, n - 1, pairs.baseline, pairs.candidate)
    expected = [change - half, change + half]
    assert [result.low, result.high] == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert result.low < students.confidence_interval(0.95).low
    assert result.change == pytest.approx(float((pairs.candidate - pairs.baseline).mean()), abs=1e-12)
    influences = compared(means(n, n, 0.2), size=n, worse=worse)
    assert [influences.low, influences.high] == pytest.approx(expected, rel=1e-10, abs=1e-12)
    side = "greater" if worse > 0 else "less"
    expected_p = stats.ttest_rel(pairs.candidate, pairs.baseline, alternative=side).pvalue
    assert influences.p == pytest.approx(expected_p, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_the_p_of_a_mean_is_the_share_of_all_sign_flips(seed, margin):
    pairs = values_of(seed, 10, 0.4)
    result = compared(pairs, worse=1, margin=margin)
    exact = exact_sign_flips(pairs.candidate - pairs.baseline - margin)
    assert p_of(result) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / FLIPS) + 1e-3)
    parts = pairs.candidate - pairs.baseline - margin
    assert result.flippable.observed == pytest.approx(parts.sum() / np.sqrt((parts**2).sum()), rel=1e-12)


def test_only_rows_that_differ_have_a_part_in_the_flips():
    pairs = PairedValues(np.zeros(7), np.array([0.0, 2, 0, np.nan, -1, 0, 4]), binary=False)
    pairs = replace(pairs, baseline=np.where(np.isnan(pairs.candidate), np.nan, 0.0))
    found = compared(pairs, [0, 1, 2, 3, 4], worse=1).flippable
    assert (found.units.tolist(), found.parts.tolist()) == ([1, 4], [2.0, -1.0])
    in_pairs = compared(pairs, [1, 4, 5, 6], worse=-1, margin=4.0, clusters=np.arange(7) // 2).flippable
    assert (in_pairs.units.tolist(), in_pairs.parts.tolist()) == ([0, 2, 2, 3], [-6.0, -3.0, -4.0, -8.0])


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_the_p_of_a_mean_of_many_is_close_to_students(shift):
    pairs = values_of(8, 2_000, shift)
    expected = stats.ttest_rel(pairs.candidate, pairs.baseline, alternative="greater").pvalue
    assert p_of(compared(pairs, worse=1)) == pytest.approx(expected, abs=0.04)


def test_a_value_that_every_row_loses_alike_is_a_loss():
    pairs = PairedValues(np.ones(30), np.full(30, 2.0), binary=False)
    result = compared(pairs, worse=1)
    assert result.differs
    assert p_of(result) < 1e-3
    assert compared(pairs, worse=1, margin=1.0).differs
    assert p_of(compared(pairs, worse=1, margin=1.0)) == pytest.approx(0.5, abs=1e-3)
    assert p_of(compared(pairs, worse=1, margin=1.5)) > 0.99


def test_a_share_of_a_baseline_of_nothing_allows_nothing():
    pairs = PairedValues(np.zeros(20), np.r_[np.zeros(14), np.full(6, 0.1)], binary=False)
    result = compared(pairs, worse=1, margin=Margin(0.5, relative=True))
    assert result.margin == 0.0
    assert p_of(result) == pytest.approx(float(mcnemar_mid_p(6, 0)), abs=0.01)
    shares = compared(binary(14, 6, 0, 0), worse=1, margin=Margin(0.5, relative=True))
    assert (shares.margin, shares.test) == (0.0, "mcnemar-midp")
    assert shares.p == pytest.approx(float(mcnemar_mid_p(6, 0)))


# --- margins below zero: the best accepted value was better ------------------------------------------------------


@pytest.mark.parametrize("n", [100, 10_000])
def test_a_model_that_stays_as_bad_as_accepted_is_held_against_the_best(n):
    right = n * 8 // 10
    misses_and_hits = np.repeat([1, 2], [n - right, right])
    in_states = PairedStates(misses_and_hits, misses_and_hits, 3, share_of_hits, np.zeros(3, dtype=int))
    for pairs in (binary(n - right, 0, 0, right), in_states):
        result = compared(pairs, margin=Margin(0.01, extra=-0.03))
        assert result.margin == pytest.approx(-0.02)
        expected = stats.norm.sf(0.02 / np.sqrt(0.02 * 0.98 / n))
        assert result.p == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("beyond", "error", "freedom", "margin", "expected"),
    [
        (0.0, 0.0, 9, 0.0, 1.0),
        (-0.1, 0.0, 9, 0.0, 1.0),
        (0.1, 0.0, 9, 0.0, 2**-10),
        (0.1, 0.0, 1, 0.0, 0.25),
        (0.2, 0.1, 9, 0.0, stats.t.sf(2, 9)),
        (-0.2, 0.1, 9, 0.5, stats.t.sf(-2, 9)),
        (0.02, 0.0, 400, -0.02, stats.t.sf(0.02 / np.sqrt(0.02 * 0.98 / 100), 400)),
        (0.02, 1.0, 400, -0.02, stats.t.sf(0.02, 400)),
        (1.5, 0.0, 9, -1.5, 2**-10),
    ],
)
def test_the_tail_of_a_loss(beyond, error, freedom, margin, expected):
    assert tail(beyond, error, freedom, margin, 100) == pytest.approx(expected, rel=1e-10)


# --- influences ---------------------------------------------------------------------------------------------------


def test_a_metric_that_moves_by_the_same_on_every_row_differs():
    """As root mean squared error of constant errors does, and an area under the curve that falls from 1 to 0."""
    nothing = np.zeros(40)
    pairs = PairedInfluences(lambda rows: Influences(1.0, 0.0, nothing[rows], nothing[rows], len(rows) - 1), "delong")
    result = compared(pairs, size=40)
    assert (result.change, result.differs) == (-1.0, True)
    assert result.p == pytest.approx(2.0**-40)
    assert compared(pairs, worse=1, size=40).p == 1.0


def test_an_undefined_value_of_either_model_has_no_change():
    for one, other in ((np.nan, 0.5), (0.5, np.nan)):
        pairs = PairedInfluences(
            lambda rows, one=one, other=other: Influences(one, other, rows * 0.1, rows * 0.2, len(rows) - 1), "delong"
        )
        assert np.isnan(compared(pairs, size=5).baseline)
        for gap in (np.nan, np.inf):  # on all rows; resamples that lack one are fine
            values = [gap if np.isnan(value) else value for value in (one, other)]
            by_rows = PairedRows(lambda rows, values=values: values if len(set(rows)) == 5 else (0.1, rows[0]), 50)
            assert np.isnan(compared(by_rows, size=5).baseline)


# --- clusters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clusters", [2, 6, 40])
def test_clustered_values_have_the_robust_interval_of_statsmodels(clusters):
    random = np.random.default_rng(clusters)
    groups = np.concatenate([np.arange(clusters), random.integers(0, clusters, 80)])
    pairs = values_of(1, len(groups))
    pairs = PairedValues(pairs.baseline, pairs.candidate + random.normal(size=clusters)[groups], binary=False)
    loss = pairs.candidate - pairs.baseline
    fitted = sm.OLS(loss, np.ones(len(loss))).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    half = widened(fitted.bse[0], clusters - 1, pairs.baseline, pairs.candidate)
    expected = [loss.mean() - half, loss.mean() + half]
    result = compared(pairs, worse=1, clusters=groups)
    assert [result.low, result.high] == pytest.approx(expected, rel=1e-10)
    influences = mean_influences(pairs)
    clustered = compared(influences, worse=1, clusters=groups, size=len(groups))
    assert [clustered.low, clustered.high] == pytest.approx(expected, rel=1e-10)
    assert clustered.p == pytest.approx(stats.t.sf(fitted.tvalues[0], clusters - 1), rel=1e-10)
    assert clustered.test == "t-clustered"


@pytest.mark.parametrize("form", ["values", "influences", "rows"])
def test_clusters_of_one_row_are_rows(form):
    names = np.random.default_rng(0).permutation(60)
    alone = compared(FORMS[form](5, 60))
    clustered = compared(FORMS[form](5, 60), clusters=names)
    near = 0.2 * (alone.high - alone.low) if form == "rows" else 1e-12
    assert [clustered.low, clustered.high] == pytest.approx([alone.low, alone.high], abs=near)
    assert p_of(clustered) == pytest.approx(p_of(alone), abs=0.05 if form != "influences" else 1e-12)


def test_clusters_never_lend_more_freedom_than_rows_have():
    """An area under the curve of three positives knows no more for being told that every row is its own cluster."""
    pairs = PairedInfluences(lambda rows: Influences(0.9, 0.8, 0.001 * rows, 0.0005 * rows, 2), "delong")
    alone, clustered = (compared(pairs, size=50, clusters=names) for names in (None, np.arange(50)))
    assert [clustered.low, clustered.high, clustered.p] == pytest.approx([alone.low, alone.high, alone.p], rel=1e-12)


def test_rows_of_a_cluster_count_once():
    few = PairedValues(np.zeros(8), np.array([1.0, 2, 1, 3, -1, 1, 2, 1]), binary=False)
    many = PairedValues(np.zeros(80), np.repeat(few.candidate, 10), binary=False)
    one, ten, blind = (
        compared(few, worse=1),
        compared(many, worse=1, clusters=np.repeat(np.arange(8), 10)),
        compared(many, worse=1),
    )
    assert p_of(ten) == pytest.approx(p_of(one), abs=1e-6)
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.2)
    assert blind.high - blind.low < (ten.high - ten.low) / 2


@pytest.mark.parametrize("form", FORMS)
def test_one_cluster_alone_proves_nothing(form):
    result = compared(FORMS[form](6, 60), clusters=np.zeros(60, dtype=int))
    assert np.isnan([result.low, result.high]).all()
    assert np.isfinite(result.change)
    p = p_of(result)
    assert np.isnan(p) or p >= 0.2


def test_clustered_proportions_are_tested_by_flips_of_clusters():
    pairs, groups = binary(0, 0, 40, 0), np.arange(40) // 10
    result = compared(pairs, clusters=groups)
    assert result.test == "sign-flip"
    assert p_of(result) == pytest.approx(0.5**5, abs=0.01)  # four clusters, all worse
    assert compared(pairs).p < 1e-10


# --- rows ---------------------------------------------------------------------------------------------------------


def test_a_bootstrap_of_rows_has_the_error_of_a_mean():
    values = values_of(7, 80, 0.3)
    result, exact = compared(mean_of_rows(values, 2_000), worse=1, size=80), compared(values, worse=1)
    assert [result.low, result.high] == pytest.approx([exact.low, exact.high], abs=0.06 * (exact.high - exact.low))
    assert result.p == pytest.approx(compared(means(7, 80, 0.3), worse=1, size=80).p, rel=0.4)


def test_both_models_are_measured_on_the_same_resampled_rows():
    seen = []

    def on(rows):
        seen.append(rows)
        return float(rows.sum()), float(rows.sum()) + 1.0

    result = compared(PairedRows(on, 50), [3, 4, 9], size=10)
    assert (result.low, result.high) == (1.0, 1.0)
    assert {row for rows in seen for row in rows.tolist()} == {3, 4, 9}
    assert len(seen) == 51
    assert {len(rows) for rows in seen} == {3}


@pytest.mark.parametrize(("defined", "known"), [(0.9, True), (0.6, True), (0.3, False), (0.0, False)])
def test_resamples_that_leave_the_metric_undefined_are_left_out_up_to_one_half(defined, known):
    random = np.random.default_rng(1)
    values = values_of(9, 40)

    def on(rows):
        if len(np.unique(rows)) < 40 and random.random() > defined:
            return np.nan, 1.0
        return float(values.baseline[rows].mean()), float(values.candidate[rows].mean())

    result = compared(PairedRows(on, 400), size=40)
    assert np.isfinite(result.change) == known
    assert np.isfinite([result.low, result.high, result.p]).all() == known


def test_infinite_resamples_are_left_out():
    values = values_of(9, 40)

    def on(rows):
        infinite = len(np.unique(rows)) < 40 and rows[0] < 10
        return float(values.baseline[rows].mean()), np.inf if infinite else float(values.candidate[rows].mean())

    result = compared(PairedRows(on, 200), size=40)
    assert np.isfinite([result.low, result.high, result.p]).all()


# --- size ---------------------------------------------------------------------------------------------------------


def fair(random, form, n):
    """Return two models of which neither is better: exchanged on half of the rows."""
    if form in ("binary", "states"):
        pairs = FORMS[form](int(random.integers(1_000_000_000)), n)
    else:  # skewed values that differ on some rows
        before = random.gamma(0.5, size=n)
        after = np.where(random.random(n) < 0.6, random.gamma(0.5, size=n), before)
        pairs = PairedValues(before, after, binary=False)
    swap = random.random(n) < 0.5
    one, other = np.where(swap, pairs.candidate, pairs.baseline), np.where(swap, pairs.baseline, pairs.candidate)
    pairs = replace(pairs, baseline=one, candidate=other)
    return {"influences": mean_influences, "rows": lambda values: mean_of_rows(values, 100)}.get(
        form, lambda same: same
    )(pairs)


@pytest.mark.parametrize("n", [15, 150])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("clustered", [False, True])
def test_models_that_are_equally_good_seldom_seem_worse(form, n, clustered):
    random = np.random.default_rng(n)
    runs, alarms, alpha = (60 if form == "rows" else 200), 0, 0.05
    clusters = np.arange(n) // 3 if clustered else None
    for _ in range(runs):
        result = compared(fair(random, form, n), clusters=clusters, size=n)
        alarms += result.differs and p_of(result) <= alpha
    assert alarms <= stats.binom.ppf(0.9987, runs, alpha)  # three standard errors


def test_the_interval_of_a_change_is_as_wide_as_students():
    assert float(t_quantile(9)) == pytest.approx(stats.t.ppf(0.975, 9), rel=1e-12)


# --- skewed differences -------------------------------------------------------------------------------------------


@STEADY
@given(
    observed=st.floats(-5, 9),
    n=st.integers(2, 500),
    skewness=st.floats(-8, 8).filter(lambda value: abs(value) > 0.01),
)
def test_skewness_only_ever_makes_a_loss_less_sure(observed, n, skewness):
    found = unskewed(observed, n, skewness)
    assert found <= observed
    if skewness > 0 or observed <= 0:
        assert found == observed


def test_a_model_that_loses_a_little_often_and_wins_much_seldom_is_no_regression_by_its_small_slices():
    random = np.random.default_rng(20270104)
    alarms = 0
    for _ in range(100):
        rare = random.random(2_000) < 0.03
        loss = np.where(rare, -3.0, 0.09 / 0.97) + random.normal(0, 0.05, 2_000)  # nothing on average
        slices = [np.sort(random.choice(2_000, 60, replace=False)) for _ in range(20)]
        pairs = PairedValues(np.zeros(2_000), loss, binary=False)
        found = compare_pairs(pairs, slices, [Margin()] * 20, 1, Settings(np.arange(2_000)))
        _, p = adjusted([item.p for item in found], [item.flippable for item in found])
        alarms += bool((p <= 0.05).any())
    assert alarms <= 5 + 3 * np.sqrt(100 * 0.05 * 0.95)
