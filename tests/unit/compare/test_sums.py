"""Sums of parts of a dataset add up to those of the whole, whatever the parts and their order."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_behave.compare.paired import Margin, Settings, compare_pairs, compare_sums
from pytest_behave.compare.sums import Moments, sums_of
from pytest_behave.records.pairs import PairedStates, PairedValues

STEADY = settings(max_examples=60)
ROWS = 90
SLICES = (np.arange(ROWS), np.arange(0, ROWS, 3), np.arange(40, 70), np.arange(0, 0))
UNITS = np.arange(ROWS) * 7 % 23


def share_of_hits(counts):
    with np.errstate(invalid="ignore"):
        return counts[..., 2] / (counts[..., 1] + counts[..., 2])


def pairs_of(kind, seed):
    """Return both models' values on all rows, some of them left out."""
    random = np.random.default_rng(seed)
    if kind == "states":
        drawn = random.integers(0, 3, (2, ROWS))
        return PairedStates(*drawn, 3, share_of_hits, np.zeros(3, dtype=int))
    values = random.integers(0, 2, (2, ROWS)).astype(float) if kind == "binary" else random.gamma(2, size=(2, ROWS))
    values[1] = np.where(random.random(ROWS) < 0.6, values[0], values[1])
    values[:, random.random(ROWS) < 0.1] = np.nan
    return PairedValues(*values, binary=kind == "binary")


def some_rows(pairs, rows):
    """Return the pairs of some rows alone, and the slices' rows among them."""
    if isinstance(pairs, PairedStates):
        part = PairedStates(pairs.baseline[rows], pairs.candidate[rows], pairs.size, pairs.value, pairs.groups)
    else:
        part = PairedValues(pairs.baseline[rows], pairs.candidate[rows], pairs.binary)
    return part, [np.flatnonzero(np.isin(rows, slice_)) for slice_ in SLICES]


@pytest.mark.parametrize("kind", ["binary", "real", "states"])
@STEADY
@given(st.integers(0, 999), st.lists(st.integers(0, 4), min_size=ROWS, max_size=ROWS), st.permutations(range(5)))
def test_parts_in_any_order_give_the_comparison_of_the_whole(kind, seed, part_of_row, order):
    pairs, part_of_row = pairs_of(kind, seed), np.array(part_of_row)
    sums = []
    for number in order:
        rows = np.flatnonzero(part_of_row == number)
        part, slices = some_rows(pairs, rows)
        sums.append(sums_of(part, slices, -1, UNITS[rows]))
    margins = [Margin(0.02)] * len(SLICES)
    found = compare_sums(pairs, reduce(add, sums), margins, -1, "mid-p")
    whole = compare_pairs(pairs, SLICES, margins, -1, Settings(UNITS))
    for one, other in zip(found, whole, strict=True):
        for name in ("baseline", "candidate", "low", "high", "p", "margin"):
            expected = getattr(other, name)
            assert getattr(one, name) == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name
        assert (one.n, one.test, one.differs) == (other.n, other.test, other.differs)
        if other.flippable is not None:
            assert one.flippable.units.tolist() == other.flippable.units.tolist()
            assert one.flippable.parts == pytest.approx(other.flippable.parts, rel=1e-9, abs=1e-12)
            assert one.flippable.observed == pytest.approx(other.flippable.observed, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["binary", "states"])
def test_counts_do_not_depend_on_the_parts_at_all(kind):
    pairs = pairs_of(kind, 1)
    whole = sums_of(pairs, SLICES, -1, UNITS)
    parts = [sums_of(*some_rows(pairs, rows), -1, UNITS[rows]) for rows in np.array_split(np.arange(ROWS), 7)]
    for one, other in zip(reduce(add, parts[::-1]).slices, whole.slices, strict=True):
        for name in other._fields if kind == "states" else ("cells",):
            assert np.array_equal(getattr(one, name), getattr(other, name))


@STEADY
@given(st.lists(st.floats(-1e3, 1e3), max_size=40), st.integers(0, 40), st.sampled_from([0.0, 1e6]))
def test_moments_of_parts_are_those_of_all_values(values, cut, offset):
    values = np.array(values) + offset
    found = Moments.of(values[:cut]) + Moments.of(values[cut:])
    assert found.n == len(values)
    if len(values):
        assert found.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-9)
        assert found.squares == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-9, abs=1e-6)
        if values.std() > 1:
            assert found.skewness == pytest.approx(stats.skew(values), rel=1e-6, abs=1e-6)
