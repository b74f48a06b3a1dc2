"""Words say of large slices what listing their rows says, and what scikit-learn says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pytest_behave.measure import ranking
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.ranking import Ranked, Untied
from pytest_behave.measure.words import DIRECT, InWords, packed_planar, planar

from . import outcome_of

SIZE = 2 * 64 * DIRECT + 5  # half of the rows are counted by words, though every row is in the slice


def in_words(rows: np.ndarray, positive: np.ndarray) -> InWords:
    """Return a slice of rows in rising order of score."""
    order = planar(np.arange(len(rows)))
    packed = (packed_planar(np.append(some, False).take(order)) for some in (rows, positive))
    return InWords(*packed)


def arranged(order: str, random: np.random.Generator) -> np.ndarray:
    """Return which rows are positive."""
    if order == "alternating words":
        return np.arange(SIZE) // 64 % 2 == 0
    if order == "negatives first in each word":
        return np.arange(SIZE) % 64 >= 32
    if order == "positives first in each word":
        return np.arange(SIZE) % 64 < 32
    if order == "separated":
        return np.arange(SIZE) >= SIZE // 2
    return random.random(SIZE) < float(order)


@pytest.mark.parametrize("density", [0.1, 0.5, 1])
@pytest.mark.parametrize(
    "order",
    [
        "0.5",
        "0.01",
        "0.99",
        "alternating words",
        "negatives first in each word",
        "positives first in each word",
        "separated",
    ],
)
def test_words_say_what_rows_say(order, density):
    random = np.random.default_rng(1)
    positive, rows = arranged(order, random), random.random(SIZE) < density
    one, other = in_words(rows, positive), Untied(positive[rows])
    assert (one.n, one.m) == (other.n, other.m)
    assert one.area() == other.area()
    assert one.squares() == pytest.approx(other.squares(), rel=1e-9)
    assert one.precision() == pytest.approx(other.precision(), abs=1e-11)


def test_large_slices_have_the_values_of_scikit_learn_and_the_intervals_of_listed_rows(monkeypatch):
    random = np.random.default_rng(2)
    target = random.random(SIZE) < 0.3
    score = random.permutation(SIZE) / SIZE + 0.2 * target
    masks = [np.ones(SIZE, dtype=bool), random.random(SIZE) < 0.8, random.random(SIZE) < 0.05]
    outcome = outcome_of("binary", target=target.astype(int).tolist(), score=score.tolist())
    for name, reference in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        monkeypatch.setattr(ranking, "FEWEST_IN_WORDS", 1)
        found = Ranked(name).estimates(outcome, Masks(masks, SIZE))
        assert [one.value for one in found] == pytest.approx(
            [reference(target[mask], score[mask]) for mask in masks], abs=1e-11
        )
        monkeypatch.setattr(ranking, "FEWEST_IN_WORDS", SIZE)
        listed = Ranked(name).estimates(outcome, Masks(masks, SIZE))
        assert [one.low for one in found] == pytest.approx([one.low for one in listed], abs=1e-10)
        assert [one.high for one in found] == pytest.approx([one.high for one in listed], abs=1e-10)
