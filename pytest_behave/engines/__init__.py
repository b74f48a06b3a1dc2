"""Where the parts of a dataset are measured: in this process, on a Dask cluster, or wherever a plugin can.

An engine has three methods. It calls a function on every part and adds up what it returns, and nothing else: what is
measured, it need not know. Function, parts and states can be pickled; states add up in any order and grouping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from pytest_behave.errors import EngineError, did_you_mean

Part = TypeVar("Part")
Done = Callable[[Part], object]

KNOWN = ("local", "dask")


class Engine(Protocol):
    """Where parts are measured. ``start`` is called before anything else and ``stop`` at last, also after an error."""

    def start(self) -> None:
        """Get ready; raises EngineError if that cannot be."""

    def total(self, measure: Callable[[Any], Any], parts: Sequence[Any], done: Done[Any]) -> Any:
        """Return the sum of ``measure(part)`` over all parts, of which there is at least one.

        ``done`` is told each part that is finished. What ``measure`` raises is raised here. Where a worker is lost, its
        parts are measured again; raises EngineError if that is no use.
        """

    def stop(self) -> None:
        """Give back whatever ``start`` took."""


def open_engine(name: str, plugin: Callable[[str], Engine | None] | None = None) -> Engine:
    """Return the engine called ``name`` (``local``, ``dask``, ``dask:ADDRESS`` or a plugin's); raises EngineError."""
    kind, _, address = name.partition(":")
    if name == "local":
        from pytest_behave.engines.local import Local

        return Local()
    if kind == "dask":
        from pytest_behave.engines.dask import Dask

        return Dask(address or None)
    found = plugin(name) if plugin is not None else None
    if found is None:
        raise EngineError(f"there is no engine {name!r}{did_you_mean(name, KNOWN)}")
    return found
