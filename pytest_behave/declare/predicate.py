"""The predicate language: Python's expression syntax, read by ``ast`` against a whitelist, never evaluated.

``parse_predicate`` takes a condition (a mask comes of it), ``parse_expression`` any expression (a derived column).
"""

from __future__ import annotations

import ast
import re
import warnings

from pytest_behave.errors import PredicateError, did_you_mean
from pytest_behave.records import (
    And,
    Arithmetic,
    Call,
    Comparison,
    Constant,
    Expr,
    Membership,
    Name,
    Negative,
    Not,
    Or,
)

# name -> (least, most) number of arguments
FUNCTIONS = {
    "contains": (2, 2),
    "startswith": (2, 2),
    "endswith": (2, 2),
    "matches": (2, 2),
    "lower": (1, 1),
    "length": (1, 1),
    "characters": (1, 1),
    "words": (1, 1),
    "sentences": (1, 1),
    "non_ascii_share": (1, 1),
    "is_question": (1, 1),
    "isnull": (1, 1),
    "abs": (1, 1),
    "round": (1, 2),
    "year": (1, 1),
    "month": (1, 1),
    "weekday": (1, 1),
    "hour": (1, 1),
    "quantile": (2, 2),
    "width": (1, 1),
    "height": (1, 1),
    "brightness": (1, 1),
    "contrast": (1, 1),
    "entropy": (1, 1),
    "sharpness": (1, 1),
    "aspect_ratio": (1, 1),
}
CONDITIONS = {"contains", "startswith", "endswith", "matches", "isnull", "is_question"}
LITERAL_SECOND = {"contains": str, "startswith": str, "endswith": str, "matches": str, "round": int, "quantile": float}

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
MOST_CHARACTERS = 10_000
MOST_SHOWN = 80  # one line of a terminal
MOST_LEVELS = 60  # deeper than any predicate a person writes, shallow enough for every recursion below
QUOTED_OR_BACKTICKED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`([^`]*)`", re.DOTALL)
SIGNS = re.compile(rf"(?:(?:\bnot\b|[-+~])\s*){{{MOST_LEVELS + 1}}}")
PLACEHOLDER = "_behave_backticked_"
ACCESSORS = ("str", "dt")  # of pandas, before its methods


def parse_predicate(source: str) -> Expr:
    """Parse a condition; raises PredicateError with one sentence."""
    expression = parse_expression(source)
    if isinstance(expression, (Constant, Arithmetic, Negative)) or (
        isinstance(expression, Call) and expression.function not in CONDITIONS
    ):
        raise PredicateError(f"{_shown(source)} is a value, not a condition: compare it with something")
    return expression


def parse_expression(source: str) -> Expr:
    """Parse a condition or a value; raises PredicateError with one sentence."""
    if len(source) > MOST_CHARACTERS:
        raise PredicateError(f"an expression of {len(source):,} characters is too long (at most {MOST_CHARACTERS:,})")
    text, backticked = _without_backticks(source)
    if _is_deep(text):  # parsers have limits, and crashes, of their own
        raise PredicateError(f"{_shown(source)} is nested too deeply")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "\d" in a regular expression is what people write
            warnings.simplefilter("ignore", DeprecationWarning)  # the same, before Python 3.12
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise PredicateError(f"{_shown(source)} is not an expression: {_syntax_reason(text)}") from None
    return _Reader(source, backticked).read(tree.body)


def _without_backticks(source: str) -> tuple[str, list[str]]:
    names: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        names.append(name)
        return f" {PLACEHOLDER}{len(names) - 1}_ "

    if PLACEHOLDER in source:
        raise PredicateError(f"{_shown(source)} uses a reserved name")
    return QUOTED_OR_BACKTICKED.sub(replace, source), names


def _is_deep(text: str) -> bool:
    """Tell whether brackets, or signs before a value, are nested more deeply than a reading of them may go."""
    bare = QUOTED_OR_BACKTICKED.sub("''", text)
    level = 0
    for sign in re.findall(r"[(\[{)\]}]", bare):
        level += 1 if sign in "([{" else -1
        if level > MOST_LEVELS:
            return True
    return SIGNS.search(bare) is not None


def _syntax_reason(text: str) -> str:
    """Say what is wrong, as far as single characters tell it: what Python says differs from release to release."""
    bare = QUOTED_OR_BACKTICKED.sub("''", text)
    if not bare.strip():
        return "it is empty"
    if "'" in bare.replace("''", "") or '"' in bare:
        return "a quote is not closed"
    if "`" in bare:
        return "a backtick is not closed"
    if any(bare.count(opening) != bare.count(closing) for opening, closing in ("()", "[]", "{}")):
        return "a bracket is not closed, or not opened"
    if re.search(r"(?<![=!<>:])=(?!=)", bare):
        return "write == to compare"
    return "a value or an operator is missing, or one is too many"


def _shown(source: str) -> str:
    text = source.encode("utf-8", "backslashreplace").decode()
    return repr(text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "...")


class _Reader:
    """Turns the syntax tree of one source into an Expr."""

    def __init__(self, source: str, backticked: list[str]) -> None:
        self.source = source
        self.backticked = backticked

    def read(self, node: ast.expr, level: int = 0) -> Expr:
        if level > MOST_LEVELS:
            raise PredicateError(f"{_shown(self.source)} is nested too deeply")
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name() | ast.Attribute(ast.Name("baseline"), "output" | "score"):
                return self._name(node)
            case ast.BoolOp():
                parts = tuple(self.read(value, level + 1) for value in node.values)
                return And(parts) if isinstance(node.op, ast.And) else Or(parts)
            case ast.UnaryOp():
                return self._unary(node, level)
            case ast.BinOp():
                operator = ARITHMETIC.get(type(node.op))
                if operator is None:
                    raise self._refusal(node)
                return Arithmetic(operator, self.read(node.left, level + 1), self.read(node.right, level + 1))
            case ast.Compare():
                return self._comparison(node, level)
            case ast.Call():
                return self._call(node, level)
            case _:
                raise self._refusal(node)

    def _refusal(self, node: ast.AST) -> PredicateError:
        hints = {
            "Attribute": "there are no attributes; write `a.b` in backticks if it is a column",
            "Subscript": "there is no indexing",
            "List": "a list may only stand on the right of `in`",
            "Tuple": "a list may only stand on the right of `in`",
            "Set": "write a list on the right of `in`",
            "IfExp": "there is no if-else",
            "BitAnd": "write `and` instead of `&`",
            "BitOr": "write `or` instead of `|`",
            "Invert": "write `not` instead of `~`",
            "Pow": "there is no power",
        }
        kind = type(getattr(node, "op", node)).__name__
        hint = hints.get(kind, "it goes beyond comparisons, and/or/not, arithmetic and the functions of the language")
        return PredicateError(f"{_shown(self.source)} cannot be used as an expression: {hint}")

    def _method(self, function: ast.expr) -> PredicateError | None:
        """Return what to write instead of ``a.lower()`` or ``a.str.contains("x")``; None for what is no method."""
        if not isinstance(function, ast.Attribute) or function.attr not in FUNCTIONS:
            return None
        owner = function.value
        if isinstance(owner, ast.Attribute) and owner.attr in ACCESSORS:
            owner = owner.value
        written = "..."
        if isinstance(owner, ast.Name):
            name = self._name(owner)
            written = f"`{name.name}`" if name.quoted else name.name
            written = written[:MOST_SHOWN] + ", ..." * (FUNCTIONS[function.attr][0] > 1)
        return PredicateError(
            f"{_shown(self.source)} cannot be used as an expression: write {function.attr}({written})"
        )

    def _constant(self, node: ast.Constant) -> Constant:
        value = node.value
        if isinstance(value, (bool, str, float)):
            return Constant(value, type(value).__name__)
        if isinstance(value, int):
            exact = -(2**63) <= value < 2**63
            try:
                return Constant(value, "int") if exact else Constant(float(value), "float")
            except OverflowError:
                raise PredicateError(f"{_shown(self.source)} holds a number that is too large") from None
        if value is None:
            raise PredicateError(f"{_shown(self.source)} compares with None: ask isnull(column) instead")
        raise self._refusal(node)

    def _name(self, node: ast.Name | ast.Attribute) -> Name:
        if isinstance(node, ast.Attribute):
            return Name(f"baseline.{node.attr}")
        if node.id.startswith(PLACEHOLDER):
            return Name(self.backticked[int(node.id.removeprefix(PLACEHOLDER).rstrip("_"))], quoted=True)
        return Name(node.id)

    def _unary(self, node: ast.UnaryOp, level: int) -> Expr:
        if isinstance(node.op, ast.Not):
            return Not(self.read(node.operand, level + 1))
        if isinstance(node.op, ast.UAdd | ast.Invert):
            raise self._refusal(node)
        operand = self.read(node.operand, level + 1)
        if isinstance(operand, Constant) and operand.kind in ("int", "float") and not isinstance(operand.value, str):
            return Constant(-operand.value, operand.kind)
        return Negative(operand)

    def _comparison(self, node: ast.Compare, level: int) -> Expr:
        sides = [node.left, *node.comparators]
        links = [
            self._link(left, operator, right, level + 1)
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return links[0] if len(links) == 1 else And(tuple(links))

    def _link(self, left: ast.expr, operator: ast.cmpop, right: ast.expr, level: int) -> Expr:
        if isinstance(operator, (ast.In, ast.NotIn)):
            member = Membership(self.read(left, level), self._options(right, level))
            return Not(member) if isinstance(operator, ast.NotIn) else member
        symbol = COMPARISONS.get(type(operator))
        if symbol is None:
            raise PredicateError(f"{_shown(self.source)} uses `is`: write == or isnull(column)")
        return Comparison(symbol, self.read(left, level), self.read(right, level))

    def _options(self, node: ast.expr, level: int) -> tuple[Constant, ...]:
        if not isinstance(node, (ast.List, ast.Tuple)):
            raise PredicateError(
                f'{_shown(self.source)}: the right of `in` must be a list such as ["a", "b"]; '
                'for part of a text use contains(column, "part")'
            )
        options = [self.read(element, level + 1) for element in node.elts]
        if not all(isinstance(option, Constant) for option in options):
            raise PredicateError(f"{_shown(self.source)}: a list on the right of `in` may hold only literals")
        return tuple(option for option in options if isinstance(option, Constant))

    def _call(self, node: ast.Call, level: int) -> Call:
        if not isinstance(node.func, ast.Name):
            raise self._method(node.func) or self._refusal(node)
        name = node.func.id
        if name not in FUNCTIONS:
            raise PredicateError(
                f"{_shown(self.source)} calls an unknown function {name!r}{did_you_mean(name, FUNCTIONS)}"
            )
        least, most = FUNCTIONS[name]
        if node.keywords or not least <= len(node.args) <= most:
            count = f"{least}" if least == most else f"{least} or {most}"
            raise PredicateError(f"{_shown(self.source)}: {name}() takes {count} plain argument{'s' * (most > 1)}")
        arguments = tuple(self.read(argument, level + 1) for argument in node.args)
        self._check_literal(name, arguments)
        return Call(name, arguments)

    def _check_literal(self, name: str, arguments: tuple[Expr, ...]) -> None:
        if name not in LITERAL_SECOND or len(arguments) == 1:
            return
        wanted = LITERAL_SECOND[name]
        second = arguments[1]
        if not isinstance(second, Constant) or not _fits(second, wanted):
            kind = {str: "a text in quotes", int: "a whole number", float: "a number from 0 to 1"}[wanted]
            raise PredicateError(f"{_shown(self.source)}: the second argument of {name}() must be {kind}")
        if name == "matches":
            self._check_pattern(str(second.value))

    def _check_pattern(self, pattern: str) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise PredicateError(f"{_shown(self.source)}: the regular expression is wrong: {error}") from None


def _fits(constant: Constant, wanted: type) -> bool:
    if wanted is str:
        return constant.kind == "str"
    if wanted is int:
        return constant.kind == "int" and abs(int(constant.value)) <= 15  # noqa: PLR2004 - digits of a double
    return constant.kind in ("int", "float") and 0 <= float(constant.value) <= 1
