"""Counting and summing over packed masks gives what numpy gives with one plain mask at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from pytest_behave.measure import kernel
from pytest_behave.measure.kernel import (
    FEWEST_MEMBERS,
    MASKS_OF_PRODUCT,
    MOST_PATTERNS,
    ROWS_OF_PRODUCT,
    WORDS_AT_ONCE,
    Masks,
)
from pytest_behave.measure.statistics import cell_counts
from pytest_behave.records.bits import WORD, AnyOf, Everything, Except, members, packed, packed_blocks, words_for

from . import outcome_of

STEADY = settings(max_examples=100)
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


@pytest.mark.parametrize("share", [0, 0.001, 0.03, 0.08, 0.2, 1])
def test_few_rows_and_many_are_listed(share):
    mask = np.random.default_rng(0).random(10_007) < share
    assert packed(mask).rows().tolist() == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 1_000])
def test_bits_are_packed_block_by_block(monkeypatch, size):
    monkeypatch.setattr("pytest_behave.records.bits.BLOCK", 128)
    mask = np.random.default_rng(0).random(size) < 0.5
    assert packed_blocks(size, lambda first, last: mask[first:last]).bools().tolist() == mask.tolist()


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


@STEADY
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 400),
    groups=st.sampled_from([FEWEST_MEMBERS - 1, FEWEST_MEMBERS, 60]),
    planes=st.integers(0, MOST_PATTERNS + 2),
)
def test_families_are_counted_and_summed_by_their_codes_as_by_masks(seed, size, groups, planes):
    random = np.random.default_rng(seed)
    codes = random.integers(-1, random.integers(0, groups + 1), size).astype(np.int8)
    bits = [*members(codes, groups), packed(random.random(size) < 0.3)]
    order = random.permutation(len(bits))
    family = Masks([bits[place] for place in order], size)
    masks = [bits[place].bools() for place in order]
    chosen = [random.random(size) < share for share in random.random(planes)]
    columns, cells = random.normal(size=(2, size)), random.integers(0, 40, size)

    assert family.count(chosen).tolist() == [[(mask & plane).sum() for plane in chosen] for mask in masks]
    assert family.sizes.tolist() == [mask.sum() for mask in masks] == [one.count for one in family.bits]
    sums = family.sums(lambda first, last: columns[:, first:last], 2)
    np.testing.assert_allclose(sums, [columns[:, mask].sum(axis=1) for mask in masks], rtol=0, atol=1e-9)
    assert family.tabulate(cells, 40).tolist() == [np.bincount(cells[mask], minlength=40).tolist() for mask in masks]
    rows = dict(family.rows_of(np.arange(len(family))))
    assert [rows[place].tolist() for place in range(len(masks))] == [np.flatnonzero(mask).tolist() for mask in masks]


@STEADY
@given(seed=st.integers(0, 2**32), size=st.integers(1, 300))
def test_conditions_are_put_together_word_by_word_as_row_by_row(seed, size):
    random = np.random.default_rng(seed)
    one, other, third = (random.random(size) < 0.5 for _ in range(3))
    a, b, c = map(packed, (one, other, third))
    found = {
        (a & b) & c: one & other & third,
        a | ~b: one | ~other,
        ~(a & b) & Everything(size): ~(one & other),
        Except(AnyOf([a, b]), c): (one | other) & ~third,
    }
    middle = words_for(size) // 2
    for bits, expected in found.items():
        assert bits.bools().tolist() == expected.tolist()
        assert bits.count == expected.sum()
        assert np.array_equal(np.concatenate([bits.words(0, middle), bits.words(middle)]), bits.words())


@pytest.mark.parametrize("threads", [0, 10**9])
def test_two_threads_give_what_one_gives(monkeypatch, threads):
    monkeypatch.setattr(kernel, "FEWEST_ROWS_TO_SHARE", threads)
    random = np.random.default_rng(2)
    size = 3 * WORD * WORDS_AT_ONCE + 77
    masks, planes = [random.random(size) < 0.4 for _ in range(3)], [random.random(size) < 0.5 for _ in range(3)]
    packed_masks = Masks(masks, size)
    assert packed_masks.count(planes).tolist() == [[(mask & plane).sum() for plane in planes] for mask in masks]
    values = random.random((1, size))
    sums = packed_masks.sums(lambda first, last: values[:, first:last], 1)[:, 0]
    np.testing.assert_allclose(sums, [values[0, mask].sum() for mask in masks], rtol=1e-12)


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
