"""A fingerprint is that of the content: any order of rows and columns has the same, any change has another."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_behave.data.fingerprints import file_fingerprint, frame_fingerprint

STEADY = settings(max_examples=80)

TEXTS = st.text(max_size=5)  # lone surrogates among them: JSON may hold them
CELLS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "object": TEXTS | st.none(),
    "datetime64[us]": st.datetimes(min_value=pd.Timestamp("1700-01-01"), max_value=pd.Timestamp("2200-01-01")),
    "mixed": st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["1", "True", "", "x"])),
}
NAMES = st.sampled_from(["a", "b", "ab", "a b", "é", ""])


def series_of(dtype, cells):
    return pd.Series(cells, dtype="object" if dtype == "mixed" else dtype)


@st.composite
def tables(draw):
    """Draw columns by name: how pandas holds them, and their cells."""
    size = draw(st.integers(1, 5))
    dtypes = draw(st.dictionaries(NAMES, st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    return {name: (dtype, draw(st.lists(CELLS[dtype], min_size=size, max_size=size))) for name, dtype in dtypes.items()}


def frame_of(table):
    return pd.DataFrame({name: series_of(dtype, cells) for name, (dtype, cells) in table.items()})


def kinds(value):
    """Return what a cell is: 0.0 and -0.0 are one number, 1 and True and "1" are three things."""
    if isinstance(value, float):
        value += 0.0
    return ("text" if isinstance(value, str) else "bool" if isinstance(value, bool) else "value", value)


@STEADY
@given(table=tables(), data=st.data())
def test_the_order_of_rows_and_columns_does_not_matter(table, data):
    frame = frame_of(table)
    rows = data.draw(st.permutations(range(len(frame))))
    names = data.draw(st.permutations(list(frame.columns)))
    assert frame_fingerprint(frame.iloc[rows][names]) == frame_fingerprint(frame)


@STEADY
@given(table=tables(), data=st.data())
def test_any_other_cell_has_another_fingerprint(table, data):
    name = data.draw(st.sampled_from(sorted(table)))
    dtype, cells = table[name]
    row = data.draw(st.integers(0, len(cells) - 1))
    other = data.draw(CELLS[dtype])
    assume(kinds(other) != kinds(cells[row]))
    changed = {**table, name: (dtype, [*cells[:row], other, *cells[row + 1 :]])}
    assert frame_fingerprint(frame_of(changed)) != frame_fingerprint(frame_of(table))


@STEADY
@given(table=tables(), data=st.data())
def test_rows_that_trade_a_cell_have_another_fingerprint_unless_they_are_the_same_rows(table, data):
    frame = frame_of(table)
    name = data.draw(st.sampled_from(sorted(table)))
    dtype, cells = table[name]
    shuffled = data.draw(st.permutations(cells))

    def rows(column):
        columns = [column if other == name else table[other][1] for other in table]
        return sorted(repr([kinds(cell) for cell in row]) for row in zip(*columns, strict=True))

    same = rows(cells) == rows(shuffled)
    found = frame_fingerprint(frame_of({**table, name: (dtype, shuffled)})) == frame_fingerprint(frame)
    assert found == same


@STEADY
@given(table=tables(), data=st.data())
def test_a_row_more_a_row_less_and_a_row_twice_have_other_fingerprints(table, data):
    frame = frame_of(table)
    row = data.draw(st.integers(0, len(frame) - 1))
    assert frame_fingerprint(frame.drop(index=row)) != frame_fingerprint(frame)
    assert frame_fingerprint(pd.concat([frame, frame.iloc[[row]]], ignore_index=True)) != frame_fingerprint(frame)


@STEADY
@given(table=tables(), data=st.data())
def test_another_name_has_another_fingerprint(table, data):
    name = data.draw(st.sampled_from(sorted(table)))
    other = data.draw(NAMES | st.text(max_size=3))
    assume(other not in table)
    frame = frame_of(table)
    assert frame_fingerprint(frame.rename(columns={name: other})) != frame_fingerprint(frame)


def test_columns_that_trade_their_names_have_another_fingerprint():
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert frame_fingerprint(frame.rename(columns={"a": "b", "b": "a"})) != frame_fingerprint(frame)


def objects(*cells):
    return pd.Series(list(cells), dtype=object)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (objects(1), objects("1")),
        (objects(1), objects(True)),
        (objects("True"), objects(True)),
        (objects("2027-03-01"), pd.Series(pd.to_datetime(["2027-03-01"]))),
        (objects(1, "x"), objects("1", "x")),
        (objects(1, "1"), objects("1", "1")),
        (objects(True, "x"), objects("True", "x")),
        (objects(None, "x"), objects("", "x")),
        (objects(None, "x"), objects("None", "x")),
        (objects(float("nan"), "x"), objects("nan", "x")),
        (objects(None), objects("")),
        (objects(2**53), objects(2**53 + 1)),
        (pd.Series([2**63 - 1]), pd.Series([2**63 - 2])),
        (pd.Series([2**64 - 1], dtype="uint64"), pd.Series([2**64 - 2], dtype="uint64")),
        (objects(2**70), objects(2**70 + 1)),
        (pd.Series([0.1]), pd.Series([0.10000000000000002])),
        (pd.Series([np.nan, 1.0]), pd.Series([0.0, 1.0])),
        (pd.Series([np.inf]), pd.Series([-np.inf])),
        (objects("a\0b"), objects("a\0c")),
        (objects("\ud800"), objects("\ud801")),
        (objects("e\u0301"), objects("é")),
        (objects("a "), objects("a")),
        (pd.Series(pd.to_datetime(["2027-03-01"])), pd.Series(pd.to_datetime(["2027-03-01 00:00:00.000001"]))),
        (objects([1, 2]), objects([1, 3])),
    ],
)
def test_cells_that_are_not_the_same_are_told_apart(one, other):
    assert frame_fingerprint(one.to_frame("a")) != frame_fingerprint(other.to_frame("a"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.Series([1, 2]), pd.Series([1.0, 2.0])),
        (pd.Series([1, 2]), pd.Series([1, 2], dtype="int8")),
        (pd.Series([1, None]), pd.Series([1, None], dtype="Int64")),
        (pd.Series([1, 2]), objects(1, 2)),
        (pd.Series([2**60]), pd.Series([float(2**60)])),
        (pd.Series([0.0]), pd.Series([-0.0])),
        (pd.Series([True, False]), objects(True, False)),
        (pd.Series([True, False]), pd.Series([True, False], dtype="boolean")),
        (objects("a", None), pd.Series(["a", None], dtype="string")),
        (objects("a", "b"), pd.Series(["a", "b"], dtype="category")),
        (objects("a", "b"), pd.Series(["a", "b"], dtype=pd.CategoricalDtype(["c", "b", "a"], ordered=True))),
        (objects(None, "a"), objects(float("nan"), "a")),
        (objects(None, None), pd.Series([np.nan, np.nan])),
        (pd.Series(pd.to_datetime(["2027-03-01"])), pd.Series(pd.to_datetime(["2027-03-01"]).astype("datetime64[s]"))),
        (pd.Series(pd.to_datetime(["2027-03-01"])), objects(pd.Timestamp("2027-03-01").date())),
    ],
)
def test_how_pandas_holds_the_same_cells_does_not_matter(one, other):
    assert frame_fingerprint(one.to_frame("a")) == frame_fingerprint(other.to_frame("a"))


PINNED = "sha256:59863cd7700fba172f1b7555e0995bac37425290fff7bdc7ce0b3a4b035608e3"


def test_the_fingerprint_is_the_same_under_every_version_of_pandas_and_numpy():
    # a record made elsewhere must be comparable: if this constant changes, every fingerprint in the world does
    frame = pd.DataFrame(
        {
            "text": ["x", "é", None, ""],
            "number": [0.1, -0.0, None, 1e300],
            "whole": [2**53 + 1, -1, 0, 1],
            "flag": [True, False, True, False],
            "date": pd.to_datetime(["2027-03-01", None, "1969-12-31 23:59:59.999999", "2200-01-01"], format="ISO8601"),
            "mixed": objects(1, "1", True, None),
            "empty": objects(None, None, None, None),
        }
    )
    assert frame_fingerprint(frame) == PINNED


def test_frames_of_no_rows_or_no_columns_have_fingerprints():
    frames = [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame({"b": []}), pd.DataFrame({"a": [1]})]
    assert len({frame_fingerprint(frame) for frame in frames}) == len(frames)


def test_many_rows_have_as_many_fingerprints():
    frames = [pd.DataFrame({"a": [value]}) for value in range(2_000)]
    assert len({frame_fingerprint(frame) for frame in frames}) == 2_000


def test_the_fingerprint_of_a_file_is_the_hash_of_its_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\r\n\0")
    assert file_fingerprint(path) == "sha256:" + hashlib.sha256(b"\r\n\0").hexdigest()
