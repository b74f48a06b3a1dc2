"""Templates of requests: ``{{column}}`` in texts, ``for_each:`` for a list over rows. Nothing in them is evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pytest_behave.declare.problems import Problems
from pytest_behave.declare.yaml_positions import Loc
from pytest_behave.records import ForEach, Placeholder, TextTemplate

FOR_EACH = "for_each"
PIECE = re.compile(r"\{\{\{\{|\{\{(.*?)\}\}", re.DOTALL)  # four braces stand for two


def parse_text(loc: Loc, text: str, problems: Problems) -> TextTemplate:
    """Return a text with its placeholders apart, adding to ``problems`` what is wrong with them."""
    pieces: list[str | Placeholder] = []
    start = 0
    for match in PIECE.finditer(text):
        pieces.append(_literal(loc, text[start : match.start()], problems))
        start = match.end()
        if match[1] is None:
            pieces.append("{{")
            continue
        column = match[1].strip()
        if not column or "{" in column:
            problems.at_value(loc, f"{match[0]!r} names no column: write {{{{column}}}}, and four braces for two")
        pieces.append(Placeholder(column))
    pieces.append(_literal(loc, text[start:], problems))
    return TextTemplate(tuple(piece for piece in pieces if piece != ""))


def _literal(loc: Loc, text: str, problems: Problems) -> str | Placeholder:
    """Return a text that holds no placeholder; one that opens and never closes counts as one, for it was meant so."""
    if "{{" not in text:
        return text
    problems.at_value(loc, "'{{' is never closed: write {{column}}, and four braces for two")
    return Placeholder("")


def parse_structure(loc: Loc, value: Any, problems: Problems) -> Any:
    """Return a structure with its texts parsed and each ``for_each`` found."""
    if isinstance(value, str):
        return parse_text(loc, value, problems)
    if isinstance(value, list):
        return [parse_structure((*loc, index), item, problems) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if FOR_EACH not in value:
        return {key: parse_structure((*loc, key), item, problems) for key, item in value.items()}
    if len(value) > 1:
        problems.at_key((*loc, FOR_EACH), "`for_each` stands alone in its mapping: it becomes a list")
    item = parse_structure((*loc, FOR_EACH), value[FOR_EACH], problems)
    if any(True for _ in lists_in(item)):
        problems.at_key((*loc, FOR_EACH), "`for_each` cannot stand within another")
    return ForEach(item)


def mentions(value: Any, key: str) -> bool:
    """Tell whether a key stands anywhere in a structure that is not parsed yet."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, dict) and key in value) or any(mentions(item, key) for item in children)


def lists_in(template: Any) -> Iterator[ForEach]:
    """Yield each list over rows in a parsed structure."""
    if isinstance(template, ForEach):
        yield template
    elif isinstance(template, (dict, list)):
        for item in template.values() if isinstance(template, dict) else template:
            yield from lists_in(item)


def columns_in(template: Any, *, within_lists: bool = True) -> Iterator[str]:
    """Yield the column of each placeholder of a parsed template."""
    if isinstance(template, TextTemplate):
        yield from (piece.column for piece in template.pieces if isinstance(piece, Placeholder))
    elif isinstance(template, ForEach):
        yield from columns_in(template.item) if within_lists else ()
    elif isinstance(template, (dict, list)):
        for item in template.values() if isinstance(template, dict) else template:
            yield from columns_in(item, within_lists=within_lists)
