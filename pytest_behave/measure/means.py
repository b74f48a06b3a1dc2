"""Means of a value per row, with Student's interval, stretched to where values reach far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.states import FEW, MOST, SliceMoments
from pytest_behave.measure.statistics import TOO_FEW, estimate_of
from pytest_behave.records import Estimate, Outcome

CANCELLATION = 1e-6  # below this share of the squared mean, a difference of sums keeps fewer than ten digits
SMALL = 1e-4  # a mean below this share of the common centre is computed from its own values
HUGE = 1e100  # the squares of larger values leave the range of doubles: they are scaled


class Centred(NamedTuple):
    """Values (zero where missing or infinite), and the distance and unit in which they are summed.

    ``values`` are doubles, ``present`` and ``infinite`` bools: shape (rows,) each. ``centre`` is in that unit.
    """

    values: np.ndarray
    present: np.ndarray
    infinite: np.ndarray
    whole: bool
    centre: float
    unit: float

    def fill(self, columns: np.ndarray, part: slice) -> None:
        """Write the distances from the centre and their squares, in ``unit``: shape (2, rows of the part).

        So mean and variance keep their digits.
        """
        distance, squares = columns
        np.subtract(self.values[part] / self.unit if self.unit != 1 else self.values[part], self.centre, out=distance)
        if not self.whole:
            distance[~self.present[part] | self.infinite[part]] = 0.0
        np.square(distance, out=squares)


@dataclass(frozen=True)
class Mean:
    """Mean of ``values`` (float64, shape (rows,), NaN where a row has none); ``root`` takes the square root of it.

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

    def state(self, outcome: Outcome, masks: Masks) -> SliceMoments:
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

    def figures(self, state: SliceMoments) -> np.ndarray:
        """Return the mean of each slice, NaN without values or with infinite ones: shape (slices,)."""
        mean = np.where((state.present > 0) & (state.infinite == 0), state.mean, np.nan)
        return np.sqrt(np.maximum(mean, 0.0)) if self.root else mean

    def finish(self, state: SliceMoments) -> list[Estimate]:
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
        found = [
            estimate_of(*row, n=n, nothing="infinite values" if n else self.nothing, interval="t", unbounded=why)
            for row, n, why in zip(result.tolist(), present.tolist(), unbounded, strict=True)
        ]
        for index in np.flatnonzero(state.infinite > 0).tolist():
            found[index] = replace(found[index], is_broken=True)
        return found

    def _reach(self, state: SliceMoments, mean: np.ndarray) -> np.ndarray:
        """Return how much farther values go above their mean than below, unseen ones reckoned in: shape (slices,).

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


def moments(
    means: Sequence[Mean], parts: Sequence[Centred], masks: Masks, *, extremes: bool = True
) -> list[SliceMoments]:
    """Return the moments of several values per row, one for each mean: one pass over the masks sums them all.

    ``extremes`` are needed for intervals, and to put together states of partitions.
    """
    if not means:
        return []
    counts = masks.count([plane for part in parts for plane in (part.present, part.infinite)])
    width = 2 * len(parts)

    def columns(first: int, last: int) -> np.ndarray:
        block = np.empty((width, last - first))
        for index, part in enumerate(parts):
            part.fill(block[2 * index : 2 * index + 2], slice(first, last))
        return block

    sums = masks.sums(columns, width)
    found = [
        _Summed(part, sums[:, 2 * index :][:, :2], counts[:, 2 * index :][:, :2], keep_few=mean.keeps_few)
        for index, (mean, part) in enumerate(zip(means, parts, strict=True))
    ]
    looked_at = np.logical_or.reduce([one.doubtful | (one.small if extremes else False) for one in found])
    for index, rows in masks.rows_of(np.flatnonzero(looked_at)):
        for one in found:
            one.look(index, rows)
    return [one.moments() for one in found]


class _Summed:
    """Moments under way: from sums alone, until the values of small or doubtful slices are looked at.

    ``sums`` are of distances and of their squares, ``counts`` of present and infinite values: shape (slices, 2) each.
    """

    def __init__(self, part: Centred, sums: np.ndarray, counts: np.ndarray, *, keep_few: bool) -> None:
        self.part, self.keep_few = part, keep_few
        self.present, self.infinite = counts.T
        self.finite = self.present - self.infinite
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = np.where(self.finite > 0, sums[:, 0] / self.finite, 0.0)
        self.squares = np.maximum(sums[:, 1] - self.finite * shift**2, 0.0)
        self.mean = part.centre + shift
        cancelled = self.squares < CANCELLATION * shift**2 * self.finite
        self.doubtful = (self.finite > 0) & (cancelled | (np.abs(self.mean) < SMALL * abs(part.centre)))
        self.small = (self.finite > 0) & (self.finite <= MOST)
        self.least, self.largest = np.full((2, len(counts)), np.nan)
        none = np.empty(0) if keep_few else None
        self.few: list[np.ndarray | None] = [none if n == 0 else None for n in self.finite.tolist()]

    def look(self, index: int, rows: np.ndarray) -> None:
        """Take the extremes of a slice from its values, and the moments where sums keep too few digits."""
        n = int(self.finite[index])
        if n == 0:
            return
        part = self.part
        values = part.values[rows if n == len(rows) else rows[part.present[rows] & ~part.infinite[rows]]]
        least, largest = values.min(), values.max()
        self.least[index], self.largest[index] = least, largest
        if self.keep_few and n <= FEW:
            self.few[index] = np.sort(values)
        if self.doubtful[index]:
            scaled = values / part.unit
            alike = least == largest  # their mean may be rounded
            self.mean[index] = scaled[0] if alike else scaled.mean()
            self.squares[index] = 0.0 if alike else n * scaled.var()

    def moments(self) -> SliceMoments:
        """Return the moments, back in the values' own unit."""
        unit = self.part.unit
        with np.errstate(over="ignore"):
            squares = self.squares * unit * unit
        few = tuple(self.few)
        return SliceMoments(self.present, self.infinite, self.mean * unit, squares, self.least, self.largest, few)
