"""The accepted model's predictions as a parquet file: one row per instance, sorted by id, same content same bytes.

A model that answers several times has that many rows per instance, in the order in which it was asked.

Labels keep their kind: text, whole numbers, numbers, booleans and datetime64 are columns of that type; lists, mappings
and mixed kinds are JSON; objects that JSON does not know become their text. Text that UTF-8 cannot hold (half a surrogate pair) makes its column binary.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.compare.store import is_lfs_pointer
from pytest_behave.records import Predictions, StoredPredictions

FORMAT = "pytest-behave/predictions-1"
KEY = b"pytest-behave"
PROBA, EXTRA = "proba:", "extra:"
LARGEST = 2**63
UNIQUE = {"id", "content", "score"}  # a dictionary of these makes the file a third larger


def predictions_bytes(stored: StoredPredictions) -> bytes:
    """Return the content of the parquet file. Embeddings are left out; missing cells stay missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [str(name) for name in stored.ids.tolist()]
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.intp)  # repeats stay in their order
    said = stored.predictions
    series = {} if said.prediction is None else {"prediction": said.prediction}
    series |= {f"{EXTRA}{name}": said.extra[name] for name in sorted(said.extra)}
    scores = {} if said.score is None else {"score": said.score}
    scores |= {f"{PROBA}{name}": said.proba[name] for name in sorted(said.proba)}
    encoded = {name: _encoded(values.iloc[order]) for name, values in series.items()}
    columns = {
        "id": _texts([ids[row] for row in order]),
        "content": pa.array(stored.content[order], pa.uint32()),
        "target": pa.array(stored.target[order], pa.uint32()),
        **{name: pa.array(np.asarray(values, dtype=np.float64)[order]) for name, values in scores.items()},
        **{name: array for name, (array, _) in encoded.items()},
    }
    about = {
        "format": FORMAT,
        "columns": list(stored.columns),
        "model": stored.model,
        **({"repeats": stored.repeats} if stored.repeats > 1 else {}),
        "names": list(columns),  # the file's own cannot hold every text
        "json": [name for name, (_, is_json) in encoded.items() if is_json],
    }
    shown = [_encodable(name, number) for number, name in enumerate(columns)]
    table = pa.Table.from_arrays(
        list(columns.values()), names=shown, metadata={KEY: _json(about).encode("utf-8", "surrogatepass")}
    )
    file = io.BytesIO()
    repeated = [name for name in shown if name not in UNIQUE]
    pq.write_table(table, file, compression="zstd", use_dictionary=repeated, write_page_checksum=True)
    return file.getvalue()


def _encoded(series: pd.Series) -> tuple[Any, bool]:
    """Return a column, and whether it holds JSON."""
    import pyarrow as pa

    if isinstance(series.dtype, (np.dtype, pd.DatetimeTZDtype)) and series.dtype.kind == "M":
        return pa.array(series.array), False
    missing = series.isna().tolist()
    values = [None if gone else _plain(value) for value, gone in zip(series.tolist(), missing, strict=True)]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return _texts(values), False
    if kinds == {bool}:
        return pa.array(values, pa.bool_()), False
    if kinds == {float}:
        return pa.array(values, pa.float64()), False
    if kinds == {int} and all(value is None or -LARGEST <= value < LARGEST for value in values):
        return pa.array(values, pa.int64()), False
    return _texts([None if value is None else _json(value) for value in values]), True


def _texts(values: Sequence[str | None]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        raw = [None if value is None else value.encode("utf-8", "surrogatepass") for value in values]
        return pa.array(raw, pa.binary())


def _encodable(name: str, number: int) -> str:
    escaped = name.encode("utf-8", "backslashreplace").decode()
    return name if escaped == name else f"{number} {escaped}"  # no two columns may share a name


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, as far as it can; what is left becomes its text."""
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biufUO":
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, (str, bool, int, float)) or value is None else str(value)


def read_predictions(data: bytes | None, name: str) -> StoredPredictions | str:
    """Return the predictions in a file's content, or a clause that says why there are none; raises nothing."""
    if data is None:
        return f"there is no {name}; take it from where it was, or accept the baseline again"
    if is_lfs_pointer(data):
        return f"{name} is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step"
    try:
        return _stored(data, name)
    except Exception:  # noqa: BLE001 - whatever pyarrow makes of a damaged file
        return f"{name} is cut off or damaged; take it from where it was, or accept the baseline again"


def _stored(data: bytes, name: str) -> StoredPredictions | str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
    about = json.loads((table.schema.metadata or {}).get(KEY, b"{}").decode("utf-8", "surrogatepass"))
    if about.get("format") != FORMAT:
        return f"{name} has the unknown format {about.get('format')!r}, not {FORMAT!r}"
    columns = dict(zip(about["names"], table.columns, strict=True))
    repeats = int(about.get("repeats", 1))
    if repeats > 1:
        first_answers_first = np.arange(table.num_rows).reshape(-1, repeats).T.ravel()
        columns = {key: column.take(first_answers_first) for key, column in columns.items()}
    ids = np.array(_values(columns["id"]), dtype=object)
    numbers = {
        key: np.array(columns[key]) for key in columns if key in ("score", "content", "target") or _is(key, PROBA)
    }
    once = ids.reshape(repeats, -1)
    is_unique = len(set(once[0])) == once.shape[1] and bool((once == once[0]).all())
    if any(column.null_count for key, column in columns.items() if key in {"id", *numbers}) or not is_unique:
        return f"{name} lacks ids or figures, or has an id twice"
    series = {
        key: _decoded(columns[key], is_json=key in about["json"])
        for key in columns
        if key == "prediction" or _is(key, EXTRA)
    }
    said = Predictions(
        prediction=series.get("prediction"),
        score=numbers.get("score"),
        proba={key.removeprefix(PROBA): values for key, values in numbers.items() if _is(key, PROBA)},
        extra={key.removeprefix(EXTRA): values for key, values in series.items() if _is(key, EXTRA)},
    )
    covered = tuple(map(str, about["columns"]))
    return StoredPredictions(ids, numbers["content"], numbers["target"], covered, str(about["model"]), said, repeats)


def _is(key: str, prefix: str) -> bool:
    return key.startswith(prefix)


def _decoded(column: Any, *, is_json: bool) -> pd.Series:
    import pyarrow as pa

    if is_json:
        values = [None if text is None else json.loads(text) for text in _values(column)]
        return pd.Series(values, dtype=object)
    if pa.types.is_timestamp(column.type):
        return column.to_pandas().reset_index(drop=True)
    if pa.types.is_floating(column.type) or (pa.types.is_primitive(column.type) and not column.null_count):
        return pd.Series(np.array(column))
    return pd.Series(_values(column), dtype=object)


def _values(column: Any) -> list[Any]:
    return [
        value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value for value in column.to_pylist()
    ]
