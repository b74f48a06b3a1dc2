"""Dividing instances into named groups: by value, edges, quantiles, calendar period, or several columns at once."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from pytest_behave.data.columns import canonical_text
from pytest_behave.data.functions import as_dates
from pytest_behave.errors import DataError
from pytest_behave.records import Column

MOST_GROUPS = 1_000
PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


class Groups(NamedTuple):
    """A code per instance into ``names``, in order; -1 where the instance is in no group (a value is missing)."""

    codes: np.ndarray
    names: tuple[str, ...]


def by_values(name: str, column: Column) -> Groups:
    """One group per value; numbers in rising order, texts by code point."""
    present = ~column.missing
    texts = canonical_text(column)
    if column.kind == "number":
        distinct = [_number_text(value) for value in np.unique(column.values[present])]
        texts = np.array([_number_text(value) for value in column.values], dtype=object)
    else:
        distinct = sorted(set(texts[present].tolist()))
    if len(distinct) > MOST_GROUPS:
        raise DataError(
            f"column {name!r} has {len(distinct):,} values, too many for one slice each (at most {MOST_GROUPS:,}): "
            "use `edges`, `quantiles` or `every`"
        )
    places = {text: code for code, text in enumerate(distinct)}
    codes = np.array([places.get(text, -1) for text in texts.tolist()], dtype=np.int64)
    return Groups(np.where(present, codes, -1), tuple(distinct))


def by_edges(name: str, column: Column, edges: tuple[float, ...]) -> Groups:
    """Bins closed on the left: ``<25``, ``25-45``, ``>=45``; a bin may be empty."""
    values = _numbers(name, column)
    codes = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right")
    shown = [_number_text(edge) for edge in edges]
    middle = [f"{low}-{high}" for low, high in itertools.pairwise(shown)]
    names = (f"<{shown[0]}", *middle, f">={shown[-1]}")
    return Groups(np.where(column.missing, -1, codes), names)


def by_quantiles(name: str, column: Column, count: int) -> Groups:
    """``count`` groups of about equal size, ``q1`` lowest; equal values stay together, so fewer groups may remain."""
    values = _numbers(name, column)
    present = ~column.missing
    if not present.any():
        raise DataError(f"column {name!r} has no values to divide into quantiles")
    levels = np.quantile(values[present], np.arange(1, count) / count)
    codes = np.searchsorted(levels, values, side="right")
    used = sorted(set(codes[present].tolist()))
    renumbered = np.searchsorted(used, codes)
    return Groups(np.where(present, renumbered, -1), tuple(f"q{code + 1}" for code in used))


def by_period(name: str, column: Column, every: str) -> Groups:
    """One group per calendar period that occurs, in order of time: 2027-01-31, 2027-W04, 2027-01, 2027-Q1, 2027."""
    stamps = pd.DatetimeIndex(as_dates(f"every: {every}", f"column {name!r}", column))
    present = ~column.missing & ~stamps.isna()
    periods = stamps.to_period(PERIODS[every])
    distinct = periods[present].unique().sort_values()
    places = {period: code for code, period in enumerate(distinct)}
    codes = np.array([places.get(period, -1) for period in periods], dtype=np.int64)
    return Groups(np.where(present, codes, -1), tuple(_period_text(period, every) for period in distinct))


def crossed(groups: list[Groups]) -> Groups:
    """Return the combinations that occur, named ``a, b``."""
    rows = np.column_stack([group.codes for group in groups])
    present = (rows >= 0).all(axis=1)
    distinct, inverse = np.unique(rows[present], axis=0, return_inverse=True)
    if len(distinct) > MOST_GROUPS:
        raise DataError(f"the columns cross to {len(distinct):,} slices, too many (at most {MOST_GROUPS:,})")
    codes = np.full(len(rows), -1, dtype=np.int64)
    codes[present] = np.asarray(inverse).reshape(-1)
    names = tuple(
        ", ".join(group.names[code] for group, code in zip(groups, row, strict=True)) for row in distinct.tolist()
    )
    return Groups(codes, names)


def _numbers(name: str, column: Column) -> np.ndarray:
    if column.kind not in ("number", "bool", "empty"):
        raise DataError(f"column {name!r} holds {column.kind}, so it has no edges or quantiles")
    return column.values.astype(np.float64)


def _number_text(value: float) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else str(number)


def _period_text(period: pd.Period, every: str) -> str:
    if every == "week":
        year, week, _ = period.end_time.isocalendar()
        return f"{year}-W{week:02d}"
    if every == "quarter":
        return f"{period.year}-Q{period.quarter}"
    return str(period)
