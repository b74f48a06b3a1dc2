"""A column of a data frame as plain arrays: its kind, its values, and which of them are missing."""

from __future__ import annotations

import datetime as dt
import numbers
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize
from pytest_behave.data.dates import NOTHING, UNIT, dates_of_series, dates_of_values
from pytest_behave.records import Column, Kind
from pytest_behave.records.bits import smallest

SAMPLE = 1_000  # rows that tell whether a column has few values
LARGEST = 10**308  # above it an integer is no double, and arithmetic ends


def column_of(series: pd.Series) -> Column:
    """Return the series as a Column: number (int64, float64, or object for exact large ones), bool, text, date (wall-clock), mixed or empty."""
    dtype = series.dtype
    missing = series.isna().to_numpy(dtype=bool) if series.hasnans else nowhere(len(series))
    if missing.all():
        return Column("empty", np.full(len(series), None, dtype=object), missing)
    if isinstance(dtype, pd.StringDtype):
        return _string_column(series, missing)
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical_column(series, missing)
    if pd.api.types.is_bool_dtype(dtype) and not pd.api.types.is_object_dtype(dtype):
        return Column("bool", series.fillna(False).to_numpy(dtype=bool), missing)
    if pd.api.types.is_integer_dtype(dtype):
        return _integer_column(series, missing)
    if pd.api.types.is_float_dtype(dtype):
        if isinstance(dtype, np.dtype):  # a value for missing ones would cost a copy
            return Column("number", series.to_numpy().astype(np.float64, copy=False), missing)
        return Column("number", series.to_numpy(dtype=np.float64, na_value=np.nan), missing)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return Column("date", dates_of_series(series), missing)
    return _object_column(series.astype(object), missing)


class TextColumn(Column):
    """pandas' own texts, turned into Python's only when ``values`` are asked for: that takes 100 bytes per row."""

    def __init__(self, series: pd.Series, missing: np.ndarray, codes: tuple[np.ndarray, list[str]] | None) -> None:
        for name, value in (("kind", "text"), ("missing", missing), ("codes", codes), ("series", series)):
            object.__setattr__(self, name, value)

    series: pd.Series

    @cached_property
    def values(self) -> np.ndarray:
        """Python's texts, None where missing; of few values each becomes one object."""
        if self.codes is not None:
            codes, texts = self.codes
            return np.array([*texts, None], dtype=object)[codes]
        return self.series.to_numpy(dtype=object, na_value=None)  # type: ignore[call-overload]

    @property
    def arrow(self) -> Any:
        """The texts as pyarrow has them, None where pandas keeps them otherwise."""
        dtype = self.series.dtype
        if not isinstance(dtype, pd.StringDtype) or dtype.storage != "pyarrow":
            return None
        return self.series.array.__arrow_array__()


def _string_column(series: pd.Series, missing: np.ndarray) -> Column:
    """Return pandas' own text; few values are numbered (2 ms per 100,000 rows)."""
    if series.iloc[:SAMPLE].nunique() > SAMPLE / 2:
        return TextColumn(series, missing, None)
    codes, distinct = factorize(series)
    return TextColumn(series, missing, (smallest(codes), [str(text) for text in distinct]))


def _categorical_column(series: pd.Series, missing: np.ndarray) -> Column:
    names = series.cat.categories
    if not all(isinstance(name, str) for name in names):
        return _object_column(series.astype(object), missing)
    found = np.asarray(series.array.codes)  # `series.cat.codes` is a copy
    occurs = np.zeros(len(names) + 1, dtype=bool)
    occurs[found] = True  # missing ones, -1, in the last place
    used = np.flatnonzero(occurs[:-1])
    if len(used) < len(names):
        found = smallest(np.append(np.searchsorted(used, np.arange(len(names))), -1))[found]
    return TextColumn(series, missing, (found, [str(names[place]) for place in used.tolist()]))


@lru_cache(maxsize=2)
def nowhere(size: int) -> np.ndarray:
    """Return what says that nothing is missing: one array for all columns, as most miss nothing."""
    result = np.zeros(size, dtype=bool)
    result.flags.writeable = False
    return result


def canonical_text(column: Column) -> np.ndarray:
    """Return each value as the text by which labels and ids are matched: 1, 1.0 and "1" are all "1"."""
    if column.kind in ("text", "empty"):
        return np.where(column.missing, "", column.values)
    if column.values.dtype.kind in "ifb" and _has_few(column.values):  # each value once
        codes, distinct = pd.factorize(column.values, use_na_sentinel=False)
        return np.array([_canonical(value) for value in distinct.tolist()], dtype=object).take(codes)
    if column.kind == "number" and column.values.dtype.kind == "i":
        return column.values.astype(str).astype(object)
    return np.array([_canonical(value) for value in column.values.tolist()], dtype=object)


def _has_few(values: np.ndarray) -> bool:
    sample = values[:SAMPLE]
    return len(pd.unique(sample)) <= len(sample) / 2


def _canonical(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return "" if value is None else str(value)


def _integer_column(series: pd.Series, missing: np.ndarray) -> Column:
    filled = series.fillna(0) if missing.any() else series
    if series.dtype.name.lower().startswith("uint64") and int(filled.max()) >= 2**63:
        return Column("number", filled.to_numpy().astype(object), missing)
    return Column("number", filled.to_numpy(dtype=np.int64), missing)


def _kind_of_value(value: object) -> Kind:
    if isinstance(value, str):
        return "text"
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (numbers.Real, Decimal)):
        return "number"
    if isinstance(value, (dt.date, np.datetime64)):
        return "date"
    return "mixed"


def _object_column(series: pd.Series, missing: np.ndarray) -> Column:
    present = series[~missing]
    kinds = {_kind_of_value(value) for value in _one_per_type(present)}
    values = np.full(len(series), None, dtype=object)
    values[~missing] = present.to_numpy(dtype=object)
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    if kind == "number" and any(isinstance(value, int) and abs(value) > LARGEST for value in present):
        kind = "mixed"
    if kind == "bool":
        return Column("bool", np.where(missing, False, values).astype(bool), missing)
    if kind == "number":
        return _number_column(values, missing)
    if kind == "date":
        dates = np.full(len(series), NOTHING, dtype=UNIT)
        dates[~missing] = dates_of_values(values[~missing])
        return Column("date", dates, missing)
    return Column(kind, values, missing)


def _one_per_type(present: pd.Series) -> list[object]:
    return list({type(value): value for value in present.to_list()}.values())


def _number_column(values: np.ndarray, missing: np.ndarray) -> Column:
    present = values[~missing]
    whole = [value for value in present if isinstance(value, (int, np.integer))]
    fits = all(-(2**63) <= value < 2**63 for value in whole)
    exact = all(-(2**53) <= value <= 2**53 for value in whole)
    dtype: type = np.int64 if fits and len(whole) == len(present) else np.float64 if exact else object
    result: np.ndarray = np.zeros(len(values), dtype=dtype)
    result[~missing] = present.astype(dtype)
    return Column("number", result, missing)
