"""Dividing instances into named groups: by value, edges, quantiles, calendar period, or several columns at once."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize
from pytest_behave.data.columns import canonical_text
from pytest_behave.data.functions import as_dates
from pytest_behave.errors import DataError
from pytest_behave.records import Column
from pytest_behave.records.bits import smallest

MOST_GROUPS = 1_000
UNITS = {"day": "D", "week": "D", "month": "M", "quarter": "M", "year": "Y"}


class Groups(NamedTuple):
    """A code per instance into ``names``, in order; -1 where the instance is in no group (a value is missing).

    ``ranks`` rise with the names, also among those of other parts of a dataset.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    ranks: tuple[Any, ...]


def by_values(name: str, column: Column) -> Groups:
    """One group per value; numbers in rising order, texts by code point."""
    if column.codes is not None:
        return _by_codes(name, *column.codes)
    present = ~column.missing
    values = column.values if column.kind == "number" else canonical_text(column)
    found, distinct = factorize(values[present])
    _check_number(name, len(distinct))
    order = np.argsort(distinct)
    codes = np.full(len(present), -1, dtype=np.int64)
    codes[present] = np.argsort(order)[found]
    found_values = distinct[order].tolist()
    return Groups(codes, tuple(map(_value_text, found_values)), tuple(found_values))


def _by_codes(name: str, codes: np.ndarray, texts: list[str]) -> Groups:
    _check_number(name, len(texts))
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.full(len(texts) + 1, -1)
    places[order] = np.arange(len(order))
    names = tuple(texts[place] for place in order)
    return Groups(smallest(places)[codes], names, names)


def _check_number(name: str, count: int) -> None:
    if count > MOST_GROUPS:
        raise DataError(
            f"column {name!r} has {count:,} values, too many for one slice each (at most {MOST_GROUPS:,}): "
            "use `edges`, `quantiles` or `every`"
        )


def by_edges(name: str, column: Column, edges: tuple[float, ...]) -> Groups:
    """Bins closed on the left: ``<25``, ``25-45``, ``>=45``; a bin may be empty."""
    values = _numbers(name, column)
    codes = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right")
    shown = [_number_text(edge) for edge in edges]
    middle = [f"{low}-{high}" for low, high in itertools.pairwise(shown)]
    names = (f"<{shown[0]}", *middle, f">={shown[-1]}")
    return Groups(np.where(column.missing, -1, codes), names, tuple(range(len(names))))


def by_quantiles(name: str, column: Column, count: int) -> Groups:
    """``count`` groups of about equal size, ``q1`` lowest; equal values stay together, so fewer groups may remain."""
    values = _numbers(name, column)
    present = ~column.missing
    if not present.any():
        raise DataError(f"column {name!r} has no values to divide into quantiles")
    if not np.isfinite(values[present]).all():  # nothing lies between a number and infinity, but between their ranks
        values = np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.float64)
    levels = np.quantile(values[present], np.arange(1, count) / count)
    codes = np.searchsorted(levels, values, side="right")
    used = sorted(set(codes[present].tolist()))
    renumbered = np.searchsorted(used, codes)
    return Groups(np.where(present, renumbered, -1), tuple(f"q{code + 1}" for code in used), tuple(used))


def by_period(name: str, column: Column, every: str) -> Groups:
    """One group per calendar period that occurs, in order of time: 2027-01-31, 2027-W04, 2027-01, 2027-Q1, 2027."""
    dates = as_dates(f"every: {every}", f"column {name!r}", column)
    present = ~column.missing & ~np.isnat(dates)
    distinct, found = np.unique(_period_starts(dates[present], every), return_inverse=True)
    codes = np.full(len(present), -1, dtype=np.int64)
    codes[present] = found.reshape(-1)
    names = tuple(_period_text(start, every) for start in distinct)
    return Groups(codes, names, tuple(distinct.astype(np.int64).tolist()))


def crossed(groups: list[Groups]) -> Groups:
    """Return the combinations that occur, named ``a, b``."""
    rows = np.column_stack([group.codes for group in groups])
    present = (rows >= 0).all(axis=1)
    shape = tuple(len(group.names) for group in groups)
    # one number per combination: sorting those takes a tenth of the time of sorting rows
    places, inverse = np.unique(np.ravel_multi_index(tuple(rows[present].T), shape), return_inverse=True)
    distinct = np.column_stack(np.unravel_index(places, shape))
    if len(distinct) > MOST_GROUPS:
        raise DataError(f"the columns cross to {len(distinct):,} slices, too many (at most {MOST_GROUPS:,})")
    codes = np.full(len(rows), -1, dtype=np.int64)
    codes[present] = np.asarray(inverse).reshape(-1)
    names = tuple(
        ", ".join(group.names[code] for group, code in zip(groups, row, strict=True)) for row in distinct.tolist()
    )
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise DataError(f"the columns cross to two slices of one name, {twice[0]!r}: derive one column in `metadata`")
    ranks = tuple(
        tuple(group.ranks[code] for group, code in zip(groups, row, strict=True)) for row in distinct.tolist()
    )
    return Groups(codes, names, ranks)


def _numbers(name: str, column: Column) -> np.ndarray:
    if column.kind not in ("number", "bool", "empty"):
        raise DataError(f"column {name!r} holds {column.kind}, so it has no edges or quantiles")
    return column.values.astype(np.float64)


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else _number_text(value)


def _number_text(value: float) -> str:
    if isinstance(value, int):  # beyond 2**53 a double would be another number
        return str(value)
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 2**63 else str(number)


def _period_starts(dates: np.ndarray, every: str) -> np.ndarray:
    """Return the first day (of a day or week), month (of a month or quarter) or year of each date."""
    starts = dates.astype(f"datetime64[{UNITS[every]}]")
    number = starts.astype(np.int64)
    if every == "week":
        return starts - (number + 3) % 7  # 1970-01-01 was a Thursday
    return starts - number % 3 if every == "quarter" else starts


def _period_text(start: np.datetime64, every: str) -> str:
    if every == "week":
        year, week, _ = start.astype(dt.date).isocalendar()
        return f"{year:04d}-W{week:02d}"
    if every == "quarter":
        year, month = str(start).split("-")
        return f"{year}-Q{(int(month) + 2) // 3}"
    return str(start)
