"""Expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.records import Estimate, Outcome


@dataclass(frozen=True)
class Bins:
    """Rows, positives and the sum of scores per slice and bin."""

    sizes: np.ndarray
    hits: np.ndarray
    totals: np.ndarray

    def __add__(self, other: Bins) -> Bins:
        return Bins(self.sizes + other.sizes, self.hits + other.hits, self.totals + other.totals)


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error over ``bins`` equal-width bins of the score (Naeini et al. 2015, AAAI)."""

    bins: int = 10
    floor: ClassVar[float] = 0.0
    ceiling: ClassVar[float] = 1.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the error and its interval."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Bins:
        """Count rows and positives, and sum scores, bin by bin."""
        score = np.asarray(outcome.score, dtype=np.float64)
        bins = np.minimum((score * self.bins).astype(np.int64), self.bins - 1)
        positive = np.asarray(outcome.target) == outcome.positive
        counts = masks.tabulate(2 * bins + positive, 2 * self.bins).reshape(len(masks), self.bins, 2)

        def columns(first: int, last: int) -> np.ndarray:
            return np.where(bins[first:last] == np.arange(self.bins)[:, None], score[first:last], 0.0)

        return Bins(counts.sum(axis=2), counts[:, :, 1], masks.sums(columns, self.bins))

    def figures(self, state: Bins) -> np.ndarray:
        """Return the error of each slice."""
        n = state.sizes.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(state.totals - state.hits).sum(axis=1) / n)

    def finish(self, state: Bins) -> list[Estimate]:
        """Return the error and its interval.

        Chance gaps of the bins do not cancel in a mean of absolute values: a calibrated model has a positive error in
        every sample. So the interval goes below the value by what gaps that may be none would add to it.
        """
        return list(map(self._estimate, state.sizes, state.totals, state.hits))

    def _estimate(self, sizes: np.ndarray, totals: np.ndarray, hits: np.ndarray) -> Estimate:
        n = int(sizes.sum())
        if n == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")
        used = sizes > 0
        size, total, hit = sizes[used], totals[used], hits[used]
        gap, share = np.abs(total - hit) / size, size / n
        value = float(share @ gap)
        # one more row in each bin, which its mean score foretells, so that rows all alike are no certainty
        expected = total / size
        rate = (hit + expected) / (size + 1)
        error = np.sqrt(np.maximum(rate * (1 - rate), expected * (1 - expected)) / size)
        of_sizes = (float(share @ gap**2) - value**2) / n
        known = np.where(gap > BEYOND_DOUBT * error, gap, 0.0)
        excess = float(share @ (_folded(known, error) - known))
        of_folded = np.where(known > 0, 1, 1 - 2 / np.pi) * error**2
        below, above = (np.sqrt(share**2 @ part + of_sizes) for part in (of_folded, error**2))
        low = max(value - excess - intervals.Z * float(below), 0.0)
        high = min(value + intervals.Z * float(above), 1.0)
        return Estimate(value, low, high, n, interval="normal, less the bias")


BEYOND_DOUBT = 2.5  # standard errors: a gap below that may be none


def _folded(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the means of absolute values of normal numbers."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(deviation > 0, mean / deviation, np.inf)
    return np.asarray(deviation * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + mean * (1 - 2 * ndtr(-z)))
