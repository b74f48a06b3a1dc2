"""Predictions as an Arrow record batch and back, every column with the type that it had.

The one form in which outputs leave a process: in the cache, and between the processes of one test run.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pytest_behave.predict.plain import NotPlainError, from_text, to_text
from pytest_behave.records import Predictions

KINDS = b"behave"  # key of the schema's metadata: how each column is written
LOW, HIGH = "key:low", "key:high"
TEXT, JSON, VECTORS = "text", "json", "vectors"


def record_batch(predictions: Predictions, keys: np.ndarray | None = None) -> pa.RecordBatch:
    """Return outputs, and the (n, 2) uint64 ``keys`` of their rows; raises NotPlainError if a value cannot be written."""
    columns: dict[str, tuple[str, pa.Array]] = {}
    if predictions.prediction is not None:
        columns["prediction"] = _of_series(predictions.prediction)
    if predictions.score is not None:
        columns["score"] = _of_array(predictions.score)
    columns |= {f"proba:{name}": _of_array(values) for name, values in predictions.proba.items()}
    columns |= {f"extra:{name}": _of_series(series) for name, series in predictions.extra.items()}
    if predictions.embedding is not None:
        columns["embedding"] = _of_vectors(predictions.embedding)
    arrays = {name: array for name, (_, array) in columns.items()}
    if keys is not None:
        arrays |= {LOW: pa.array(keys[:, 0]), HIGH: pa.array(keys[:, 1])}
    kinds = json.dumps({name: kind for name, (kind, _) in columns.items()})
    try:
        schema = pa.schema([(name, array.type) for name, array in arrays.items()], metadata={KINDS: kinds})
    except UnicodeEncodeError:
        raise NotPlainError("column name that is no Unicode text") from None
    return pa.record_batch(list(arrays.values()), schema=schema)


def predictions_in(table: pa.Table) -> Predictions:
    """Return the outputs that record batches of one schema hold."""
    kinds = json.loads(table.schema.metadata[KINDS])
    values = {name: _column(kind, table.column(name)) for name, kind in kinds.items()}

    def named(prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}

    prediction = values.get("prediction")
    return Predictions(
        prediction=None if prediction is None else pd.Series(prediction),
        score=values.get("score"),
        proba=named("proba:"),
        embedding=values.get("embedding"),
        extra={name: pd.Series(value) for name, value in named("extra:").items()},
    )


def keys_in(table: pa.Table) -> np.ndarray:
    """Return the (n, 2) keys of the rows."""
    return np.column_stack([table.column(LOW).to_numpy(), table.column(HIGH).to_numpy()])


def _of_series(series: pd.Series) -> tuple[str, pa.Array]:
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return _of_array(series.to_numpy())
    values = series.tolist()
    if isinstance(dtype, (np.dtype, pd.CategoricalDtype)):  # categories of batches differ; their values do not
        if all(type(value) is str for value in values):
            return TEXT, _texts(values)
        return JSON, _texts([to_text(value) for value in values])
    if isinstance(dtype, pd.StringDtype):
        return f"{TEXT} {dtype}", _texts([None if value is pd.NA or value != value else value for value in values])  # noqa: PLR0124 - NaN
    return f"{JSON} {dtype}", _texts([to_text(value) for value in values])


def _texts(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, type=pa.large_string())
    except UnicodeEncodeError:
        raise NotPlainError("text that is no Unicode") from None


def _of_array(values: np.ndarray) -> tuple[str, pa.Array]:
    dtype = values.dtype
    if dtype.kind not in "biufmM" or dtype.itemsize > 8:  # noqa: PLR2004 - bytes of a double
        return _of_series(pd.Series(values.astype(object)))
    stored = values.view(np.int64) if dtype.kind in "mM" else values.astype(dtype.newbyteorder("="))
    if dtype == np.float16:
        stored = values.astype(np.float32)  # not every release writes half floats to Parquet
    return f"numpy {dtype.str}", pa.array(np.ascontiguousarray(stored), from_pandas=False)


def _of_vectors(values: np.ndarray) -> tuple[str, pa.Array]:
    width = values.dtype.itemsize * values.shape[1]
    if values.dtype == object or not width:
        raise NotPlainError("embedding that is no array of numbers")
    data = pa.py_buffer(np.ascontiguousarray(values).tobytes())
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(values), [None, data])
    return f"{VECTORS} {values.dtype.str}", array


def _column(kind: str, column: pa.ChunkedArray) -> Any:
    kind, _, dtype = kind.partition(" ")
    if kind == "numpy":
        numbers = column.to_numpy()
        return numbers.view(dtype).copy() if np.dtype(dtype).kind in "mM" else numbers.astype(dtype)
    if kind == VECTORS:
        width = column.type.byte_width // np.dtype(dtype).itemsize
        return np.frombuffer(b"".join(column.to_pylist()), dtype=dtype).reshape(-1, width).copy()
    values = column.to_pylist()
    if kind == JSON:
        values = [from_text(value) for value in values]
    if dtype:
        return pd.Series(values, dtype=dtype)
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return pd.Series(cells, dtype=object)
