"""The predictions of more rows than fit into memory: blocks of them in files, each sorted by id, and then in one file."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_behave.errors import BaselineError, EngineError
from pytest_behave.outputs.predictions import as_of, predictions_table, schema_of_all, write_sorted
from pytest_behave.records import StoredPredictions

if TYPE_CHECKING:
    import pyarrow as pa

MOST_OPEN = 64
ROWS_AT_ONCE = 8_192
SUFFIX = ".arrow"


def write_spill(folder: Path, name: str, stored: StoredPredictions) -> None:
    """Write a block of predictions, as a whole or not at all; a second one of that name replaces it."""
    table = predictions_table(stored)
    try:
        _write(folder / f"{name}{SUFFIX}", table.schema, [table])
    except FileNotFoundError:
        raise EngineError(
            f"a worker has no folder {folder}, in which predictions wait to be stored: set TMPDIR, where pytest runs, to "
            "a folder that all workers share"
        ) from None
    except OSError as error:
        raise BaselineError(f"predictions cannot be kept in {folder}: {error.strerror}") from error


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    import pyarrow as pa

    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with (
        pa.OSFile(str(unfinished), "wb") as file,
        pa.ipc.new_file(file, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer,
    ):
        for table in tables:
            writer.write_table(table, max_chunksize=ROWS_AT_ONCE)
    unfinished.replace(path)


def merge_spills(folder: Path, target: Path) -> int:
    """Write all blocks in a folder as one file of predictions and return how many rows it has."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        return 0
    schema = schema_of_all([_schema(path) for path in paths])
    for number in itertools.count():
        if len(paths) <= MOST_OPEN:
            break
        groups = [paths[first : first + MOST_OPEN] for first in range(0, len(paths), MOST_OPEN)]
        paths = [folder / f"merged-{number}-{place}{SUFFIX}" for place in range(len(groups))]
        for path, group in zip(paths, groups, strict=True):
            _write(path, schema, _in_order(group, schema))
            for merged in group:
                merged.unlink()
    return write_sorted(target, schema, _in_order(paths, schema))


def _schema(path: Path) -> pa.Schema:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).schema


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield as_of(pa.Table.from_batches([reader.get_batch(number)]), schema)


def _in_order(paths: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of files in the order of their ids, as far as the next rows of every file are known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sources = [_batches(path, schema) for path in paths]
    heads = [(next(source), source) for source in sources]
    while heads:
        last = min(head["id"][-1].as_py() for head, _ in heads)
        pieces, left = [], []
        for head, source in heads:
            count = pc.sum(pc.less_equal(head["id"], pa.scalar(last, schema.field("id").type))).as_py() or 0
            pieces.append(head.slice(0, count))
            rest = head.slice(count) if count < len(head) else next(source, None)
            left += [] if rest is None else [(rest, source)]
        heads = left
        table = pa.concat_tables(pieces)
        yield table.take(pc.sort_indices(table["id"]))
