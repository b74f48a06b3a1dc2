"""Blocks of predictions, each sorted by id, become the file that all rows at once would be."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.errors import EngineError, ModelError
from pytest_behave.outputs import predictions, spills
from pytest_behave.outputs.predictions import predictions_bytes, read_predictions
from pytest_behave.outputs.spills import merge_spills, write_spill
from pytest_behave.records import Predictions, StoredPredictions

TEXT = st.text(st.characters(codec="utf-8"), max_size=4)


def stored(ids, prediction, **more):
    size = len(ids)
    return StoredPredictions(
        ids=np.array(ids, dtype=object),
        content=np.arange(size, dtype=np.uint32),
        target=np.arange(size, dtype=np.uint32),
        columns=("x",),
        model="m",
        predictions=Predictions(prediction=pd.Series(prediction, dtype=object), score=np.arange(size) / 7, **more),
    )


def part_of(run, rows):
    said = run.predictions
    return StoredPredictions(
        run.ids[rows],
        run.content[rows],
        run.target[rows],
        run.columns,
        run.model,
        Predictions(
            said.prediction.iloc[rows],
            said.score[rows],
            said.proba,
            extra={name: values.iloc[rows] for name, values in said.extra.items()},
        ),
    )


def merged(blocks):
    with tempfile.TemporaryDirectory() as folder:
        for number, block in enumerate(blocks):
            write_spill(Path(folder), f"{number:03}", block)
        target = Path(folder) / "all.parquet"
        rows = merge_spills(Path(folder), target)
        return rows, target.read_bytes()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Make a few rows many."""
    monkeypatch.setattr(predictions, "ROWS_OF_A_GROUP", 7)
    monkeypatch.setattr(spills, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(spills, "MOST_OPEN", 3)


@settings(max_examples=40)
@given(ids=st.lists(TEXT, min_size=1, max_size=40, unique=True), blocks=st.integers(1, 12), data=st.data())
def test_blocks_become_the_file_of_all_rows_byte_for_byte(ids, blocks, data):
    values = st.none() | data.draw(st.sampled_from([TEXT, st.integers(-9, 9), st.booleans(), st.floats(-9, 9)]))
    said = data.draw(st.lists(values, min_size=len(ids), max_size=len(ids)))
    run = stored(ids, ["x"] * len(ids), extra={"said": pd.Series(said, dtype=object)})
    places = np.array(data.draw(st.lists(st.integers(0, blocks - 1), min_size=len(ids), max_size=len(ids))))
    parts = [part_of(run, np.flatnonzero(places == block)) for block in sorted(set(places.tolist()))]
    assert merged(parts) == (len(ids), predictions_bytes(run))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (([1, 2], [0.5, None]), [1.0, 2.0, 0.5, None]),
        (([1, 2], ["x", None]), [1, 2, "x", None]),
        (([True, False], [0.5, 1.5]), [True, False, 0.5, 1.5]),
        (([[1, 2], {"a": None}], ["x", "y"]), [[1, 2], {"a": None}, "x", "y"]),
        (([None, None], [True, False]), [None, None, True, False]),
        (([None, None], [None, None]), [None] * 4),
        ((["a", "\ud800"], ["b", None]), ["a", "\ud800", "b", None]),
        (([2**70, 1], [3, 4]), [2**70, 1, 3, 4]),
    ],
)
def test_blocks_that_hold_other_kinds_of_values_come_together(cells, expected):
    blocks = [
        stored(ids, ["x", "x"], extra={"said": pd.Series(part, dtype=object)})
        for ids, part in zip((["a", "b"], ["c", "d"]), cells, strict=True)
    ]
    _, data = merged(blocks)
    found = read_predictions(data, "s.parquet").predictions.extra["said"]
    shown = found.astype(object).where(found.notna(), None).tolist()
    assert [(type(value), value) for value in shown] == [(type(value), value) for value in expected]


def test_blocks_with_other_columns_are_refused():
    with pytest.raises(ModelError, match="other columns in some parts than in others"):
        merged([stored(["a"], ["x"]), stored(["b"], ["x"], extra={"more": pd.Series([1])})])


def test_a_worker_without_the_folder_says_what_to_do():
    with pytest.raises(EngineError, match="set TMPDIR, where pytest runs, to a folder that all workers share"):
        write_spill(Path("nowhere"), "0", stored(["a"], ["x"]))


def test_a_block_written_twice_counts_once():
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            write_spill(Path(folder), "0", stored(["a", "b"], ["x", "y"]))
        assert merge_spills(Path(folder), Path(folder) / "all.parquet") == 2
