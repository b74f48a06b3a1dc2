"""A column is of one kind, whatever pandas calls it, with plain values and a mask of what is missing."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.data.columns import canonical_text, column_of

STEADY = settings(max_examples=200)
FIRST, DAY, NOON, LAST = map(
    dt.datetime.fromisoformat, ["0001-01-01", "2027-03-01", "2027-03-01T12:30", "9999-12-31T23:59:59.999999"]
)


def objects(*cells):
    return pd.Series(list(cells), dtype=object)


def present(column):
    return column.values[~column.missing].tolist()


# --- kinds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "kind", "values"),
    [
        (pd.Series([1, 2]), "number", [1, 2]),
        (pd.Series([1, 2], dtype="int8"), "number", [1, 2]),
        (pd.Series([1, None], dtype="Int64"), "number", [1]),
        (pd.Series([2**64 - 1, 0], dtype="uint64"), "number", [2**64 - 1, 0]),
        (pd.Series([2**64 - 1, None], dtype="UInt64"), "number", [2**64 - 1]),
        (pd.Series([5, 0], dtype="uint64"), "number", [5, 0]),
        (pd.Series([0.5, None]), "number", [0.5]),
        (pd.Series([0.5, None], dtype="float32"), "number", [0.5]),
        (pd.Series([0.5, None], dtype="Float64"), "number", [0.5]),
        (pd.Series([np.inf, -np.inf, np.nan]), "number", [np.inf, -np.inf]),
        (objects(1, 2.5, None), "number", [1.0, 2.5]),
        (objects(1, None), "number", [1]),
        (objects(2**70, 1.5), "number", [2**70, 1.5]),
        (objects(2**53 + 1, 0.5), "number", [2**53 + 1, 0.5]),
        (objects(np.int64(3), np.float32(0.5)), "number", [3.0, 0.5]),
        (objects(decimal.Decimal("0.5"), fractions.Fraction(1, 4)), "number", [0.5, 0.25]),
        (pd.Series([True, False]), "bool", [True, False]),
        (pd.Series([True, None], dtype="boolean"), "bool", [True]),
        (objects(True, None), "bool", [True]),
        (objects(np.bool_(True), False), "bool", [True, False]),
        (pd.Series(["a", None]), "text", ["a"]),
        (pd.Series(["a", None], dtype="string"), "text", ["a"]),
        (pd.Series(["a", None], dtype=object), "text", ["a"]),
        (pd.Series(["NA", "None", "nan", ""]), "text", ["NA", "None", "nan", ""]),
        (objects(np.str_("a")), "text", ["a"]),
        (pd.Series(["a", None], dtype="category"), "text", ["a"]),
        (pd.Series([2, 1, None], dtype="category"), "number", [2, 1]),
        (pd.Series([True, False], dtype="category"), "bool", [True, False]),
        (pd.Series(pd.to_datetime(["2027-03-01", None])), "date", [DAY]),
        (pd.Series(pd.to_datetime(["2027-03-01 12:30"])).astype("datetime64[s]"), "date", [NOON]),
        (pd.Series(pd.to_datetime(["2027-03-01 12:30"]).tz_localize("Asia/Tokyo")), "date", [NOON]),
        (objects(dt.date(2027, 3, 1), NOON), "date", [DAY, NOON]),
        (objects(pd.Timestamp(NOON), np.datetime64("2027-03-01")), "date", [NOON, DAY]),
        (objects(LAST, FIRST.date()), "date", [LAST, FIRST]),
        (objects(NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=9)))), "date", [NOON]),
        (objects(1, "1"), "mixed", [1, "1"]),
        (objects(True, 1), "mixed", [True, 1]),
        (objects("2027-03-01", DAY), "mixed", ["2027-03-01", DAY]),
        (objects([1, 2], None), "mixed", [[1, 2]]),
        (objects({"a": 1}), "mixed", [{"a": 1}]),
        (objects(b"a"), "mixed", [b"a"]),
        (objects(10**400), "mixed", [10**400]),
        (pd.Series([1j]), "mixed", [1j]),
        (pd.Series([None, None], dtype=object), "empty", []),
        (pd.Series([np.nan, np.nan]), "empty", []),
        (pd.Series([None], dtype="Int64"), "empty", []),
        (pd.Series([None], dtype="category"), "empty", []),
        (pd.Series([pd.NaT]), "empty", []),
        (pd.Series([], dtype="int64"), "empty", []),
    ],
)
def test_the_kind_of_a_column_is_that_of_its_values(series, kind, values):
    column = column_of(series)
    assert column.kind == kind
    assert present(column) == values
    assert column.missing.tolist() == series.isna().tolist()
    assert len(column.values) == len(series)


@pytest.mark.parametrize(
    ("series", "dtype"),
    [
        (pd.Series([1, 2], dtype="int8"), np.int64),
        (pd.Series([1, None], dtype="Int64"), np.int64),
        (objects(1, 2), np.int64),
        (pd.Series([0.5], dtype="float32"), np.float64),
        (objects(1, 0.5), np.float64),
        (objects(2**63), object),
        (objects(True, None), np.bool_),
        (pd.Series(["a"], dtype="string"), object),
        (pd.Series(["a"], dtype="category"), object),
        (pd.Series(pd.to_datetime(["2027-03-01"])), "datetime64[us]"),
        (objects(DAY), "datetime64[us]"),
    ],
)
def test_the_values_of_a_kind_are_of_one_plain_type(series, dtype):
    assert column_of(series).values.dtype == dtype


def test_the_index_of_a_series_is_of_no_account():
    column = column_of(pd.Series(["a", None, 1], index=[9, 9, 2], dtype=object))
    assert column.values.tolist() == ["a", None, 1]
    assert column.missing.tolist() == [False, True, False]


def test_the_series_is_left_as_it_was():
    series = pd.Series([1.0, None, 3.0])
    column = column_of(series)
    before = series.copy()
    values = column.values.copy()
    values[:] = 7
    pd.testing.assert_series_equal(series, before)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.datetimes(),
    st.dates(),
    st.binary(max_size=2),
)


@STEADY
@given(cells=st.lists(CELLS, max_size=6) | st.lists(st.integers() | st.floats() | st.none(), max_size=6))
def test_any_cells_are_a_column_of_the_same_cells(cells):
    series = objects(*cells)
    column = column_of(series)
    kept = [cell for cell, missing in zip(cells, column.missing, strict=True) if not missing]
    assert all(cell is None or cell != cell for cell, missing in zip(cells, column.missing, strict=True) if missing)  # noqa: PLR0124 - NaN
    if column.kind == "date":
        kept = [dt.datetime.combine(cell, dt.time()) if type(cell) is dt.date else cell for cell in kept]
    assert present(column) == kept
    assert len(canonical_text(column)) == len(cells)


# --- one text for each value --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "texts"),
    [
        (pd.Series([1, -2]), ["1", "-2"]),
        (pd.Series([1.0, -2.0, 0.5]), ["1", "-2", "0.5"]),
        (objects("1", "1.0", "x"), ["1", "1.0", "x"]),
        (objects(1, "1", 1.0), ["1", "1", "1"]),
        (pd.Series([True, False]), ["True", "False"]),
        (pd.Series([-0.0]), ["0"]),
        (pd.Series([2**63 - 1]), ["9223372036854775807"]),
        (pd.Series([2**64 - 1], dtype="uint64"), ["18446744073709551615"]),
        (pd.Series([1e300, 1e16]), ["1e+300", "10000000000000000"]),
        (pd.Series([np.inf]), ["inf"]),
        (objects("x", None), ["x", ""]),
        (objects(None, None), ["", ""]),
        (pd.Series(pd.to_datetime(["2027-03-01"])), ["2027-03-01 00:00:00"]),
    ],
)
def test_labels_and_ids_are_matched_by_one_text(series, texts):
    assert canonical_text(column_of(series)).tolist() == texts


@STEADY
@given(number=st.integers(-(2**53), 2**53))
def test_a_whole_number_has_the_same_text_in_any_form(number):
    forms = [
        pd.Series([number]),
        pd.Series([float(number)]),
        objects(number),
        objects(str(number)),
        objects(number, "x"),
    ]
    assert {canonical_text(column_of(form))[0] for form in forms} == {str(number)}
