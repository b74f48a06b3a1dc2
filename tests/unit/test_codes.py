"""Numbers and hashes of values, against what Python's own dict tells apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_behave.codes import factorize, hashes_of

# few letters, so that texts share beginnings; NUL ends a text in C, half a surrogate pair has no UTF-8
texts = st.text(st.sampled_from("ab\0\ud800é"), max_size=4)


def as_array(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@given(st.lists(st.one_of(texts, st.none())))
def test_values_get_numbers_in_order_of_appearance(values):
    places = {text: place for place, text in enumerate(dict.fromkeys(v for v in values if v is not None))}
    codes, distinct = factorize(as_array(values))
    assert codes.tolist() == [places.get(value, -1) for value in values]
    assert list(distinct) == list(places)


@pytest.mark.parametrize("dtype", ["object", "str", "string"])
def test_series_keep_apart_what_differs_behind_a_nul(dtype):
    codes, distinct = factorize(pd.Series(["\0a", "\0b", "c", "\0a"]).astype(dtype))
    assert (codes.tolist(), list(distinct)) == ([0, 1, 2, 0], ["\0a", "\0b", "c"])


@pytest.mark.parametrize("values", [np.array([2, 1, 2]), np.array([2.0, 1.0, 2.0]), np.array([True, False, True])])
def test_numbers_are_left_to_pandas(values):
    assert factorize(values)[0].tolist() == [0, 1, 0]


@given(st.lists(texts, unique=True))
def test_different_texts_have_different_hashes(values):
    assert len(set(hashes_of(as_array(values)).tolist())) == len(values)


def test_hashes_depend_on_the_key():
    some = as_array(["a", "\ud800"])
    assert (hashes_of(some) != hashes_of(some, "another key, 16b")).all()
    assert (hashes_of(some) == hashes_of(some)).all()
