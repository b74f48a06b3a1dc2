"""What a model said comes back from the file as it was, and a file that is no use says why instead of raising."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.outputs.predictions import predictions_bytes, read_predictions
from pytest_behave.records import Predictions, StoredPredictions

STEADY = settings(max_examples=80)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

ANY_TEXT = st.text(st.characters() | st.sampled_from(["\ud800", "\udfff", "\0", "\n"]), max_size=5)
FLOATS = st.floats(allow_nan=False)
WHOLE = st.integers(-(2**70), 2**70)
SIMPLE = st.one_of(ANY_TEXT, st.booleans(), WHOLE, FLOATS)
OBJECTS = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ANY_TEXT, inner, max_size=2))
LABELS = {
    "text": ANY_TEXT,
    "whole": st.integers(-(2**63), 2**63 - 1),
    "large": WHOLE,
    "number": FLOATS,
    "bool": st.booleans(),
    "mixed": SIMPLE,
    "objects": OBJECTS,
    "gaps": st.none() | SIMPLE,
}


def stored(prediction=None, *, ids=None, columns=("text",), **said):
    """Return predictions as a run would hand them over, lists as columns of objects."""
    size = next(len(values) for values in (prediction, ids, said.get("score")) if values is not None)
    ids = [f"{row:03}" for row in range(size)] if ids is None else ids
    hashes = (np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)).astype(
        np.uint32
    )
    score, proba, extra = said.get("score"), said.get("proba", {}), said.get("extra", {})
    return StoredPredictions(
        np.array(ids, dtype=object),
        hashes,
        hashes // 3,
        columns,
        "sha256:m",
        Predictions(
            prediction=column_of(prediction),
            score=None if score is None else np.array(score, dtype=np.float64),
            proba={name: np.array(values, dtype=np.float64) for name, values in proba.items()},
            extra={name: column_of(values) for name, values in extra.items()},
        ),
    )


def column_of(cells):
    if not isinstance(cells, list):
        return cells
    series = pd.Series([None] * len(cells), dtype=object)
    for row, cell in enumerate(cells):  # a list is one cell
        series.iloc[[row]] = pd.Series([cell], index=[row], dtype=object)
    return series


def read(data):
    """Return the predictions in a file that must be good."""
    found = read_predictions(data, "s.parquet")
    assert isinstance(found, StoredPredictions), found
    return found


def cells(values):
    """Return cells with their kinds, missing ones alike: 1, True, 1.0 and "1" are four things, and -0.0 is not 0.0."""
    return [None if value is None or value is pd.NA else exact(value) for value in values]


def labels(series):
    return cells(series.astype(object).where(series.notna(), None).tolist())


def exact(value):
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    return type(value), repr(value)


@st.composite
def runs(draw):
    """Draw what a model said of a few instances."""
    ids = draw(st.lists(ANY_TEXT, min_size=1, max_size=6, unique=True))

    def column(cells):
        return draw(st.lists(cells, min_size=len(ids), max_size=len(ids)))

    kind = draw(st.sampled_from(sorted(LABELS)))
    names = draw(st.lists(ANY_TEXT, max_size=3, unique=True))
    return stored(
        column(LABELS[kind]),
        ids=ids,
        score=draw(st.none()) or column(FLOATS),
        proba={name: column(FLOATS) for name in names},
        extra={name: column(LABELS["gaps"]) for name in names},
        columns=tuple(names),
    )


@STEADY
@given(run=runs())
def test_what_a_model_said_comes_back_with_its_kinds_sorted_by_id(run):
    back = read(predictions_bytes(run))
    order = sorted(range(len(run.ids)), key=run.ids.tolist().__getitem__)
    assert back.ids.tolist() == [run.ids[row] for row in order]
    assert back.content.tolist() == run.content[order].tolist()
    assert back.target.tolist() == run.target[order].tolist()
    assert (back.columns, back.model) == (run.columns, run.model)
    assert labels(back.predictions.prediction) == labels(run.predictions.prediction.iloc[order])
    assert cells(back.predictions.score.tolist()) == cells(run.predictions.score[order].tolist())
    assert set(back.predictions.proba) == set(run.predictions.proba)
    for name, values in run.predictions.proba.items():
        assert cells(back.predictions.proba[name].tolist()) == cells(values[order].tolist())
    assert set(back.predictions.extra) == set(run.predictions.extra)
    for name, values in run.predictions.extra.items():
        assert labels(back.predictions.extra[name]) == labels(values.iloc[order])


@STEADY
@given(run=runs(), data=st.data())
def test_the_same_content_has_the_same_bytes_in_any_order_and_after_reading(run, data):
    order = data.draw(st.permutations(range(len(run.ids))))
    said = run.predictions
    moved = StoredPredictions(
        run.ids[order],
        run.content[order],
        run.target[order],
        run.columns,
        run.model,
        Predictions(
            prediction=said.prediction.iloc[order],
            score=said.score[order],
            proba={name: said.proba[name][order] for name in reversed(said.proba)},
            extra={name: said.extra[name].iloc[order] for name in reversed(said.extra)},
        ),
    )
    written = predictions_bytes(run)
    assert predictions_bytes(moved) == written
    assert predictions_bytes(read(written)) == written


def test_equal_mappings_have_the_same_bytes():
    one, other = stored([{"a": 1, "b": [2]}]), stored([{"b": (2,), "a": np.int64(1)}])
    assert predictions_bytes(one) == predictions_bytes(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], ["1"]),
        ([1], [True]),
        ([1], [1.0]),
        ([True], ["True"]),
        ([[1]], ["[1]"]),
        ([None], [""]),
        ([None], ["None"]),
    ],
)
def test_labels_of_two_kinds_are_two_labels(one, other):
    for padding in ([], ["x"]):  # alone, and in a column of mixed kinds
        first, second = (read(predictions_bytes(stored([*cells_, *padding]))) for cells_ in (one, other))
        assert cells(first.predictions.prediction) != cells(second.predictions.prediction)


@pytest.mark.parametrize(
    ("series", "dtype"),
    [
        (pd.Series([1, 2], dtype="int8"), "int64"),
        (pd.Series([1, 2], dtype="Int64"), "int64"),
        (pd.Series([True, False], dtype="boolean"), "bool"),
        (pd.Series([0.5, 2], dtype="float32"), "float64"),
        (pd.Series(["a", "b"], dtype="string"), "object"),
        (pd.Series(["a", "b"], dtype="category"), "object"),
        (pd.Series(["a", None], dtype="string"), "object"),
        (pd.Series([np.int64(1), np.int64(2)], dtype=object), "int64"),
        (pd.Series([Decimal("0.5"), Decimal(2)], dtype=object), "float64"),
    ],
)
def test_how_pandas_holds_labels_does_not_matter(series, dtype):
    back = read(predictions_bytes(stored(series))).predictions.prediction
    assert back.dtype == dtype
    assert [None if pd.isna(value) else value for value in back] == [
        None if pd.isna(value) else value for value in series
    ]


def test_dates_stay_dates_and_other_objects_become_their_text():
    dates = pd.Series(pd.to_datetime(["2027-03-01", None]))
    back = read(predictions_bytes(stored(["a", "b"], extra={"when": dates, "span": [pd.Timedelta("1h"), None]})))
    assert back.predictions.extra["when"].equals(dates)
    assert back.predictions.extra["span"].tolist() == ["0 days 01:00:00", None]


def test_scores_alone_are_enough_and_embeddings_are_left_out():
    run = stored(score=[0.25, 0.75])
    whole = Predictions(score=run.predictions.score, embedding=np.ones((2, 3)))
    back = read(predictions_bytes(StoredPredictions(run.ids, run.content, run.target, (), "m", whole)))
    assert back.predictions.prediction is None
    assert back.predictions.embedding is None
    assert back.predictions.score.tolist() == [0.25, 0.75]


def test_a_score_that_is_called_like_another_column_stays_apart():
    proba = {"score": [0.2], "id": [0.3], "\ud800": [0.4], "\\ud800": [0.5]}
    run = stored(["a"], score=[0.1], proba=proba, extra={"score": ["x"], "proba:id": ["y"]})
    back = read(predictions_bytes(run)).predictions
    assert back.score.tolist() == [0.1]
    assert {name: values.tolist() for name, values in back.proba.items()} == proba
    assert {name: values.tolist() for name, values in back.extra.items()} == {"score": ["x"], "proba:id": ["y"]}


def test_other_tools_read_the_file_as_a_plain_table():
    table = pq.read_table(io.BytesIO(predictions_bytes(stored([1, 0], ids=["b", "a"], score=[0.75, 0.25]))))
    assert table.select(["id", "prediction", "score"]).to_pylist() == [
        {"id": "a", "prediction": 0, "score": 0.25},
        {"id": "b", "prediction": 1, "score": 0.75},
    ]
    assert table.schema.field("content").type == pa.uint32()
    assert set(table.schema.metadata) == {b"pytest-behave"}


GOOD = predictions_bytes(stored(["a", "b", "a"] * 50, score=[0.1, 0.9, 0.2] * 50))


def parquet(table, metadata=None):
    file = io.BytesIO()
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), file)
    return file.getvalue()


def about(names, version="pytest-behave/predictions-1"):
    quoted = ", ".join(f'"{name}"' for name in names)
    return {"pytest-behave": f'{{"format": "{version}", "columns": [], "model": "m", "names": [{quoted}], "json": []}}'}


THREE = {"id": ["a", "a"], "content": pa.array([1, 2], pa.uint32()), "target": pa.array([1, 2], pa.uint32())}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "there is no s.parquet"),
        (POINTER, "s.parquet is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step"),
        (b"", "s.parquet is cut off or damaged"),
        (GOOD[: len(GOOD) // 2], "s.parquet is cut off or damaged"),
        (GOOD[:-1], "s.parquet is cut off or damaged"),
        (b"id,score\n1,0.5\n", "s.parquet is cut off or damaged"),
        (parquet({"id": ["a"]}), "s.parquet has the unknown format None"),
        (
            parquet({"id": ["a"]}, about(["id"], "pytest-behave/predictions-2")),
            "s.parquet has the unknown format 'pytest-behave/predictions-2'",
        ),
        (parquet({"id": ["a"]}, about(["id"])), "s.parquet is cut off or damaged"),
        (parquet({"id": ["a"]}, {"pytest-behave": "[]"}), "s.parquet is cut off or damaged"),
        (parquet(THREE, about(["id", "content", "target"])), "s.parquet lacks ids or figures, or has an id twice"),
    ],
)
def test_a_file_that_is_no_use_says_why(data, reason):
    assert str(read_predictions(data, "s.parquet")).startswith(reason)


FOOTER = len(GOOD) - 8 - int.from_bytes(GOOD[-8:-4], "little")  # where the pages end, whose checksums parquet keeps


@STEADY
@given(place=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_a_damaged_file_raises_nothing_and_damaged_pages_give_no_other_predictions(place, bit):
    damaged = bytearray(GOOD)
    damaged[place] ^= 1 << bit
    found = read_predictions(bytes(damaged), "s.parquet")
    if isinstance(found, StoredPredictions) and place < FOOTER:  # a statistic, or a header that nothing reads
        assert found.ids.tolist() == [f"{row:03}" for row in range(150)]
        assert found.predictions.prediction.tolist() == ["a", "b", "a"] * 50
        assert found.predictions.score.tolist() == [0.1, 0.9, 0.2] * 50
