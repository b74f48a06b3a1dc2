"""A metric of two models on the same rows, in the forms that can be compared instance by instance.

Rows are those of the dataset; which of them belong to a slice, comparisons are told as row numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class PairedValues:
    """One value per row and model, NaN where the metric leaves a row out, the same rows for both models.

    ``binary`` values are 0 and 1, and the metric is their share; else it is their mean.
    """

    baseline: np.ndarray
    candidate: np.ndarray
    binary: bool


@dataclass(frozen=True, slots=True)
class PairedStates:
    """One of ``size`` states per row and model; the metric is ``value`` of their counts, shaped (..., size).

    ``groups`` numbers the group of each state: a row's two states are always of one group, such as those of its target.
    ``classes`` are the names of predicted classes where a state is a pair of target (``known`` ones) and prediction.
    """

    baseline: np.ndarray
    candidate: np.ndarray
    size: int
    value: Callable[[np.ndarray], np.ndarray]
    groups: np.ndarray
    classes: tuple[str, ...] = ()
    known: int = 0


@dataclass(frozen=True, slots=True)
class Influences:
    """A smooth metric of both models on some rows, and what each row adds to its error.

    The squares of ``baseline_rows`` (or ``candidate_rows``) sum up to the variance of the value, their products to the
    covariance. ``freedom`` is the number of degrees of freedom of that variance.
    """

    baseline: float
    candidate: float
    baseline_rows: np.ndarray
    candidate_rows: np.ndarray
    freedom: int


@dataclass(frozen=True, slots=True)
class PairedInfluences:
    """A smooth metric: ``on`` gives its influences on some rows; NaN values where the metric is undefined there."""

    on: Callable[[np.ndarray], Influences]
    test: str


@dataclass(frozen=True, slots=True)
class PairedRows:
    """Any other metric: ``on`` gives the baseline's and the candidate's value on some rows, NaN where undefined."""

    on: Callable[[np.ndarray], tuple[float, float]]
    resamples: int


Pairs: TypeAlias = PairedValues | PairedStates | PairedInfluences | PairedRows
