"""How often each value occurs in each slice: exact while values are few, else in bins that are always the same.

The state of whatever depends on the order of values. Bins cover all doubles: 2,048 of equal width from 0 to 1, finer
ones next to 0 and 1, and 32 per power of two elsewhere. They make every merge the same, in whatever order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_behave.measure.kernel import Masks

MOST_LEVELS = 4_096
PER_OCTAVE = 32
EVEN = 2_048


def _edges() -> np.ndarray:
    def octaves(first: int, last: int) -> np.ndarray:
        return np.exp2(np.arange(first * PER_OCTAVE, last * PER_OCTAVE) / PER_OCTAVE)

    small, even = octaves(-40, -11), np.arange(EVEN + 1) / EVEN
    beyond = octaves(0, 32)
    return np.unique(np.concatenate([-beyond, -octaves(-16, 0), [0.0], small, even, 1 - small, beyond]))


EDGES = _edges()


@dataclass(frozen=True)
class Levels:
    """Counts of rows per slice, value and kind: shape (slices, values, kinds).

    ``values`` rise: distinct values where ``exact``, else there is one place per bin, before, between and after EDGES.
    """

    values: np.ndarray
    counts: np.ndarray
    exact: bool

    def __add__(self, other: Levels) -> Levels:
        if self.exact and other.exact:
            values = np.union1d(self.values, other.values)
            if len(values) <= MOST_LEVELS:
                return Levels(values, self._at(values) + other._at(values), exact=True)
        one, rest = self.binned(), other.binned()
        return Levels(EDGES, one.counts + rest.counts, exact=False)

    def _at(self, values: np.ndarray) -> np.ndarray:
        result = np.zeros((self.counts.shape[0], len(values), self.counts.shape[2]), dtype=np.int64)
        result[:, np.searchsorted(values, self.values)] = self.counts
        return result

    def of_slices(self, places: np.ndarray) -> Levels:
        """Return the counts of some of the slices."""
        return Levels(self.values, self.counts[places], self.exact)

    def binned(self) -> Levels:
        """Return the counts in bins."""
        if not self.exact:
            return self
        result = np.zeros((self.counts.shape[0], len(EDGES) + 1, self.counts.shape[2]), dtype=np.int64)
        for place, counts in zip(
            np.searchsorted(EDGES, self.values, side="right"), self.counts.swapaxes(0, 1), strict=True
        ):
            result[:, place] += counts
        return Levels(EDGES, result, exact=False)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return between which values those of each place lie."""
        if self.exact:
            return self.values, self.values
        return np.concatenate([[-np.inf], EDGES]), np.concatenate([EDGES, [np.inf]])


def levels_of(values: np.ndarray, kinds: np.ndarray | None, masks: Masks) -> Levels:
    """Return the counts of values (float64, no NaN), for rows of kind 0 and 1 apart where ``kinds`` are given."""
    distinct, places = np.unique(values, return_inverse=True)
    exact = len(distinct) <= MOST_LEVELS
    if not exact:
        places = np.searchsorted(EDGES, values, side="right")
    size, sorts = (len(distinct) if exact else len(EDGES) + 1), 1 if kinds is None else 2
    codes = places if kinds is None else 2 * places + kinds
    counts = masks.tabulate(codes.astype(np.int64), sorts * size).reshape(len(masks), size, sorts)
    return Levels(distinct if exact else EDGES, counts, exact)
