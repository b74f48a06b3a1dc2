"""Dates as wall-clock times in microseconds: ISO texts, Python and pandas values, and the parts of a date.

An offset or time zone is dropped, not converted: the hour that stands in the data is the hour that people mean.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

UNIT = "datetime64[us]"  # nanoseconds would end in the year 2262
NOTHING = np.datetime64("NaT", "us")
ISO = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(?:Z|[+-]\d{2}:?\d{2})?)?")


def parse_iso(text: str) -> np.datetime64:
    """Return the wall-clock time of an ISO date or date and time, NaT if the text is none."""
    match = ISO.fullmatch(text.strip())
    if match is None:
        return NOTHING
    day, time = match.groups()
    whole = day if time is None else f"{day}T{time[:15]}"  # 15: hh:mm:ss and six digits
    try:
        return np.datetime64(whole, "us")
    except ValueError:
        return NOTHING


def dates_of_values(values: np.ndarray) -> np.ndarray:
    """Return dates, datetimes and timestamps in an object array as datetime64[us]."""
    return np.array([_wall_clock(value) for value in values.tolist()], dtype=UNIT)


def _wall_clock(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return np.datetime64(value.replace(tzinfo=None), "us")
    return np.datetime64(value, "us") if isinstance(value, dt.date) else np.asarray(value).astype(UNIT)[()]


def dates_of_series(series: pd.Series) -> np.ndarray:
    """Return a datetime series, with or without time zone, as datetime64[us]."""
    local = series.dt.tz_localize(None) if getattr(series.dtype, "tz", None) is not None else series
    return local.to_numpy().astype(UNIT)


def _number(dates: np.ndarray, unit: str) -> np.ndarray:
    return dates.astype(f"datetime64[{unit}]").astype(np.int64)


# name -> number; Monday is 0 and 1970-01-01 was a Thursday
PARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "year": lambda dates: _number(dates, "Y") + 1970,
    "month": lambda dates: _number(dates, "M") % 12 + 1,
    "weekday": lambda dates: (_number(dates, "D") + 3) % 7,
    "hour": lambda dates: _number(dates, "h") % 24,
}
