"""Functions of confusion counts, shaped (..., target classes, predicted classes), and their closed intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pytest_behave.measure import intervals

FEW = 10  # right and wrong rows: with fewer, closed forms hold too rarely


def _square(counts: np.ndarray) -> np.ndarray:
    """Add empty rows for classes that only the model says."""
    missing = counts.shape[-1] - counts.shape[-2]
    if not missing:
        return counts
    return np.pad(counts, [(0, 0)] * (counts.ndim - 2) + [(0, missing), (0, 0)])


def per_class(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits, support and predicted count of every class."""
    square = _square(counts)
    return np.diagonal(square, axis1=-2, axis2=-1), square.sum(axis=-1), square.sum(axis=-2)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, 0.0)


def _class_scores(name: str, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall or f1 of every class, 0 where undefined, with support and occurrence."""
    hits, support, predicted = per_class(counts)
    scores = {
        "precision": _divide(hits, predicted),
        "recall": _divide(hits, support),
        "f1": _divide(2 * hits, support + predicted),
    }
    return scores[name], support, (support + predicted) > 0


def averaged(name: str, average: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of counts that averages precision, recall or f1 over classes, ``macro`` or ``weighted``."""

    def value(counts: np.ndarray) -> np.ndarray:
        scores, support, occurs = _class_scores(name, counts)
        weights = occurs.astype(np.float64) if average == "macro" else support
        total = weights.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((scores * weights).sum(axis=-1) / total)

    return value


def balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that occur; NaN with fewer than two."""
    hits, support, _ = per_class(counts)
    present = support > 0
    classes = present.sum(axis=-1)
    total = (_divide(hits, support) * present).sum(axis=-1)
    return np.where(classes > 1, total / np.maximum(classes, 1), np.nan)


def balanced_interval(counts: np.ndarray) -> intervals.Interval:
    """Return the closed form, the recalls of the classes being independent proportions; NaN where rows are few."""
    hits, support, _ = per_class(counts)
    rarer = np.where(support > 0, np.minimum(hits, support - hits), np.inf)  # right or wrong rows of each class
    enough = rarer.min(axis=-1) >= FEW / 2
    low, high = intervals.mean_of_proportions(hits, support)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def matthews(counts: np.ndarray) -> np.ndarray:
    """Matthews' correlation, in Gorodkin's form for any number of classes; NaN if one side is constant."""
    hits, support, predicted = per_class(counts)
    n = support.sum(axis=-1)
    covariance = hits.sum(axis=-1) * n - (support * predicted).sum(axis=-1)
    spread = (n**2 - (support**2).sum(axis=-1)) * (n**2 - (predicted**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(spread > 0, covariance / np.sqrt(spread), np.nan))


def matthews_interval(counts: np.ndarray) -> intervals.Interval:
    """Return the delta method's interval on Fisher's z scale for two classes; NaN for more, and where rows are few.

    The variance of the phi coefficient is that of Bishop, Fienberg & Holland 1975, Discrete Multivariate Analysis,
    equation 11.3-6.
    """
    if counts.shape[-2:] != (2, 2):
        return np.full((2, len(counts)), np.nan)  # type: ignore[return-value]  # two rows are a pair
    n = counts.sum(axis=(-2, -1))
    phi = matthews(counts)
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
