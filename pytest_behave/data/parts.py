"""A dataset in parts, for what does not fit into memory: which there are, and their rows, some at a time.

A part is a file of text or a stretch of a parquet file. Text has no types, so what a column holds is known only when all
of it was seen once: ``dtypes_of`` tells of a block, ``together`` of several, and reading by these gives the columns that
reading all at once would give (but for whole numbers beyond 2**63, which are texts in parts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pytest_behave.data.readers import checked_frame, files_of, format_of, reading, text_blocks, without_texts
from pytest_behave.records import DatasetSpec

ROWS = 131_072  # of a block, whose masks and columns then stay within a processor's cache
BYTES = 16 * 2**20  # of a block of wide rows, as they stand in the file
SAMPLE = 2**16  # bytes of a text that tell how long its lines are, and of a column that are read at once

Dtype = Literal["nothing", "int64", "float64", "truth", "str"]
Dtypes = Mapping[str, Dtype]


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or some row groups of a parquet file."""

    number: int
    path: Path
    row_groups: tuple[int, ...] | None = None


def parts_of(spec: DatasetSpec) -> tuple[Part, ...]:
    """Return the parts of the declared files, in their order; raises DataError if there is no file."""
    found: list[tuple[Path, tuple[int, ...] | None]] = []
    for path in files_of(spec.source):
        if format_of(path) == "parquet":
            found += [(path, groups) for groups in _row_groups(path)]
        else:
            found.append((path, None))
    return tuple(Part(number, path, groups) for number, (path, groups) in enumerate(found))


def _row_groups(path: Path) -> list[tuple[int, ...]]:
    """Return row groups, small ones together."""
    import pyarrow.parquet as pq

    with reading(path):
        metadata = pq.read_metadata(path)
    found: list[tuple[int, ...]] = []
    rows = ROWS
    for number in range(metadata.num_row_groups):
        size = metadata.row_group(number).num_rows
        if rows + size > ROWS:
            found.append(())
            rows = 0
        found[-1] = (*found[-1], number)
        rows += size
    return found


def blocks(part: Part, spec: DatasetSpec, dtypes: Dtypes) -> Iterator[pd.DataFrame]:
    """Yield the rows of a part, some at a time; ``dtypes`` are those of the columns of csv files, as far as known."""
    if format_of(part.path) == "parquet":
        found = _parquet_blocks(part, spec)
    else:
        read = {name: dtype for name, dtype in dtypes.items() if dtype not in ("nothing", "truth")}
        found = text_blocks(part.path, spec, _lines_at_once(part.path), read)
    for frame in found:
        yield checked_frame(frame, str(part.path))


def _lines_at_once(path: Path) -> int:
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    lines = max(sample.count(b"\n"), 1)  # of a compressed file, some that are no lines: then blocks are smaller
    return max(min(ROWS, BYTES * lines // max(len(sample), 1)), 1)


def _parquet_blocks(part: Part, spec: DatasetSpec) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(part.path), pq.ParquetFile(part.path, pre_buffer=False, buffer_size=SAMPLE) as file:
        groups = list(range(file.num_row_groups)) if part.row_groups is None else list(part.row_groups)
        found = [file.metadata.row_group(number) for number in groups]
        rows, size = sum(group.num_rows for group in found), sum(group.total_byte_size for group in found)
        at_once = max(min(ROWS, BYTES * rows // max(size, 1)), 1)
        for batch in file.iter_batches(batch_size=at_once, row_groups=groups, use_threads=False):
            yield without_texts(pa.Table.from_batches([batch]).to_pandas(), spec.na_values)


def dtypes_of(frame: pd.DataFrame) -> Dtypes:
    """Return what the columns of a block look like."""
    return {str(name): _dtype_of(frame[name]) for name in frame.columns}


def _dtype_of(series: pd.Series) -> Dtype:
    present = series.dropna()
    if present.empty:
        return "nothing"
    if series.dtype.kind == "b" or all(isinstance(value, bool) for value in present):
        return "truth"
    if series.dtype == "int64":
        return "int64"
    return "float64" if series.dtype == "float64" else "str"


def together(one: Dtypes, other: Dtypes) -> Dtypes:
    """Return what the columns of two blocks look like together."""
    return {name: _both(one.get(name, "nothing"), other.get(name, "nothing")) for name in {**one, **other}}


def _both(one: Dtype, other: Dtype) -> Dtype:
    if one == other:
        return one
    found = {one, other}
    if found <= {"int64", "float64", "nothing"}:
        return "float64"  # of whole numbers with missing ones among them too
    return (found - {"nothing"}).pop() if "nothing" in found else "str"


def file_blocks(path: Path, spec: DatasetSpec) -> Iterator[pd.DataFrame]:
    """Yield the rows of one file, some at a time, with the types that reading it at once would give."""
    part, dtypes = Part(0, path), None
    if format_of(path) != "parquet":
        for frame in blocks(part, spec, {}):
            dtypes = dtypes_of(frame) if dtypes is None else together(dtypes, dtypes_of(frame))
    yield from blocks(part, spec, dtypes or {})
