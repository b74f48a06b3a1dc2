"""128-bit keys of rows by their content: equal rows have equal keys, whatever the types of the columns.

A key is a sum over the columns of two independent 64-bit hashes of each cell, mixed with the column's name. Numbers that
are equal are one value (1 and 1.0); the number 1, the text "1" and True are three. A missing value is as no column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize, hashes_of
from pytest_behave.predict.plain import NotPlainError, to_text

SIP_KEYS = ("behave prediction", "cache, by content")  # of 16 bytes each, after cutting
EXACT = 2.0**53  # beyond it not every integer is a double
SECOND_IN = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MANY = 1_000  # texts that tell whether a column repeats itself
SAMPLE = 50  # texts of a column that tell whether they name files
LONGEST_NAME = 1024


def row_keys(frame: pd.DataFrame, names: Sequence[str] = (), roots: Sequence[Path] = (), repeat: int = 0) -> np.ndarray:
    """Return an (n, 2) uint64 array of keys of each row's values in some columns, all if none are named.

    The second of two equal rows has another key than the first, and so has each ``repeat`` of a trial. A text that names
    a file below one of ``roots`` stands for the file's content too. Raises NotPlainError naming a column whose values
    cannot be told apart.
    """
    chosen = [name for name in frame.columns if not names or str(name) in names]
    keys = np.full((len(frame), 2), repeat, dtype=np.uint64)
    for name in chosen:
        salts = _salts(str(name))
        try:
            missing = frame[name].isna().to_numpy(dtype=bool)
            cells = _hashes(frame[name], missing, roots)
        except NotPlainError as error:
            raise NotPlainError(f"column {str(name)!r} holds {error}") from None
        for half, (hashes, salt) in enumerate(zip(cells, salts, strict=True)):
            keys[:, half] += np.where(missing, np.uint64(0), _mixed(hashes ^ salt))
    return _numbered(_mixed(keys))


def _numbered(keys: np.ndarray) -> np.ndarray:
    """Give the second, third, ... of equal keys keys of their own."""
    low = pd.Series(keys[:, 0])
    if low.is_unique:
        return keys
    earlier = low.groupby(low, sort=False).cumcount().to_numpy().astype(np.uint64)
    return np.where(earlier[:, None] > 0, _mixed(keys + earlier[:, None]), keys)


def _salts(name: str) -> tuple[np.uint64, np.uint64]:
    low, high = np.frombuffer(hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:16], dtype=np.uint64)
    return low, high


def _hashes(series: pd.Series, missing: np.ndarray, roots: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _hashes(series.astype(object), missing, roots)
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return _of_dates(series)
    kind = pd.api.types.infer_dtype(series, skipna=True) if isinstance(dtype, np.dtype) and dtype.kind == "O" else ""
    if isinstance(dtype, pd.StringDtype) or kind == "string":
        return _of_texts(series.to_numpy(dtype=object), missing, roots)
    if kind == "boolean" or (kind == "" and pd.api.types.is_bool_dtype(dtype)):
        present = series if dtype == np.dtype(bool) else series.astype(object).where(~missing, False)
        return _of_numbers(present.to_numpy(dtype=np.float64), "bool")
    if kind == "floating" or (kind == "" and pd.api.types.is_float_dtype(dtype)):
        return _of_floats(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind == "" and pd.api.types.is_integer_dtype(dtype):
        return _of_integers(series, missing)
    return _of_objects(series.to_numpy(dtype=object), missing)


def _of_integers(series: pd.Series, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    whole = series.fillna(0) if missing.any() else series
    numbers = whole.to_numpy(dtype=np.float64)
    low, high = _of_numbers(numbers, "number")
    large = np.flatnonzero(np.abs(numbers) >= EXACT)
    if len(large):
        low[large], high[large] = _text_hashes(_large_texts(whole.iloc[large].tolist()))
    return low, high


def _of_floats(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = _of_numbers(numbers, "number")
    large = np.flatnonzero((np.abs(numbers) >= EXACT) & np.isfinite(numbers))
    if len(large):
        low[large], high[large] = _text_hashes(_large_texts(numbers[large].tolist()))
    return low, high


def _of_numbers(numbers: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    return _of_bits(numbers.astype(np.float64).view(np.uint64), kind)


def _of_bits(bits: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    low, high = _salts(f"kind {kind}")
    return _mixed(bits ^ low), _mixed(bits ^ high)


def _of_dates(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    values = series.to_numpy()
    per_second = SECOND_IN[np.datetime_data(values.dtype)[0]]
    count = values.view(np.int64)
    low, high = _of_bits((count // per_second).view(np.uint64), "date")
    rest = (count % per_second * (10**9 // per_second)).view(np.uint64)
    return _mixed(low + rest), _mixed(high + rest)


def _of_texts(texts: np.ndarray, missing: np.ndarray, roots: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    present = np.where(missing, "", texts)
    if len(present) > MANY and len(set(present[:MANY].tolist())) < MANY / 2:  # few texts, again and again
        codes, distinct = factorize(present)
        low, high = (hashes[codes] for hashes in _text_hashes(distinct))
    else:
        low, high = _text_hashes(present)
    for row, content in _files_named(present, roots):
        low[row], high[row] = low[row] ^ content[0], high[row] ^ content[1]
    return low, high


def _text_hashes(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = (hashes_of(texts, key[:16]) for key in SIP_KEYS)
    return low, high


def _files_named(texts: np.ndarray, roots: Sequence[Path]) -> list[tuple[int, np.ndarray]]:
    """Return the rows whose text names a file, with a hash of its content; looks at all if one of a sample does."""
    sample = [text for text in dict.fromkeys(texts.tolist()) if text][:SAMPLE] if roots else []
    if not any(_file_named(text, roots) for text in sample):
        return []
    known: dict[str, np.ndarray | None] = {}
    for text in dict.fromkeys(texts.tolist()):
        path = _file_named(text, roots)
        known[text] = None if path is None else _content_hash(path)
    return [(row, content) for row, text in enumerate(texts.tolist()) if (content := known[text]) is not None]


def files_named(frame: pd.DataFrame, roots: Sequence[Path]) -> set[Path]:
    """Return the files below ``roots`` that texts in the rows name, of columns whose first rows do."""
    found: set[Path] = set()
    for place in range(frame.shape[1]):
        texts = frame.iloc[:, place].dropna()
        sample = [text for text in texts.head(MANY).tolist() if isinstance(text, str)][:SAMPLE]
        if any(_file_named(text, roots) for text in sample):
            paths = (_file_named(text, roots) for text in set(texts.tolist()) if isinstance(text, str))
            found |= {path for path in paths if path is not None}
    return found


def _file_named(text: str, roots: Sequence[Path]) -> Path | None:
    if not text or len(text) > LONGEST_NAME or "\n" in text or "\0" in text or "." not in text:
        return None
    try:
        return next((path for root in roots if (path := root / text).is_file()), None)
    except (OSError, ValueError):
        return None


def _content_hash(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
    return np.frombuffer(digest.digest()[:16], dtype=np.uint64)


def _of_objects(cells: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hash cells of mixed kinds: numbers and texts as in columns of their own."""
    low, high = np.zeros(len(cells), dtype=np.uint64), np.zeros(len(cells), dtype=np.uint64)
    values = cells.tolist()
    by_kind: dict[str, list[int]] = {}
    for row in np.flatnonzero(~missing).tolist():
        by_kind.setdefault(_kind_of(values[row]), []).append(row)
    for kind, rows in by_kind.items():
        low[rows], high[rows] = _of_kind(kind, [values[row] for row in rows])
    return low, high


def _of_kind(kind: str, values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    if kind in ("bool", "number"):
        return _of_numbers(np.array(values, dtype=np.float64), kind)
    if kind == "text":
        return _text_hashes(np.array(values, dtype=object))
    if kind == "large":
        return _text_hashes(_large_texts(values))
    return _text_hashes(np.array([f"\0{to_text(value)}" for value in values], dtype=object))


def _large_texts(values: list[Any]) -> np.ndarray:
    return np.array([f"\0{int(value)}" for value in values], dtype=object)


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, np.integer)):
        return "number" if abs(int(value)) < EXACT else "large"
    if not isinstance(value, (float, np.floating)):
        return "other"
    return "large" if np.isfinite(value) and abs(value) >= EXACT else "number"


def _mixed(values: np.ndarray) -> np.ndarray:
    # the finaliser of splitmix64
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
