"""What the rows of one slice say in rising order of score: areas, precisions and the spread of ranks."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

EXACT_IN_INT64 = 2_000_000  # rows up to which four times the sums of squared ranks stay below 2**63


class Ordered(Protocol):
    """The rows of a slice in rising order of score, of which ``m`` of ``n`` are positive."""

    n: int
    m: int

    def area(self) -> float:
        """Return the area under the ROC curve; both classes occur."""

    def precision(self) -> float:
        """Return the average precision; positives occur."""

    def squares(self) -> tuple[float, float]:
        """Return the sums of squared distances of DeLong's placement values of both classes from their mean, the area."""


class Ties(NamedTuple):
    """How many rows and positives are below each score that several rows share, one of them positive, and have it.

    Of one slice, in any order: each shaped (scores,).
    """

    rows_below: np.ndarray
    positives_below: np.ndarray
    rows: np.ndarray
    positives: np.ndarray


class Listed:
    """Where the positives are among the rows in rising order; of rows with the same score the negatives come first.

    Figures are those of rows without ties, corrected where rows share a score: few do, even of many.
    """

    def __init__(self, positive: np.ndarray, ties: Ties | None = None) -> None:
        self.n = len(positive)
        self._at = np.flatnonzero(positive)
        self.m = len(self._at)
        self._ties = ties

    @cached_property
    def _before(self) -> np.ndarray:
        """How many positives come before each positive: shape (positives,)."""
        return np.arange(self.m)

    @cached_property
    def _below(self) -> np.ndarray:
        """How many negatives come before each positive: shape (positives,)."""
        return self._at - self._before

    @cached_property
    def _total(self) -> int:
        """The number of pairs of a positive and a negative before it."""
        return int(self._below.sum())

    @cached_property
    def _mixed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """Of scores that both classes share: positives, negatives, positives below, negatives below."""
        if self._ties is None:
            return None
        some = np.flatnonzero(self._ties.positives < self._ties.rows)
        rows_below, below, rows, positives = (part.take(some) for part in self._ties)
        return positives, rows - positives, below, rows_below - below

    @cached_property
    def _twice(self) -> int:
        """Twice the number of pairs of a positive and a negative with a lower score, of which ties are half ones."""
        tied = 0 if self._mixed is None else _product(self._mixed[0], self._mixed[1])
        return int(2 * self._total - tied)

    def area(self) -> float:  # noqa: D102 - as in Ordered
        return self._twice / (2 * self.m * (self.n - self.m))

    def precision(self) -> float:  # noqa: D102 - as in Ordered
        hits, rows = np.arange(self.m, 0, -1.0), self.n - self._at
        if self._ties is not None:  # positives with the same score all have the precision from that score on
            rows_below, below, _, positives = self._ties
            which = np.arange(positives.sum()) + np.repeat(below - (np.cumsum(positives) - positives), positives)
            hits[which] = np.repeat(self.m - below, positives)
            rows[which] = np.repeat(self.n - rows_below, positives)
        return float((hits / rows).sum()) / self.m

    def squares(self) -> tuple[float, float]:  # noqa: D102 - as in Ordered
        m, rest, below, count = self.m, self.n - self.m, self._below, self._before
        exact = self.n <= EXACT_IN_INT64
        if not exact:
            below, count = below.astype(np.float64), count.astype(np.float64)
        pairs = 2 * m * rest - self._twice  # twice those of a negative and a positive with a lower score
        of_squares = 4 * _product(below, below)
        # a negative with b positives below it adds b**2, the sum of the b first odd numbers; all in whole numbers
        of_positives = 4 * (rest * m**2 - 2 * _product(below, count) - self._total)
        if self._mixed is not None:
            p, n, positives, negatives = (part if exact else part.astype(np.float64) for part in self._mixed)
            of_squares -= _product(p * n, 4 * negatives + 3 * n)  # n / 2 tied negatives are below, and not n
            of_positives += _product(p * n, 4 * positives + p)  # p / 2 tied positives are below, and not none
        one, other = m * of_squares - self._twice**2, rest * of_positives - pairs**2
        if not exact:
            one = 4 * m * self._centred(below, self._twice / 2 / m)
        return max(float(one), 0.0) / 4 / m / rest**2, max(float(other), 0.0) / 4 / rest / m**2

    def _centred(self, below: np.ndarray, mean: float) -> float:
        """Return the sum of squared distances of the negatives below each positive from their mean, for very many rows."""
        total = _product(below - mean, below - mean)
        if self._mixed is None:
            return float(total)
        p, n, _, negatives = (part.astype(np.float64) for part in self._mixed)
        return float(total - _product(p * n, negatives + 0.75 * n - mean))


def _product(one: np.ndarray, other: np.ndarray) -> Any:
    # BLAS would wake a second thread for a long vector, which took up to 15 ms; Python's integers do not overflow
    return np.einsum("i,i", one, other).item()


class Tied:
    """How many positives and negatives have each score, scores rising."""

    def __init__(self, positives: np.ndarray, negatives: np.ndarray) -> None:
        self.positives, self.negatives = positives, negatives
        self.m = int(positives.sum())
        self.n = self.m + int(negatives.sum())

    def _placements(self) -> tuple[np.ndarray, np.ndarray]:
        rest = self.n - self.m
        below = (np.cumsum(self.negatives) - self.negatives / 2) / rest
        above = (self.m - np.cumsum(self.positives) + self.positives / 2) / self.m
        return below, above

    def area(self) -> float:  # noqa: D102 - as in Ordered
        return _product(self._placements()[0], self.positives) / self.m

    def precision(self) -> float:  # noqa: D102 - as in Ordered
        hits, misses = (counts[::-1].cumsum()[::-1] for counts in (self.positives, self.negatives))
        some = self.positives > 0
        return float((self.positives[some] * hits[some] / (hits + misses)[some]).sum()) / self.m

    def squares(self) -> tuple[float, float]:  # noqa: D102 - as in Ordered
        below, above = self._placements()
        area = _product(below, self.positives) / self.m
        return _product((below - area) ** 2, self.positives), _product((above - area) ** 2, self.negatives)

    def area_error(self) -> float:
        """Return how far the area may be off if rows of one bin have different scores."""
        return _product(self.positives, self.negatives) / 2 / max(self.m * (self.n - self.m), 1)

    def precision_error(self) -> float:
        """Return how far the average precision may be off if rows of one bin have different scores."""
        hits, misses = (counts[::-1].cumsum()[::-1] for counts in (self.positives, self.negatives))
        some = self.positives > 0
        here, hit, miss, negative = (part[some] for part in (self.positives, hits, misses, self.negatives))
        best = here @ (hit / (hit + miss - negative))
        first = hit - here + 1
        worst = here @ (first / (first + miss))
        value = here @ (hit / (hit + miss))
        return float(max(best - value, value - worst)) / max(self.m, 1)
