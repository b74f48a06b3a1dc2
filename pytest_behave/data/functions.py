"""The functions of the predicate language, each from a column to a column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.data import images
from pytest_behave.data.dates import NOTHING, PARTS, UNIT, parse_iso
from pytest_behave.errors import PredicateError
from pytest_behave.records import Column, Kind

SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)")


def call_function(name: str, shown: str, column: Column, literals: Sequence[Any], folder: str) -> Column:
    """Apply a function to a column; ``shown`` names the column in messages, ``folder`` is where image paths start."""
    if column.kind == "empty":
        return _empty_result(name, column)
    if name in TEXT_FUNCTIONS:
        kind, function = TEXT_FUNCTIONS[name]
        return _per_text(name, shown, column, kind, partial(function, *literals))
    if name in PARTS:
        return _date_part(name, shown, column)
    if name in images.MEASURES:
        return images.image_column(name, shown, column, folder)
    if column.kind not in ("number", "bool"):
        raise PredicateError(f"{name}() takes a number, but {shown} is not one")
    if name == "abs":
        return Column("number", np.abs(column.values.astype(np.float64)), column.missing)
    if name == "round":
        return _rounded(column, *literals)
    return _quantile(shown, column, *literals)


def _empty_result(name: str, column: Column) -> Column:
    kinds: dict[str, Kind] = {"lower": "text", **{name: kind for name, (kind, _) in TEXT_FUNCTIONS.items()}}
    kind = kinds.get(name, "number")
    values = {"bool": np.zeros(len(column.values), dtype=bool), "text": column.values}
    return Column(kind, values.get(kind, np.zeros(len(column.values))), column.missing)


# --- text ---------------------------------------------------------------------------------------------------------


def _sentences(text: str) -> int:
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    rest = text[ends[-1] :] if ends else text
    return len(ends) + bool(rest.strip())


def _non_ascii_share(text: str) -> float:
    return sum(ord(character) > 127 for character in text) / len(text) if text else 0.0  # noqa: PLR2004 - ASCII ends


TEXT_FUNCTIONS: dict[str, tuple[Kind, Callable[..., Any]]] = {
    "contains": ("bool", lambda part, text: part in text),
    "startswith": ("bool", lambda part, text: text.startswith(part)),
    "endswith": ("bool", lambda part, text: text.endswith(part)),
    "matches": ("bool", lambda pattern, text: re.search(pattern, text) is not None),
    "lower": ("text", str.lower),
    "length": ("number", len),
    "characters": ("number", len),
    "words": ("number", lambda text: len(text.split())),
    "sentences": ("number", _sentences),
    "non_ascii_share": ("number", _non_ascii_share),
    "is_question": ("bool", lambda text: text.strip().endswith("?")),
}


def _per_text(name: str, shown: str, column: Column, kind: Kind, function: Callable[[str], Any]) -> Column:
    if column.kind != "text":
        raise PredicateError(f"{name}() takes text, but {shown} is not text")
    dtype: Any = {"bool": bool, "text": object, "number": np.int64}[kind]
    if name == "non_ascii_share":
        dtype = np.float64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pattern's FutureWarning is not the reader's concern on every row
        found = [function(text) if isinstance(text, str) else None for text in column.values.tolist()]
    values = np.zeros(len(column.values), dtype=dtype)
    values[~column.missing] = [value for value in found if value is not None]
    if kind == "text":
        values[column.missing] = None
    return Column(kind, values, column.missing)


# --- numbers ------------------------------------------------------------------------------------------------------


def _rounded(column: Column, digits: int = 0) -> Column:
    values = [
        round(value, digits) if np.isfinite(value) else value for value in column.values.astype(np.float64).tolist()
    ]
    return Column("number", np.array(values, dtype=np.float64), column.missing)


def _quantile(shown: str, column: Column, share: float) -> Column:
    present = column.values[~column.missing].astype(np.float64)
    if not len(present):
        raise PredicateError(f"quantile() of {shown} has no values to go by")
    with np.errstate(invalid="ignore"):
        level = float(np.quantile(present, share))
    size = len(column.values)
    return Column("number", np.full(size, level), np.full(size, np.isnan(level)))


# --- dates --------------------------------------------------------------------------------------------------------


def as_dates(name: str, shown: str, column: Column) -> np.ndarray:
    """Return datetime64[us] values of a date column, or of a text column that holds ISO dates."""
    if column.kind == "date":
        return column.values
    if column.kind != "text":
        raise PredicateError(f"{name}() takes dates, but {shown} holds none")
    codes, texts = pd.factorize(column.values)
    dates = np.array([*(parse_iso(text) for text in texts), NOTHING], dtype=UNIT)
    wrong = np.flatnonzero(np.isnat(dates[:-1]))
    if len(wrong):
        example = texts[wrong[0]]
        raise PredicateError(f"{name}() takes dates, but {shown} holds {example[:40]!r}: write dates as 2027-01-31")
    return dates[codes]


def _date_part(name: str, shown: str, column: Column) -> Column:
    part = PARTS[name](as_dates(name, shown, column))
    return Column("number", np.where(column.missing, 0, part), column.missing)
