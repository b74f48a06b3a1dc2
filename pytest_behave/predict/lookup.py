"""Outputs in a file that is larger than memory, found by id: only their hashes are held, 16 bytes a row.

The file is copied once into a temporary one whose rows can be read singly: Arrow's own format, mapped into memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError

ID = "id of the row"


class Lookup:
    """The rows of a file by id. ``blocks`` are its rows, some at a time; ``name`` is how errors call it."""

    def __init__(
        self,
        name: str,
        blocks: Iterable[pd.DataFrame],
        id_texts: Callable[[pd.DataFrame], np.ndarray],
        columns: Sequence[str],
    ) -> None:
        self._name = name
        hashes = self._copied(blocks, id_texts, list(columns))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]
        same = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        twice = same[self._ids(self._order[same]) == self._ids(self._order[same + 1])]
        if len(twice):
            examples = ", ".join(dict.fromkeys(self._ids(self._order[twice[:3]]).tolist()))
            raise ModelError(f"{name} has more than one row for some ids (for example {examples})")

    def _copied(
        self, blocks: Iterable[pd.DataFrame], id_texts: Callable[[pd.DataFrame], np.ndarray], columns: list[str]
    ) -> np.ndarray:
        import pyarrow as pa

        hashes = [np.zeros(0, dtype=np.uint64)]
        handle, path = tempfile.mkstemp(prefix="pytest-behave-", suffix=".arrow")
        os.close(handle)
        try:
            writer: Any = None
            schema: Any = None
            for frame in blocks:
                ids = id_texts(frame).astype(object)
                hashes.append(pd.util.hash_array(ids, categorize=False))
                some = frame[columns].assign(**{ID: ids})
                table = pa.Table.from_pandas(some, schema=schema, preserve_index=False)
                if writer is None:
                    schema = table.schema
                    writer = pa.ipc.new_file(path, schema)
                writer.write_table(table)
            if writer is None:
                raise ModelError(f"{self._name} holds no rows")
            writer.close()
            self._table = pa.ipc.open_file(pa.memory_map(path)).read_all()
        except pa.ArrowException as error:
            detail = str(error).split("\n")[0]
            raise ModelError(f"{self._name} cannot be joined in parts: {detail}") from error
        finally:
            Path(path).unlink(missing_ok=True)  # what is mapped stays readable
        return np.concatenate(hashes)

    def _ids(self, rows: np.ndarray) -> np.ndarray:
        return np.array(self._table.column(ID).take(rows).to_pylist(), dtype=object)

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row of each id, -1 where the file has none."""
        wanted = np.array(ids, dtype=object)
        hashes = pd.util.hash_array(wanted, categorize=False)
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

    def take(self, rows: np.ndarray) -> pd.DataFrame:
        """Return some rows, in that order."""
        frame: pd.DataFrame = self._table.drop_columns([ID]).take(rows).to_pandas()
        return frame
