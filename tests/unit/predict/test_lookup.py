"""Outputs on disk are found by id, whatever the order and the size of blocks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.errors import ModelError
from pytest_behave.predict import lookup
from pytest_behave.predict.lookup import Lookup, write_lookup

STEADY = settings(max_examples=50)


def lookup_of(ids, size=4):
    frame = pd.DataFrame({"id": ids, "said": [f"of {name}" for name in ids], "score": np.arange(len(ids)) / 2})
    return written(frame[first : first + size] for first in range(0, len(frame), size))


def written(frames):
    blocks = (
        (frame["id"].to_numpy(dtype=object), pa.Table.from_pandas(frame.drop(columns="id"), preserve_index=False))
        for frame in frames
    )
    with tempfile.TemporaryDirectory() as folder:
        write_lookup(Path(folder), "p.csv", blocks)
        return Lookup(Path(folder))


@STEADY
@given(
    st.lists(st.text(max_size=5), min_size=1, max_size=30, unique=True),
    st.lists(st.text(max_size=5)),
    st.integers(1, 9),
)
def test_every_id_finds_its_own_row(ids, others, size):
    known = lookup_of(ids, size)
    wanted = [*ids[::-1], *others]
    rows = known.rows_of(wanted)
    assert rows.tolist() == [ids.index(name) if name in ids else -1 for name in wanted]
    found = known.take(rows[rows >= 0])
    assert found["said"].to_pylist() == [f"of {name}" for name in wanted if name in ids]
    assert found.column_names == ["said", "score"]


def test_ids_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(lookup, "hashes_of", lambda ids: np.array([len(name) for name in ids], dtype=np.uint64))
    known = lookup_of(["a", "bb", "c", "dd", "e"])
    assert known.rows_of(["e", "dd", "a", "c", "bb", "f", "gg", "hhh"]).tolist() == [4, 3, 0, 2, 1, -1, -1, -1]
    with pytest.raises(ModelError, match="more than one row for some ids"):
        lookup_of(["a", "bb", "a"])


def test_ids_that_come_twice_are_named():
    with pytest.raises(ModelError, match=r"p\.csv has more than one row for some ids \(for example b\)"):
        lookup_of(["a", "b", "c", "d", "e", "b"])


def test_columns_that_change_their_kind_are_refused():
    blocks = [pd.DataFrame({"id": ["a"], "said": ["x"]}), pd.DataFrame({"id": ["b"], "said": [1.5]})]
    with pytest.raises(ModelError, match=r"p\.csv cannot be joined in parts"):
        written(blocks)


def test_a_file_without_rows_is_refused():
    with pytest.raises(ModelError, match=r"p\.csv holds no rows"):
        written([])
