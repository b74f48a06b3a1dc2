"""Outputs come back from Arrow as they were: values, types, and the type of each column."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_behave.predict.encoding import keys_in, predictions_in, record_batch
from pytest_behave.predict.plain import NotPlainError, from_text, to_text
from pytest_behave.predict.segments import batch_bytes, batch_in, read_segment, write_segment
from pytest_behave.records import Predictions

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
MORE = (
    st.binary(max_size=3)
    | st.dates()
    | st.datetimes()
    | st.decimals(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.sampled_from(
        [np.float32(0.1), np.int64(3), np.str_("a"), np.bool_(True), pd.NaT, pd.NA, dt.timedelta(1, 2, 3)]
    )
)
KEYS = st.text(max_size=3) | st.just("$") | st.integers() | st.tuples(st.integers())
VALUES = st.recursive(
    PLAIN | MORE,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
DTYPES = [
    "int8",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "bool",
    "datetime64[ns]",
    "datetime64[s]",
    "timedelta64[ns]",
    ">i4",
]


def columns(size):
    """Return columns of ``size`` rows as models return them."""
    plain = st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(dtype, size)).map(pd.Series)
    cells = st.lists(VALUES, min_size=size, max_size=size).map(lambda values: pd.Series(cells_of(values), dtype=object))
    texts = st.lists(TEXTS, min_size=size, max_size=size)
    of_texts = st.sampled_from([object, "string", str]).flatmap(
        lambda dtype: texts.map(lambda t: pd.Series(t, dtype=dtype))
    )
    whole = st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=size, max_size=size)
    nullable = whole.map(lambda values: pd.Series([pd.NA if v is None else v for v in values], dtype="Int64"))
    return plain | cells | of_texts | nullable


def cells_of(values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


@st.composite
def predictions(draw):
    size = draw(st.integers(1, 4))
    numbers = arrays("float64", size)
    names = st.lists(TEXTS, max_size=2, unique=True)
    return Predictions(
        prediction=draw(st.none() | columns(size)),
        score=draw(st.none() | numbers),
        proba={name: draw(numbers) for name in draw(names)},
        embedding=draw(st.none() | arrays(st.sampled_from(["float32", "float64", "int8"]), (size, 3))),
        extra={name: draw(columns(size)) for name in draw(names)},
    )


def same(one, other):
    """Tell whether two values are equal and of the same type, NaN like NaN."""
    return type(one) is type(other) and (to_text(one) == to_text(other))


def assert_same(before, after):
    for one, other in zip(parts(before), parts(after), strict=True):
        assert (one is None) == (other is None)
        if one is None:
            continue
        if isinstance(one, pd.Series):
            assert str(one.dtype) in (str(other.dtype), ">i4")
            assert all(same(*pair) for pair in zip(one.tolist(), other.tolist(), strict=True))
        else:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def parts(of):
    names = sorted(of.proba), sorted(of.extra)
    return [of.prediction, of.score, of.embedding, *(of.proba[n] for n in names[0]), *(of.extra[n] for n in names[1])]


@given(VALUES)
def test_a_value_comes_back_from_text_as_it_was(value):
    assert same(from_text(to_text(value)), value)
    assert "\n" not in to_text(value)


@given(predictions())
def test_outputs_come_back_from_bytes_as_they_were(before):
    batch = batch_in(batch_bytes(record_batch(before)))
    assert_same(before, predictions_in(pa.Table.from_batches([batch])))


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["a", "b"]),
        pd.Series([1, "a"], dtype=object),
        pd.Series([True, False]),
        pd.Series([{"label": "x", "why": ["a", None]}, {"n": float("nan")}]),
        pd.Series([Decimal("1.10"), {1, 2}]),
        pd.Series(pd.to_datetime(["2026-01-01", None])),
        pd.Series(pd.to_datetime(["2026-01-01", None]).tz_localize("Europe/Paris")),
    ],
    ids=["text", "mixed", "bool", "json", "others", "date", "date with a zone"],
)
def test_a_segment_keeps_outputs_and_keys(series, tmp_path):
    before = Predictions(prediction=series, score=np.array([0.1, np.inf]), embedding=np.eye(2))
    keys = np.array([[1, 2**64 - 1], [3, 4]], dtype=np.uint64)
    table = pa.Table.from_batches([record_batch(before, keys)])
    after = read_segment(write_segment(tmp_path, table))
    assert (keys_in(after) == keys).all()
    assert_same(before, predictions_in(after))


def test_categories_come_back_as_their_values():
    series = pd.Series(["a", "b", "a"], dtype="category")
    after = predictions_in(pa.Table.from_batches([record_batch(Predictions(prediction=series))]))
    assert after.prediction.tolist() == ["a", "b", "a"]


@pytest.mark.parametrize(
    "value", [object(), len, "\ud800", pd.Interval(0, 1)], ids=["object", "function", "text", "interval"]
)
def test_what_cannot_be_written_down_is_refused(value):
    with pytest.raises(NotPlainError):
        record_batch(Predictions(prediction=pd.Series([value], dtype=object)))
