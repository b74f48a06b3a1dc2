"""Slices put in order together, and the figures of ranks that follow, are those of each slice on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pytest_behave.measure import ordered
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.ordered import Listed, Ordered, Tied
from pytest_behave.measure.ranking import PARTS, estimates_together, figures_together
from pytest_behave.measure.score_order import ROWS_PER_LEVEL, ScoreOrder
from pytest_behave.records import Estimate
from pytest_behave.records.bits import members

from . import outcome_of

STEADY = settings(max_examples=200)
SCORES = {
    "all different": lambda random, size: random.permutation(size) / size,
    "float32": lambda random, size: random.random(size).astype(np.float32).astype(np.float64),
    "one tie": lambda random, size: np.maximum(random.permutation(size), 1) / size,
    "pairs": lambda random, size: random.permutation(size) // 2 / size,
    "100 values": lambda random, size: random.integers(0, 100, size) / 100,
    "one value": lambda _, size: np.full(size, 0.5),
    "differ in the last bits": lambda random, size: 0.5 + random.integers(0, 2_000, size) * 2.0**-53,
    "of either sign": lambda random, size: np.round(random.normal(0, 1e6, size), 1),
}


def pair_by_pair(score: np.ndarray, positive: np.ndarray) -> tuple[float, float, float]:
    """Return the area and the sums of squares of DeLong's placement values, from all pairs of rows."""
    apart = score[positive][:, None] - score[~positive]
    wins = np.where(apart > 0, 1.0, np.where(apart == 0, 0.5, 0.0))
    of_positives, of_negatives, area = wins.mean(axis=1), wins.mean(axis=0), wins.mean()
    return area, ((of_positives - area) ** 2).sum(), ((of_negatives - area) ** 2).sum()


def ways(score: np.ndarray, positive: np.ndarray, mask: np.ndarray) -> list[Ordered]:
    """Return a slice put in order by its row numbers, by its places, and as a mask."""
    order = ScoreOrder(score, positive)
    places = np.flatnonzero(mask[order.order])
    others = [~mask, np.zeros_like(mask)]
    return [order.of_rows(np.flatnonzero(mask)), order.of_places(places), list(order.of_masks([*others, mask]))[2]]


@STEADY
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(2, 200),
    levels=st.integers(1, 200),
    share=st.floats(0.05, 1),
)
def test_each_way_to_put_a_slice_in_order_gives_the_figures_of_all_pairs(seed, size, levels, share):
    random = np.random.default_rng(seed)
    score = random.integers(-levels, levels + 1, size) / levels
    positive, mask = random.random(size) < 0.4, random.random(size) < share
    expected = pair_by_pair(score[mask], positive[mask]) if 0 < positive[mask].sum() < mask.sum() else None
    for found in ways(score, positive, mask):
        assert (found.n, found.m) == (mask.sum(), positive[mask].sum())
        if expected is not None:
            assert (found.area(), *found.squares()) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        if found.m:
            reference = average_precision_score(positive[mask], score[mask])
            assert found.precision() == pytest.approx(reference, rel=1e-12)


@pytest.mark.parametrize("most", [ordered.EXACT_IN_INT64, 0], ids=["whole numbers", "floats"])
@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("share", [0.02, 0.3, 1])
def test_many_rows_have_the_figures_of_scikit_learn_and_of_counts_per_score(scores, share, most, monkeypatch):
    monkeypatch.setattr(ordered, "EXACT_IN_INT64", most)
    random = np.random.default_rng(1)
    size = 20_011
    score = SCORES[scores](random, size)
    positive, mask = random.random(size) < 0.2 + 0.5 * (score > np.median(score)), random.random(size) < share
    places = np.unique(score[mask], return_inverse=True)[1]
    counted = Tied(np.bincount(places, positive[mask]), np.bincount(places, ~positive[mask]))
    for found in ways(score, positive, mask):
        assert found.area() == pytest.approx(roc_auc_score(positive[mask], score[mask]), abs=1e-12)
        assert found.precision() == pytest.approx(average_precision_score(positive[mask], score[mask]), abs=1e-12)
        assert found.squares() == pytest.approx(counted.squares(), rel=1e-8)


def test_few_scores_are_counted_and_many_rows_listed():
    size = 1_000
    positive, everything = np.arange(size) % 3 == 0, np.ones(size, dtype=bool)
    few, many = (np.arange(size) % levels / levels for levels in (size // ROWS_PER_LEVEL, size // 2))
    for score, kind in ((few, Tied), (many, Listed)):
        (found,) = ScoreOrder(score, positive).of_masks([everything])
        assert isinstance(found, kind)


@pytest.mark.parametrize("scores", SCORES)
def test_rows_are_in_the_order_of_scores_with_negatives_before_positives(scores):
    random = np.random.default_rng(2)
    score = SCORES[scores](random, 5_003)
    positive = random.random(len(score)) < 0.5
    assert ScoreOrder(score, positive).order.tolist() == np.lexsort((np.arange(len(score)), positive, score)).tolist()


def test_either_zero_is_one_score_and_no_number_is_the_highest():
    score = np.array([0.0, -0.0, np.nan, -np.inf, np.inf, np.nan, -1.0])
    positive = np.array([True, False, True, False, True, False, False])
    assert ScoreOrder(score, positive).order.tolist() == [3, 6, 1, 0, 4, 5, 2]


@pytest.mark.parametrize("scores", SCORES)
def test_slices_and_families_have_the_same_figures_whether_measured_together_or_alone(scores, monkeypatch):
    random = np.random.default_rng(3)
    size = 9_001
    score = SCORES[scores](random, size)
    target = (random.random(size) < 0.3 + 0.3 * (score > np.median(score))).astype(int)
    codes = random.integers(0, 20, size).astype(np.int8)
    masks = [*(random.random(size) < share for share in (0, 0.01, *np.linspace(0.1, 1, 18)))]
    bits = [*Masks(masks, size).bits, *members(codes, 20)]
    outcome = outcome_of("binary", target=target.tolist(), score=score.tolist())
    names = ("roc_auc", "average_precision")
    together = estimates_together(names, outcome, Masks(bits, size))
    monkeypatch.setattr("pytest_behave.measure.kernel.FEWEST_ROWS_TO_SHARE", 1)
    assert estimates_together(names, outcome, Masks(bits, size)) == together
    figures = figures_together(names, outcome, Masks(bits, size))
    for name in names:
        np.testing.assert_array_equal(figures[name], [ends(one)[0] for one in together[name]])
        for index, one in enumerate(bits):
            (alone,) = estimates_together([name], outcome, Masks([one.bools()], size))[name]
            assert alone.n == together[name][index].n
            np.testing.assert_allclose(ends(alone), ends(together[name][index]), rtol=1e-12)


def ends(estimate: Estimate) -> np.ndarray:
    """Return value and interval as numbers, NaN where there is none."""
    return np.array([estimate.value, estimate.low, estimate.high], dtype=np.float64)


@pytest.mark.parametrize(
    ("positive", "n", "m"), [([], 0, 0), ([True], 1, 1), ([False], 1, 0), ([True, True], 2, 2), ([True, False], 2, 1)]
)
def test_slices_of_hardly_any_row_have_what_can_be_said(positive, n, m):
    found = Listed(np.array(positive, dtype=bool))
    assert (found.n, found.m) == (n, m)
    assert [PARTS[name](found).n for name in PARTS] == [n, n]
