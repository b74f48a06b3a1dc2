"""Searching pyarrow's texts finds what Python's own operators find."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.data import search
from pytest_behave.data.search import found_in

STEADY = settings(max_examples=300)
TEXTS = st.lists(st.none() | st.text("abé😀", max_size=12), max_size=40)
PYTHON = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}


@pytest.mark.parametrize("kind", PYTHON)
@STEADY
@given(texts=TEXTS, part=st.text("abé😀", max_size=4), first=st.integers(0, 5), large=st.booleans())
def test_any_part_is_found_where_python_finds_it(kind, texts, part, first, large):
    array = pa.chunked_array([pa.array(texts, pa.large_string() if large else pa.string()).slice(first)])
    found = found_in(array, part, kind).tolist()
    assert [one for one, text in zip(found, texts[first:], strict=True) if text is not None] == [
        PYTHON[kind](text, part) for text in texts[first:] if text is not None
    ]


@pytest.mark.parametrize("size", [7, 64, 1_000, 4_099])
@pytest.mark.parametrize("part", ["a", "ab", "abcabcab", "abcabcabcabcabcabcabc"])
def test_blocks_of_rows_and_bytes_change_nothing(monkeypatch, size, part):
    monkeypatch.setattr(search, "ROWS_AT_ONCE", 500)
    monkeypatch.setattr(search, "BYTES_AT_ONCE", 128)
    texts = ["abc" * (row % 9) + "x" * (row % 3) for row in range(size)]
    assert found_in(pa.chunked_array([texts[: size // 3], texts[size // 3 :]]), part, "contains").tolist() == [
        part in text for text in texts
    ]


def test_no_texts_give_no_answers():
    assert found_in(pa.chunked_array([], pa.string()), "b", "contains").tolist() == []
