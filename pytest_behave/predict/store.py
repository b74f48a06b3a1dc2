"""The outputs of one model that are kept on disk: segments that are whole, and journals of processes at work."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import BaseFileLock, FileLock, Timeout

from pytest_behave.predict import journal
from pytest_behave.predict.encoding import HIGH, LOW, keys_in, predictions_in, record_batch
from pytest_behave.predict.journal import Journal, adopted, frames_of
from pytest_behave.predict.normalize import Batch
from pytest_behave.predict.segments import (
    batch_bytes,
    batch_in,
    by_schema,
    is_whole,
    read_segment,
    rows_in,
    segments_in,
    write_segment,
    write_whole,
)
from pytest_behave.records import Predictions

ABOUT = "model.json"
LOCK = "lock"
MANY = 8  # segments below SMALL bytes, from which on they are merged
SMALL = 8 << 20
TRIES = 20  # to read a folder in which other processes merge segments
READABLE = (pa.ArrowException, OSError, KeyError, ValueError)  # what reading a table may raise


class Piece:
    """A table of outputs by their (n, 2) keys, which are kept in order: what is looked up costs little then.

    A segment's outputs are read when they are wanted.
    """

    def __init__(self, keys: np.ndarray, read: Callable[[], pa.Table]) -> None:
        self.read = read
        self._order = np.argsort(keys[:, 0], kind="stable").astype(np.uint32)
        self._low, self._high = (half[self._order] for half in keys.T)

    def rows_of(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of those of some keys that are here, and which these are."""
        low, high = keys.T
        places = np.searchsorted(self._low, low)
        is_known = places < len(self._low)
        places[~is_known] = 0
        if len(self._low):
            is_known &= (self._low[places] == low) & (self._high[places] == high)
        return self._order[places[is_known]], is_known


class _Own(threading.local):
    """The journal of a thread."""

    journal: Journal | None = None


class Store:
    """One model's folder, as one process uses it; ``say`` takes what a reader of the run should know.

    Threads read one after the other, and each writes a journal of its own.
    """

    def __init__(self, folder: Path, say: Callable[[str], object]) -> None:
        self.folder = folder
        self._say = say
        self._pieces: dict[Path, Piece] = {}
        self._own = _Own()
        self._reading = threading.Lock()

    # -- what is known of the model

    def about(self) -> dict[str, Any]:
        """Return what was remembered of the model; nothing if that cannot be read."""
        try:
            found = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def remember(self, facts: Mapping[str, Any]) -> None:
        """Remember facts about the model; raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.about()
        if {**known, **facts} != known:
            text = json.dumps({**known, **facts}, indent=1, sort_keys=True)
            write_whole(self.folder / ABOUT, text.encode())

    # -- reading

    def find(self, keys: np.ndarray) -> list[Batch]:
        """Return the outputs that are known for some of the rows whose (n, 2) keys are given; raises as ``READABLE``.

        Another process may be merging segments at the moment: what it removed is elsewhere by then.
        """
        with self._reading:
            for _ in range(TRIES):
                with contextlib.suppress(FileNotFoundError):
                    self._load()
                    return self._found(keys)
            self._load()
            return self._found(keys)

    def _found(self, keys: np.ndarray) -> list[Batch]:
        left = np.argsort(keys[:, 0])  # in order, many are found faster
        batches = []
        for piece in self._pieces.values():
            rows, is_known = piece.rows_of(keys[left])
            if is_known.any():
                batches.append(Batch(left[is_known], predictions_in(piece.read().take(pa.array(rows))), is_known=True))
                left = left[~is_known]
        return batches

    def _load(self) -> None:
        """Read the keys of what is new on disk."""
        if not self.folder.is_dir():
            return
        present = {*journals_in(self.folder), *segments_in(self.folder)}  # in this order: journals become segments
        self._pieces = {path: piece for path, piece in self._pieces.items() if path in present}
        for path in sorted(present - set(self._pieces)):
            if path.suffix == journal.ENDING:
                for number, table in enumerate(by_schema(self._tables_of(path))):
                    self._pieces[path / str(number)] = Piece(keys_in(table), _always(table))
            else:
                self._add_segment(path)

    def _add_segment(self, path: Path) -> None:
        if is_whole(path):
            try:
                keys = keys_in(read_segment(path, [LOW, HIGH]))
            except FileNotFoundError:
                raise
            except READABLE:
                pass
            else:
                self._pieces[path] = Piece(keys, lambda: read_segment(path))
                return
        with contextlib.suppress(ValueError):
            self._say(f"a corrupt segment of {rows_in(path):,} rows was removed, and they are predicted again")
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def _tables_of(self, path: Path) -> Iterator[pa.Table]:
        frames = frames_of(path)
        if frames.damaged:
            self._say("a corrupt part of a journal is passed over, and its rows are predicted again")
        for content in frames.contents:
            yield pa.Table.from_batches([batch_in(content)])

    # -- writing

    def add(self, keys: np.ndarray, predictions: Predictions) -> None:
        """Keep the outputs of a batch from now on; raises OSError, or NotPlainError if one cannot be written."""
        data = batch_bytes(record_batch(predictions, keys))
        if self._own.journal is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._own.journal = Journal(self.folder)
        self._own.journal.append(data)

    def close(self) -> None:
        """Leave what this process wrote, and processes that are gone, as segments; raises OSError."""
        if self._own.journal is not None:
            self._own.journal.close()
            self._own.journal = None
        if not self.folder.is_dir():
            return
        with contextlib.suppress(OSError):
            os.utime(self.folder / ABOUT)
        if not journals_in(self.folder):
            return
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return  # another process is at it
        try:
            self._compact()
        finally:
            lock.release()

    def _compact(self) -> None:
        held = [(path, lock) for path in journals_in(self.folder) if (lock := adopted(path)) is not None]
        try:
            small = [path for path in segments_in(self.folder) if path.stat().st_size < SMALL]
            small = [path for path in small if is_whole(path)] if len(small) >= MANY else []
            written = {write_segment(self.folder, table) for table in by_schema(self._to_merge(held, small))}
            for path in {*small, *(path for path, _ in held)} - written:
                path.unlink(missing_ok=True)
        finally:
            for path, lock in held:
                lock.release()
                if not path.exists():
                    path.with_suffix(".lock").unlink(missing_ok=True)

    def _to_merge(self, held: Iterable[tuple[Path, BaseFileLock]], small: Iterable[Path]) -> Iterator[pa.Table]:
        for path, _ in held:
            yield from self._tables_of(path)
        for path in small:
            yield read_segment(path)


def journals_in(folder: Path) -> list[Path]:
    """Return the journals of processes at work, and of those that were killed."""
    return sorted(path for path in folder.iterdir() if path.suffix == journal.ENDING)


def _always(table: pa.Table) -> Callable[[], pa.Table]:
    return lambda: table
