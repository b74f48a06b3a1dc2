"""Groups divide the instances: each is in the one group that its value says, or in none where the value is missing."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.data.columns import column_of
from pytest_behave.data.partitions import MOST_GROUPS, by_edges, by_period, by_quantiles, by_values, crossed
from pytest_behave.errors import BehaveError, DataError

STEADY = settings(max_examples=120)


def column(*cells, dtype=object):
    return column_of(pd.Series(list(cells), dtype=dtype))


def members(groups):
    """Return the name of each instance's group, None where it is in none."""
    return [groups.names[code] if code >= 0 else None for code in groups.codes.tolist()]


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["b", "a", None, "b"], ("a", "b")),
        (["é", "z", "A", "", " "], ("", " ", "A", "z", "é")),
        (["10", "9"], ("10", "9")),
        ([10, 9, None, 9], ("9", "10")),
        ([1.5, 1.0, -0.0, 0.0, None], ("0", "1", "1.5")),
        ([1e300, 0.1, 1e-7, 1e16, -1e300], ("-1e+300", "1e-07", "0.1", "10000000000000000", "1e+300")),
        ([float("inf"), float("-inf"), 0], ("-inf", "0", "inf")),
        ([2**53, 2**53 + 1], ("9007199254740992", "9007199254740993")),
        ([2**64 - 1, 2**64 - 2, 1], ("1", "18446744073709551614", "18446744073709551615")),
        ([2**70, 0.5], ("0.5", "1180591620717411303424")),
        ([True, False, None], ("False", "True")),
        (["1", 1, True], ("1", "True")),
        ([None, None], ()),
        ([], ()),
    ],
)
def test_there_is_one_group_per_value_in_rising_order(cells, names):
    groups = by_values("a", column(*cells))
    assert groups.names == names
    assert [name is None for name in members(groups)] == [cell is None for cell in cells]


VALUES = st.one_of(
    st.lists(st.none() | st.text(max_size=2)),
    st.lists(st.none() | st.integers()),
    st.lists(st.none() | st.floats(allow_nan=False) | st.integers(-5, 5)),
    st.lists(st.none() | st.booleans()),
)


@STEADY
@given(cells=VALUES)
def test_two_instances_are_in_one_group_exactly_if_their_values_are_equal(cells):
    groups = by_values("a", column(*cells))
    assert len(set(groups.names)) == len(groups.names)
    for (cell, name), (other, other_name) in itertools.combinations(zip(cells, members(groups), strict=True), 2):
        assert (name is None) == (cell is None)
        if cell is not None and other is not None:
            assert (name == other_name) == (cell == other)


@STEADY
@given(cells=VALUES)
def test_groups_of_values_are_ranked_as_their_values(cells):
    groups = by_values("a", column(*cells))
    present = sorted((cell, code) for cell, code in zip(cells, groups.codes.tolist(), strict=True) if cell is not None)
    codes = [code for _, code in present]
    assert codes == sorted(codes)
    assert sorted(set(codes)) == list(range(len(groups.names)))


def test_too_many_values_are_refused_with_what_to_use():
    assert len(by_values("a", column(*range(MOST_GROUPS))).names) == MOST_GROUPS
    with pytest.raises(DataError, match=r"column 'a' has 1,001 values, .*: use `edges`, `quantiles` or `every`"):
        by_values("a", column(*range(MOST_GROUPS + 1)))


# --- edges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ((25.0,), ("<25", ">=25")),
        ((25.0, 45.0), ("<25", "25-45", ">=45")),
        ((-4.0, -2.0, 0.5), ("<-4", "-4--2", "-2-0.5", ">=0.5")),
    ],
)
def test_bins_are_named_by_their_edges_and_may_be_empty(edges, names):
    assert by_edges("a", column(1), edges).names == names


@STEADY
@given(
    cells=st.lists(st.none() | st.floats(allow_nan=False) | st.integers(-3, 3)),
    edges=st.lists(st.integers(-3, 3) | st.floats(-3, 3), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_a_bin_holds_its_left_edge_and_not_its_right(cells, edges):
    groups = by_edges("a", column(*cells), tuple(map(float, edges)))
    assert groups.codes.tolist() == [-1 if cell is None else bisect.bisect_right(edges, cell) for cell in cells]


def test_true_and_false_are_numbers_for_edges():
    assert members(by_edges("a", column(True, False, None), (1.0,))) == [">=1", "<1", None]


@pytest.mark.parametrize(
    ("cells", "kind"), [(["x"], "text"), ([dt.date(2027, 3, 1)], "date"), ([1, "x"], "mixed"), ([[1]], "mixed")]
)
@pytest.mark.parametrize("divide", [lambda *a: by_edges(*a, (1.0,)), lambda *a: by_quantiles(*a, 2)])
def test_only_numbers_have_edges_and_quantiles(cells, kind, divide):
    with pytest.raises(DataError, match=f"column 'a' holds {kind}, so it has no edges or quantiles"):
        divide("a", column(*cells))


# --- quantiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "count", "found"),
    [
        ([1, 2, 3, 4], 2, ["q1", "q1", "q2", "q2"]),
        ([4, 3, 2, 1], 4, ["q4", "q3", "q2", "q1"]),
        ([1, None, 2], 2, ["q1", None, "q2"]),
        ([1, 2, 2, 2], 2, ["q1", "q2", "q2", "q2"]),
        ([5, 5, 5], 4, ["q4", "q4", "q4"]),
        ([float("inf"), float("-inf"), 1], 3, ["q3", "q1", "q2"]),
        ([float("inf"), float("inf"), 1, 2], 2, ["q2", "q2", "q1", "q1"]),
        ([True, False], 2, ["q2", "q1"]),
    ],
)
def test_quantiles_divide_into_parts_of_about_equal_size(cells, count, found):
    assert members(by_quantiles("a", column(*cells), count)) == found


@STEADY
@given(cells=st.lists(st.none() | st.integers(-9, 9) | st.floats(-9, 9), min_size=1), count=st.integers(2, 6))
def test_quantiles_are_those_of_numpy_with_ties_kept_together(cells, count):
    present = np.array([cell for cell in cells if cell is not None], dtype=float)
    if not len(present):
        return
    levels = np.quantile(present, np.arange(1, count) / count)
    expected = [None if cell is None else f"q{1 + int((levels <= cell).sum())}" for cell in cells]
    assert members(by_quantiles("a", column(*cells), count)) == expected


@STEADY
@given(cells=st.lists(st.integers(), min_size=2, max_size=40, unique=True), count=st.integers(2, 6))
def test_distinct_numbers_are_divided_evenly(cells, count):
    small = [float(rank) for rank in np.argsort(np.argsort(np.array(cells, dtype=object)))]
    sizes = np.bincount(by_quantiles("a", column(*small), count).codes)
    assert sizes.max() - sizes[sizes > 0].min() <= 1


@STEADY
@given(cells=st.lists(st.none() | st.floats(allow_nan=False), min_size=1), count=st.integers(2, 6))
def test_quantiles_of_any_numbers_keep_their_order(cells, count):
    if all(cell is None for cell in cells):
        return
    groups = by_quantiles("a", column(*cells), count)
    present = sorted((cell, code) for cell, code in zip(cells, groups.codes.tolist(), strict=True) if cell is not None)
    assert [code for _, code in present] == sorted(code for _, code in present)
    assert [name is None for name in members(groups)] == [cell is None for cell in cells]


def test_quantiles_of_nothing_are_refused():
    with pytest.raises(DataError, match="column 'a' has no values to divide into quantiles"):
        by_quantiles("a", column(None, None), 2)


# --- calendar periods ---------------------------------------------------------------------------------------------

# Python's own calendar
NAMES = {
    "day": lambda day: f"{day.year:04d}-{day.month:02d}-{day.day:02d}",
    "week": lambda day: "{:04d}-W{:02d}".format(*day.isocalendar()[:2]),
    "month": lambda day: f"{day.year:04d}-{day.month:02d}",
    "quarter": lambda day: f"{day.year:04d}-Q{(day.month + 2) // 3}",
    "year": lambda day: f"{day.year:04d}",
}
EDGES_OF_WEEKS = ["2027-01-03", "2027-01-04", "2026-12-31", "2024-12-30", "2020-12-31", "1969-12-29", "1969-12-28"]
DAYS = st.sampled_from(EDGES_OF_WEEKS).map(dt.datetime.fromisoformat) | st.datetimes()


@pytest.mark.parametrize("every", NAMES)
@STEADY
@given(days=st.lists(st.none() | DAYS, min_size=1))
def test_a_date_is_in_the_period_that_the_calendar_says(every, days):
    if all(day is None for day in days):
        return
    groups = by_period("a", column(*days), every)
    assert members(groups) == [None if day is None else NAMES[every](day) for day in days]
    assert list(groups.names) == sorted(groups.names)


@pytest.mark.parametrize("every", NAMES)
def test_texts_of_dates_and_far_years_are_dates(every):
    days = ["0001-01-01", "9999-12-31", "1500-06-07T08:00", "2027-03-01 12:30:00+09:00"]
    expected = [NAMES[every](dt.date.fromisoformat(day[:10])) for day in days]
    assert members(by_period("a", column(*days, None), every)) == [*expected, None]


def test_a_period_is_that_of_the_hour_in_the_data():
    stamps = pd.Series(pd.to_datetime(["2027-01-01T23:00:00+09:00", "2027-01-02T00:00:00+09:00"]))
    assert members(by_period("a", column_of(stamps), "day")) == ["2027-01-01", "2027-01-02"]


@pytest.mark.parametrize("cells", [[1, 2], ["2027-03-01", "soon"], [True], ["2027-02-30"]])
def test_what_is_no_date_has_no_period(cells):
    with pytest.raises(BehaveError, match="takes dates, but column 'a' holds"):
        by_period("a", column(*cells), "day")


# --- several columns ----------------------------------------------------------------------------------------------


def test_combinations_that_occur_are_named_in_the_order_of_their_parts():
    sexes, ages = ["m", "f", "m", None, "f"], [30, 20, 20, 20, None]
    groups = crossed([by_values("sex", column(*sexes)), by_values("age", column(*ages))])
    assert groups.names == ("f, 20", "m, 20", "m, 30")
    assert members(groups) == ["m, 30", "f, 20", "m, 20", None, None]


@STEADY
@given(rows=st.lists(st.tuples(*[st.none() | st.sampled_from("abc")] * 3), min_size=1))
def test_an_instance_is_in_the_combination_of_its_groups(rows):
    groups = crossed([by_values("x", column(*cells)) for cells in zip(*rows, strict=True)])
    assert members(groups) == [None if None in row else ", ".join(row) for row in rows]
    assert set(groups.names) == {name for name in members(groups) if name is not None}


def test_two_combinations_are_never_taken_for_one():
    parts = [by_values("x", column("a, b", "a")), by_values("y", column("c", "b, c"))]
    with pytest.raises(DataError, match="two slices of one name, 'a, b, c': derive one column in `metadata`"):
        crossed(parts)


def test_too_many_combinations_are_refused():
    cells = list(range(40))
    product = list(itertools.product(cells, cells))
    parts = [by_values("x", column(*part)) for part in zip(*product, strict=True)]
    with pytest.raises(DataError, match=r"the columns cross to 1,600 slices, too many \(at most 1,000\)"):
        crossed(parts)
