"""The engine that needs nothing: one part after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Local:
    """Measures in this process. Only the sum so far and the part at hand are in memory."""

    def start(self) -> None:
        """Nothing is needed."""

    def total(self, measure: Callable[[Any], Any], parts: Sequence[Any], done: Callable[[Any], object]) -> Any:
        """Return the sum of ``measure(part)`` over all parts."""
        total = None
        for part in parts:
            found = measure(part)
            total = found if total is None else total + found
            done(part)
        return total

    def stop(self) -> None:
        """Nothing was taken."""
