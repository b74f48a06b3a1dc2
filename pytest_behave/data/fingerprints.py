"""Fingerprints of content: of a table whatever the order of its rows and columns, and of files byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pytest_behave.codes import hashes_of
from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.records import Column, Kind
from pytest_behave.records.data import kind_of_both

BLOCK = 1 << 14  # values
AT_ONCE = 2  # columns
MIX = np.uint64(0x9E3779B97F4A7C15)
BYTES_AT_ONCE = 1 << 20
EXACT = 2.0**53  # beyond it not every integer is a double


@dataclass(frozen=True, slots=True)
class Content:
    """The content of rows, whatever the order of rows and columns; that of parts of a dataset adds up.

    Each cell is hashed, the hashes of a row are added with a factor per column, mixed, and the rows' results added
    modulo 2**64 twice with different mixes: a multiset hash.
    """

    kinds: Mapping[str, Kind]
    rows: int
    totals: tuple[int, int]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Content:
        """Return the content of a data frame."""
        kinds, rows = _kinds_and_rows(frame, frame.columns)
        one, other = (int(_mixed(rows + np.uint64(salt)).sum(dtype=np.uint64)) for salt in (1, 2))
        return cls(kinds, len(frame), (one, other))

    def __add__(self, other: Content) -> Content:
        kinds = {name: kind_of_both(kind, other.kinds.get(name, kind)) for name, kind in self.kinds.items()}
        one, rest = ((mine + theirs) % 2**64 for mine, theirs in zip(self.totals, other.totals, strict=True))
        return Content(kinds, self.rows + other.rows, (one, rest))

    @property
    def fingerprint(self) -> str:
        """``sha256:...`` over column names, kinds and all rows."""
        kinds = sorted(f"{name}\x00{kind}" for name, kind in self.kinds.items())
        summary = repr((kinds, self.rows, list(self.totals)))
        return "sha256:" + hashlib.sha256(summary.encode()).hexdigest()


def frame_fingerprint(frame: pd.DataFrame) -> str:
    """Return ``sha256:...`` over column names, kinds and all rows; equal for any order of rows and columns."""
    return Content.of(frame).fingerprint


def row_hashes(frame: pd.DataFrame, names: Iterable[str]) -> np.ndarray:
    """Return a 32-bit hash of each row's values in some columns, whatever the order of rows and columns."""
    _, rows = _kinds_and_rows(frame, names)
    return (_mixed(rows) >> np.uint64(32)).astype(np.uint32)


def _kinds_and_rows(frame: pd.DataFrame, names: Iterable[str]) -> tuple[dict[str, Kind], np.ndarray]:
    """Return the kind of each column and the hash of each row, before it is mixed; two columns at a time are in memory."""
    kinds: dict[str, Kind] = {}
    rows = np.zeros(len(frame), dtype=np.uint64)

    def of_column(name: str) -> tuple[Kind, np.ndarray]:
        column = column_of(frame[name])
        return column.kind, _cell_hashes(column) * _factor(str(name))

    with ThreadPoolExecutor(AT_ONCE) as threads:  # sums of integers are the same in whatever order
        todo = list(names)
        for first in range(0, len(todo), AT_ONCE):
            some = todo[first : first + AT_ONCE]
            for name, (kind, hashes) in zip(some, threads.map(of_column, some), strict=True):
                kinds[str(name)] = kind
                rows += hashes
    return kinds, rows


def file_fingerprint(*paths: Path) -> str:
    """Return ``sha256:...`` over the bytes of files."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(BYTES_AT_ONCE):
                digest.update(block)
    return "sha256:" + digest.hexdigest()


def _cell_hashes(column: Column) -> np.ndarray:
    if column.kind in ("number", "bool"):
        hashes = _number_hashes(column.values)
    elif column.kind == "date":
        hashes = _mixed(column.values.view(np.int64).view(np.uint64))
    elif column.codes is not None:  # each text once
        codes, distinct = column.codes
        hashes = hashes_of(np.array([*distinct, ""], dtype=object)).take(codes, mode="wrap")
    else:
        texts = canonical_text(column)
        if column.kind == "mixed":  # the number 1 is not the text "1"
            cells = zip(column.values.tolist(), texts.tolist(), strict=True)
            texts = np.array([text if isinstance(value, str) else f"\0{text}" for value, text in cells], dtype=object)
        hashes = hashes_of(texts.astype(object))
    return np.where(column.missing, np.uint64(0), hashes) if column.missing.any() else hashes


def _number_hashes(values: np.ndarray) -> np.ndarray:
    numbers = values.astype(np.float64) + 0.0  # + 0.0: -0.0 and 0.0 are one value
    hashes = _mixed(numbers.view(np.uint64))
    if values.dtype.kind in "iO":
        large = np.flatnonzero(np.abs(numbers) >= EXACT)
        cells = dict(zip(large.tolist(), values[large].tolist(), strict=True))
        rounded = {row: str(cell) for row, cell in cells.items() if isinstance(cell, int) and cell != float(cell)}
        hashes[list(rounded)] = hashes_of(np.array(list(rounded.values()), dtype=object))
    return hashes


def _factor(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") | 1)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return the finaliser of splitmix64 for each value (uint64), in blocks that stay in a processor's cache."""
    result = np.empty(len(values), dtype=np.uint64)
    shifted = np.empty(min(len(values), BLOCK), dtype=np.uint64)
    for first in range(0, len(values), BLOCK):
        mixed = np.add(values[first : first + BLOCK], MIX, out=result[first : first + BLOCK])
        for bits, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            mixed ^= np.right_shift(mixed, np.uint64(bits), out=shifted[: len(mixed)])
            if factor > 1:
                mixed *= np.uint64(factor)
    return result
