"""What the predicate language parses to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; ``kind`` keeps ``1``, ``1.0`` and ``True`` apart, which compare equal in Python."""

    value: Scalar
    kind: str


@dataclass(frozen=True, slots=True)
class Name:
    """A column; ``quoted`` (written in backticks) always means the dataset's, never ``target``, ``output``, ``score``."""

    name: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right`` with operator one of ``+ - * / // %``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Negative:
    """``-operand``."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language applied to its arguments."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right`` with operator one of ``== != < <= > >=``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Membership:
    """``operand in options``."""

    operand: Expr
    options: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``not operand``."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts."""

    parts: tuple[Expr, ...]


Expr: TypeAlias = Constant | Name | Arithmetic | Negative | Call | Comparison | Membership | Not | And | Or
