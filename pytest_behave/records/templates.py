"""Texts and structures with places for a row's values, parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where the value of a column goes."""

    column: str


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A text of literal pieces and placeholders. Standing alone, a placeholder is the value itself, not its text."""

    pieces: tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True)
class ForEach:
    """A list with one entry per row of a batch; ``item`` is the template of an entry."""

    item: Any
