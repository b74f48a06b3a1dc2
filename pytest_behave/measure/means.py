"""Means of a value per row, with Student's interval, stretched to where values reach far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.states import FEW, MOST, Moments
from pytest_behave.measure.statistics import TOO_FEW, estimate_of
from pytest_behave.records import Estimate, Outcome

CANCELLATION = 1e-6  # below this share of the squared mean, a difference of sums keeps fewer than ten digits
SMALL = 1e-4  # a mean below this share of the common centre is computed from its own values
HUGE = 1e100  # the squares of larger values leave the range of doubles: they are scaled


class Centred(NamedTuple):
    """Values (zero where missing or infinite), and the distance and unit in which they are summed."""

    values: np.ndarray
    present: np.ndarray
    infinite: np.ndarray
    whole: bool
    centre: float
    unit: float

    def columns(self, first: int, last: int) -> np.ndarray:
        """Return the distances from the centre and their squares: what gives mean and variance keeps its digits."""
        part = slice(first, last)
        distance = (self.values[part] / self.unit if self.unit != 1 else self.values[part]) - self.centre
        if not self.whole:
            distance[~self.present[part] | self.infinite[part]] = 0.0
        return np.column_stack([distance, distance**2])


@dataclass(frozen=True)
class Mean:
    """Mean of ``values`` (float64 over all rows, NaN where a row has none); ``root`` takes the square root of it.

    ``floor`` and ``ceiling`` are the least and the largest value there can be.
    """

    values: Callable[[Outcome], np.ndarray]
    nothing: str = "no instance with a value"
    root: bool = False
    floor: float = -np.inf
    ceiling: float = np.inf

    @property
    def bounded(self) -> bool:
        """Whether there is a least and a largest value."""
        return bool(np.isfinite(self.floor) and np.isfinite(self.ceiling))

    @property
    def keeps_few(self) -> bool:
        """Whether the interval on few rows asks for their values."""
        return bool(np.isfinite(self.floor)) and not self.bounded

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return intervals from sums, sums of squares, and on smaller slices the largest and the least value."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Moments:
        """Return the moments of the values."""
        (found,) = moments([self], [self.centred(outcome)], masks)
        return found

    def centred(self, outcome: Outcome) -> Centred:
        """Return the values, ready to be summed."""
        values = np.asarray(self.values(outcome), dtype=np.float64)
        present, finite = ~np.isnan(values), np.isfinite(values)
        whole = bool(finite.all())
        plain = values if whole else np.where(finite, values, 0.0)
        largest = float(np.abs(plain).max(initial=0.0))
        unit = 1.0 if largest < HUGE else float(np.exp2(np.floor(np.log2(largest))))
        total = float((plain / unit).sum()) if unit != 1 else float(plain.sum())
        return Centred(plain, present, present & ~finite, whole, total / max(int(finite.sum()), 1), unit)

    def figures(self, state: Moments) -> np.ndarray:
        """Return the mean of each slice."""
        mean = np.where((state.present > 0) & (state.infinite == 0), state.mean, np.nan)
        return np.sqrt(np.maximum(mean, 0.0)) if self.root else mean

    def finish(self, state: Moments) -> list[Estimate]:
        """Return one Estimate per slice."""
        present, mean = state.present, np.where(state.present > 0, state.mean, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = state.squares / (present - 1)
        reach = self._reach(state, mean)
        low, high = intervals.skewed_mean(mean, variance, present, reach)
        alike = (variance == 0) & (reach == 0)  # Student's interval would have no width
        low[alike], high[alike] = np.nan, np.nan
        result = np.column_stack([mean, np.maximum(low, self.floor), np.minimum(high, self.ceiling)])
        result[state.infinite > 0] = np.nan
        if self.root:
            result = np.sqrt(np.maximum(result, 0.0))
        unbounded = ["an interval needs values that differ" if one else TOO_FEW for one in alike.tolist()]
        return [
            estimate_of(*row, n=n, nothing="infinite values" if n else self.nothing, interval="t", unbounded=why)
            for row, n, why in zip(result.tolist(), present.tolist(), unbounded, strict=True)
        ]

    def _reach(self, state: Moments, mean: np.ndarray) -> np.ndarray:
        """Return how much farther the values of each slice go above its mean than below, the unseen ones reckoned in.

        No small slice shows its most extreme values, least of all where few rows make up the mean, which then is many
        times the median. The factor for that is fitted to simulations: tests/benchmarks/simulate_coverage.py.
        """
        n = state.present
        # two values only, the floor and the ceiling, spread the most that values of this mean can
        reach = np.where(n <= FEW, self.floor + self.ceiling - 2 * mean, 0) if self.bounded else 0 * mean
        seen = (n > (FEW if self.bounded else 1)) & (n <= MOST) & (state.least < state.largest)
        for index in np.flatnonzero(seen).tolist():
            beyond = intervals.unseen(int(n[index])) * self._concentration(state.few[index], mean[index])
            reach[index] = beyond * (state.least[index] + state.largest[index] - 2 * mean[index])
        return np.asarray(reach)

    def _concentration(self, few: np.ndarray | None, mean: float) -> float:
        """Return 1, or more where few rows make up the mean of values that have a floor."""
        if few is None:
            return 1.0
        distances = few[few > self.floor] - self.floor
        return max(1.0, 130 / len(few) ** 2 * (mean - self.floor) / float(np.median(distances)))


def moments(means: Sequence[Mean], parts: Sequence[Centred], masks: Masks) -> list[Moments]:
    """Return the moments of several values per row: one pass over the masks sums them all."""
    if not means:
        return []
    counts = masks.count([plane for part in parts for plane in (part.present, part.infinite)])
    width = 2 * len(parts)
    sums = masks.sums(lambda first, last: np.hstack([part.columns(first, last) for part in parts]), width)
    found = []
    for index, (mean, part) in enumerate(zip(means, parts, strict=True)):
        pair = slice(2 * index, 2 * index + 2)
        found.append(_moments(part, masks, sums[:, pair], counts[:, pair], keep_few=mean.keeps_few))
    return found


def _moments(part: Centred, masks: Masks, sums: np.ndarray, counts: np.ndarray, *, keep_few: bool) -> Moments:
    present, infinite = counts.T
    finite = present - infinite
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(finite > 0, sums[:, 0] / finite, 0.0)
        squares = np.maximum(sums[:, 1] - finite * shift**2, 0.0)
        mean = part.centre + shift
        doubtful = (squares < CANCELLATION * shift**2 * finite) | (np.abs(mean) < SMALL * abs(part.centre))
    least, largest = np.full((2, len(masks)), np.nan)
    few: list[np.ndarray | None] = [None] * len(masks)
    for index in np.flatnonzero((finite > 0) & (doubtful | (finite <= MOST))).tolist():
        rows = masks.rows(index)
        values = part.values[rows] if finite[index] == len(rows) else _finite(part, rows)
        least[index], largest[index] = values.min(), values.max()
        if keep_few and len(values) <= FEW:
            few[index] = np.sort(values)
        if doubtful[index]:
            scaled = values / part.unit
            alike = least[index] == largest[index]  # their mean may be rounded
            mean[index] = scaled[0] if alike else scaled.mean()
            squares[index] = 0.0 if alike else len(values) * scaled.var()
    empty = [np.empty(0) if keep_few and n == 0 else one for n, one in zip(finite.tolist(), few, strict=True)]
    with np.errstate(over="ignore"):
        return Moments(present, infinite, mean * part.unit, squares * part.unit**2, least, largest, tuple(empty))


def _finite(part: Centred, rows: np.ndarray) -> np.ndarray:
    return part.values[rows[part.present[rows] & ~part.infinite[rows]]]
