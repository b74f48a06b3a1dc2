"""The functions of the predicate language, each from a column to a column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_behave.codes import factorize
from pytest_behave.data import images
from pytest_behave.data.columns import TextColumn
from pytest_behave.data.dates import NOTHING, PARTS, UNIT, parse_iso
from pytest_behave.data.search import found_in
from pytest_behave.errors import PredicateError
from pytest_behave.records import Column, Kind

SEARCHES = ("contains", "startswith", "endswith")
SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)")


def call_function(name: str, shown: str, column: Column, literals: Sequence[Any], folder: str) -> Column:
    """Apply a function to a column; ``shown`` names the column in messages, ``folder`` is where image paths start."""
    if column.kind == "empty":
        return _empty_result(name, column)
    if name in TEXT_FUNCTIONS:
        return _per_text(name, shown, column, literals)
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


# from all texts at once: a call per text takes twice the time of `contains`
TEXT_FUNCTIONS: dict[str, tuple[Kind, Callable[..., list[Any]]]] = {
    "contains": ("bool", lambda texts, part: [part in text for text in texts]),
    "startswith": ("bool", lambda texts, part: [text.startswith(part) for text in texts]),
    "endswith": ("bool", lambda texts, part: [text.endswith(part) for text in texts]),
    "matches": ("bool", lambda texts, pattern: [found is not None for found in map(re.compile(pattern).search, texts)]),
    "lower": ("text", lambda texts: [text.lower() for text in texts]),
    "length": ("number", lambda texts: list(map(len, texts))),
    "characters": ("number", lambda texts: list(map(len, texts))),
    "words": ("number", lambda texts: [len(text.split()) for text in texts]),
    "sentences": ("number", lambda texts: list(map(_sentences, texts))),
    "non_ascii_share": ("number", lambda texts: list(map(_non_ascii_share, texts))),
    "is_question": ("bool", lambda texts: [text.strip().endswith("?") for text in texts]),
}


def _per_text(name: str, shown: str, column: Column, literals: Sequence[Any]) -> Column:
    if column.kind != "text":
        raise PredicateError(f"{name}() takes text, but {shown} is not text")
    kind, function = TEXT_FUNCTIONS[name]
    dtype: Any = {"bool": bool, "text": object, "number": np.int64}[kind]
    if name == "non_ascii_share":
        dtype = np.float64
    if name in SEARCHES and isinstance(column, TextColumn) and column.codes is None and column.arrow is not None:
        # turning pandas' texts into Python's would take longer, and much memory
        return Column("bool", found_in(column.arrow, str(literals[0]), name) & ~column.missing, column.missing)
    if column.codes is not None and kind != "text":
        codes, texts = column.codes  # each text once
        answers = np.append(np.array(_answers(function, texts, literals), dtype=dtype), dtype(0))
        return Column(kind, answers[codes], column.missing)
    present = ~column.missing
    whole = bool(present.all())
    found = _answers(function, (column.values if whole else column.values[present]).tolist(), literals)
    values = np.full(len(present), None) if kind == "text" else np.zeros(len(present), dtype=dtype)
    values[present] = np.fromiter(found, dtype=dtype, count=len(found))
    return Column(kind, values, column.missing)


def _answers(function: Callable[..., list[Any]], texts: list[str], literals: Sequence[Any]) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pattern's FutureWarning is not the reader's concern
        return function(texts, *literals)


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
    codes, texts = factorize(column.values)
    dates = np.array([*(parse_iso(text) for text in texts), NOTHING], dtype=UNIT)
    wrong = np.flatnonzero(np.isnat(dates[:-1]))
    if len(wrong):
        example = texts[wrong[0]]
        raise PredicateError(f"{name}() takes dates, but {shown} holds {example[:40]!r}: write dates as 2027-01-31")
    return dates[codes]


def _date_part(name: str, shown: str, column: Column) -> Column:
    part = PARTS[name](as_dates(name, shown, column))
    return Column("number", np.where(column.missing, 0, part), column.missing)
