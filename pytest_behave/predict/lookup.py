"""Rows of a file that is larger than memory, found by id: everything is mapped from files, nothing held.

The file is copied once into a folder, in a form whose rows can be read singly: Arrow's own format, and the hashes of the
ids. Several processes may read the same folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_behave.codes import hashes_of
from pytest_behave.errors import CacheError, ModelError

if TYPE_CHECKING:
    import pyarrow as pa

ID = "id of the row"
ROWS, HASHES, ORDER = "rows.arrow", "hashes.npy", "order.npy"


def write_lookup(folder: Path, name: str, blocks: Iterable[tuple[np.ndarray, pa.Table]]) -> None:
    """Copy ids and rows, some at a time, into a folder; ``name`` is how errors call what is copied.

    Raises ModelError if there are no rows, if they are not all of one kind, or if two share an id.
    """
    hashes = _copied(folder, name, blocks)
    order = np.argsort(hashes, kind="stable")
    with _writing(folder):
        np.save(folder / ORDER, order)
        np.save(folder / HASHES, hashes[order])
    doubled = Lookup(folder).doubled()
    if doubled:
        raise ModelError(f"{name} has more than one row for some ids (for example {', '.join(doubled)})")


def _copied(folder: Path, name: str, blocks: Iterable[tuple[np.ndarray, pa.Table]]) -> np.ndarray:
    import pyarrow as pa

    hashes = [np.zeros(0, dtype=np.uint64)]
    writer: Any = None
    try:
        for ids, rows in blocks:
            hashes.append(hashes_of(ids))
            table = rows.append_column(ID, pa.array(ids, pa.string()))
            with _writing(folder):
                writer = writer or pa.ipc.new_file(str(folder / ROWS), table.schema)
                writer.write_table(table)
        if writer is None:
            raise ModelError(f"{name} holds no rows")
    except pa.ArrowException as error:
        detail = str(error).split("\n")[0]
        raise ModelError(f"{name} cannot be joined in parts: {detail}") from error
    finally:
        if writer is not None:
            writer.close()
    return np.concatenate(hashes)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(f"{folder} cannot hold a copy of what is joined by id: {error.strerror or error}") from error


class Lookup:
    """The rows in a folder that ``write_lookup`` filled. The folder may be deleted once this is made."""

    def __init__(self, folder: Path) -> None:
        import pyarrow as pa

        # threads would each take memory of their own, for what is mapped already
        options = pa.ipc.IpcReadOptions(use_threads=False)
        reader = pa.ipc.open_file(pa.memory_map(str(folder / ROWS)), options=options)
        self._batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._firsts = np.cumsum([0, *(batch.num_rows for batch in self._batches[:-1])])
        self._hashes, self._order = (np.load(folder / name, mmap_mode="r") for name in (HASHES, ORDER))

    def __len__(self) -> int:
        return len(self._hashes)

    def doubled(self) -> list[str]:
        """Return some ids that more than one row has."""
        same = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        twice = same[self._ids(self._order[same]) == self._ids(self._order[same + 1])]
        return list(dict.fromkeys(self._ids(self._order[twice[:3]]).tolist()))

    def _ids(self, rows: np.ndarray) -> np.ndarray:
        return np.array(self._taken(rows, [ID]).column(ID).to_pylist(), dtype=object)

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row of each id, -1 where there is none."""
        wanted = np.array(ids, dtype=object)
        hashes = hashes_of(wanted)
        places = np.searchsorted(self._hashes, hashes)
        found = np.full(len(wanted), -1, dtype=np.int64)
        left = np.arange(len(wanted))
        while len(left):  # ids of one hash stand side by side
            inside = places[left] < len(self._hashes)
            left = left[inside]
            left = left[self._hashes[places[left]] == hashes[left]]
            rows = self._order[places[left]]
            same = self._ids(rows) == wanted[left]
            found[left[same]] = rows[same]
            left = left[~same]
            places[left] += 1
        return found

    def take(self, rows: np.ndarray) -> pa.Table:
        """Return some rows, in that order."""
        return self._taken(rows, [name for name in self._batches[0].schema.names if name != ID])

    def _taken(self, rows: np.ndarray, columns: list[str]) -> pa.Table:
        """Return columns of some rows, batch by batch: a table of all would be copied into one piece for each call."""
        import pyarrow as pa

        batches = np.searchsorted(self._firsts, rows, side="right") - 1
        order = np.argsort(batches, kind="stable")
        used, starts = np.unique(batches[order], return_index=True)
        pieces = [self._batches[0].select(columns).slice(0, 0)]
        for batch, places in zip(used.tolist(), np.split(order, starts[1:]), strict=False):
            pieces.append(self._batches[batch].select(columns).take(pa.array(rows[places] - self._firsts[batch])))
        return pa.Table.from_batches(pieces).combine_chunks().take(pa.array(np.argsort(order)))
