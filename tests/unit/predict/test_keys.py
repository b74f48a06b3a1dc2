"""Keys of rows: by content alone, whatever the types of the columns, and never the same for two contents."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_behave.predict.keys import row_keys
from pytest_behave.predict.plain import NotPlainError

CELLS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.dates()
ROWS = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8)


def key_of(value, name="a", dtype=object):
    (key,) = row_keys(pd.DataFrame({name: pd.Series([value], dtype=dtype)})).tolist()
    return tuple(key)


def content(row):
    """Return what a row is, in Python's own terms: 1 and 1.0 are one value, True is another."""
    return tuple((isinstance(cell, bool), isinstance(cell, str), cell, str(cell) == "-0.0") for cell in row)


@given(ROWS)
def test_rows_have_equal_keys_just_where_they_are_equal(rows):
    frame = pd.DataFrame(rows, columns=["a", "b"], dtype=object)
    alone = [tuple(row_keys(frame.iloc[[number]]).tolist()[0]) for number in range(len(frame))]
    for one, key in zip(rows, alone, strict=True):
        for other, other_key in zip(rows, alone, strict=True):
            assert (content(one) == content(other)) == (key == other_key)


@given(ROWS, st.randoms())
def test_keys_follow_their_rows_and_not_the_order_of_columns(rows, random):
    frame = pd.DataFrame(rows, columns=["a", "b"], dtype=object)
    order = random.sample(range(len(rows)), len(rows))
    keys = row_keys(frame)
    assert sorted(keys.tolist()) == sorted(row_keys(frame.iloc[order].reset_index(drop=True)).tolist())
    assert (keys == row_keys(frame[["b", "a"]])).all()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5, unique=True))
def test_whole_numbers_have_the_same_keys_in_any_type_that_holds_them(values):
    keys = row_keys(pd.DataFrame({"a": values}))
    assert (keys == row_keys(pd.DataFrame({"a": pd.Series(values, dtype=object)}))).all()
    assert (keys == row_keys(pd.DataFrame({"a": pd.Series(values, dtype="Int64")}))).all()
    if all(int(float(value)) == value for value in values):
        assert (keys == row_keys(pd.DataFrame({"a": pd.Series(values, dtype=float)}))).all()
    assert len(np.unique(keys[:, 0])) == len(values)


@pytest.mark.parametrize(
    ("value", "dtypes"),
    [
        ("a", [object, "str", "string", "category"]),
        (True, [object, bool, "boolean", "category"]),
        (3, [object, "int8", "int64", "uint16", "Int64", "float32", "float64", "Float64"]),
        (0.5, [object, "float32", "float64", "Float64"]),
        (2**60, [object, "int64", "float32", "float64", "Float64"]),
    ],
)
def test_another_type_of_the_column_is_no_other_row(value, dtypes):
    assert len({key_of(value, dtype=dtype) for dtype in dtypes}) == 1


def test_units_of_dates_are_no_other_dates():
    day = "2026-03-01T10:00:00"
    assert len({key_of(day, dtype=f"datetime64[{unit}]") for unit in ("s", "ms", "us", "ns")}) == 1
    assert key_of(day, dtype="datetime64[s]") != key_of("2026-03-01T10:00:01", dtype="datetime64[s]")


DIFFERENT = [
    1,
    "1",
    True,
    "True",
    1.5,
    "1.5",
    "",
    "\0",
    "\x001",
    b"1",
    [1],
    (1,),
    {"a": 1},
    2**53,
    2**53 + 1,
    2**70,
    -0.0,
    0,
]
DIFFERENT += [dt.date(2026, 1, 1), "2026-01-01", np.array([1, 2]), np.array([1.0, 2.0]), {"a": "1"}, "a\ud800", "a"]


def test_values_that_look_alike_have_keys_of_their_own():
    assert len({key_of(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert key_of("x", name="a") != key_of("x", name="b")


def test_a_missing_value_is_as_no_column():
    assert key_of(None) == key_of(np.nan, dtype=float) == key_of(pd.NA, dtype="Int64")
    wider = pd.DataFrame({"a": ["x"], "b": [None]})
    assert (row_keys(wider) == row_keys(wider[["a"]])).all()


def test_values_do_not_change_places():
    rows = pd.DataFrame({"a": ["x", "y"], "b": ["y", "x"]})
    assert len(np.unique(row_keys(rows)[:, 0])) == 2


def test_only_the_columns_that_are_given_to_the_model_count():
    before = pd.DataFrame({"a": [1, 2], "target": [0, 1]})
    after = before.assign(target=[1, 1])
    assert (row_keys(before, ["a"]) == row_keys(after, ["a"])).all()
    assert (row_keys(before) != row_keys(after)).any()


def test_equal_rows_and_repeats_have_keys_of_their_own():
    frame = pd.DataFrame({"a": ["x", "y", "x", "x"]})
    keys = row_keys(frame)
    assert len(np.unique(keys[:, 0])) == len(np.unique(keys[:, 1])) == 4
    assert (keys[:2] == row_keys(frame.iloc[:2])).all()
    assert not (set(keys[:, 0]) & set(row_keys(frame, repeat=1)[:, 0]))


def test_a_name_of_a_file_stands_for_its_content(tmp_path):
    (tmp_path / "a.png").write_bytes(b"one")
    frame = pd.DataFrame({"image": ["a.png", "gone.png", None]})
    before = row_keys(frame, roots=[tmp_path])
    (tmp_path / "a.png").write_bytes(b"two")
    after = row_keys(frame, roots=[tmp_path])
    assert (before != after).all(axis=1).tolist() == [True, False, False]


def test_values_that_cannot_be_told_apart_are_refused():
    with pytest.raises(NotPlainError, match="column 'a' holds object"):
        key_of(object())


def test_no_two_of_many_rows_have_the_same_half_of_a_key():
    numbers = np.arange(200_000)
    frame = pd.DataFrame({"a": numbers % 1000, "b": numbers // 1000, "c": (numbers % 7).astype(str)})
    keys = row_keys(frame)
    assert pd.Index(keys[:, 0]).is_unique
    assert pd.Index(keys[:, 1]).is_unique
    assert abs(np.unpackbits(keys.view(np.uint8)).mean() - 0.5) < 0.001
