"""Every metric, on every slice, is what the field's own library says about the rows of that slice alone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import jiwer
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF
from sklearn import metrics as sk

from pytest_behave.declare.predicate import parse_predicate
from pytest_behave.errors import DataError, MetricError
from pytest_behave.measure.registry import BUILT_IN, find_metric, worst_rows
from pytest_behave.measure.text import normalized
from pytest_behave.records import MetricSpec

from . import estimates_of, outcome_of, overall, results_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_behave.records import Outcome

STEADY = settings(max_examples=40)


class Rows(NamedTuple):
    """The rows of one slice. ``score`` is of the class ``positive``; ``proba`` has a column per class, in order."""

    target: np.ndarray
    predicted: np.ndarray
    score: np.ndarray | None = None
    proba: np.ndarray | None = None
    positive: str = ""
    classes: tuple[str, ...] = ()

    def of(self, mask: np.ndarray) -> Rows:
        """Return the rows of a slice."""
        arrays = {name: value[mask] for name, value in self._asdict().items() if isinstance(value, np.ndarray)}
        return self._replace(**arrays)

    @property
    def is_positive(self) -> np.ndarray:
        """Targets of a binary task, as bools."""
        return self.target == self.positive

    @property
    def says_positive(self) -> np.ndarray:
        """Outputs of a binary task, as bools."""
        return self.predicted == self.positive


PARAMETERS = {
    spec.name: spec
    for spec in (
        MetricSpec("ece of 4 bins", "ece", {"bins": 4}),
        MetricSpec("top 1", "top_k_accuracy", {"k": 1}),
        MetricSpec("top 3", "top_k_accuracy", {"k": 3}),
        MetricSpec("a third", "absolute_error_quantile", {"q": 0.3}),
    )
}
Measured = tuple[float | None, int]  # value and number of relevant rows
Reference = "Callable[[Rows], Measured]"


def unless(undefined: Any, value: Callable[[], float], n: int) -> Measured:
    """Return None where the metric's `undefined` text says so, else scikit-learn's value."""
    if n == 0 or undefined:
        return None, n
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes that occur on one side only; their values are defined
        return float(value()), n


def one_sided(labels: np.ndarray) -> bool:
    return len(set(labels.tolist())) < 2


def check_against(references: Mapping[str, Reference], outcome: Outcome, rows: Rows, masks: list[np.ndarray]) -> None:
    """Assert that each metric on each slice is what its reference computes from the rows of the slice alone."""
    estimates = estimates_of(outcome, masks, [PARAMETERS.get(name, name) for name in references])
    assert set(estimates) == set(references)
    for name, reference in references.items():
        for index, (mask, estimate) in enumerate(zip(masks, estimates[name], strict=True)):
            value, n = reference(rows.of(mask))
            place = f"{name} on slice {index} with {mask.sum()} rows: {estimate}, expected {value} of {n} rows"
            assert estimate.n == n, place
            assert (estimate.value is None) == (value is None), place
            assert bool(estimate.reason) == (value is None or estimate.low is None), place
            if value is not None:
                assert estimate.value == pytest.approx(value, rel=1e-9, abs=1e-9), place
            if estimate.low is not None:
                assert np.isfinite([estimate.low, estimate.high]).all(), place
                assert estimate.low <= estimate.value + 1e-12, place
                assert estimate.value <= estimate.high + 1e-12, place


def slices_of(random: np.random.Generator, rows: Rows) -> list[np.ndarray]:
    """Return overlapping slices: all, none, one row, random ones, and those with one target or one output only."""
    size = len(rows.target)
    everything = np.ones(size, dtype=bool)
    one_row = np.arange(size) == random.integers(size)
    chance = [random.random(size) < density for density in (0.03, 0.2, 0.5, 0.9)]
    alike = [rows.target == random.choice(rows.target), rows.predicted == random.choice(rows.predicted)]
    return [everything, ~everything, one_row, *chance, *alike, rows.target == rows.predicted]


# --- binary -------------------------------------------------------------------------------------------------------


def cells(rows: Rows) -> tuple[int, int, int, int]:
    """Return true negatives, false positives, false negatives, true positives; any other output is not positive."""
    if len(rows.target) == 0:
        return 0, 0, 0, 0
    return tuple(sk.confusion_matrix(rows.is_positive, rows.says_positive, labels=[False, True]).ravel().tolist())


def precision(rows: Rows) -> Measured:
    n = int(rows.says_positive.sum())
    return unless(n == 0, lambda: sk.precision_score(rows.is_positive, rows.says_positive), n)


def recall(rows: Rows) -> Measured:
    n = int(rows.is_positive.sum())
    return unless(n == 0, lambda: sk.recall_score(rows.is_positive, rows.says_positive), n)


def specificity(rows: Rows) -> Measured:
    n = int((~rows.is_positive).sum())
    negative = next(label for label in ("no", "yes") if label != rows.positive)
    return unless(n == 0, lambda: sk.recall_score(rows.target, rows.predicted, labels=[negative], average="macro"), n)


def fpr(rows: Rows) -> Measured:
    tn, fp, _, _ = cells(rows)
    return unless(tn + fp == 0, lambda: fp / (tn + fp), tn + fp)


def fnr(rows: Rows) -> Measured:
    _, _, fn, tp = cells(rows)
    return unless(fn + tp == 0, lambda: fn / (fn + tp), fn + tp)


def f1(rows: Rows) -> Measured:
    empty = not (rows.is_positive | rows.says_positive).any()
    return unless(empty, lambda: sk.f1_score(rows.is_positive, rows.says_positive), len(rows.target))


def accuracy(rows: Rows) -> Measured:
    return unless(False, lambda: sk.accuracy_score(rows.target, rows.predicted), len(rows.target))


def balanced_accuracy(rows: Rows) -> Measured:
    undefined = one_sided(rows.target)
    return unless(undefined, lambda: sk.balanced_accuracy_score(rows.target, rows.predicted), len(rows.target))


def mcc(rows: Rows) -> Measured:
    undefined = one_sided(rows.target) or one_sided(rows.predicted)
    return unless(undefined, lambda: sk.matthews_corrcoef(rows.target, rows.predicted), len(rows.target))


def roc_auc(rows: Rows) -> Measured:
    return unless(one_sided(rows.target), lambda: sk.roc_auc_score(rows.is_positive, rows.score), len(rows.target))


def average_precision(rows: Rows) -> Measured:
    undefined = not rows.is_positive.any()
    return unless(undefined, lambda: sk.average_precision_score(rows.is_positive, rows.score), len(rows.target))


def log_loss(rows: Rows) -> Measured:
    return unless(False, lambda: sk.log_loss(rows.is_positive, rows.score, labels=[False, True]), len(rows.target))


def brier(rows: Rows) -> Measured:
    return unless(False, lambda: np.mean((rows.score - rows.is_positive) ** 2), len(rows.target))


def calibration_error(bins: int) -> Reference:
    """Add up the bins one by one (Naeini et al. 2015); a score on an edge belongs to the bin above it."""

    def reference(rows: Rows) -> Measured:
        n, total = len(rows.target), 0.0
        for place in range(bins):
            last = place == bins - 1
            inside = (rows.score >= place / bins) & ((rows.score < (place + 1) / bins) | last)
            if inside.any():
                total += inside.sum() * abs(rows.score[inside].mean() - rows.is_positive[inside].mean())
        return unless(False, lambda: total / n, n)

    return reference


BINARY = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
    "fpr": fpr,
    "fnr": fnr,
    "f1": f1,
    "selection_rate": lambda rows: unless(False, rows.says_positive.mean, len(rows.target)),
    "positive_rate": lambda rows: unless(False, rows.is_positive.mean, len(rows.target)),
    "mcc": mcc,
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "ece": calibration_error(10),
    "ece of 4 bins": calibration_error(4),
}


@st.composite
def binary_data(draw: st.DrawFn) -> tuple[Outcome, Rows, list[np.ndarray]]:
    """Rows of a binary task: few levels of score (ties), outputs that the target never is, or labels by threshold."""
    size = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    positive = draw(st.sampled_from(["yes", "no"]))
    target = np.where(random.random(size) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), "yes", "no")
    levels = draw(st.sampled_from([1, 4, 32, 1024]))  # multiples of a power of two, so that edges of bins are hit
    noise = random.integers(0, levels + 1, size) / levels
    score = np.where(random.random(size) < 0.3, target == positive, noise).astype(np.float64)
    threshold = draw(st.sampled_from([0.25, 0.5]))
    negative = "no" if positive == "yes" else "yes"
    predicted = np.where(score >= threshold, positive, negative)
    by_threshold = draw(st.booleans())
    if not by_threshold:
        unknown = random.random(size) < draw(st.sampled_from([0.0, 0.2]))
        predicted = np.where(unknown, random.choice(["maybe", "can't say"], size), predicted)
    outcome = outcome_of(
        "binary", target, None if by_threshold else predicted, score=score, positive=positive, threshold=threshold
    )
    rows = Rows(target, predicted, score, positive=positive)
    return outcome, rows, slices_of(random, rows)


@STEADY
@given(binary_data())
def test_binary_metrics_equal_scikit_learn_on_every_slice(data):
    check_against(BINARY, *data)


# --- multiclass ---------------------------------------------------------------------------------------------------


def averaged(name: str, average: str) -> Reference:
    score = getattr(sk, f"{name}_score")

    def reference(rows: Rows) -> Measured:
        return unless(
            False, lambda: score(rows.target, rows.predicted, average=average, zero_division=0), len(rows.target)
        )

    return reference


def of_class(name: str, label: str) -> Reference:
    score = getattr(sk, f"{name}_score")

    def reference(rows: Rows) -> Measured:
        n = int(((rows.target if name == "recall" else rows.predicted) == label).sum())
        return unless(n == 0, lambda: score(rows.target, rows.predicted, labels=[label], average="macro"), n)

    return reference


def top_k(k: int) -> Reference:
    def reference(rows: Rows) -> Measured:
        def value() -> float:
            if len(rows.classes) == 2:  # scikit-learn takes these for a binary task
                own = rows.proba[rows.target[:, None] == np.array(rows.classes)]
                return float(np.mean((rows.proba > own[:, None]).sum(axis=1) < k))
            return sk.top_k_accuracy_score(rows.target, rows.proba, k=k, labels=rows.classes)

        return unless(False, value, len(rows.target))

    return reference


def log_loss_of_classes(rows: Rows) -> Measured:
    return unless(False, lambda: sk.log_loss(rows.target, rows.proba, labels=rows.classes), len(rows.target))


MULTICLASS = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "mcc": mcc,
    "log_loss": log_loss_of_classes,
    "top_k_accuracy": top_k(2),
    "top 1": top_k(1),
    "top 3": top_k(3),
    "recall of a": of_class("recall", "a"),
    "precision of a": of_class("precision", "a"),
} | {
    f"{average}_{name}": averaged(name, average)
    for name in ("precision", "recall", "f1")
    for average in ("macro", "micro", "weighted")
}


@st.composite
def multiclass_data(draw: st.DrawFn) -> tuple[Outcome, Rows, list[np.ndarray]]:
    """Rows of a task with two to four classes, and outputs that may be of a class that the target never is."""
    size = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.array(list("abcd"[: draw(st.integers(2, 4))]))
    weights = random.dirichlet(np.full(len(labels), draw(st.sampled_from([0.3, 5.0]))))
    target = np.r_[["a"], random.choice(labels, size - 1, p=weights)]
    said = np.r_[labels, ["x", "y"]] if draw(st.booleans()) else labels
    hit = random.random(size) < draw(st.sampled_from([0.1, 0.7]))
    predicted = np.where(hit, target, random.choice(said, size))
    proba = random.dirichlet(np.ones(len(labels)), size)  # without ties, which scikit-learn breaks by place
    by_class = dict(zip(labels.tolist(), proba.T, strict=True))
    outcome = outcome_of("multiclass", target, predicted, proba=by_class)
    rows = Rows(target, predicted, proba=proba, classes=tuple(labels.tolist()))
    return outcome, rows, slices_of(random, rows)


@settings(STEADY, max_examples=20)  # scikit-learn takes its time
@given(multiclass_data())
def test_multiclass_metrics_equal_scikit_learn_on_every_slice(data):
    check_against(MULTICLASS, *data)


# --- regression ---------------------------------------------------------------------------------------------------


def plain(score: Callable[[np.ndarray, np.ndarray], float]) -> Reference:
    return lambda rows: unless(False, lambda: score(rows.target, rows.predicted), len(rows.target))


def mape(rows: Rows) -> Measured:
    some = rows.of(rows.target != 0)
    n = len(some.target)
    return unless(False, lambda: sk.mean_absolute_percentage_error(some.target, some.predicted), n)


def r2(rows: Rows) -> Measured:
    return unless(one_sided(rows.target), lambda: sk.r2_score(rows.target, rows.predicted), len(rows.target))


REGRESSION = {
    "mae": plain(sk.mean_absolute_error),
    "mse": plain(sk.mean_squared_error),
    "rmse": plain(sk.root_mean_squared_error),
    "bias": plain(lambda target, predicted: np.mean(predicted - target)),
    "mape": mape,
    "r2": r2,
    "median_ae": plain(sk.median_absolute_error),
    "absolute_error_quantile": plain(lambda target, predicted: np.quantile(np.abs(predicted - target), 0.9)),
    "a third": plain(lambda target, predicted: np.quantile(np.abs(predicted - target), 0.3)),
}


@st.composite
def regression_data(draw: st.DrawFn) -> tuple[Outcome, Rows, list[np.ndarray]]:
    """Rows with targets on a grid (so that some are equal, and some zero) and outputs that are right now and then."""
    size = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale, offset = draw(st.sampled_from([1e-3, 1.0, 1e6])), draw(st.sampled_from([0, 100]))
    target = (random.integers(-8, 9, size) + offset) * scale
    predicted = np.where(random.random(size) < 0.2, target, target + random.normal(size=size) * scale)
    rows = Rows(target, predicted)
    return outcome_of("regression", target, predicted), rows, slices_of(random, rows)


@STEADY
@given(regression_data())
def test_regression_metrics_equal_scikit_learn_on_every_slice(data):
    check_against(REGRESSION, *data)


# --- text ---------------------------------------------------------------------------------------------------------


def mean_of(score: Callable[[str, str], float], *, needs_target: bool = False) -> Reference:
    def reference(rows: Rows) -> Measured:
        pairs = zip(rows.target.tolist(), rows.predicted.tolist(), strict=True)
        values = [score(target, output) for target, output in pairs if target.strip() or not needs_target]
        return unless(False, lambda: np.mean(values), len(values))

    return reference


TEXT = {
    "exact_match": mean_of(lambda target, output: target == output),
    "contains": mean_of(lambda target, output: target in output),
    "wer": mean_of(lambda target, output: jiwer.process_words(target, output).wer, needs_target=True),
    "cer": mean_of(lambda target, output: jiwer.process_characters(target, output).cer, needs_target=True),
    "rouge_l": mean_of(lambda target, output: RougeScorer(["rougeL"]).score(target, output)["rougeL"].fmeasure),
    "chrf": mean_of(lambda target, output: CHRF().sentence_score(output, [target]).score / 100),
    "length": mean_of(lambda _target, output: len(output)),
}


@st.composite
def text_data(draw: st.DrawFn) -> tuple[Outcome, Rows, list[np.ndarray]]:
    """Reference texts and outputs that share words with them: none, some, more than there are, in another case."""
    words = st.sampled_from(["the", "The", "cat", "sat", "don't", "well-known", "naïve", "日本", "3.5", "!"])
    texts = st.one_of(st.lists(words, max_size=6).map(" ".join), st.sampled_from(["", " ", "cat\tsat", "  cat "]))
    targets = draw(st.lists(texts, min_size=1, max_size=30))
    outputs = [
        draw(st.one_of(texts, st.just(target), words.map(lambda word, target=target: f"{target} {word}")))
        for target in targets
    ]
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = Rows(np.array(targets, dtype=object), np.array(outputs, dtype=object))
    return outcome_of("text", rows.target, rows.predicted), rows, slices_of(random, rows)


@settings(STEADY, max_examples=30)
@given(text_data())
def test_text_metrics_equal_jiwer_rouge_score_and_sacrebleu_on_every_slice(data):
    check_against(TEXT, *data)


def test_every_built_in_metric_of_a_task_has_a_reference_here():
    tested = {
        "binary": BINARY,
        "multiclass": MULTICLASS,
        "regression": REGRESSION,
        "text": TEXT,
    }
    for metric in BUILT_IN:
        for task in metric.tasks:
            assert metric.name in tested[task] or metric.name == "agreement"  # tests/unit/evaluate/test_repeats.py


# --- worked examples ----------------------------------------------------------------------------------------------

NORMALIZE = {"normalize": True}


@pytest.mark.parametrize(
    ("metric", "target", "output", "value"),
    [
        ("wer", "the cat sat on", "the cat sat on", 0.0),
        ("wer", "the cat sat on", "the dog sat", 0.5),  # a substitution and a deletion among four words
        ("wer", "cat", "the cat sat on", 3.0),  # insertions count, so a rate can pass 1
        ("wer", "the cat", "", 1.0),  # an empty transcript is all deletions
        ("wer", "The cat.", "the cat", 1.0),
        (MetricSpec("wer", "wer", NORMALIZE), "The cat.", "the  cat", 0.0),
        ("cer", "cat", "cart", 1 / 3),
        ("cer", "cat", "", 1.0),
        ("exact_match", "Paris", "paris", 0.0),
        (MetricSpec("exact_match", "exact_match", NORMALIZE), "Paris", " paris! ", 1.0),
        ("contains", "Paris", "It is paris.", 0.0),
        ("contains", "Paris", "It is Paris.", 1.0),
        ("contains", "It is Paris.", "Paris", 0.0),
        (MetricSpec("contains", "contains", NORMALIZE), "Paris", "It is PARIS.", 1.0),
        ("rouge_l", "the cat sat", "the big cat", 2 / 3),  # the cat: 2 of 3 words on either side
        ("rouge_l", "the cats", "the cat", 0.5),  # words as they are, not their stems
        ("rouge_l", "the cat sat on the mat", "the cat", 0.5),  # recall 2/6, precision 2/2
        ("chrf", "cat", "cat", 1.0),
        ("chrf", "cat", "xyz", 0.0),
        ("length", "anything", "日本 👍", 4.0),
    ],
)
def test_text_metrics_on_one_pair(metric, target, output, value):
    assert overall(outcome_of("text", [target], [output]), metric).value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  World!", "hello world"),
        ("don't", "don't"),
        ("rock 'n' roll, y'all", "rock 'n' roll y'all"),
        ("'quoted'", "'quoted'"),
        ("the dogs' bowl", "the dogs' bowl"),
        ("ÄRGER\tist\ngroß", "ärger ist groß"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normalized_text_is_lower_case_without_punctuation_but_apostrophes(text, expected):
    assert normalized(text) == expected


def test_an_empty_reference_text_has_no_error_rate_and_is_not_counted():
    outcome = outcome_of("text", ["", "cat"], ["anything", "dog"])
    for metric in ("wer", "cer"):
        estimate = overall(outcome, metric)
        assert (estimate.value, estimate.n) == (1.0, 1)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("roc_auc", 0.75),  # scikit-learn's documentation of roc_auc_score
        ("average_precision", 0.8333333333333333),  # and of average_precision_score
        ("log_loss", -(np.log(0.9) + np.log(0.6) + np.log(0.35) + np.log(0.8)) / 4),
        ("brier", (0.1**2 + 0.4**2 + 0.65**2 + 0.2**2) / 4),
    ],
)
def test_metrics_of_scores_on_the_four_rows_of_scikit_learns_documentation(metric, value):
    outcome = outcome_of("binary", [0, 0, 1, 1], score=[0.1, 0.4, 0.35, 0.8])
    assert overall(outcome, metric).value == pytest.approx(value, rel=1e-12)


def test_matthews_correlation_of_the_four_rows_of_scikit_learns_documentation():
    outcome = outcome_of("binary", [1, 1, 1, -1], [1, -1, 1, 1])
    assert overall(outcome, "mcc").value == pytest.approx(-1 / 3)


def test_a_certain_mistake_costs_36_nats_and_not_infinity():
    outcome = outcome_of("binary", [0, 1], score=[1.0, 1.0])
    assert overall(outcome, "log_loss").value == pytest.approx(-np.log(np.finfo(float).eps) / 2)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_classes_that_score_the_same_as_the_true_one_do_not_push_it_out_of_the_top_k(k):
    equal = {label: np.full(3, 1 / 3) for label in "abc"}
    outcome = outcome_of("multiclass", list("abc"), proba=equal)
    assert overall(outcome, MetricSpec("top", "top_k_accuracy", {"k": k})).value == 1.0


# --- what is undefined, or fits nowhere ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "target", "predicted", "reason"),
    [
        ("precision", "no", "no", "the slice has no instance that is predicted positive"),
        ("recall", "no", "yes", "the slice has no positives"),
        ("fnr", "no", "yes", "the slice has no positives"),
        ("specificity", "yes", "no", "the slice has no negatives"),
        ("fpr", "yes", "no", "the slice has no negatives"),
        ("f1", "no", "no", "the slice has no positives, neither in the target nor in the output"),
        ("mcc", "yes", "no", "the slice has only one class in the target or in the output"),
        ("balanced_accuracy", "yes", "yes", "the slice has only one class"),
        ("recall of no", "yes", "no", "the slice has no instance of class no"),
        ("precision of no", "yes", "yes", "the slice has no prediction of class no"),
    ],
)
def test_what_a_slice_cannot_tell_is_null_with_a_reason(metric, target, predicted, reason):
    outcome = outcome_of("binary", [target, "yes", "no"], [predicted, "yes", "no"], positive="yes")
    (estimate,) = estimates_of(outcome, [np.array([True, False, False])], [metric])[metric]
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert estimate.reason == reason


def test_a_target_that_is_the_same_everywhere_has_no_r2_even_if_its_mean_is_rounded():
    outcome = outcome_of("regression", [0.1, 0.1, 0.1], [0.1, 0.2, 0.3])  # their sum / 3 is not 0.1
    assert overall(outcome, "r2").value is None


def test_an_infinite_error_does_not_touch_the_slices_without_it():
    outcome = outcome_of("regression", [0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 2.0, np.inf])
    mask = np.array([True, True, True, False])
    for metric, value in (("mae", 1 / 3), ("mse", 1 / 3), ("bias", 1 / 3), ("median_ae", 0.0)):
        without, _ = estimates_of(outcome, [mask, ~mask], [metric])[metric]
        assert without.value == pytest.approx(value), metric


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "bias", "median_ae", "absolute_error_quantile", "r2"])
def test_an_infinite_error_is_null_with_a_reason_where_it_counts(metric):
    outcome = outcome_of("regression", [0.0, 1.0, 2.0, 3.0], [np.inf, np.inf, np.inf, -np.inf])
    estimate = overall(outcome, metric)
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert "infinite" in estimate.reason


def test_values_far_from_those_of_other_slices_keep_their_spread():
    far = np.r_[np.full(50, 1e9), np.full(50, -1e9)]
    noise = np.tile([0.0, 1.0], 50)
    outcome = outcome_of("regression", np.zeros(100), far + noise)
    mask = far > 0
    estimate = estimates_of(outcome, [mask], ["bias"])["bias"][0]
    assert estimate.value == pytest.approx(1e9 + 0.5, abs=1e-6)
    half = 2.0095752371292397 * (far + noise)[mask].std(ddof=1) / np.sqrt(50)  # t of 49 degrees of freedom
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.01)


def test_a_class_that_only_the_model_names_can_be_its_best_guess():
    proba = {"a": [0.2, 0.9], "b": [0.1, 0.1], "neither": [0.7, 0.0]}
    outcome = outcome_of("multiclass", ["a", "a"], proba=proba)
    assert overall(outcome, "accuracy").value == 0.5
    assert overall(outcome, PARAMETERS["top 1"]).value == 0.5


@pytest.mark.parametrize("metric", ["f1", "recall", "accuracy"])
def test_misses_count_when_the_target_is_always_positive_and_labels_come_from_scores(metric):
    outcome = outcome_of("binary", ["toxic"] * 4, score=[0.9, 0.1, 0.2, 0.3], positive="toxic")
    estimate = overall(outcome, metric)
    assert estimate.value == {"f1": 0.4, "recall": 0.25, "accuracy": 0.25}[metric]
    assert estimate.n == 4


SCORES_FROM_1_TO_10 = {"score": [1, 9, 7, 8], "threshold": 5}
LABELS = {"prediction": [0, 1, 1, 1]}


@pytest.mark.parametrize(
    ("task", "metric", "outputs", "message"),
    [
        ("text", "exact_match", {}, "exact_match needs predictions, and the model gives none"),
        ("binary", "roc_auc", LABELS, "roc_auc needs scores of the positive class"),
        ("binary", "brier", LABELS, "brier needs scores of the positive class"),
        ("binary", "log_loss", LABELS, "log_loss needs probabilities"),
        ("binary", "brier", SCORES_FROM_1_TO_10, "scores leave the range from 0 to 1"),
        ("binary", "ece", SCORES_FROM_1_TO_10, "scores leave the range from 0 to 1"),
        ("binary", "log_loss", SCORES_FROM_1_TO_10, "scores leave the range from 0 to 1"),
        ("binary", "recall of cat", LABELS, r"there is no class 'cat' \(classes: 0, 1\)"),
        ("multiclass", "log_loss", LABELS, "log_loss needs probabilities"),
        ("multiclass", "top_k_accuracy", LABELS | {"proba": {"0": [1, 1, 1, 1]}}, "the model gives no `proba:1`"),
    ],
)
def test_a_metric_that_the_outputs_do_not_allow_says_what_is_missing(task, metric, outputs, message):
    outcome = outcome_of(task, [0, 1, 0, 1], **outputs)
    with pytest.raises(MetricError, match=message):
        overall(outcome, metric)


def test_scores_of_any_scale_rank_as_well_as_probabilities():
    outcome = outcome_of("binary", [0, 1, 0, 1], **SCORES_FROM_1_TO_10)
    assert overall(outcome, "roc_auc").value == 1.0
    assert overall(outcome, "accuracy").value == 0.75


def test_probabilities_of_the_classes_serve_the_log_loss_of_a_model_that_scores_on_another_scale():
    outcome = outcome_of("binary", [0, 1, 0, 1], **SCORES_FROM_1_TO_10, proba={"0": [0.5] * 4, "1": [0.5] * 4})
    assert overall(outcome, "log_loss").value == pytest.approx(np.log(2))


@pytest.mark.parametrize("target", [[0, 1, 1, 1], [1, 1, 1, 1]])
def test_the_probability_of_the_positive_class_is_enough_for_the_log_loss(target):
    outcome = outcome_of("binary", target, proba={"1": [0.5, 0.5, 0.5, 0.5]}, positive=1)
    assert overall(outcome, "log_loss").value == pytest.approx(np.log(2))


def test_a_model_may_call_the_other_class_as_it_likes_where_the_target_is_always_positive():
    proba = {"toxic": [0.9, 0.2], "fine": [0.1, 0.8]}
    outcome = outcome_of("binary", ["toxic", "toxic"], proba=proba, positive="toxic")
    assert overall(outcome, "recall").value == 0.5
    assert overall(outcome, "log_loss").value == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2)


@pytest.mark.parametrize("parameters", [{"bins": 5}, {"k": 2}])
def test_a_parameter_that_does_nothing_for_a_metric_is_refused(parameters):
    with pytest.raises(MetricError, match="does nothing for accuracy"):
        find_metric(MetricSpec("mine", "accuracy", parameters), "binary", {})


def test_a_metric_that_fails_leaves_the_others_alone():
    outcome = outcome_of("binary", [0, 1], [0, 1])
    results = results_of(outcome, [np.ones(2, dtype=bool)], ["roc_auc", "accuracy", "recall of cat", "mcc"])
    assert {name for name, result in results.items() if isinstance(result, MetricError)} == {"roc_auc", "recall of cat"}
    assert results["accuracy"][0].value == 1.0


@pytest.mark.parametrize(
    ("metric", "task", "message"),
    [
        ("acuracy", "binary", "unknown metric 'acuracy' - did you mean 'accuracy'?"),
        ("fpr", "multiclass", "metric 'fpr' is for binary tasks, but the task is multiclass"),
        ("accuracy", "regression", "metric 'accuracy' is for binary and multiclass tasks, but the task is regression"),
        ("mae", None, "metric 'mae' is for regression tasks, but there is no target"),
        ("recall of a", "text", "metric 'recall of a' is for binary and multiclass tasks, but the task is text"),
        ("support of a", "binary", "unknown metric 'support of a'"),
    ],
)
def test_a_metric_that_does_not_exist_or_fit_the_task_is_refused(metric, task, message):
    with pytest.raises(MetricError) as caught:
        find_metric(MetricSpec(metric, metric), task, {})
    assert str(caught.value).startswith(message)


def test_lower_is_better_for_errors_and_costs_only():
    lower = {metric.name for metric in BUILT_IN if metric.better == "lower"}
    errors = {"fpr", "fnr", "log_loss", "brier", "ece", "wer", "cer"}
    assert lower == errors | (set(REGRESSION) & {metric.name for metric in BUILT_IN} - {"r2"}) | {
        "length",
        "latency",
        "cost",
    }


def test_a_metric_of_a_plugin_is_found_by_its_name():
    of_plugin = next(metric for metric in BUILT_IN if metric.name == "mae")
    assert find_metric(MetricSpec("theirs", "theirs"), "regression", {"theirs": of_plugin}).metric is of_plugin


def test_the_suite_may_turn_the_direction_of_a_metric():
    assert find_metric(MetricSpec("fpr", "fpr"), "binary", {}).better == "lower"
    assert find_metric(MetricSpec("fpr", "fpr", better="higher"), "binary", {}).better == "higher"


# --- metrics of any task ------------------------------------------------------------------------------------------

ANY = pd.DataFrame(
    {
        "latency": [1.0, 2.0, np.nan, 5.0, 8.0, np.nan],
        "cost": [3, 1, 4, 1, 5, 9],
        "ok": [True, False, True, True, False, True],
        "nothing": [None] * 6,
        "words": ["a", "b", "c", "d", "e", "f"],
    }
)
FIRST_FOUR, LAST_TWO, THIRD = (np.isin(np.arange(6), rows) for rows in ([0, 1, 2, 3], [4, 5], [2]))


def mean_spec(column: str) -> MetricSpec:
    return MetricSpec("a mean", "mean", {"mean": column})


def rate_spec(predicate: str) -> MetricSpec:
    return MetricSpec("a rate", "rate", predicate=parse_predicate(predicate))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("count", [(4, 4), (2, 2), (1, 1)]),
        ("share", [(4 / 6, 6), (2 / 6, 6), (1 / 6, 6)]),
        ("latency", [(8 / 3, 3), (8, 1), (None, 0)]),
        ("cost", [(9 / 4, 4), (7, 2), (4, 1)]),
        (mean_spec("latency"), [(8 / 3, 3), (8, 1), (None, 0)]),
        (mean_spec("ok"), [(3 / 4, 4), (1 / 2, 2), (1, 1)]),
        (mean_spec("nothing"), [(None, 0), (None, 0), (None, 0)]),
        (rate_spec("latency > 1"), [(2 / 3, 3), (1, 1), (None, 0)]),  # unknown where there is no latency
        (rate_spec("ok and cost < 4"), [(2 / 4, 4), (0, 2), (0, 1)]),
    ],
)
def test_metrics_of_any_task_skip_what_is_missing(metric, expected):
    outcome = outcome_of(None, [0] * 6, **ANY)
    (estimates,) = estimates_of(outcome, [FIRST_FOUR, LAST_TWO, THIRD], [metric]).values()
    assert [(estimate.value, estimate.n) for estimate in estimates] == [
        (value if value is None else pytest.approx(value), n) for value, n in expected
    ]


def test_a_count_is_exact_and_a_share_is_not():
    outcome = outcome_of(None, [0] * 6, **ANY)
    assert overall(outcome, "count").low == overall(outcome, "count").high == 6
    share = estimates_of(outcome, [FIRST_FOUR], ["share"])["share"][0]
    assert share.low < 4 / 6 < share.high


def test_the_mean_of_texts_is_refused():
    with pytest.raises(MetricError, match="the mean of column 'words': it holds text"):
        overall(outcome_of(None, [0] * 6, **ANY), mean_spec("words"))


def own(function: Callable[[pd.DataFrame], Any]) -> MetricSpec:
    return MetricSpec("own", "python", function=function)


def test_a_metric_of_ones_own_sees_the_rows_of_the_slice_only():
    outcome = outcome_of(None, [0] * 6, **ANY)
    outcome_of_rows = own(lambda frame: sum(frame.index) + 0.5)  # numbered from zero, as a whole data set would be
    assert overall(outcome, outcome_of_rows).value == 15.5
    assert estimates_of(outcome, [LAST_TWO], [outcome_of_rows])["own"][0].value == 1.5
    (number,) = estimates_of(outcome, [FIRST_FOUR, LAST_TWO], [own(lambda frame: frame["cost"].max())]).values()
    assert [(estimate.value, estimate.n) for estimate in number] == [(4, 4), (9, 2)]
    (per_row,) = estimates_of(outcome, [FIRST_FOUR, LAST_TWO], [own(lambda frame: frame["latency"] * 2)]).values()
    assert [(estimate.value, estimate.n) for estimate in per_row] == [(pytest.approx(16 / 3), 3), (16, 1)]
    assert per_row[0].interval == "t"


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_a_metric_of_ones_own_is_undefined_where_it_returns_no_finite_number(nothing):
    outcome = outcome_of(None, [0] * 6, **ANY)
    metric = own(lambda frame: 1.0 if len(frame) > 2 else nothing)
    (estimates,) = estimates_of(outcome, [FIRST_FOUR, LAST_TWO, np.zeros(6, dtype=bool)], [metric]).values()
    assert [estimate.value for estimate in estimates] == [1.0, None, None]
    assert [estimate.reason for estimate in estimates[1:]] == [
        "metric 'own' gives no finite number for the slice",
        "the slice has no instance",
    ]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1.0, 2.0], "returned 2 values for 6 rows"),
        (np.ones((6, 2)), "returned an array of 2 dimensions"),
        ("good", "metric 'own' returned"),
        ({"value": 1}, "metric 'own' returned"),
        (["a", "b", "c", "d", "e", "f"], "metric 'own' returned"),
    ],
    ids=["too few", "a table", "a text", "a mapping", "texts"],
)
def test_a_metric_of_ones_own_that_returns_something_else_is_an_error(returned, message):
    outcome = outcome_of(None, [0] * 6, **ANY)
    (result,) = results_of(outcome, [FIRST_FOUR], [own(lambda _frame: returned)]).values()
    assert isinstance(result, MetricError)
    assert message in str(result)


def test_a_metric_of_ones_own_that_returns_several_numbers_for_some_slices_is_an_error():
    outcome = outcome_of(None, [0] * 6, **ANY)
    mode = own(lambda frame: frame["cost"].mode().squeeze())  # one number, or a Series where several tie
    (result,) = results_of(outcome, [LAST_TWO], [mode]).values()
    assert isinstance(result, MetricError)


def test_a_metric_of_ones_own_may_say_in_its_own_words_what_is_wrong():
    def needs_a_column(_frame):
        raise MetricError("cost per row needs a column `price`")

    with pytest.raises(MetricError, match=r"^cost per row needs a column `price`$"):
        overall(outcome_of(None, [0] * 6, **ANY), own(needs_a_column))


def test_a_metric_of_ones_own_that_raises_is_an_error_that_names_it():
    outcome = outcome_of(None, [0] * 6, **ANY)
    with pytest.raises(MetricError, match="metric 'own' raised KeyError: 'no such column'"):
        overall(outcome, own(lambda frame: frame["no such column"]))


# --- the instances that count against a metric --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "better", "rows"),
    [
        # target           1    1    0    0    1    0
        # score           .9   .3   .8   .6   .1   .2
        ("accuracy", None, [4, 2, 1, 3]),  # wrong, the surest first
        ("fpr", None, [2, 3]),
        ("fnr", None, [4, 1]),
        ("recall", None, [4, 1]),
        ("specificity", None, [2, 3]),
        ("precision", None, [2, 3]),
        ("selection_rate", "lower", [0, 2, 3]),
        ("f1", None, [4, 2, 1, 3]),
        ("roc_auc", None, [4, 2, 1, 3]),
        ("log_loss", None, [4, 2, 1, 3, 5, 0]),
        ("brier", None, [4, 2, 1, 3, 5, 0]),
    ],
)
def test_the_worst_rows_of_a_metric_are_those_that_count_against_it(metric, better, rows):
    outcome = outcome_of("binary", [1, 1, 0, 0, 1, 0], score=[0.9, 0.3, 0.8, 0.6, 0.1, 0.2])
    chosen = find_metric(MetricSpec(metric, metric, better=better), "binary", {})
    everything = np.ones(6, dtype=bool)
    assert worst_rows(chosen, outcome, everything, 10).tolist() == rows
    assert worst_rows(chosen, outcome, everything, 2).tolist() == rows[:2]
    even = np.arange(6) % 2 == 0
    assert worst_rows(chosen, outcome, even, 10).tolist() == [row for row in rows if row % 2 == 0]


def test_the_surest_mistakes_are_the_farthest_from_the_threshold_on_any_scale():
    outcome = outcome_of("binary", [0, 0, 1, 1, 0], score=[9, 6, 1, 4, 2], threshold=5)
    chosen = find_metric(MetricSpec("accuracy", "accuracy"), "binary", {})
    assert worst_rows(chosen, outcome, np.ones(5, dtype=bool), 10).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("metric", "better", "rows"),
    [
        ("mae", None, [3, 1, 2, 0]),
        ("bias", None, [3, 1, 2, 0]),  # far off on either side is bad
        ("mape", None, [3, 2]),  # targets that are zero do not count
        ("median_ae", None, []),
    ],
)
def test_the_worst_rows_of_a_regression_are_the_farthest_off(metric, better, rows):
    outcome = outcome_of("regression", [0.0, 0.0, 4.0, 4.0], [0.0, 2.0, 3.0, -4.0])
    chosen = find_metric(MetricSpec(metric, metric, better=better), "regression", {})
    assert worst_rows(chosen, outcome, np.ones(4, dtype=bool), 10).tolist() == rows


# --- targets and outputs side by side -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "prediction", "positive"),
    [
        ([0, 1, 1], [0, 1, 0], None),
        ([0, 1, 1], [0.0, 1.0, 0.0], None),
        ([0, 1, 1], ["0", "1", "0"], None),
        ([0, 1, 1], [False, True, False], None),
        ([0.0, 1.0, 1.0], [0, 1, 0], 1),
        (["0", "1", "1"], [0, 1, 0], 1),
        ([False, True, True], [0, 1, 0], None),
        ([False, True, True], [False, True, False], True),
        ([False, True, True], ["False", "True", "False"], 1),
        ([-1, 1, 1], [-1, 1, -1], None),
        ([9, 10, 10], [9, 10, 9], None),  # 10 is the larger number, though not the larger text
        (["ham", "spam", "spam"], ["ham", "spam", "ham"], None),
        (["yes", "no", "no"], ["yes", "no", "yes"], "no"),
    ],
)
def test_labels_are_matched_by_what_they_say_and_the_larger_is_positive(target, prediction, positive):
    outcome = outcome_of("binary", target, prediction, positive=positive)
    assert overall(outcome, "accuracy").value == pytest.approx(2 / 3)
    assert overall(outcome, "recall").value == 0.5
    assert overall(outcome, "precision").value == 1.0


def test_a_binary_task_with_a_third_class_in_the_target_is_refused():
    # "not positive" would be two classes, of which only one could be a true negative
    with pytest.raises(DataError, match="3 values"):
        outcome_of("binary", ["ham", "spam", "news"], ["ham", "spam", "news"], positive="spam")


@pytest.mark.parametrize(
    ("target", "positive", "message"),
    [
        (["a", "a"], None, "dataset.target has 1 values .a., so the positive class is not clear: set `positive`"),
        (["a", "b"], "B", "dataset.positive: the target never is 'B' - did you mean 'b'?"),
        ([0, 1], 2, "dataset.positive: the target never is '2'"),
    ],
)
def test_a_positive_class_that_is_not_clear_is_an_error(target, positive, message):
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        outcome_of("binary", target, target, positive=positive)


@pytest.mark.parametrize(
    ("threshold", "predicted"), [(0.5, [0, 1, 1, 1]), (0.51, [0, 0, 1, 1]), (0.75, [0, 0, 1, 1]), (0.76, [0, 0, 0, 1])]
)
def test_a_score_at_the_threshold_is_positive(threshold, predicted):
    outcome = outcome_of("binary", [0, 1, 0, 1], score=[0.4, 0.5, 0.75, 1.0], threshold=threshold)
    assert outcome.predicted.tolist() == predicted


def test_bare_probabilities_of_a_callable_are_scores():
    outcome = outcome_of("binary", [0, 1, 0, 1], [0.4, 0.5, 0.75, 1.0])
    assert outcome.score.tolist() == [0.4, 0.5, 0.75, 1.0]
    assert outcome.predicted.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_without_labels_the_most_probable_class_is_the_output(task):
    proba = {"b": [0.9, 0.2, 0.4], "a": [0.1, 0.8, 0.6]}
    outcome = outcome_of(task, ["a", "a", "b"], proba=proba)
    assert [outcome.classes[code] for code in outcome.predicted] == ["b", "a", "a"]
    assert overall(outcome, "accuracy").value == pytest.approx(1 / 3)
