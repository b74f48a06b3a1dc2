"""Counting and summing over packed masks gives what numpy gives with one plain mask at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from pytest_behave.measure.kernel import MASKS_OF_PRODUCT, ROWS_OF_PRODUCT, Masks
from pytest_behave.measure.statistics import cell_counts

from . import outcome_of

STEADY = settings(derandomize=True, deadline=None, database=None, max_examples=100)
BLOCK = ROWS_OF_PRODUCT
# around the ends of a byte, of a 64-bit word, and of a block of rows
SIZES = [1, 7, 8, 9, 63, 64, 65, 127, 128, 129, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 65, 2 * BLOCK + 3]


def masks_of(random: np.random.Generator, size: int, count: int = 5) -> list[np.ndarray]:
    """Return the full, the empty, and ``count`` random masks, dense and thin."""
    everything = np.ones(size, dtype=bool)
    return [everything, ~everything, *(random.random(size) < density for density in np.linspace(0.02, 0.98, count))]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("thin_masks", [0, MASKS_OF_PRODUCT + 1])
def test_counts_sums_sizes_and_rows_are_those_of_plain_masks(size, thin_masks):
    random = np.random.default_rng(size)
    masks = [*(random.random(size) < 0.05 for _ in range(thin_masks)), *masks_of(random, size)]
    planes = masks_of(random, size, 3)
    columns = random.normal(size=(size, 2))
    packed = Masks(masks, size)

    assert len(packed) == len(masks)
    assert packed.sizes.tolist() == [mask.sum() for mask in masks]
    assert packed.count(planes).tolist() == [[(mask & plane).sum() for plane in planes] for mask in masks]
    np.testing.assert_allclose(
        packed.sums(lambda first, last: columns[first:last].T, 2),
        [columns[mask].sum(axis=0) for mask in masks],
        rtol=0,
        atol=1e-9,
    )
    for index, mask in enumerate(masks):
        assert packed.bools(index).dtype == bool
        assert packed.bools(index).tolist() == mask.tolist()
        assert packed.rows(index).tolist() == np.flatnonzero(mask).tolist()


@STEADY
@given(
    masks=st.integers(1, 300).flatmap(
        lambda size: st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=1, max_size=4)
    )
)
def test_any_masks_are_counted_against_each_other_as_a_matrix_product(masks):
    array = np.array(masks, dtype=bool)
    as_numbers = array.astype(np.int64)
    assert (Masks(masks=list(array), size=array.shape[1]).count(list(array)) == as_numbers @ as_numbers.T).all()


def test_every_single_row_is_found_where_it_is():
    size = 2 * 64 + 5
    packed = Masks(list(np.eye(size, dtype=bool)), size)
    assert packed.sizes.tolist() == [1] * size
    assert [packed.rows(index).tolist() for index in range(size)] == [[row] for row in range(size)]
    assert packed.sums(lambda first, last: np.arange(first, last, dtype=np.float64)[None], 1)[:, 0].tolist() == list(
        range(size)
    )


def test_what_metrics_share_is_computed_once_per_outcome():
    masks = Masks([np.ones(3, dtype=bool)], 3)
    one, other = (outcome_of("binary", [0, 1, 1], [0, 1, label], positive=1) for label in (0, 1))
    calls = []

    def correct(outcome, masks):
        calls.append(outcome)
        return masks.count([outcome.target == outcome.predicted]).tolist()

    assert [masks.once(outcome, correct) for outcome in (one, one, other, other)] == [[[2]], [[2]], [[3]], [[3]]]
    assert len(calls) == 2


def test_no_masks_and_no_planes_give_empty_arrays():
    size = 10
    plane = np.ones(size, dtype=bool)
    assert Masks([], size).count([plane, plane]).shape == (0, 2)
    assert Masks([], size).sums(lambda first, last: np.ones((3, last - first)), 3).shape == (0, 3)
    assert Masks([plane], size).count([]).shape == (1, 0)


def test_counts_do_not_overflow_their_bytes():
    size = 70_000
    packed = Masks([np.ones(size, dtype=bool)], size)
    assert packed.sizes.tolist() == [size]
    assert packed.count([np.ones(size, dtype=bool)]).tolist() == [[size]]


# 4 classes x 4 are counted by planes of bits, 5 x 5 by gathering rows; "z" only the model says
@pytest.mark.parametrize("labels", ["ab", "abc", "abcd", "abcde", "abcdefg"])
@pytest.mark.parametrize("only_said", ["", "z"])
def test_cells_of_target_and_output_are_the_confusion_matrix_of_each_slice(labels, only_said):
    random = np.random.default_rng(len(labels))
    size = 200
    target = np.array([*labels, *random.choice(list(labels), size - len(labels))])
    predicted = np.array([*only_said, *random.choice(list(labels + only_said), size - len(only_said))])
    masks = masks_of(random, size)
    outcome = outcome_of("multiclass", target, predicted)

    counts = cell_counts(outcome, Masks(masks, size))

    every = [*labels, *only_said]
    assert outcome.classes == tuple(every)
    assert counts.shape == (len(masks), len(labels), len(every))
    for mask, table in zip(masks, counts, strict=True):
        expected = np.zeros((len(every), len(every)), dtype=int)
        if mask.any():
            expected = confusion_matrix(target[mask], predicted[mask], labels=every)
        assert table.tolist() == expected[: len(labels)].tolist()
