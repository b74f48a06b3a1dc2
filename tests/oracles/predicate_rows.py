"""The predicate language evaluated row by row, in plain Python: the oracle for ``pytest_behave.data.predicates``.

Written from the text of the semantics, without sight of the array evaluator. A source is read once into a ``_Term``,
which knows its kind (so a type mistake shows before any row is looked at) and gives the value of one row; ``None`` is
missing or unknown throughout. Operands are always all evaluated: an error never hides behind a false ``and``.

Where the semantics are silent, this reading is taken:

- the kind of an expression is its operator's, also where every row of it is missing (``x / 0 == "a"`` is an error);
- an all-missing column fits every function, operator and condition, beside a mixed column and ``<`` too;
- conditions are bool values, which may be compared, added and asked for with ``isnull``;
- a bool cell of a mixed column equals the number it counts as; its date cells never equal a text literal;
- arithmetic that ends in NaN (``inf - inf``) is missing; a negated number literal is a literal, hence exact;
- ``abs`` and unary minus are arithmetic, hence double; ``round`` of an infinity is that infinity;
- literals that do not fit a double are errors in arithmetic, and exact in comparisons;
- in a table without rows every column is all-missing, known or not (the rows alone do not tell the names);
- dates with a time zone, and ISO forms other than ``2027-01-31[T12:30[:00]]``, are not covered: do not generate them;
- ``lower`` and white space are Python's own (``str.lower``, ``str.split``, ``str.strip``).
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, NoReturn

import numpy as np

Row = Mapping[str, object]

FAMILY = {"bool": "number"}  # a bool counts as a number, every other kind as itself
ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,  # Python's own: False between kinds, True == 1
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}


class RowError(Exception):
    """The source is no predicate, or does not fit the kinds of the columns: where the evaluator says PredicateError."""


@dataclass(frozen=True, slots=True)
class _Term:
    """A part of a source: its kind (number, bool, text, date, mixed, empty) and its value in a row."""

    kind: str
    of: Callable[[Row], Any]
    literal: bool = False

    @property
    def family(self) -> str:
        return FAMILY.get(self.kind, self.kind)


def evaluate_rows(source: str, rows: Sequence[Row]) -> list[bool]:
    """Give, row by row, whether the predicate is True; an unknown row is not."""
    return [truth is True for truth in truths(source, rows)]


def truths(source: str, rows: Sequence[Row]) -> list[bool | None]:
    """Give, row by row, the three-valued truth of the predicate."""
    reader = _Reader(rows, source)
    condition = reader.condition(reader.tree)
    return [condition.of(row) for row in rows]


def evaluate_values(source: str, rows: Sequence[Row]) -> list[object]:
    """Give, row by row, the value of a value expression."""
    reader = _Reader(rows, source)
    term = reader.term(reader.tree)
    return [term.of(row) for row in rows]


class _Reader:
    """Turns the tree of one source into a term, knowing the kinds of the columns of the rows."""

    def __init__(self, rows: Sequence[Row], source: str) -> None:
        self.rows = rows
        self.tree, self.names = _parsed(source)
        self.kinds = {name: _column_kind([row.get(name) for row in rows]) for row in rows for name in row}

    def term(self, node: ast.expr) -> _Term:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return _Term(_kind(value), lambda _: value, literal=True)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _negated(self.number(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _call("bool", operator.not_, self.condition(operand))
            case ast.Name(id=name):
                return self.column(self.names.get(name, name))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                function = ARITHMETIC[type(op)]
                return _call("number", lambda a, b: _computed(function, a, b), self.number(left), self.number(right))
            case ast.BoolOp(op=op, values=values):
                return _kleene(isinstance(op, ast.And), [self.condition(value) for value in values])
            case ast.Compare(left=left, ops=ops, comparators=rights):
                pairs = zip([left, *rights], ops, rights, strict=False)
                return _kleene(True, [self.comparison(*pair) for pair in pairs])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name not in self.names:
                return self.call(name, args)
        return _fail(f"{type(node).__name__} is not part of the language")

    def column(self, name: str) -> _Term:
        if not self.rows:
            return _Term("empty", lambda _: None)
        if name not in self.kinds:
            _fail(f"no column {name!r}")
        return _Term(self.kinds[name], lambda row: _cell(row.get(name)))

    def condition(self, node: ast.expr) -> _Term:
        term = self.term(node)
        return term if term.kind in ("bool", "empty") and not term.literal else _fail(f"a {term.kind} is no condition")

    def number(self, node: ast.expr) -> _Term:
        term = self.term(node)
        return term if term.family in ("number", "empty") else _fail(f"a {term.kind} is no number")

    def comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> _Term:
        if isinstance(op, ast.In | ast.NotIn):
            return self.membership(self.term(left), right, wanted=isinstance(op, ast.In))
        if type(op) not in COMPARISONS:
            _fail(f"{type(op).__name__} is not part of the language")
        return _comparison(self.term(left), COMPARISONS[type(op)], self.term(right))

    def membership(self, left: _Term, right: ast.expr, *, wanted: bool) -> _Term:
        if not isinstance(right, ast.List | ast.Tuple):
            _fail("`in` needs a list of literals")
        items = [self.term(item) for item in right.elts]
        if not all(item.literal for item in items):
            _fail("a list holds literals only")
        found = [_comparison(left, operator.eq, item).of for item in items]
        return _Term("bool", lambda row: None if left.of(row) is None else any(test(row) for test in found) is wanted)

    def call(self, name: str, nodes: Sequence[ast.expr]) -> _Term:
        first, *more = [self.term(node) for node in nodes] or [_fail(f"{name}() needs an argument")]
        if not all(term.literal for term in more):
            _fail(f"{name}() takes literals after its first argument")
        match name, [term.of({}) for term in more]:
            case "isnull", []:
                return _Term("bool", lambda row: first.of(row) is None)
            case "round", [int(digits)] if not isinstance(digits, bool) and first.family in ("number", "empty"):
                return _call("number", lambda value: _rounded(value, digits), first)
            case "quantile", [int() | float() as share] if first.family in ("number", "empty"):
                if isinstance(share, bool) or not 0 <= share <= 1:
                    _fail(f"{share} is no share")
                value = _quantile([first.of(row) for row in self.rows], share)
                return _Term("number", lambda _: value)
            case _, [str(part)] if name in TEXT_TESTS and first.family in ("text", "empty"):
                _check_pattern(part if name == "matches" else "")
                return _call("bool", lambda text: TEXT_TESTS[name](text, part), first)
            case _, [] if name in FUNCTIONS and first.family in ("empty", *FUNCTIONS[name][0]):
                return _call(FUNCTIONS[name][1], FUNCTIONS[name][2], first)
        return _fail(f"{name}() does not exist or does not take these arguments")


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Hold back what Python says about odd escapes: they mean what they mean, whatever the warning filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _fail(why: str) -> NoReturn:
    raise RowError(why)


def _parsed(source: str) -> tuple[ast.expr, dict[str, str]]:
    """Parse a source whose backticked names are replaced by identifiers, told in the second result."""
    names: dict[str, str] = {}
    prefix = "_"
    while prefix in source:
        prefix += "_"

    def replace(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        stand_in = f"{prefix}{len(names)}"
        names[stand_in] = found["name"]
        return f" {stand_in} "

    string_or_name = r"""(?P<quote>\"{3}|'{3}|"|')(?:\\.|(?!(?P=quote)).)*(?P=quote)|`(?P<name>[^`]*)`"""
    plain = re.sub(string_or_name, replace, source, flags=re.DOTALL).strip()
    try:
        with _no_warnings():
            return ast.parse(plain, mode="eval").body, names
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RowError(str(error)) from error


def _cell(value: object) -> object:
    """Give a cell as it is compared: NaN is missing, a day is its midnight."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime):
        return _moment(value)
    return datetime.combine(value, time()) if isinstance(value, date) else value


def _kind(value: object) -> str:
    for kind, types in {"bool": bool, "number": (int, float), "text": str, "date": datetime}.items():
        if isinstance(value, types):  # type: ignore[arg-type]
            return kind
    return _fail(f"cells of type {type(value).__name__} have no kind")


def _column_kind(values: Sequence[object]) -> str:
    kinds = {_kind(cell) for cell in map(_cell, values) if cell is not None}
    return "mixed" if len(kinds) > 1 else next(iter(kinds), "empty")


def _call(kind: str, function: Callable[..., object], *terms: _Term) -> _Term:
    """Apply a function to the values of a row; missing if any of them, or a NaN result, is missing."""

    def of(row: Row) -> object:
        values = [term.of(row) for term in terms]
        return None if None in values else _cell(function(*values))

    return _Term(kind, of)


def _negated(term: _Term) -> _Term:
    if term.literal and term.kind == "number":
        return _Term("number", lambda row: -term.of(row), literal=True)
    return _call("number", lambda value: -_double(value), term)


def _kleene(conjunction: bool, terms: Sequence[_Term]) -> _Term:
    """Join conditions: ``and`` is False if any is, ``or`` True if any is; otherwise unknown if any is unknown."""

    def of(row: Row) -> bool | None:
        values = [term.of(row) for term in terms]
        if (not conjunction) in values:
            return not conjunction
        return None if None in values else conjunction

    return _Term("bool", of)


def _comparison(left: _Term, compare: Callable[[Any, Any], bool], right: _Term) -> _Term:
    left, right = _beside(left, right), _beside(right, left)
    families = {left.family, right.family}
    if "empty" not in families:
        if "mixed" in families and compare not in (operator.eq, operator.ne):
            _fail("a mixed column has no order")
        if "mixed" not in families and len(families) > 1:
            _fail(f"a {left.kind} does not compare with a {right.kind}")
    return _call("bool", compare, left, right)


def _beside(term: _Term, other: _Term) -> _Term:
    """Read a text literal beside a date as a date."""
    if not (term.literal and term.kind == "text" and other.kind == "date"):
        return term
    moment = _moment(term.of({}))
    return _Term("date", lambda _: moment)


def _moment(value: Any) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError as error:
        raise RowError(f"{value!r} is no ISO date") from error
    return moment if moment.tzinfo is None else _fail("dates with a time zone are not covered")


def _double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise RowError(str(error)) from error


def _computed(function: Callable[[float, float], float], a: Any, b: Any) -> float | None:
    left, right = _double(a), _double(b)
    if right == 0 and function in (operator.truediv, operator.floordiv, operator.mod):
        return None
    return function(left, right)


def _rounded(value: Any, digits: int) -> float:
    try:
        return round(_double(value), digits)
    except OverflowError as error:
        raise RowError(str(error)) from error


def _quantile(values: Sequence[Any], share: float) -> object:
    known = [_double(value) for value in values if value is not None]
    with np.errstate(all="ignore"):
        return _cell(float(np.quantile(known, share))) if known else None


def _sentences(text: str) -> int:
    ends = [found.end() for found in re.finditer(r"[.!?]+(?=\s|\Z)", text)]
    rest = text[ends[-1] :] if ends else text
    return len(ends) + bool(rest.strip())


def _non_ascii_share(text: str) -> float:
    return sum(ord(character) > 127 for character in text) / len(text) if text else 0.0


def _check_pattern(pattern: str) -> None:
    try:
        with _no_warnings():
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise RowError(f"{pattern!r} is no regular expression: {error}") from error


FUNCTIONS: dict[str, tuple[tuple[str, ...], str, Callable[[Any], object]]] = {  # of one argument: takes, gives, does
    "abs": (("number",), "number", lambda value: abs(_double(value))),
    "round": (("number",), "number", lambda value: _rounded(value, 0)),
    "year": (("date", "text"), "number", lambda value: _moment(value).year),
    "month": (("date", "text"), "number", lambda value: _moment(value).month),
    "weekday": (("date", "text"), "number", lambda value: _moment(value).weekday()),
    "hour": (("date", "text"), "number", lambda value: _moment(value).hour),
    "length": (("text",), "number", len),
    "characters": (("text",), "number", len),
    "words": (("text",), "number", lambda text: len(text.split())),
    "sentences": (("text",), "number", _sentences),
    "non_ascii_share": (("text",), "number", _non_ascii_share),
    "lower": (("text",), "text", str.lower),
    "is_question": (("text",), "bool", lambda text: text.strip().endswith("?")),
}
