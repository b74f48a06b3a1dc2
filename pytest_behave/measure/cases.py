"""Checking golden cases: each check is a function from (row, argument) to a sentence, or None if it is met."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_behave.errors import BehaveError, MissingExtraError
from pytest_behave.guard import guarded
from pytest_behave.text import written

SHOWN = 120
Row = Mapping[str, Any]


def failed_checks(checks: Sequence[tuple[str, Any]], row: Row, load: Callable[[str], Any]) -> tuple[str, ...]:
    """Return one sentence per check that the output of a case does not meet.

    ``row`` holds the case's input columns, ``prediction`` and, where the model gives them, ``score`` and more.
    """
    failures = []
    for name, argument in checks:
        failure = _python(row, load(argument), argument) if name == "python" else CHECKS[name](row, argument)
        if failure:
            failures.append(failure)
    return tuple(failures)


def _text(row: Row) -> str:
    value = row.get("prediction")
    return "" if value is None else _written(value)


def _shown(value: Any) -> str:
    text = written(value, repr)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _same(output: Any, wanted: Any) -> bool:
    if output is None or wanted is None:
        return output is wanted  # no answer is not the word "None"
    if output != output:  # noqa: PLR0124 - NaN is no answer either
        return False
    if isinstance(output, bool) or isinstance(wanted, bool):
        return str(output).lower() == str(wanted).lower()
    return _written(output) == _written(wanted)


def _written(value: Any) -> str:
    """Return a value as labels are written: 1, 1.0 and "1" are one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _output(row: Row) -> Any:
    value = row.get("prediction")
    return value.item() if value is not None and hasattr(value, "item") else value


def _equals(row: Row, wanted: Any) -> str | None:
    return None if _same(_output(row), wanted) else f"the output is not {_shown(wanted)}"


def _one_of(row: Row, options: Sequence[Any]) -> str | None:
    if any(_same(_output(row), option) for option in options):
        return None
    return f"the output is none of {', '.join(_shown(option) for option in options)}"


def _contains(row: Row, parts: Sequence[str]) -> str | None:
    absent = [part for part in parts if part not in _text(row)]
    return f"the output does not contain {', '.join(map(_shown, absent))}" if absent else None


def _not_contains(row: Row, parts: Sequence[str]) -> str | None:
    present = [part for part in parts if part in _text(row)]
    return f"the output contains {', '.join(map(_shown, present))}" if present else None


def _matches(row: Row, pattern: str) -> str | None:
    return None if re.search(pattern, _text(row)) else f"the output does not match {_shown(pattern)}"


def _not_matches(row: Row, pattern: str) -> str | None:
    found = re.search(pattern, _text(row))
    return f"the output matches {_shown(pattern)} with {_shown(found[0])}" if found else None


def _starts_with(row: Row, start: str) -> str | None:
    return None if _text(row).startswith(start) else f"the output does not start with {_shown(start)}"


def _min_length(row: Row, least: int) -> str | None:
    length = len(_text(row))
    return None if length >= least else f"the output has {length} characters, fewer than {least}"


def _max_length(row: Row, most: int) -> str | None:
    length = len(_text(row))
    return None if length <= most else f"the output has {length} characters, more than {most}"


def _json(row: Row, _argument: object) -> str | None:
    try:
        json.loads(_text(row))
    except (ValueError, RecursionError):
        return "the output is not JSON"
    return None


def _json_schema(row: Row, schema: Mapping[str, Any]) -> str | None:
    try:
        import jsonschema
        from referencing import Registry
        from referencing.exceptions import Unresolvable
    except ImportError:
        raise MissingExtraError("the check json_schema", "jsonschema", "jsonschema") from None
    failure = _json(row, True)
    if failure:
        return failure
    schema = dict(schema)
    validator = jsonschema.validators.validator_for(schema)
    try:
        validator.check_schema(schema)
        # an empty registry: a remote $ref is not fetched
        error = jsonschema.exceptions.best_match(
            validator(schema, registry=Registry()).iter_errors(json.loads(_text(row)))
        )
    except jsonschema.SchemaError as wrong:
        raise BehaveError(f"json_schema is not a JSON Schema: {wrong.message}") from None
    except Unresolvable as wrong:
        raise BehaveError(f"json_schema refers to {wrong.ref}, which is not in it: nothing is fetched") from None
    if error is None:
        return None
    place = "/".join(map(str, error.absolute_path)) or "its top"
    return f"the output does not fit the schema at {place}: {error.message}"


def _close_to(row: Row, wanted: Mapping[str, float]) -> str | None:
    try:
        value = float(_text(row))
    except ValueError:
        return f"the output is not a number, so it is not close to {wanted['value']:g}"
    absolute, relative = wanted.get("abs", 0.0), wanted.get("rel", 0.0)
    allowed = max(absolute, relative * abs(wanted["value"]))
    if abs(value - wanted["value"]) <= allowed:
        return None
    return f"the output {value:g} is {abs(value - wanted['value']):g} from {wanted['value']:g}, more than {allowed:g}"


def _label(row: Row, wanted: Any) -> str | None:
    return None if _same(_output(row), wanted) else f"the label is not {_shown(wanted)}"


def _score(row: Row, bounds: Mapping[str, float]) -> str | None:
    score = row.get("score")
    if score is None or (isinstance(score, float) and math.isnan(score)):
        return "the model gives no score"
    if "min" in bounds and score < bounds["min"]:
        return f"the score {score:.4g} is below {bounds['min']:g}"
    if "max" in bounds and score > bounds["max"]:
        return f"the score {score:.4g} is above {bounds['max']:g}"
    return None


def _python(row: Row, check: Callable[[Row], Any], reference: str) -> str | None:
    with guarded(BehaveError, f"the check {reference} raised"):
        try:
            answer = check(row)
            passed = answer is None or isinstance(answer, str) or bool(answer)
        except AssertionError as error:
            return written(error) or f"{reference} failed"
        if isinstance(answer, str):
            return str(answer) or f"{reference} says no, and not why"
        return None if passed and answer == answer else f"{reference} says no"  # noqa: PLR0124 - NaN is no yes


CHECKS: dict[str, Callable[[Row, Any], str | None]] = {
    "equals": _equals,
    "one_of": _one_of,
    "contains": _contains,
    "not_contains": _not_contains,
    "matches": _matches,
    "not_matches": _not_matches,
    "starts_with": _starts_with,
    "min_length": _min_length,
    "max_length": _max_length,
    "json": _json,
    "json_schema": _json_schema,
    "close_to": _close_to,
    "label": _label,
    "score": _score,
}
