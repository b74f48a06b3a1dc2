"""Golden cases: checks collected, templates filled."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from string import Formatter
from typing import Any

from pytest_behave.declare import schema
from pytest_behave.declare.problems import Problems
from pytest_behave.declare.values import Part, scalar_text
from pytest_behave.declare.yaml_positions import Loc
from pytest_behave.records import Case, Place

MOST_CASES = 10_000
CHECKS = tuple(schema.ChecksPart.model_fields)
SEVERAL = ("one_of", "contains", "not_contains")


def build_cases(entries: Sequence[schema.CaseEntry], problems: Problems) -> tuple[Case, ...]:
    """Return the golden cases, templates filled, adding every mistake to ``problems``."""
    cases: list[Case] = []
    seen: dict[str, Loc] = {}
    for index, part in enumerate(entries):
        if isinstance(part, schema.IncludePart):
            problems.at_value(("cases", index), "`include` cannot stand in an included file")
            continue
        loc: Loc = ("cases", index)
        problems.check_name((*loc, "id"), part.id)
        for case in _filled(problems, loc, part) if part.template is not None else [_case(problems, loc, part)]:
            if case.id in seen:
                first = problems.document.key_place(seen[case.id])
                problems.at_key(loc, f"the case id {case.id!r} is used twice, first in line {first.line}")
            seen[case.id] = loc
            cases.append(case)
    return tuple(cases)


def _case(problems: Problems, loc: Loc, part: schema.CasePart) -> Case:
    if part.fill:
        problems.at_key((*loc, "fill"), "`fill` needs a `template`")
    if not part.input:
        problems.at_key(loc, f"the case {part.id!r} needs an `input`")
    return Case(part.id, part.input, _checks(problems, loc, part), tuple(part.tags), _case_place(problems, loc))


def _case_place(problems: Problems, loc: Loc) -> Place:
    return problems.document.value_place(loc)


def _checks(problems: Problems, loc: Loc, part: schema.CasePart) -> tuple[tuple[str, Any], ...]:
    present = part.expect.model_fields_set
    given = [name for name in CHECKS if name in present]
    if not given:
        problems.at_key((*loc, "expect"), f"the case {part.id!r} checks nothing")
    for name in ("matches", "not_matches"):
        pattern = getattr(part.expect, name)
        if pattern is not None:
            _check_pattern(problems, (*loc, "expect", name), pattern)
    if part.expect.python is not None:
        problems.check_reference((*loc, "expect", "python"), part.expect.python)
    return tuple((name.rstrip("_"), _argument(name, getattr(part.expect, name))) for name in given)


def _check_pattern(problems: Problems, loc: Loc, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        problems.at_value(loc, f"the regular expression is wrong: {error}")


def _filled(problems: Problems, loc: Loc, part: schema.CasePart) -> list[Case]:
    template = {"text": part.template} if isinstance(part.template, str) else dict(part.template or {})
    try:
        wanted = {name for text in template.values() for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        problems.at_value((*loc, "template"), f"the template is wrong: {error}")
        return []
    if wanted != set(part.fill):
        odd = sorted(wanted ^ set(part.fill))
        problems.at_key(
            loc, f"template and fill must name the same things; only one of them has {', '.join(map(repr, odd))}"
        )
        return []
    count = math.prod(len(values) for values in part.fill.values())
    if not 1 <= count <= MOST_CASES:
        problems.at_key((*loc, "fill"), f"the template makes {count:,} cases (from 1 to {MOST_CASES:,} are allowed)")
        return []
    return _product(problems, loc, part, template, count)


def _product(problems: Problems, loc: Loc, part: schema.CasePart, template: dict[str, str], count: int) -> list[Case]:
    checks, place, digits = _checks(problems, loc, part), _case_place(problems, loc), len(str(count))
    cases = []
    for number, values in enumerate(itertools.product(*part.fill.values()), start=1):
        filled = dict(zip(part.fill, (scalar_text(value) for value in values), strict=True))
        texts = {column: _fill(text, filled) for column, text in template.items()}
        case_id = f"{part.id}-{number:0{digits}d}"
        cases.append(Case(case_id, {**part.input, **texts}, checks, tuple(part.tags), place))
    return cases


def _fill(text: str, values: dict[str, str]) -> str:
    # not str.format: a template's {a.b} must not reach attributes
    pieces = [literal + (values[name] if name is not None else "") for literal, name, _, _ in Formatter().parse(text)]
    return "".join(pieces)


def _argument(name: str, value: Any) -> Any:
    if name in SEVERAL and value is not None:
        return tuple(value)  # tuples of texts are nothing that the garbage collector follows
    return value.model_dump(exclude_none=True) if isinstance(value, Part) else value
