"""``@behave.model``, ``@behave.metadata``, ``@behave.metric``: mark functions so that a suite can name them.

A mark is an attribute on the function; nothing is registered anywhere, so importing a module has no side effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])
ATTRIBUTE = "__behave_mark__"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator says about a function."""

    kind: Literal["model", "metadata", "metric"]
    name: str
    function: Callable[..., Any]
    better: Literal["higher", "lower"] = "higher"
    stage: Literal["input", "output"] = "input"
    batch_size: int = 1024
    repeats: int = 1


def _mark(function: Function, mark: Mark) -> Function:
    setattr(function, ATTRIBUTE, mark)
    return function


def _name_of(function: Callable[..., Any], name: str | None) -> str:
    return name or str(getattr(function, "__name__", type(function).__name__))


@overload
def model(function: Function, /) -> Function: ...
@overload
def model(*, name: str | None = None, batch_size: int = 1024, repeats: int = 1) -> Callable[[Function], Function]: ...
def model(
    function: Function | None = None, /, *, name: str | None = None, batch_size: int = 1024, repeats: int = 1
) -> Function | Callable[[Function], Function]:
    """Mark a callable from DataFrame to outputs, so that ``model: NAME`` finds it.

    One whose answers differ from time to time can be asked ``repeats`` times about each instance.
    """
    if repeats < 1:
        raise ValueError(f"@behave.model: repeats={repeats}, but a model is asked at least once")

    def decorate(target: Function) -> Function:
        return _mark(target, Mark("model", _name_of(target, name), target, batch_size=batch_size, repeats=repeats))

    return decorate if function is None else decorate(function)


@overload
def metadata(function: Function, /) -> Function: ...
@overload
def metadata(
    *, name: str | None = None, stage: Literal["input", "output"] = "input"
) -> Callable[[Function], Function]: ...
def metadata(
    function: Function | None = None, /, *, name: str | None = None, stage: Literal["input", "output"] = "input"
) -> Function | Callable[[Function], Function]:
    """Mark a callable from DataFrame to one value per row: a column that predicates can name.

    ``stage="output"`` means that it looks at ``prediction`` or ``score`` and runs after the model.
    """

    def decorate(target: Function) -> Function:
        return _mark(target, Mark("metadata", _name_of(target, name), target, stage=stage))

    return decorate if function is None else decorate(function)


@overload
def metric(function: Function, /) -> Function: ...
@overload
def metric(
    *, name: str | None = None, better: Literal["higher", "lower"] = "higher"
) -> Callable[[Function], Function]: ...
def metric(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    better: Literal["higher", "lower"] = "higher",
) -> Function | Callable[[Function], Function]:
    """Mark a callable from DataFrame to a number, or one number per row, so that ``metrics: [NAME]`` finds it."""

    def decorate(target: Function) -> Function:
        return _mark(target, Mark("metric", _name_of(target, name), target, better=better))

    return decorate if function is None else decorate(function)


def marks_in(modules: Iterable[ModuleType], kind: str) -> dict[str, Mark]:
    """Return the marks of one kind by name; a later module wins."""
    return {
        mark.name: mark
        for module in modules
        for mark in (getattr(value, ATTRIBUTE, None) for value in list(vars(module).values()))
        if isinstance(mark, Mark) and mark.kind == kind
    }
