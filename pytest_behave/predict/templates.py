"""Filling the templates of requests, and finding the outputs in answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_behave.records import ForEach, Placeholder, TextTemplate


def filled(template: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return a structure filled with the values of rows: each list over rows with all, the rest with the first.

    Values are put in as they are; what looks like a placeholder in them stays text.
    """
    if isinstance(template, TextTemplate):
        return _value(template, rows[0])
    if isinstance(template, ForEach):
        return [filled(template.item, [row]) for row in rows]
    if isinstance(template, dict):
        return {key: filled(item, rows) for key, item in template.items()}
    return [filled(item, rows) for item in template] if isinstance(template, list) else template


def filled_text(template: TextTemplate, row: Mapping[str, Any]) -> str:
    """Return a text filled with the values of a row."""
    return "".join(as_text(row[piece.column]) if isinstance(piece, Placeholder) else piece for piece in template.pieces)


def _value(template: TextTemplate, row: Mapping[str, Any]) -> Any:
    match template.pieces:
        case (Placeholder(column=column),):
            return row[column]
    return filled_text(template, row)


def as_text(value: Any) -> str:
    """Return a value as a reader would write it: nothing where missing, 3 for 3.0, true and false."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def found_at(answer: Any, path: str) -> Any:
    """Return what stands at a path such as ``data.0.label``, or for ``data.*.label`` a list; raises LookupError."""
    return _found(answer, tuple(path.split(".")))


def _found(value: Any, parts: tuple[str, ...]) -> Any:
    for index, part in enumerate(parts):
        if part == "*":
            if not isinstance(value, list):
                raise LookupError(part)
            return [_found(item, parts[index + 1 :]) for item in value]
        if isinstance(value, list) and re.fullmatch(r"[0-9]{1,9}", part):
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value[part]
        else:
            raise LookupError(part)
    return value
