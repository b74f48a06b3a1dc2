"""The data at hand and what a model said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_behave.records.declarations import Place, Task
from pytest_behave.records.expressions import Expr

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pytest_behave.records.bits import Bits

Kind = Literal["number", "bool", "text", "date", "mixed", "empty"]


def kind_of_both(one: Kind, other: Kind) -> Kind:
    """Return the kind of a column of which two parts have these."""
    if other in (one, "empty"):
        return one
    return other if one == "empty" else "mixed"


@dataclass(frozen=True, slots=True)
class Column:
    """One value per instance: ``values`` (float64, int64, bool, datetime64[ns] or object) where not ``missing``.

    ``codes``, where they are known, number the distinct texts of a text column, -1 where missing.
    """

    kind: Kind
    values: np.ndarray
    missing: np.ndarray
    codes: tuple[np.ndarray, list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of the data at hand; ``bits`` are True for its instances. ``problem`` says why it could not be made.

    ``rank`` orders the members of a family. Of a model that answers ``repeats`` times there is a bit per answer, the first
    answers to all instances before the second ones.
    """

    name: str
    family: str | None
    min_size: int
    bits: Bits
    place: Place | None = None
    problem: str | None = None
    rank: Any = 0
    repeats: int = 1

    @property
    def mask(self) -> np.ndarray:
        """The bits as a new bool array: 1 byte per row of the data."""
        return self.bits.bools()

    @property
    def size(self) -> int:
        """Number of instances: of those whose answers differ, any that has an answer in the slice."""
        if self.repeats == 1:
            return self.bits.count
        return int(self.mask.reshape(self.repeats, -1).any(axis=0).sum())


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model said, row by row in the order of the dataset.

    ``prediction`` holds labels, values or texts (None where the source gives scores only), ``score`` the probability
    (or any rising score) of the positive class, ``proba`` one array per class, ``embedding`` an (n, d) array,
    ``extra`` further columns by name.
    """

    prediction: pd.Series | None = None
    score: np.ndarray | None = None
    proba: Mapping[str, np.ndarray] = field(default_factory=dict)
    embedding: np.ndarray | None = None
    extra: Mapping[str, pd.Series] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Targets and outputs of all instances, as metrics see them.

    For binary and multiclass tasks ``target`` and ``predicted`` are codes into ``classes``; the first
    ``target_classes`` of those occur in the target, the others only in the output. For regression they are float64,
    for text object arrays of str. ``positive`` is a code, or -1. A model that answers ``repeats`` times has that many
    outcomes per instance; ``agreement`` is then the share of an instance's pairs of answers that are alike, NaN but for
    the first answers.
    """

    task: Task | None
    size: int
    target: np.ndarray | None
    predicted: np.ndarray | None
    score: np.ndarray | None
    proba: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    target_classes: int
    positive: int
    column: Callable[[str], Column]
    condition: Callable[[Expr], tuple[np.ndarray, np.ndarray]]
    frame: Callable[[], pd.DataFrame]
    is_probability: bool = True
    threshold: float = 0.5
    repeats: int = 1
    agreement: np.ndarray | None = None
