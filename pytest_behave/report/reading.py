"""Run records from outside: whatever a file holds, the answer is a Run or one sentence on what is wrong with it."""

from __future__ import annotations

import functools
import json
import reprlib
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal

from pytest_behave import files
from pytest_behave.errors import BehaveError
from pytest_behave.records import Run
from pytest_behave.report.record import FORMAT, run_from_json

HOW = "`pytest --behave --behave-report=json:PATH` writes one"
NUMERIC = ("min", "max", "max_gap")
KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def read_record(content: bytes, name: str) -> Run:
    """Return the run of a record; raises BehaveError."""
    if files.is_pointer(content):
        raise BehaveError(f"{name} {files.ADVICE}")
    try:
        data = json.loads(content, parse_constant=_refused)
    except BehaveError as error:
        raise BehaveError(f"{name} is not a run record: {error}: {HOW}") from None
    except (ValueError, RecursionError):
        raise BehaveError(f"{name} is not a run record, as it is not JSON: {HOW}") from None
    version = data.get("format") if isinstance(data, dict) else None
    if version != FORMAT:
        if isinstance(version, str) and version.startswith("pytest-behave/run-"):
            raise BehaveError(f"{name} is of a newer release ({reprlib.repr(version)}): upgrade pytest-behave")
        raise BehaveError(f"{name} is not a run record, as its `format` is not {FORMAT!r}: {HOW}")
    try:
        run = run_from_json(data)
    except KeyError as error:
        raise BehaveError(f"{name} is not a whole run record: {error} is missing") from None
    except (TypeError, AttributeError, ValueError):
        raise BehaveError(f"{name} is not a whole run record: a list or an object in it is something else") from None
    for problem in _misfits(run, Run, ""):
        raise BehaveError(f"{name} is not a run record: {problem}")
    return run


def _refused(constant: str) -> float:
    raise BehaveError(f"{constant} is no number")


@functools.cache
def _hints(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record)


def _misfits(value: Any, hint: Any, where: str) -> Iterator[str]:
    """Yield a sentence for each field that is not what its record says."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        for name, inner in _hints(hint).items():
            yield from _misfits(getattr(value, name), inner, f"{where}.{name}".lstrip("."))
    elif origin in (typing.Union, types.UnionType):
        if value is not None or type(None) not in arguments:
            yield from _of_union(value, [inner for inner in arguments if inner is not type(None)], where)
    elif origin is tuple:
        yield from _of_tuple(value, arguments, where)
    elif origin is Literal:
        if value not in arguments:
            yield f"`{where}` must be one of {', '.join(map(str, arguments))}, not {reprlib.repr(value)}"
    elif hint is not Any:
        yield from _of_mapping(value, arguments, where) if origin is not None else _of_plain(value, hint, where)


def _of_union(value: Any, choices: list[Any], where: str) -> Iterator[str]:
    problems = [list(_misfits(value, choice, where)) for choice in choices]
    if all(problems):
        yield problems[0][0]


def _of_tuple(value: Any, arguments: tuple[Any, ...], where: str) -> Iterator[str]:
    inners = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
    if len(value) != len(inners):
        yield f"`{where}` must have {len(inners)} items, not {len(value)}"
    for number, (item, inner) in enumerate(zip(value, inners, strict=False)):
        yield from _misfits(item, inner, f"{where}[{number}]")


def _of_mapping(value: Any, arguments: tuple[Any, ...], where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"`{where}` must be an object, not {reprlib.repr(value)}"
        return
    for name, item in value.items():
        is_figure = where.endswith("bounds") and name in NUMERIC
        yield from _misfits(item, float if is_figure else arguments[1], f"{where}.{name}")


def _of_plain(value: Any, kind: type, where: str) -> Iterator[str]:
    accepted = (int, float) if kind is float else kind
    is_number = kind in (int, float)
    fits = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    if not fits or (is_number and abs(value) > sys.float_info.max):
        yield f"`{where}` must be {KINDS[kind]}, not {reprlib.repr(value)}"
