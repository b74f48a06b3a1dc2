"""From a suite file to a Suite: YAML with places, inherited and included files, shapes checked, records built."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_behave.declare.build import build_suite
from pytest_behave.declare.editors import EditorSchema, referring_alone
from pytest_behave.declare.files import exists
from pytest_behave.declare.mend import mended
from pytest_behave.declare.problems import Problems
from pytest_behave.declare.schema import SuitePart
from pytest_behave.declare.values import Part
from pytest_behave.declare.yaml_positions import Document, Loc, Spot, read_yaml
from pytest_behave.errors import SuiteError, did_you_mean
from pytest_behave.records import Suite
from pytest_behave.records.memory import uncollected

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

INHERITED = ("description", "owner", "python", "task", "metadata", "slices", "metrics", "expect", "comparison")
SHOWN = 60
COMPARED = ("greater_than", "less_than", "greater_than_equal", "less_than_equal")
KnownMetrics = Callable[[str | None], frozenset[str]]


def load_suite(path: Path, known_metrics: KnownMetrics) -> Suite:
    """Read and check one suite file; raises SuiteError with every problem found, each with its place.

    ``known_metrics`` tells, for the suite's ``python:`` module, which names may stand in ``metrics:`` by themselves.
    """
    with uncollected():
        document = _with_base(read_yaml(path), path, [])
        if not isinstance(document.data, dict):
            found = "the file is empty" if document.data is None else "the file holds no mapping"
            remedy = "a suite is a mapping with `dataset` or `cases`"
            raise SuiteError([*document.problems, f"{path}:1:1: {found}: {remedy}"])
        _include_cases(document, path)
        suite = _checked_suite(document, path, known_metrics)
        return replace(suite, files=tuple(document.files), patterns=tuple(document.patterns))


def suite_of_data(data: dict[str, Any], path: Path, known_metrics: KnownMetrics) -> Suite:
    """Check a declaration given as Python values, as `behave.suite` does; ``path`` stands in for a file in messages."""
    return _checked_suite(Document(data, Spot(path)), path, known_metrics)


def _checked_suite(document: Document, path: Path, known_metrics: KnownMetrics) -> Suite:
    problems = Problems(document)
    parts: dict[int, type[Part]] = {}
    try:
        part: SuitePart | None = SuitePart.model_validate(document.data, context=parts)
    except ValidationError as error:
        mistakes = [
            (details, _plain_loc(document.data, details["loc"], details["type"]))
            for details in error.errors()
            if details["type"] != "none_required"  # the other arm of an optional part
        ]
        problems.sentences += [_sentence(document, details, loc, parts) for details, loc in mistakes]
        part = mended(document.data, [loc for _, loc in mistakes])
    suite = None if part is None else build_suite(part, path, problems, known_metrics(part.python))
    if suite is None or problems.in_order():
        raise SuiteError(problems.in_order())
    return suite


def json_schema() -> str:
    """Return the JSON Schema (draft 7) of a suite file, for editors."""
    schema = SuitePart.model_json_schema(schema_generator=EditorSchema, ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs")
    for part in definitions.values():
        part.pop("title", None)
    schema, definitions = referring_alone(schema, definitions), referring_alone(definitions, definitions)
    references = json.dumps([schema, definitions])
    used = {name: part for name, part in definitions.items() if f'"#/definitions/{name}"' in references}
    titled = {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "title": "pytest-behave suite"}
    text = json.dumps({**titled, "definitions": used}, indent=1)
    return re.sub(r"\b([A-Z]\w+)Part\b", lambda name: _key_like(name[1]), text) + "\n"


def _key_like(name: str) -> str:
    """Return the name of a part as editors show it: KnownFailure as known_failure."""
    return re.sub(r"\B([A-Z])", r"_\1", name).lower()


# --- several files ------------------------------------------------------------------------------------------------


def _with_base(document: Document, path: Path, seen: list[Path]) -> Document:
    if not isinstance(document.data, dict) or not isinstance(document.data.get("extends"), str):
        return document
    base_path = path.parent / document.data["extends"]
    place = document.value_place(("extends",))
    if not exists(base_path) or base_path.is_dir():
        raise SuiteError([f"{place}: extends {document.data['extends']!r}, but there is no such file"])
    if base_path.resolve() in [known.resolve() for known in (*seen, path)]:
        raise SuiteError([f"{place}: extends itself through {document.data['extends']}"])
    base = _with_base(read_yaml(base_path), base_path, [*seen, path])
    if not isinstance(base.data, dict):
        raise SuiteError([f"{base_path}:1:1: a suite to extend must be a mapping"])
    _inherit(document, base)
    return document


def _inherit(document: Document, base: Document) -> None:
    document.problems += base.problems
    document.files += base.files
    for key in sorted(set(base.data) - {*INHERITED, "suite", "extends"}):
        place = base.key_place((key,))
        document.problems.append(
            f"{place}: {key!r} cannot be shared by `extends`{did_you_mean(key, INHERITED)}"
            if key in SuitePart.model_fields
            else f"{place}: unknown key {key!r}{did_you_mean(key, SuitePart.model_fields)}"
        )
    for key in INHERITED:
        if key in base.data:
            document.data[key] = _merged(document, base, (key,), document.data.get(key), base.data[key])


def _merged(document: Document, base: Document, loc: Loc, own: Any, inherited: Any) -> Any:
    if own is None:
        document.put(loc, base.nearest(loc))
        return inherited
    if loc == ("metrics",) and isinstance(own, list) and isinstance(inherited, list):
        own_names = [_metric_name(item) for item in own]
        extra = [index for index, item in enumerate(inherited) if _metric_name(item) not in own_names]
        for place, index in enumerate(extra):
            document.put((*loc, len(own) + place), base.nearest((*loc, index)))
        return [*own, *(inherited[index] for index in extra)]
    mergeable = loc[0] in ("metadata", "slices", "expect", "comparison") and len(loc) < (4 if loc[0] == "expect" else 2)
    if mergeable and isinstance(own, dict) and isinstance(inherited, dict):
        return {
            key: _merged(document, base, (*loc, key), own.get(key), inherited[key]) if key in inherited else own[key]
            for key in [*inherited, *(key for key in own if key not in inherited)]
        }
    return own


def _metric_name(item: Any) -> Any:
    return item.get("name") if isinstance(item, dict) else item


def _include_cases(document: Document, path: Path) -> None:
    entries = document.data.get("cases")
    if not isinstance(entries, list) or not any(isinstance(entry, dict) and "include" in entry for entry in entries):
        return
    collected: list[Any] = []
    spots: list[Spot] = []
    own = document.nearest(("cases",)).parts
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and isinstance(entry.get("include"), str):
            document.problems += [
                f"{document.key_place(('cases', index, key))}: unknown key {key!r}: an `include` takes no other keys"
                for key in entry
                if key != "include"
            ]
            for included in _included(document, path, entry["include"], str(own[index].value_place())):
                collected += included.data
                spots += included.root.parts.values()
            continue
        collected.append(entry)
        spots.append(own[index])
    document.data["cases"] = collected
    own.clear()
    own.update(enumerate(spots))


def _included(document: Document, path: Path, pattern: str, place: str) -> list[Document]:
    found = sorted(glob.glob(str(path.parent / pattern), recursive=True))  # noqa: PTH207 - absolute patterns
    if not found:
        document.problems.append(f"{place}: include: no file fits {pattern}")
    documents = [read_yaml(Path(name)) for name in found]
    document.patterns.append(str(path.parent / pattern))
    good = []
    for name, included in zip(found, documents, strict=True):
        document.problems += included.problems
        document.files += included.files
        if isinstance(included.data, list):
            good.append(included)
        else:
            document.problems.append(f"{name}:1:1: a file of cases must be a list of cases")
    return good


# --- sentences for pydantic's errors ------------------------------------------------------------------------------


def _sentence(document: Document, details: ErrorDetails, loc: Loc, parts: dict[int, type[Part]]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    shown = _dotted(loc)
    if kind == "extra_forbidden":
        part = parts.get(id(_at(document.data, loc[:-1])))
        allowed = [] if part is None else [field.alias or name for name, field in part.model_fields.items()]
        return f"{document.key_place(loc)}: unknown key {str(loc[-1])!r}{did_you_mean(str(loc[-1]), allowed)}"
    if kind == "missing":
        return f"{document.value_place(loc[:-1])}: missing key {str(loc[-1])!r}"
    place = document.value_place(loc)
    given = _at(document.data, loc) if kind in COMPARED else details["input"]  # older pydantic tells 2 as 2.0
    value = repr(given)[:SHOWN]
    wanted = {
        "string_type": "a text",
        "float_type": "a number",
        "int_type": "a whole number",
        "bool_type": "true or false",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "finite_number": "a finite number",
        "literal_error": str(context.get("expected", "")),
        "greater_than_equal": f"at least {context.get('ge')}",
        "less_than_equal": f"at most {context.get('le')}",
        "greater_than": f"above {context.get('gt', 0):g}",
        "less_than": f"below {context.get('lt', 0):g}",
        "string_too_short": "a name",
        "amount": "a number of at least 0, or a percentage such as 2%",
        "rate": "a number of requests per second, or a text such as 300/min",
        "structure": "a mapping or a list that is not empty",
        "too_short": f"a list of at least {context.get('min_length')}",
        "string_pattern_mismatch": "a date such as 2027-03-01",
    }
    if kind in wanted:
        text = f"{place}: {shown} must be {wanted[kind]}, not {value}"
        if kind == "literal_error":
            options = [
                option.strip("' ") for option in str(context.get("expected", "")).replace(" or ", ", ").split(",")
            ]
            text += did_you_mean(str(details["input"]), options) if isinstance(details["input"], str) else ""
        return text
    if kind.startswith("union_tag") or kind in ("bool_parsing", "int_from_float"):
        return f"{place}: {shown} cannot be {value}"
    return f"{place}: {shown}: {details['msg']}"


def _plain_loc(data: Any, loc: tuple[int | str, ...], kind: str) -> Loc:
    """Keep of pydantic's location what leads through the data; it adds the tags of unions."""
    plain: list[int | str] = []
    for part in loc:
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            plain.append(part)
            data = data[part]  # type: ignore[index]
    return (*plain, loc[-1]) if kind == "missing" else tuple(plain)


def _at(data: Any, loc: Loc) -> Any:
    for part in loc:
        data = data[part]
    return data


def _dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc)
