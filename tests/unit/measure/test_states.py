"""States of partitions add up: whatever the partition and the order, the figures are those of all rows at once."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pytest_behave.errors import MetricError
from pytest_behave.measure import levels
from pytest_behave.measure.kernel import FEWEST_MEMBERS, Masks
from pytest_behave.measure.paired import rows_of
from pytest_behave.measure.registry import find_metric, finish_states, measure, measure_figures, measure_states
from pytest_behave.measure.states import Cells, SliceMoments
from pytest_behave.records import MetricSpec
from pytest_behave.records.bits import Member, members, packed

from . import outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_behave.measure.registry import Chosen
    from pytest_behave.records import Outcome
    from pytest_behave.records.bits import Bits

STEADY = settings(max_examples=30)
BINARY = [
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "fpr",
    "fnr",
    "f1",
    "selection_rate",
    "positive_rate",
    "mcc",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "count",
    "share",
]
MULTICLASS = ("accuracy", "macro_f1", "weighted_recall", "mcc", "recall of a")
REGRESSION = ("mae", "mse", "rmse", "bias", "mape", "r2", "median_ae", "absolute_error_quantile")


def chosen_of(task: str, names: Sequence[str]) -> list[Chosen]:
    return [find_metric(MetricSpec(name, name), task, {}) for name in names]


def outcome_in(task: str, random: np.random.Generator, size: int) -> Outcome:
    """Return random rows with ties, few and many values, and values far from zero."""
    if task == "binary":
        target = np.r_[["no", "yes"], random.choice(["no", "yes"], size - 2)]
        noise = random.random(size) if random.random() < 0.5 else random.integers(0, 5, size) / 4
        return outcome_of("binary", target, np.where(noise > 0.5, "yes", "no"), score=noise, positive="yes")
    if task == "multiclass":
        target = np.r_[list("abc"), random.choice(list("abc"), size - 3)]
        return outcome_of("multiclass", target, random.choice(list("abcxy"), size))
    target = random.normal(random.choice([0, 1e6]), 1, size)
    return outcome_of("regression", target, target + random.choice([random.normal(0, 1), 0.5], size))


def slices_of(random: np.random.Generator, size: int) -> list[Bits]:
    """Return overlapping slices, the empty one, and a family that is counted by its codes."""
    family = members(random.integers(-1, FEWEST_MEMBERS + 3, size).astype(np.int8), FEWEST_MEMBERS + 4)
    return [*(packed(random.random(size) < share) for share in (0.0, 0.02, 0.4, 1.0)), *family]


def of_rows(bits: Sequence[Bits], rows: np.ndarray) -> Masks:
    """Return the slices of a partition: the members of a family still share their codes."""
    codes = {id(one.codes): one.codes[rows] for one in bits if isinstance(one, Member)}
    parts = [
        Member(codes[id(one.codes)], one.code) if isinstance(one, Member) else packed(one.bools()[rows]) for one in bits
    ]
    return Masks(parts, len(rows))


def state_in_parts(
    chosen: Sequence[Chosen], outcome: Outcome, bits: Sequence[Bits], random: np.random.Generator, parts: int
) -> dict[str, Any]:
    """Return states of random parts, added up in a random order and shape of tree."""
    where = random.integers(0, parts, outcome.size)
    found = []
    for part in range(parts):
        rows = np.flatnonzero(where == part)
        found.append(measure_states(chosen, rows_of(outcome, rows), of_rows(bits, rows)))
    while len(found) > 1:
        one = found.pop(random.integers(len(found)))
        other = found.pop(random.integers(len(found)))
        found.append({name: one[name] + other[name] for name in one})
    return found[0]


def integers_of(state: Any) -> list[np.ndarray]:
    """Return what is counted in a state."""
    arrays = [getattr(state, field.name) for field in fields(state)]
    return [array for array in arrays if isinstance(array, np.ndarray) and array.dtype.kind == "i"]


@pytest.mark.parametrize(
    ("task", "names"), [("binary", BINARY), ("multiclass", MULTICLASS), ("regression", REGRESSION)]
)
@STEADY
@given(seed=st.integers(0, 2**32), size=st.integers(3, 700), parts=st.integers(1, 5))
def test_any_partition_merged_in_any_order_gives_the_figures_of_all_rows(task, names, seed, size, parts):
    random = np.random.default_rng(seed)
    outcome, bits, chosen = outcome_in(task, random, size), slices_of(random, size), chosen_of(task, names)
    in_parts, at_once = (
        state_in_parts(chosen, outcome, bits, random, parts),
        measure(chosen, outcome, Masks(bits, size)),
    )
    whole = measure_states(chosen, outcome, Masks(bits, size))
    merged = finish_states(chosen, in_parts)
    for name in names:
        counts = zip(integers_of(whole[name]), integers_of(in_parts[name]), strict=True)
        assert all(np.array_equal(one, other) for one, other in counts), name
        for one, other in zip(at_once[name], merged[name], strict=True):
            assert (one.n, one.reason, one.interval) == (other.n, other.reason, other.interval), name
            for figure in ("value", "low", "high"):
                expected = getattr(one, figure)
                expected = expected if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)
                assert getattr(other, figure) == expected, (name, figure, one, other)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_figures_alone_are_those_of_the_estimates(task):
    random = np.random.default_rng(3)
    outcome, bits = outcome_in(task, random, 500), slices_of(random, 500)
    chosen = chosen_of(task, {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}[task])
    figures = measure_figures(chosen, outcome, Masks(bits, 500))
    for name, estimates in measure(chosen, outcome, Masks(bits, 500)).items():
        values = [np.nan if one.value is None else one.value for one in estimates]
        np.testing.assert_allclose(figures[name], values, rtol=1e-12, err_msg=name)


def test_many_distinct_scores_go_to_bins_whose_error_is_told_and_holds(monkeypatch):
    monkeypatch.setattr(levels, "MOST_LEVELS", 50)
    random = np.random.default_rng(5)
    size = 20_000
    target = random.random(size) < 0.3
    score = 1 / (1 + np.exp(-random.normal(target * 2 - 4, 3)))
    outcome = outcome_of("binary", target, score > 0.5, score=score, positive=True)
    bits = [packed(random.random(size) < share) for share in (0.05, 0.5, 1.0)]
    chosen = chosen_of("binary", ["roc_auc", "average_precision"])
    found = finish_states(chosen, state_in_parts(chosen, outcome, bits, random, 3))
    references = {"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score}
    for name, reference in references.items():
        for one, estimate in zip(bits, found[name], strict=True):
            note, _, bound = estimate.interval.rpartition(" ")
            assert note.endswith("; scores in bins, off by at most")
            error = abs(estimate.value - reference(target[one.bools()], score[one.bools()]))
            assert 0 < error <= float(bound) * 1.1 < 0.01
            assert estimate.low < estimate.value < estimate.high


def test_a_quantile_of_errors_in_bins_is_as_near_as_it_says(monkeypatch):
    monkeypatch.setattr(levels, "MOST_LEVELS", 50)
    random = np.random.default_rng(6)
    target = random.normal(0, 1, 5_000)
    outcome = outcome_of("regression", target, target + random.lognormal(0, 1, 5_000))
    bits = [packed(np.ones(5_000, dtype=bool))]
    chosen = chosen_of("regression", ["median_ae"])
    (exact,), (found,) = (
        measure(chosen, outcome, Masks(bits, 5_000))["median_ae"],
        finish_states(chosen, state_in_parts(chosen, outcome, bits, random, 4))["median_ae"],
    )
    bound = float(found.interval.rpartition(" ")[2])
    assert "errors in bins" in found.interval
    assert 0 < abs(found.value - exact.value) <= bound * 1.1 < 0.03
    assert found.low <= exact.low
    assert exact.high <= found.high


def test_bins_cover_every_double_in_order():
    assert (np.diff(levels.EDGES) > 0).all()
    assert {0.0, 0.5, 1.0} <= set(levels.EDGES)
    lower, upper = levels.Levels(levels.EDGES, np.zeros((1, len(levels.EDGES) + 1, 1)), exact=False).bounds()
    assert lower[0] == -np.inf
    assert upper[-1] == np.inf
    assert (lower[1:] == upper[:-1]).all()


def test_classes_that_only_some_partitions_see_are_put_together_by_name():
    one = Cells(np.array([[[1, 2, 3], [4, 5, 6]]]), ("a", "b", "z"))
    other = Cells(np.array([[[1, 0, 7], [0, 1, 8]]]), ("a", "b", "c"))
    for found in (one + other, other + one):
        assert found.classes == ("a", "b", "c", "z")
        assert found.counts.tolist() == [[[2, 2, 7, 3], [4, 6, 8, 6]]]
    with pytest.raises(MetricError, match="the partitions' targets are of different classes"):
        one + replace(other, classes=("b", "a", "c"))


def test_a_metric_that_needs_all_rows_says_so():
    outcome = outcome_of("regression", [1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    own = find_metric(MetricSpec("own", "python", function=len, better="lower"), "regression", {})
    chosen = [own, *chosen_of("regression", ["mae"])]
    states = measure_states(chosen, outcome, Masks([np.ones(3, dtype=bool)], 3))
    assert str(states["own"]) == "the metric needs all rows at once: it cannot be measured in partitions"
    assert isinstance(states["mae"], SliceMoments)
    assert isinstance(finish_states([own], states)["own"], MetricError)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150, 1e300])
def test_means_of_tiny_and_huge_values_keep_their_digits(scale):
    random = np.random.default_rng(8)
    values = random.random(400) * scale
    outcome = outcome_of("regression", np.zeros(400), values)
    bits = [packed(random.random(400) < share) for share in (0.1, 0.5, 1.0)]
    chosen = chosen_of("regression", ["bias", "mae"])
    in_parts = finish_states(chosen, state_in_parts(chosen, outcome, bits, random, 3))
    for found in (measure(chosen, outcome, Masks(bits, 400)), in_parts):
        for name in ("bias", "mae"):
            expected = [values[one.bools()].mean() for one in bits]
            assert [one.value for one in found[name]] == pytest.approx(expected, rel=1e-9)


def test_a_slice_near_zero_keeps_its_digits_where_others_are_far_away():
    values = np.r_[np.full(50, 1e15), np.arange(50.0)]
    outcome = outcome_of("regression", np.zeros(100), values)
    mask = np.arange(100) >= 50
    (found,) = measure(chosen_of("regression", ["bias"]), outcome, Masks([mask], 100))["bias"]
    assert found.value == pytest.approx(24.5, rel=1e-12)


def test_states_are_small_however_many_rows_there_are():
    def numbers(size: int) -> int:
        random = np.random.default_rng(size)
        target = np.r_[True, False, random.random(size - 2) < 0.5]
        outcome = outcome_of("binary", target, target, score=random.random(size), positive=True)
        states = measure_states(chosen_of("binary", BINARY), outcome, Masks([np.ones(size, dtype=bool)], size))
        return sum(array.size for state in states.values() for array in integers_of(state))

    assert numbers(20_000) == numbers(80_000) < 30_000


def test_adding_up_is_possible_from_nothing():
    outcome = outcome_of("regression", [1.0, 2.0], [1.0, 3.0])
    chosen = chosen_of("regression", ["mae"])
    parts = [np.array([], dtype=int), np.array([0]), np.array([], dtype=int), np.array([1])]
    everything = [packed(np.ones(2, dtype=bool))]
    states = [measure_states(chosen, rows_of(outcome, rows), of_rows(everything, rows)) for rows in parts]
    total = reduce(add, [state["mae"] for state in states])
    assert finish_states(chosen, {"mae": total})["mae"][0].value == 0.5
