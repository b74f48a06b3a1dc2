"""Segments: Parquet files that are written once, under names that hold the checksum of their bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ENDING = ".parquet"
LARGEST = 64 << 20  # bytes of a segment, before compression


def segments_in(folder: Path) -> list[Path]:
    """Return the segments of a folder."""
    return sorted(path for path in folder.iterdir() if path.suffix == ENDING)


def write_segment(folder: Path, table: pa.Table) -> Path:
    """Write a table so that it is there whole or not at all, even after a power failure; raises OSError."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    data = buffer.getvalue()
    path = folder / f"{table.num_rows}-{hashlib.sha256(data).hexdigest()[:32]}{ENDING}"
    write_whole(path, data)
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, bring it to the disk, and give it its name; raises OSError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")  # containers share numbers
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system opens folders
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def is_whole(path: Path) -> bool:
    """Tell whether a segment's bytes are those that were written; before anything else looks at them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return path.stem.rpartition("-")[2] == digest.hexdigest()[:32]


def rows_in(path: Path) -> int:
    """Return the number of rows that a segment was written with."""
    return int(path.stem.partition("-")[0])


def read_segment(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return a segment, or some of its columns."""
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def batch_bytes(batch: pa.RecordBatch) -> bytes:
    """Return a record batch as bytes that know their schema."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def batch_in(data: bytes) -> pa.RecordBatch:
    """Return the record batch that ``batch_bytes`` wrote."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()


def by_schema(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join tables of the same columns and kinds, up to the size of a segment."""
    groups: dict[bytes, list[pa.Table]] = {}
    sizes: dict[bytes, int] = {}
    for table in tables:
        key = table.schema.serialize().to_pybytes()
        groups.setdefault(key, []).append(table)
        sizes[key] = sizes.get(key, 0) + table.nbytes
        if sizes[key] >= LARGEST:
            del sizes[key]
            yield pa.concat_tables(groups.pop(key))
    for group in groups.values():
        yield pa.concat_tables(group)
