"""A metric of two models, instance by instance, is the metric that is measured on each; areas vary as DeLong says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_behave.compare.influence import of_pairs
from pytest_behave.compare.paired import Margin, Settings, compare_pairs
from pytest_behave.compare.tails import t_quantile
from pytest_behave.declare.predicate import parse_predicate
from pytest_behave.errors import MetricError
from pytest_behave.measure.paired import paired, rows_of
from pytest_behave.measure.registry import BUILT_IN, find_metric
from pytest_behave.records import MetricSpec
from pytest_behave.records.pairs import PairedInfluences, PairedRows, PairedStates, PairedValues

from . import estimates_of, outcome_of

N = 120
LABELS = np.array(["a", "b", "c"])


def pairs_of(metric, baseline, candidate):
    spec = MetricSpec(metric, metric) if isinstance(metric, str) else metric
    return paired(find_metric(spec, candidate.task, {}), baseline, candidate)


def compared(pairs, rows=None, worse=-1, **margin):
    """Compare on one slice of up to N rows."""
    chosen = np.arange(N) if rows is None else np.asarray(rows)
    (result,) = compare_pairs(pairs, [chosen], [Margin(**margin)], worse, Settings(np.arange(N)))
    return result


def half_width(error, freedom, variances):
    """Return half of an interval of a change: two more rows of independent answers are reckoned in."""
    return float(t_quantile(freedom)) * np.sqrt(error**2 + 2 * variances / (freedom + 1))


def slices():
    random = np.random.default_rng(0)
    return [np.ones(N, dtype=bool), random.random(N) < 0.5, random.random(N) < 0.1]


def binary_models(seed=0, n=N, ties=False):
    random = np.random.default_rng(seed)
    target = (random.random(n) < 0.4).astype(int)
    scores = np.clip(0.25 + 0.4 * target + random.normal(0, 0.25, (2, n)), 0.001, 0.999)
    scores = scores.round(1) if ties else scores
    return [outcome_of("binary", target, score=score) for score in scores]


def class_models(seed=0):
    random = np.random.default_rng(seed)
    target = random.integers(0, 3, N)
    result = []
    for _ in range(2):
        proba = random.dirichlet(np.ones(3), N)
        proba[np.arange(N), target] += 0.7
        proba /= proba.sum(axis=1, keepdims=True)
        said = LABELS[proba.argmax(axis=1)]
        by_class = dict(zip(LABELS.tolist(), proba.T, strict=True))
        result.append(outcome_of("multiclass", LABELS[target], said, proba=by_class))
    return result


def number_models(seed=0):
    random = np.random.default_rng(seed)
    target = random.normal(5, 2, N).round(1)
    target[:5] = 0
    return [outcome_of("regression", target, target + random.normal(0, error, N)) for error in (0.5, 0.6)]


def text_models():
    random = np.random.default_rng(0)
    words = np.array(["the", "cat", "sat", "on", "a", "mat"])
    target = [" ".join(random.choice(words, 5)) for _ in range(N)]
    spoiled = [[text.replace(word, "dog") for text in target] for word in ("cat", "mat")]
    return [outcome_of("text", target, text) for text in spoiled]


MODELS = {
    "binary": binary_models,
    "multiclass": class_models,
    "regression": number_models,
    "text": text_models,
}
PARAMETERS = {
    "mean": {"mean": "feature"},
    "python": {"function": lambda frame: float(frame["target"].max())},
    "rate": {"predicate": parse_predicate("target == 1")},
}
COMPARABLE = [
    (task, metric.name)
    for task in MODELS
    for metric in BUILT_IN
    if (task in metric.tasks or not metric.tasks) and metric.name not in (*PARAMETERS, "latency", "cost")
]


@pytest.mark.parametrize(("task", "name"), COMPARABLE)
def test_both_values_are_those_that_are_measured(task, name):
    """For every metric and slice, whatever form its pairs have, and never with a warning."""
    baseline, candidate = MODELS[task]()
    pairs = pairs_of(name, baseline, candidate)
    if name in ("count", "share"):
        assert pairs is None  # they do not depend on the model
        return
    masks = slices()
    expected = [estimates_of(outcome, masks, [name])[name] for outcome in (baseline, candidate)]
    for mask, before, after in zip(masks, *expected, strict=True):
        rows = np.flatnonzero(mask)
        forms = [pairs] if isinstance(pairs, PairedRows) else [pairs, of_pairs(pairs)]
        if isinstance(pairs, PairedRows):
            found = [pairs.on(rows)]
        else:
            results = [compared(form, rows) for form in forms]
            found = [(result.baseline, result.candidate) for result in results]
            if not np.isnan(found[0][0]):
                assert results[0].low - 1e-9 <= results[0].change <= results[0].high + 1e-9
        for values in found:
            if None not in (before.value, after.value):
                assert values == pytest.approx((before.value, after.value), abs=1e-9)
            else:
                assert np.isnan(values).any()


def test_a_share_of_rows_that_models_do_not_choose_has_values():
    baseline, candidate = binary_models()
    for name in ("accuracy", "recall", "specificity", "fpr", "fnr", "selection_rate"):
        pairs = pairs_of(name, baseline, candidate)
        assert isinstance(pairs, PairedValues)
        assert pairs.binary
        assert (np.isnan(pairs.baseline) == np.isnan(pairs.candidate)).all()
    negatives = pairs_of("fpr", baseline, candidate)
    assert np.isnan(negatives.baseline).tolist() == (baseline.target == 1).tolist()


def test_a_share_of_rows_that_models_choose_has_states():
    baseline, candidate = binary_models()
    for name in ("precision", "f1", "mcc", "balanced_accuracy"):
        assert isinstance(pairs_of(name, baseline, candidate), PairedStates)
    same = pairs_of("precision", baseline, baseline)
    assert isinstance(same, PairedValues)  # both choose the same rows


@pytest.mark.parametrize(
    ("models", "name", "groups"),
    [
        (binary_models, "precision", 2),  # by target: each row is a hit for both models, or for neither
        (binary_models, "f1", 2),
        (binary_models, "mcc", 2),
        (class_models, "macro_f1", 3),
    ],
)
def test_states_are_grouped_by_what_both_models_share(models, name, groups):
    baseline, candidate = models()
    pairs = pairs_of(name, baseline, candidate)
    assert len(pairs.groups) == pairs.size
    assert (pairs.groups[pairs.baseline] == pairs.groups[pairs.candidate]).all()
    of_rows = pairs.groups[pairs.baseline].tolist()
    assert len(set(of_rows)) == len(set(zip(of_rows, baseline.target.tolist(), strict=True))) == groups


def test_what_makes_a_hit_may_differ_between_the_models():
    predicate = parse_predicate("feature > 2")
    features = ([1, 3, None, 3, 1], [3, None, 3, 0, None])
    models = [outcome_of("binary", [0, 1, 0, 1, 0], [0, 1, 0, 1, 0], feature=part) for part in features]
    pairs = pairs_of(MetricSpec("high", "rate", predicate=predicate), *models)
    assert isinstance(pairs, PairedStates)
    assert (pairs.groups[pairs.baseline] == pairs.groups[pairs.candidate]).all()
    result = compared(pairs, range(5))
    assert (result.baseline, result.candidate) == (1 / 2, pytest.approx(2 / 3))


def test_what_a_model_needs_to_give_both_must_give():
    target = [0, 1, 0, 1]
    labels = outcome_of("binary", target, [0, 1, 1, 1])
    scores = outcome_of("binary", target, score=[0.1, 0.9, 0.7, 0.8])
    for models in ((labels, scores), (scores, labels)):
        with pytest.raises(MetricError, match="scores"):
            pairs_of("roc_auc", *models)
    assert pairs_of("accuracy", labels, scores) is not None


def test_f1_is_that_of_the_positive_class():
    target, said = ["bad", "good", "bad", "bad", "bad"], ["bad", "good", "good", "good", "bad"]
    for positive, expected in (("bad", 2 / 3), ("good", 1 / 2)):
        outcome = outcome_of("binary", target, said, positive=positive)
        result = compared(pairs_of("f1", outcome, outcome_of("binary", target, target, positive=positive)), range(5))
        assert (result.baseline, result.candidate) == (pytest.approx(expected), 1.0)


@pytest.mark.parametrize("name", ["macro_f1", "weighted_precision", "mcc", "macro_recall", "balanced_accuracy"])
def test_each_model_may_say_classes_that_the_other_does_not(name):
    random = np.random.default_rng(1)
    target = LABELS[random.integers(0, 3, N)]
    said = [
        np.where(random.random(N) < 0.3, random.choice(others, N), target) for others in (["z", "a"], ["b", "m", "n"])
    ]
    baseline, candidate = (outcome_of("multiclass", target, labels) for labels in said)
    assert baseline.classes != candidate.classes
    result = compared(pairs_of(name, baseline, candidate))
    everything = np.ones(N, dtype=bool)
    expected = [estimates_of(outcome, [everything], [name])[name][0].value for outcome in (baseline, candidate)]
    assert [result.baseline, result.candidate] == pytest.approx(expected, abs=1e-12)
    back = compared(pairs_of(name, candidate, baseline))
    assert back.change == pytest.approx(-result.change, abs=1e-12)


def test_states_of_both_models_are_alike_where_their_labels_are():
    target = np.array(["a", "b", "a", "b", "a"])
    said = ["a", "x", "y", "y", "x"], ["a", "x", "m", "y", "n"]
    pairs = pairs_of("macro_f1", *(outcome_of("multiclass", target, labels) for labels in said))
    assert (pairs.baseline == pairs.candidate).tolist() == [True, True, False, True, False]
    assert len(set(pairs.candidate.tolist())) == 5


def test_accuracy_does_not_take_a_class_of_one_model_for_that_of_the_other():
    target = ["a", "b", "a", "b"]
    pairs = pairs_of(
        "accuracy", outcome_of("multiclass", target, ["x", "b", "x", "b"]),
        outcome_of("multiclass", target, ["y", "y", "a", "y"]),
    )  # fmt: skip
    assert pairs.baseline.tolist() == [0, 1, 0, 1]
    assert pairs.candidate.tolist() == [0, 0, 1, 0]


# --- areas under the curve ----------------------------------------------------------------------------------------


def delong(positive, scores):
    """Areas of several scores and their covariance, from every pair of a positive and a negative (DeLong 1988)."""
    hits, misses = scores[:, positive], scores[:, ~positive]
    kernel = np.array(
        [[[1.0 if x > y else 0.5 if x == y else 0.0 for y in below] for x in above] for above, below in zip(hits, misses, strict=True)]
    )  # fmt: skip
    by_positive, by_negative = kernel.mean(axis=2), kernel.mean(axis=1)
    covariance = np.cov(by_positive) / by_positive.shape[1] + np.cov(by_negative) / by_negative.shape[1]
    return kernel.mean(axis=(1, 2)), covariance


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [8, 30, N])
@pytest.mark.parametrize("seed", range(4))
def test_areas_differ_as_delong_says(n, ties, seed):
    baseline, candidate = binary_models(seed, n, ties)
    positive = baseline.target == baseline.positive
    few = min(positive.sum(), (~positive).sum())
    result = compared(pairs_of("roc_auc", baseline, candidate), range(n), by=0.02)
    areas, covariance = delong(positive, np.array([baseline.score, candidate.score]))
    if few < 2:
        assert np.isnan(result.baseline)
        return
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert [result.baseline, result.candidate] == pytest.approx(areas.tolist(), abs=1e-10)
    half = half_width(error, few - 1, np.trace(covariance) * (n - 1) / n)
    assert [result.low, result.high] == pytest.approx(
        [areas[1] - areas[0] - half, areas[1] - areas[0] + half], abs=1e-10
    )
    if error > 0:
        assert result.p == pytest.approx(stats.t.sf((areas[0] - areas[1] - 0.02) / error, few - 1), rel=1e-9)
    assert result.test == "delong"


def test_delong_on_a_slice_takes_its_rows_alone():
    baseline, candidate = binary_models(5, ties=True)
    rows = np.flatnonzero(np.random.default_rng(6).random(N) < 0.4)
    whole = compared(pairs_of("roc_auc", baseline, candidate), rows)
    areas, covariance = delong(baseline.target[rows] == 1, np.array([baseline.score[rows], candidate.score[rows]]))
    error = np.sqrt(np.array([-1, 1]) @ covariance @ np.array([-1, 1]))
    few = min((baseline.target[rows] == 1).sum(), (baseline.target[rows] == 0).sum())
    assert whole.change == pytest.approx(areas[1] - areas[0], abs=1e-12)
    n = len(rows)
    half = half_width(error, few - 1, np.trace(covariance) * (n - 1) / n)
    assert whole.high - whole.low == pytest.approx(2 * half, abs=1e-10)
    assert whole.p == pytest.approx(stats.t.sf((areas[0] - areas[1]) / error, few - 1), rel=1e-9)


def test_an_area_that_turns_over_on_every_row_is_a_loss():
    target = np.repeat([0, 1], [6, 9])
    baseline = outcome_of("binary", target, score=np.linspace(0.1, 0.9, 15))
    candidate = outcome_of("binary", target, score=np.linspace(0.9, 0.1, 15))
    result = compared(pairs_of("roc_auc", baseline, candidate), range(15))
    assert (result.baseline, result.candidate, result.differs) == (1.0, 0.0, True)
    assert result.p == pytest.approx(0.5**6)  # as certain as the six rows of the smaller class can make it


@pytest.mark.parametrize("rows", [[], [0], [0, 1], [0, 1, 2]])
def test_slices_without_two_rows_of_each_class_have_no_comparable_area(rows):
    target = [1, 1, 0, 0]
    models = [outcome_of("binary", target, score=score) for score in ([0.9, 0.8, 0.2, 0.4], [0.7, 0.8, 0.3, 0.1])]
    assert np.isnan(compared(pairs_of("roc_auc", *models), np.array(rows, dtype=int)).baseline)


def test_the_positive_class_may_be_the_smaller_code():
    target = np.array(["no", "yes"])[binary_models()[0].target]
    score = np.random.default_rng(2).random((2, N))
    one, other = (
        [outcome_of("binary", target, score=sign * part, positive=positive) for part in score]
        for positive, sign in (("yes", 1), ("no", -1))
    )
    first, second = (compared(pairs_of("roc_auc", *models)) for models in (one, other))
    assert second.change == pytest.approx(first.change, abs=1e-12)
    assert second.p == pytest.approx(first.p, rel=1e-9)


# --- numbers ------------------------------------------------------------------------------------------------------


def test_a_mean_of_errors_has_the_interval_of_their_differences():
    baseline, candidate = number_models()
    errors = [np.abs(outcome.predicted - outcome.target) for outcome in (baseline, candidate)]
    result = compared(pairs_of("mae", baseline, candidate), worse=1)
    error = stats.sem(errors[1] - errors[0])
    half = half_width(error, N - 1, sum(part.var() for part in errors) / N)
    change = np.mean(errors[1] - errors[0])
    assert [result.low, result.high] == pytest.approx([change - half, change + half], rel=1e-10)


def test_influences_of_a_root_mean_square_are_those_of_the_jackknife():
    baseline, candidate = number_models()
    found = pairs_of("rmse", baseline, candidate).on(np.arange(N))
    for outcome, value, rows in (
        (baseline, found.baseline, found.baseline_rows),
        (candidate, found.candidate, found.candidate_rows),
    ):
        squares = (outcome.predicted - outcome.target) ** 2
        assert value == pytest.approx(np.sqrt(squares.mean()), abs=1e-12)
        left_out = np.sqrt((squares.sum() - squares) / (N - 1))
        assert rows == pytest.approx((N - 1) * (value - left_out) / N, rel=0.05, abs=2e-5)
        assert rows == pytest.approx((squares - squares.mean()) / (2 * N * value), abs=1e-12)


def test_constant_errors_that_grow_are_a_loss_of_root_mean_square_too():
    target = np.arange(20.0)
    baseline, candidate = (outcome_of("regression", target, target + error) for error in (1.0, 2.0))
    for name in ("rmse", "mse", "mae"):
        result = compared(pairs_of(name, baseline, candidate), range(20), worse=1)
        assert result.change > 0
        assert result.differs
        assert result.p < 1e-3 or (np.isnan(result.p) and result.flippable.observed > 4)
    perfect = outcome_of("regression", target, target)
    result = compared(pairs_of("rmse", candidate, perfect), range(20), worse=1)
    assert (result.change, result.p) == (-2.0, 1.0)


def test_rows_without_a_value_are_left_out_of_both():
    baseline, candidate = number_models()
    pairs = pairs_of("mape", baseline, candidate)
    assert np.isnan(pairs.baseline).tolist() == (baseline.target == 0).tolist()
    assert compared(pairs).n == N - 5


def test_values_that_only_one_model_has_are_means_of_different_rows():
    values = np.random.default_rng(3).normal(size=(2, N))
    values[0, :10] = np.nan
    values[1, 5:40] = np.nan
    baseline, candidate = (
        outcome_of("regression", np.zeros(N), np.zeros(N), feature=np.nan_to_num(part, nan=np.inf)) for part in values
    )
    spec = MetricSpec("own", "python", function=lambda frame: frame["feature"].replace(np.inf, np.nan))
    result = compared(pairs_of(spec, baseline, candidate))
    assert isinstance(pairs_of(spec, baseline, candidate), PairedInfluences)
    assert [result.baseline, result.candidate] == pytest.approx(np.nanmean(values, axis=1).tolist(), abs=1e-12)
    means = [np.nanmean(part) for part in values]
    shares = [np.nan_to_num(part - mean) / np.isfinite(part).sum() for part, mean in zip(values, means, strict=True)]
    error = np.sqrt(((shares[1] - shares[0]) ** 2).sum() * N / (N - 1))
    half = half_width(error, 84, sum((part**2).sum() for part in shares))
    assert (result.high - result.low) / 2 == pytest.approx(half, rel=1e-10)
    nothing = compared(pairs_of(spec, baseline, candidate), range(10))
    assert np.isnan(nothing.baseline)  # the baseline has no value there


def test_infinite_values_have_no_comparison():
    target = np.arange(4.0)
    baseline = outcome_of("regression", target, target)
    candidate = outcome_of("regression", target, [0.0, np.inf, 2.0, 3.0])
    for models in ((baseline, candidate), (candidate, baseline)):
        with pytest.raises(MetricError, match="infinite"):
            pairs_of("mae", *models)


# --- metrics of one's own -----------------------------------------------------------------------------------------


def own(function):
    return MetricSpec("own", "python", function=function)


def test_yes_or_no_per_row_is_a_share():
    baseline, candidate = number_models()
    pairs = pairs_of(own(lambda frame: frame["prediction"] > 5), baseline, candidate)
    assert isinstance(pairs, PairedValues)
    assert pairs.binary
    assert pairs.candidate.tolist() == (candidate.predicted > 5).astype(float).tolist()


def test_a_number_per_row_is_a_mean():
    baseline, candidate = number_models()
    pairs = pairs_of(own(lambda frame: frame["prediction"] - 1), baseline, candidate)
    assert isinstance(pairs, PairedValues)
    assert not pairs.binary
    assert pairs.baseline.tolist() == (baseline.predicted - 1).tolist()


def test_one_number_is_measured_again_on_resampled_rows():
    baseline, candidate = number_models()
    pairs = pairs_of(own(lambda frame: frame["prediction"].median()), baseline, candidate)
    assert isinstance(pairs, PairedRows)
    rows = np.array([3, 3, 9])
    assert pairs.on(rows) == (np.median(baseline.predicted[rows]), np.median(candidate.predicted[rows]))


def test_a_metric_that_fails_on_some_resamples_is_compared_on_the_others():
    """As scikit-learn's metrics do on rows of one class alone."""
    baseline, candidate = number_models()

    def picky(frame):
        if frame["target"].nunique() < 3:
            raise ValueError("only one class")
        return float(frame["prediction"].mean())

    pairs = pairs_of(own(picky), baseline, candidate)
    result = compared(pairs, np.arange(10, 14), worse=1)  # some draws of four rows hold two values or fewer
    assert np.isfinite([result.change, result.low, result.high, result.p]).all()
    assert np.isnan(compared(pairs, np.arange(2), worse=1).baseline)
    assert np.isnan(compared(pairs, np.zeros(0, dtype=int), worse=1).baseline)


@pytest.mark.parametrize("name", ["average_precision", "ece"])
def test_resamples_without_a_class_give_no_warning(name):
    models = binary_models()
    positives, negatives = (np.flatnonzero(models[0].target == code) for code in (1, 0))
    pairs = pairs_of(name, *models)
    pairs.on(positives)  # warnings are errors here
    assert np.isnan(pairs.on(negatives)).all() == (name == "average_precision")


@pytest.mark.parametrize("spec", ["r2", own(lambda frame: frame["prediction"].sum())])
def test_an_infinite_value_is_undefined(spec):
    baseline, candidate = number_models()
    predicted = candidate.predicted.copy()
    predicted[3] = np.inf
    infinite = outcome_of("regression", candidate.target, predicted)
    pairs = pairs_of(spec, baseline, infinite)
    assert np.isnan(compared(pairs).baseline)
    assert np.isfinite(compared(pairs, range(10, 40)).change)


def test_rows_of_an_outcome_may_repeat():
    (outcome, _), rows = class_models(), np.array([4, 4, 0])
    part = rows_of(outcome, rows)
    assert part.size == 3
    for name in ("target", "predicted"):
        assert getattr(part, name).tolist() == getattr(outcome, name)[rows].tolist()
    assert part.proba["b"].tolist() == outcome.proba["b"][rows].tolist()
    assert part.score is None
    assert part.classes == outcome.classes


def test_conditions_of_rates_are_compared_row_by_row():
    spec = MetricSpec("high", "rate", predicate=parse_predicate("feature > 2"))
    models = [
        outcome_of("binary", [0, 1, 0, 1], [0, 1, 0, 1], feature=part) for part in ([1, 3, None, 3], [3, 3, None, 0])
    ]
    pairs = pairs_of(spec, *models)
    assert pairs.baseline.tolist()[:2] == [0, 1]
    assert np.isnan(pairs.baseline[2])
    result = compared(pairs, range(4))
    assert (result.n, result.baseline, result.candidate) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
