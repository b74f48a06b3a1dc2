"""Fingerprints of content: of a table whatever the order of its rows and columns, and of files byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.records import Column

MIX = np.uint64(0x9E3779B97F4A7C15)


def frame_fingerprint(frame: pd.DataFrame) -> str:
    """Return ``sha256:...`` over column names, kinds and all rows; equal for any order of rows and columns.

    Each cell is hashed, the hashes of a row are added with a factor per column, mixed, and the rows' results added
    modulo 2**64 twice with different mixes: a multiset hash, so that partitions can be added up.
    """
    columns = {str(name): column_of(frame[name]) for name in frame.columns}
    rows = np.zeros(len(frame), dtype=np.uint64)
    for name, column in columns.items():
        rows += _cell_hashes(column) * _factor(name)
    kinds = sorted(f"{name}\x00{column.kind}" for name, column in columns.items())
    totals = [int(_mixed(rows + np.uint64(salt)).sum(dtype=np.uint64)) for salt in (1, 2)]
    summary = repr((kinds, len(frame), totals))
    return "sha256:" + hashlib.sha256(summary.encode()).hexdigest()


def file_fingerprint(*paths: Path) -> str:
    """Return ``sha256:...`` over the bytes of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return "sha256:" + digest.hexdigest()


def _cell_hashes(column: Column) -> np.ndarray:
    if column.kind in ("number", "bool"):
        numbers = column.values.astype(np.float64) + 0.0  # + 0.0: -0.0 and 0.0 are one value
        hashes = _mixed(numbers.view(np.uint64))
    elif column.kind == "date":
        hashes = _mixed(column.values.view(np.int64).view(np.uint64))
    else:
        hashes = pd.util.hash_array(canonical_text(column).astype(object), categorize=True)
    return np.where(column.missing, np.uint64(0), hashes)


def _factor(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") | 1)


def _mixed(values: np.ndarray) -> np.ndarray:
    # the finaliser of splitmix64
    mixed = values + MIX
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
