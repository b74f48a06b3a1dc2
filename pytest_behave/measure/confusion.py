"""Functions of the totals of classes, and closed intervals from counts shaped (..., target classes, predicted classes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pytest_behave.measure import intervals

FEW = 10  # right and wrong rows: with fewer, closed forms hold too rarely
TINY = float(np.finfo(np.float64).tiny)


class Totals(NamedTuple):
    """Rows of every class that are hits, of the target, and predicted, as doubles: shape (..., classes) each."""

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


def _square(counts: np.ndarray) -> np.ndarray:
    """Add empty rows for classes that only the model says: shape (..., classes, classes)."""
    missing = counts.shape[-1] - counts.shape[-2]
    if not missing:
        return counts
    return np.pad(counts, [(0, 0)] * (counts.ndim - 2) + [(0, missing), (0, 0)])


def per_class(counts: np.ndarray) -> Totals:
    """Return hits, support and predicted count of every class, from (..., target classes, classes)."""
    square = _square(counts)
    hits = np.diagonal(square, axis1=-2, axis2=-1).astype(np.float64)
    return Totals(hits, square.sum(axis=-1, dtype=np.float64), square.sum(axis=-2, dtype=np.float64))


def _divide(hits: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return the quotient, 0 where there is nothing to be hit."""
    return np.asarray(hits / np.maximum(below, TINY))


CLASS_SCORES: dict[str, Callable[[Totals], np.ndarray]] = {
    "precision": lambda totals: _divide(totals.hits, totals.predicted),
    "recall": lambda totals: _divide(totals.hits, totals.support),
    "f1": lambda totals: _divide(2 * totals.hits, totals.support + totals.predicted),
}


def averaged(name: str, average: str) -> Callable[[Totals], np.ndarray]:
    """Return the function that averages precision, recall or f1 over classes, ``macro`` or ``weighted``: shape (...)."""

    def value(totals: Totals) -> np.ndarray:
        scores, support = CLASS_SCORES[name](totals), totals.support
        with np.errstate(invalid="ignore", divide="ignore"):
            if average == "weighted":
                return np.asarray((scores * support).sum(axis=-1) / support.sum(axis=-1))
            return np.asarray(scores.sum(axis=-1) / ((support + totals.predicted) > 0).sum(axis=-1))

    return value


def balanced_accuracy(totals: Totals) -> np.ndarray:
    """Mean recall over the classes that occur, NaN with fewer than two: shape (...)."""
    classes = (totals.support > 0).sum(axis=-1)
    total = CLASS_SCORES["recall"](totals).sum(axis=-1)
    return np.where(classes > 1, total / np.maximum(classes, 1), np.nan)


def balanced_interval(counts: np.ndarray) -> intervals.Interval:
    """Return the closed form from counts shaped (slices, target classes, classes), NaN where rows are few.

    The recalls of the classes are independent proportions.
    """
    hits, support, _ = per_class(counts)
    rarer = np.where(support > 0, np.minimum(hits, support - hits), np.inf)  # right or wrong rows of each class
    enough = rarer.min(axis=-1) >= FEW / 2
    low, high = intervals.mean_of_proportions(hits, support)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def matthews(totals: Totals) -> np.ndarray:
    """Matthews' correlation, in Gorodkin's form for any number of classes, NaN if one side is constant: shape (...)."""
    hits, support, predicted = totals
    n = support.sum(axis=-1)
    covariance = hits.sum(axis=-1) * n - (support * predicted).sum(axis=-1)
    spread = (n**2 - (support**2).sum(axis=-1)) * (n**2 - (predicted**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(spread > 0, covariance / np.sqrt(spread), np.nan))


def matthews_interval(counts: np.ndarray) -> intervals.Interval:
    """Return the delta method's interval on Fisher's z scale for two classes; NaN for more, and where rows are few.

    ``counts`` are shaped (slices, 2, 2), targets before predictions.
    The variance of the phi coefficient is that of Bishop, Fienberg & Holland 1975, Discrete Multivariate Analysis,
    equation 11.3-6.
    """
    if counts.shape[-2:] != (2, 2):
        return np.full((2, len(counts)), np.nan)  # type: ignore[return-value]  # two rows are a pair
    n = counts.sum(axis=(-2, -1))
    phi = matthews(per_class(counts))
    with np.errstate(invalid="ignore", divide="ignore"):
        rows, columns = counts.sum(axis=-1) / n[:, None], counts.sum(axis=-2) / n[:, None]
        spread = rows.prod(axis=-1), columns.prod(axis=-1)
        skew = rows[:, 0] - rows[:, 1], columns[:, 0] - columns[:, 1]
        variance = (
            1
            - phi**2
            + (phi + phi**3 / 2) * skew[0] * skew[1] / np.sqrt(spread[0] * spread[1])
            - 0.75 * phi**2 * (skew[0] ** 2 / spread[0] + skew[1] ** 2 / spread[1])
        ) / n
        half = intervals.Z * np.sqrt(np.maximum(variance, 0)) / (1 - phi**2)
        centre = np.arctanh(phi)
        right = np.trace(counts, axis1=-2, axis2=-1)
        enough = (np.minimum(right, n - right) >= FEW) & (np.minimum(rows, columns).min(axis=-1) * n >= 2 * FEW)
        usable = enough & np.isfinite(centre) & (half > 0)
        ends = np.tanh(centre - half), np.tanh(centre + half)
    return np.where(usable, ends[0], np.nan), np.where(usable, ends[1], np.nan)
