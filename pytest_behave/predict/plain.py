"""Values of data frames as text and back: JSON, with a tag for each kind of value that JSON does not have."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

AS_THEY_ARE = (str, int, float, bool, type(None))
TAG = "$"


class NotPlainError(ValueError):
    """A value is of a kind that cannot be written down and read back."""


def to_text(value: Any) -> str:
    """Return a value as one line of ASCII; raises NotPlainError for kinds that are not known."""
    try:
        return json.dumps(_tagged(value), separators=(",", ":"))
    except NotPlainError:
        raise
    except (RecursionError, ValueError):  # nested too deeply, or an integer with more digits than Python writes
        raise NotPlainError(f"{type(value).__name__} that cannot be written") from None


def from_text(text: str) -> Any:
    """Return the value that ``to_text`` wrote: equal, and of the same type."""
    return _untagged(json.loads(text))


def _tagged(value: Any) -> Any:
    kind = type(value)
    if kind in AS_THEY_ARE:
        return value
    if kind is list:
        return [_tagged(item) for item in value]
    if kind is dict:
        if TAG not in value and all(type(key) is str for key in value):
            return {key: _tagged(item) for key, item in value.items()}
        return {TAG: ["dict", [[_tagged(key), _tagged(item)] for key, item in value.items()]]}
    if value is pd.NA or value is pd.NaT:
        return {TAG: [str(value), None]}
    if isinstance(value, np.generic) and value.dtype != object:
        return {TAG: ["numpy", [value.dtype.str, _base64(value.tobytes())]]}
    if kind is np.ndarray and value.dtype != object:
        return {TAG: ["array", [value.dtype.str, list(value.shape), _base64(value.tobytes())]]}
    write = _WRITE.get(kind)
    if write is None:
        raise NotPlainError(kind.__name__)
    return {TAG: [kind.__name__, write(value)]}


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: _untagged(item) for key, item in value.items()}
    kind, content = value[TAG]
    return _READ[kind](content)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _numpy(content: list[str]) -> Any:
    return np.frombuffer(base64.b64decode(content[1]), dtype=content[0])[0]


def _array(content: list[Any]) -> np.ndarray:
    dtype, shape, data = content
    return np.frombuffer(base64.b64decode(data), dtype=dtype).reshape(shape).copy()


def _objects(content: list[Any]) -> np.ndarray:
    shape, cells = content
    array = np.empty(len(cells), dtype=object)
    array[:] = [_untagged(cell) for cell in cells]
    return array.reshape(shape)


def _set(values: Any) -> list[Any]:
    return sorted((_tagged(value) for value in values), key=repr)


def _timestamp(content: list[Any]) -> pd.Timestamp:
    count, unit, zone = content
    stamp = pd.Timestamp(np.datetime64(count, unit)).as_unit(unit)
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


_WRITE: dict[type, Callable[[Any], Any]] = {
    tuple: lambda value: [_tagged(item) for item in value],
    set: _set,
    frozenset: _set,
    bytes: _base64,
    complex: lambda value: [value.real, value.imag],
    Decimal: str,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.datetime: dt.datetime.isoformat,
    dt.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
    pd.Timestamp: lambda value: [int(value.asm8.astype(np.int64)), value.unit, value.tz and str(value.tz)],
    pd.Timedelta: lambda value: [int(value.asm8.astype(np.int64)), value.unit],
    np.ndarray: lambda value: [list(value.shape), [_tagged(cell) for cell in value.ravel()]],
}
_READ: dict[str, Callable[[Any], Any]] = {
    "dict": lambda content: {_untagged(key): _untagged(item) for key, item in content},
    "<NA>": lambda _: pd.NA,
    "NaT": lambda _: pd.NaT,
    "numpy": _numpy,
    "array": _array,
    "ndarray": _objects,
    "tuple": lambda content: tuple(_untagged(item) for item in content),
    "set": lambda content: {_untagged(item) for item in content},
    "frozenset": lambda content: frozenset(_untagged(item) for item in content),
    "bytes": base64.b64decode,
    "complex": lambda content: complex(*content),
    "Decimal": Decimal,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "timedelta": lambda content: dt.timedelta(*content),
    "Timestamp": _timestamp,
    "Timedelta": lambda content: pd.Timedelta(np.timedelta64(*content)).as_unit(content[1]),
}
