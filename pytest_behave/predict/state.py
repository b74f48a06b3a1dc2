"""A digest of a live object by what it is made of: plain values, code, arrays, and what pickle would keep of the rest.

Nothing is unpickled or called beyond ``__reduce_ex__``. An object whose state cannot be told raises NotPlainError.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from pytest_behave.guard import is_own_file
from pytest_behave.predict.code import Reach
from pytest_behave.predict.plain import NotPlainError

MOST_OBJECTS = 100_000
BESIDE_A_SUITE = re.compile("^_behave_[0-9a-f]{12}_")  # the name in sys.modules carries the folder
PLAIN = (str, int, float, complex, bool, bytes, type(None), type(...))


def callable_digest(function: Callable[..., Any], folder: Path) -> str:
    """Return the digest of a callable, of all that it holds and of the code that it reaches; raises NotPlainError."""
    digest = _Digest(folder)
    state = digest.of(function)
    return hashlib.sha256(f"{state} {digest.reach.digest()}".encode()).hexdigest()


class _Digest:
    def __init__(self, folder: Path) -> None:
        self.reach = Reach(folder)
        self._open: dict[int, int] = {}
        self._known: dict[int, tuple[object, str]] = {}
        self._left = MOST_OBJECTS

    def of(self, value: Any) -> str:
        """Return the digest of a value; one that holds itself is told by how far up it stands."""
        self._left -= 1
        if self._left < 0:
            raise NotPlainError(f"more than {MOST_OBJECTS:,} objects")
        if type(value) in PLAIN:
            return _hashed(type(value).__name__, repr(value))
        if id(value) in self._open:
            return _hashed("above", str(len(self._open) - self._open[id(value)]))
        if id(value) in self._known:
            return self._known[id(value)][1]
        self._open[id(value)] = len(self._open)
        try:
            found = self._of(value)
        except RecursionError:
            raise NotPlainError("objects within objects without end") from None
        finally:
            del self._open[id(value)]
        self._known[id(value)] = value, found  # the object too, so that its id stays its own
        return found

    def _of(self, value: Any) -> str:  # noqa: C901 - one guard per kind
        kind = type(value)
        if kind in (list, tuple):
            return _hashed(kind.__name__, *map(self.of, value))
        if kind is dict:
            return _hashed("dict", *(f"{self.of(key)} {self.of(item)}" for key, item in value.items()))
        if kind in (set, frozenset):
            return _hashed(kind.__name__, *sorted(map(self.of, value)))
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
            return _hashed("array", value.dtype.str, str(value.shape), hashlib.sha256(value.tobytes()).hexdigest())
        if isinstance(value, PurePath):
            return _hashed("path", str(value))
        if kind is FunctionType:
            return self._of_function(value)
        if kind is CodeType:
            return self._of_code(value)
        if kind is MethodType:
            return _hashed("method", self.of(value.__func__), self.of(value.__self__))
        if kind is partial:
            return _hashed("partial", self.of(value.func), self.of(value.args), self.of(value.keywords))
        if isinstance(value, ModuleType):
            self._reach(value.__name__, value)
            return _hashed("module", value.__name__)
        if isinstance(value, type):
            return self._of_class(value)
        if kind is BuiltinFunctionType and (value.__self__ is None or isinstance(value.__self__, ModuleType)):
            return _hashed("built-in", str(value.__module__), value.__qualname__)
        return self._of_object(value)

    def _of_function(self, function: FunctionType) -> str:
        self._reach(function.__module__, sys.modules.get(function.__module__))
        cells = [_content(cell) for cell in function.__closure__ or ()]
        return _hashed(
            "function",
            function.__qualname__,
            self._of_code(function.__code__),
            self.of(function.__defaults__),
            self.of(function.__kwdefaults__),
            *(f"{name} {self.of(value)}" for name, value in self._globals_of(function)),
            *map(self.of, cells),
            self.of({name: value for name, value in vars(function).items() if name != "__behave_mark__"}),
        )

    def _globals_of(self, function: FunctionType) -> list[tuple[str, Any]]:
        """Return the variables of its module that a function reads; only within the user's own code."""
        file = getattr(sys.modules.get(function.__module__), "__file__", None)
        if file is not None and not is_own_file(Path(file)):
            return []
        names = sorted(_names_in(function.__code__))
        return [(name, function.__globals__[name]) for name in names if name in function.__globals__]

    def _of_code(self, code: CodeType) -> str:
        consts = [self._of_code(const) if type(const) is CodeType else self.of(const) for const in code.co_consts]
        names = (*code.co_names, "|", *code.co_varnames, "|", *code.co_freevars)
        return _hashed("code", code.co_code.hex(), *consts, *names, str(code.co_flags))

    def _of_class(self, value: type) -> str:
        self._reach(value.__module__, sys.modules.get(value.__module__))
        if "<locals>" not in value.__qualname__:
            return _hashed("class", value.__module__, value.__qualname__)
        hidden = ("__dict__", "__weakref__", "__doc__", "__firstlineno__", "__static_attributes__")
        own = {name: item for name, item in vars(value).items() if name not in hidden}
        parts = [f"{name} {self._of_member(item)}" for name, item in sorted(own.items())]
        return _hashed("class", value.__qualname__, *map(self.of, value.__bases__), *parts)

    def _of_member(self, item: Any) -> str:
        if isinstance(item, (staticmethod, classmethod)):
            return self.of(item.__func__)
        if isinstance(item, property):
            return self.of([item.fget, item.fset, item.fdel])
        return _hashed("slot", type(item).__name__) if inspect.isdatadescriptor(item) else self.of(item)

    def _of_object(self, value: Any) -> str:
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - whatever keeps an object from telling its state
            raise NotPlainError(f"an object of {type(value).__module__}.{type(value).__qualname__}") from None
        if isinstance(reduced, str):
            wrapped = self.of(value.__wrapped__) if hasattr(value, "__wrapped__") else ""
            return _hashed("global", type(value).__module__, reduced, wrapped)
        head = [self.of(part) for part in reduced[:3]]
        items = [self.of(list(part)) for part in reduced[3:5] if part is not None]
        return _hashed("object", self.of(type(value)), *head, *items)

    def _reach(self, name: str | None, module: ModuleType | None) -> None:
        file = getattr(module, "__file__", None)
        if name and file and Path(file).suffix == ".py" and is_own_file(Path(file)):
            dotted = getattr(getattr(module, "__spec__", None), "name", None) or name
            self.reach.add_file(BESIDE_A_SUITE.sub("", dotted), Path(file))
        elif name and name not in ("__main__", "builtins"):
            self.reach.add_reference(name.partition(".")[0])


def _names_in(code: CodeType) -> set[str]:
    inner = (const for const in code.co_consts if type(const) is CodeType)
    return set(code.co_names).union(*map(_names_in, inner))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _hashed(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "backslashreplace")
        digest.update(f"{len(data)} ".encode() + data)
    return digest.hexdigest()
