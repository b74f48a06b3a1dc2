"""What of the rows is sent to a model outside of this process, as JSON knows values."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError, did_you_mean
from pytest_behave.records import ModelSpec

Rows = Mapping[str, Sequence[Any]]


def sent_columns(spec: ModelSpec, frame: pd.DataFrame, withheld: frozenset[str]) -> list[str]:
    """Return the columns to send: those asked for, else all but ``withheld``, the answers among them."""
    names = [str(name) for name in frame.columns]
    if not spec.features:
        sent = [name for name in names if name not in withheld]
        if not sent:
            raise ModelError(
                f"model {spec.name!r} has nothing to be sent: the data have no other columns than the answers"
            )
        return sent
    check_columns(spec, spec.features, frame)
    return list(spec.features)


def check_columns(spec: ModelSpec, wanted: Sequence[str], frame: pd.DataFrame) -> None:
    """Raise ModelError if a column is not in the data frame."""
    names = [str(name) for name in frame.columns]
    absent = [name for name in wanted if name not in names]
    if absent:
        raise ModelError(
            f"model {spec.name!r} is sent the column {absent[0]!r}, which the data lack{did_you_mean(absent[0], names)}"
        )


def json_rows(frame: pd.DataFrame, names: Sequence[str]) -> Rows:
    """Return some columns as lists of values that JSON has; a missing value is None."""
    return {name: json_values(frame[name]) for name in names}


def json_values(series: pd.Series) -> list[Any]:
    """Return a column as values that JSON has: dates in ISO form, None where missing, objects of other kinds as texts."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biu":
        return list(series.tolist())
    return [_plain(value) for value in series.astype(object)]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, bool, int, float, list, dict)) else str(value)


def json_bytes(value: Any, where: str) -> bytes:
    """Return JSON; raises ModelError for an infinite number, which JSON does not have."""
    try:
        return json.dumps(value, allow_nan=False, default=str, separators=(",", ":")).encode()
    except ValueError:
        raise ModelError(
            f"{where} cannot be sent: an input is infinite or within itself, which JSON cannot say"
        ) from None
