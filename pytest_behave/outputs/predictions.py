"""The accepted model's predictions as a parquet file: one row per instance, sorted by id, same content same bytes.

A model that answers several times has that many rows per instance, in the order in which it was asked.

Labels keep their kind: text, whole numbers, numbers, booleans and datetime64 are columns of that type; lists, mappings
and mixed kinds are JSON; objects that JSON does not know become their text. Text that UTF-8 cannot hold (half a surrogate pair) makes its column binary.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from pytest_behave import files
from pytest_behave.compare.store import start_of
from pytest_behave.errors import BehaveError, ModelError
from pytest_behave.records import Predictions, StoredPredictions

if TYPE_CHECKING:
    import pyarrow as pa

    Blocks: TypeAlias = Iterator[tuple[np.ndarray, pa.Table]]

FORMAT = "pytest-behave/predictions-1"
KEY = b"pytest-behave"
PROBA, EXTRA = "proba:", "extra:"
LARGEST = 2**63
UNIQUE = {"id", "content", "score"}  # a dictionary of these makes the file a third larger
ROWS_OF_A_GROUP = 131_072
ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class About:
    """What the file says of itself: the columns that ``content`` covers, the model, its own columns, those of JSON."""

    columns: tuple[str, ...]
    model: str
    names: tuple[str, ...]
    json: tuple[str, ...]
    repeats: int = 1
    format: str | None = FORMAT

    @classmethod
    def of(cls, schema: pa.Schema) -> About:
        """Return what the metadata of a schema say."""
        found = json.loads((schema.metadata or {}).get(KEY, b"{}").decode("utf-8", "surrogatepass"))
        if found.get("format") != FORMAT:
            return cls((), "", (), (), format=found.get("format"))
        columns, names, as_json = (tuple(map(str, found[key])) for key in ("columns", "names", "json"))
        return cls(columns, str(found["model"]), names, as_json, int(found.get("repeats", 1)))

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """The same as metadata of a schema, whose own names cannot hold every text."""
        about = {
            "format": self.format,
            "columns": self.columns,
            "model": self.model,
            **({"repeats": self.repeats} if self.repeats > 1 else {}),
            "names": self.names,
            "json": self.json,
        }
        return {KEY: _json(about).encode("utf-8", "surrogatepass")}


def predictions_table(stored: StoredPredictions) -> pa.Table:
    """Return the rows of the file, sorted by id. Embeddings are left out; missing cells stay missing."""
    import pyarrow as pa

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
    as_json = tuple(name for name, (_, is_json) in encoded.items() if is_json)
    about = About(tuple(stored.columns), stored.model, tuple(columns), as_json, stored.repeats)
    shown = [_encodable(name, number) for number, name in enumerate(columns)]
    return pa.Table.from_arrays(list(columns.values()), names=shown, metadata=about.metadata)


def predictions_bytes(stored: StoredPredictions) -> bytes:
    """Return the content of the parquet file."""
    table = predictions_table(stored)
    schema = schema_of_all([table.schema])
    file = io.BytesIO()
    write_sorted(file, schema, [as_of(table, schema)])
    return file.getvalue()


def write_sorted(file: Path | IO[bytes], schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Write the parquet file from tables of one schema, whose rows together are sorted by id; return their number."""
    import pyarrow.parquet as pq

    repeated = [name for name in schema.names if name not in UNIQUE]
    with pq.ParquetWriter(
        file, schema, compression="zstd", use_dictionary=repeated, write_page_checksum=True
    ) as writer:
        rows = 0
        for group in _of_equal_size(tables):
            writer.write_table(group)
            rows += len(group)
    return rows


def _of_equal_size(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of tables, so many at a time as make a row group: wherever one table ends, the file is the same."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= ROWS_OF_A_GROUP:
            whole = pa.concat_tables(waiting).combine_chunks()
            full = len(whole) // ROWS_OF_A_GROUP * ROWS_OF_A_GROUP
            yield from (whole.slice(first, ROWS_OF_A_GROUP) for first in range(0, full, ROWS_OF_A_GROUP))
            waiting = [whole.slice(full)]
    rest = pa.concat_tables(waiting).combine_chunks()
    if len(rest):
        yield rest


def schema_of_all(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return the schema of the file that holds the rows of several tables; raises ModelError if columns differ."""
    import pyarrow as pa

    abouts = [About.of(schema) for schema in schemas]
    about = abouts[0]
    if any((other.names, other.columns) != (about.names, about.columns) for other in abouts):
        raise ModelError("what the model returned, or the dataset, has other columns in some parts than in others")
    fields, as_json = [], []
    for number, (name, shown) in enumerate(zip(about.names, schemas[0].names, strict=True)):
        kinds = {(schema.types[number], name in other.json) for schema, other in zip(schemas, abouts, strict=True)}
        dtype, is_json = _kind_of_all({kind for kind in kinds if not pa.types.is_null(kind[0])})
        fields.append(pa.field(shown, dtype))
        as_json += [name] if is_json else []
    return pa.schema(fields, metadata=replace(about, json=tuple(as_json)).metadata)


def _kind_of_all(kinds: set[tuple[pa.DataType, bool]]) -> tuple[pa.DataType, bool]:
    """Return the type of a column, and whether it holds JSON, from those that it has in tables."""
    import pyarrow as pa

    types = {dtype for dtype, _ in kinds}
    is_json = any(of_json for _, of_json in kinds)
    if len(types) == 1 and not is_json:
        return types.pop(), False
    if types == {pa.int64(), pa.float64()} and not is_json:  # whole numbers, some of them missing
        return pa.float64(), False
    is_text = types <= {pa.string(), pa.binary()}
    return pa.binary() if pa.binary() in types else pa.string(), is_json or not is_text


def as_of(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the schema that ``schema_of_all`` gave for it and others."""
    import pyarrow as pa

    if table.schema.equals(schema, check_metadata=True):
        return table
    before, after = About.of(table.schema), About.of(schema)
    columns = [
        _as_json(column, dtype) if name in after.json and name not in before.json else column.cast(dtype, safe=False)
        for name, column, dtype in zip(after.names, table.columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_json(column: pa.ChunkedArray, dtype: pa.DataType) -> pa.Array:
    values = [None if value is None else _json(_plain(value)) for value in _values(column)]
    return _texts(values).cast(dtype)


def _encoded(series: pd.Series) -> tuple[Any, bool]:
    """Return a column, and whether it holds JSON; without any value it is of Arrow's type null."""
    import pyarrow as pa

    if isinstance(series.dtype, (np.dtype, pd.DatetimeTZDtype)) and series.dtype.kind == "M":
        return pa.array(series.array), False
    missing = series.isna().tolist()
    values = [None if gone else _plain(value) for value, gone in zip(series.tolist(), missing, strict=True)]
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.nulls(len(values)), False
    if kinds == {str}:
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
    refused = _refused(data, name)
    if data is None or refused:
        return refused
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        about = About.of(table.schema)
        if about.format != FORMAT:
            return _unknown(about, name)
        found = stored_of(table, about)
        once = found.ids.reshape(found.repeats, -1)
        is_unique = 0 < len(set(once[0])) == once.shape[1] and bool((once == once[0]).all())
        return found if is_unique else _unusable(name)
    except _IncompleteError:
        return _unusable(name)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever pyarrow makes of a damaged file
        return _damaged(name)


def copy_predictions(path: Path | None, name: str, copy: Callable[[Blocks], object]) -> About | str:
    """Give the rows of a file, some at a time, to ``copy``, which raises ModelError for ids that come twice.

    Of a model that answered several times these are the first answers. Returns what the file says of itself or, as ``read_predictions`` does, why it is of no use.
    """
    refused = _refused(None if path is None else start_of(path), name)
    if path is None or refused:
        return refused
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            about = About.of(file.schema_arrow)
            if about.format != FORMAT:
                return _unknown(about, name)
            copy(_blocks(file, about))
            return about
    except (_IncompleteError, ModelError):
        return _unusable(name)
    except (BehaveError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - whatever pyarrow makes of a damaged file
        return _damaged(name)


def _blocks(file: Any, about: About) -> Blocks:
    import pyarrow as pa

    before, once = 0, replace(about, repeats=1)
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
        is_first = np.arange(before, before + len(batch)) % about.repeats == 0
        before += len(batch)
        table = pa.Table.from_batches([batch]).filter(pa.array(is_first))
        yield stored_of(table, once).ids, table


def _refused(data: bytes | None, name: str) -> str:
    """Return why the content of a file, or its start, is no predictions; nothing if it may hold some."""
    if data is None:
        return f"there is no {name}; take it from where it was, or accept the baseline again"
    return f"{name} {files.ADVICE}" if files.is_pointer(data) else ""


def _unknown(about: About, name: str) -> str:
    return f"{name} has the unknown format {about.format!r}, not {FORMAT!r}"


def _unusable(name: str) -> str:
    return f"{name} lacks ids or figures, or has an id twice"


def _damaged(name: str) -> str:
    return f"{name} is cut off or damaged; take it from where it was, or accept the baseline again"


class _IncompleteError(ValueError):
    """Ids or figures are missing."""


def stored_of(table: pa.Table, about: About) -> StoredPredictions:
    """Return rows of a file as predictions."""
    columns = dict(zip(about.names, table.columns, strict=True))
    if about.repeats > 1:
        first_answers_first = np.arange(table.num_rows).reshape(-1, about.repeats).T.ravel()
        columns = {key: column.take(first_answers_first) for key, column in columns.items()}
    numbers = {
        key: np.array(columns[key]) for key in columns if key in ("score", "content", "target") or _is(key, PROBA)
    }
    if any(column.null_count for key, column in columns.items() if key in {"id", *numbers}):
        raise _IncompleteError
    series = {
        key: _decoded(columns[key], is_json=key in about.json)
        for key in columns
        if key == "prediction" or _is(key, EXTRA)
    }
    said = Predictions(
        prediction=series.get("prediction"),
        score=numbers.get("score"),
        proba={key.removeprefix(PROBA): values for key, values in numbers.items() if _is(key, PROBA)},
        extra={key.removeprefix(EXTRA): values for key, values in series.items() if _is(key, EXTRA)},
    )
    ids = np.array(_values(columns["id"]), dtype=object)
    return StoredPredictions(
        ids, numbers["content"], numbers["target"], about.columns, about.model, said, about.repeats
    )


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
