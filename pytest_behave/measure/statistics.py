"""The kinds of statistic that metrics are: each turns an outcome and masks into one Estimate per slice.

Proportion    share of relevant rows that are hits              Wilson
CellFunction  function of the counts of (target, prediction)    bootstrap of the counts, its limit, or a closed form

means.py adds the mean of a value per row, ranking.py what depends on the order of scores. All can be measured in
partitions: states add up, and ``finish`` turns what they add up to into Estimates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import MOST_PLANES, Masks
from pytest_behave.measure.states import Cells, Counts, State
from pytest_behave.records import Estimate, Outcome
from pytest_behave.records.bits import packed

MOST_RESAMPLED_CELLS = 250_000  # 2 MB, a processor's cache: 60 binary slices at once

CellValues = Callable[[np.ndarray], np.ndarray]
CellIntervals = Callable[[np.ndarray], intervals.Interval]


BOOTSTRAP = "bootstrap of counts"
DELTA = "delta method"
MANY = 30  # hits, misses and false alarms of each class, from which a function of counts is nearly normal
MOST_CELLS_OF_DELTA = 100  # each takes two values of the function
STEP = 0.25  # rows, of a numerical derivative
TOO_FEW = "an interval needs at least two instances"
LEAST_ROOT = 1e-3  # of a gamma variate by its mean
RIGHT, WRONG = 0.5, 0.25  # what is added to the counts of each class before they are drawn again


class Statistic(Protocol):
    """What a metric is computed as."""

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the metric on each slice, with its interval."""


@runtime_checkable
class Mergeable(Statistic, Protocol):
    """A statistic that can be measured in partitions of the rows: ``finish`` the sum of their states."""

    def state(self, outcome: Outcome, masks: Masks) -> State:
        """Return what is to be kept of these rows."""

    def finish(self, state: Any) -> list[Estimate]:
        """Return the metric on each slice, with its interval."""

    def figures(self, state: Any) -> np.ndarray:
        """Return the metric on each slice alone, NaN where it is undefined."""


@runtime_checkable
class Counted(Mergeable, Protocol):
    """A statistic whose state are counts of rows, so that those of many metrics are counted together."""

    def counted(self, outcome: Outcome) -> Sequence[np.ndarray]:
        """Return the bool arrays whose True rows are counted."""

    def state_of(self, outcome: Outcome, counts: np.ndarray) -> State:
        """Return the state from the counts, shaped (slices, arrays)."""


@dataclass(frozen=True)
class Proportion:
    """Hits among relevant rows; ``planes`` gives both as bool arrays over all rows."""

    planes: Callable[[Outcome], tuple[np.ndarray, np.ndarray]]
    nothing: str = "no instance"

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return Wilson intervals from two counts per slice."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Counts:
        """Count hits and relevant rows."""
        return self.state_of(outcome, masks.count(self.counted(outcome)))

    def counted(self, outcome: Outcome) -> Sequence[np.ndarray]:
        """Return hits and relevant rows."""
        hits, relevant = self.planes(outcome)
        return hits & relevant, relevant

    def state_of(self, _outcome: Outcome, counts: np.ndarray) -> Counts:
        """Return the counts as they are."""
        return Counts(counts)

    def figures(self, state: Counts) -> np.ndarray:
        """Return hits / relevant rows."""
        return _shares(state.counts[:, 0], state.counts[:, 1])

    def finish(self, state: Counts) -> list[Estimate]:
        """Return one Estimate per pair of counts."""
        return proportion_estimates(state.counts[:, 0], state.counts[:, 1], self.nothing)


def _shares(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / relevant)


def proportion_estimates(hits: np.ndarray, relevant: np.ndarray, nothing: str) -> list[Estimate]:
    """Return one Estimate per pair of counts."""
    low, high = intervals.wilson(hits, relevant)
    return [
        Estimate(k / n, one, other, n, interval="wilson")
        if n
        else Estimate(None, None, None, 0, f"the slice has {nothing}")
        for k, n, one, other in zip(hits.tolist(), relevant.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def estimate_of(  # noqa: PLR0913 - the parts of an Estimate
    value: float, low: float, high: float, *, n: int, nothing: str, interval: str, unbounded: str = TOO_FEW
) -> Estimate:
    """Return an Estimate, NaN becoming None; ``unbounded`` says why there may be no interval."""
    if n == 0 or np.isnan(value):
        return Estimate(None, None, None, n, f"the slice has {nothing}")
    if np.isnan(low) or np.isnan(high):
        return Estimate(value, None, None, n, unbounded)
    return Estimate(value, low, high, n, interval=interval)


@dataclass(frozen=True)
class CellFunction:
    """``value`` of counts shaped (..., targets, predictions); NaN where undefined, ``nothing`` says why.

    ``closed`` gives intervals without a bootstrap, NaN where it cannot.
    """

    value: CellValues
    nothing: str
    closed: CellIntervals | None = None
    interval: str = BOOTSTRAP

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Count (target, prediction) cells per slice, then compute the value and its interval."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Cells:
        """Count cells."""
        return Cells(masks.once(outcome, cell_counts), outcome.classes)

    def figures(self, state: Cells) -> np.ndarray:
        """Return the function of the counts."""
        return self.value(state.counts.astype(np.float64))

    def finish(self, state: Cells) -> list[Estimate]:
        """Return one Estimate per table of counts."""
        counts, values = state.counts, self.figures(state)
        low, high = self.closed(counts.astype(np.float64)) if self.closed else np.full((2, len(counts)), np.nan)
        names = np.full(len(counts), self.interval, dtype=object)
        for name, interval in ((DELTA, self._delta), (BOOTSTRAP, self._bootstrap)):
            left = np.isnan(low)
            low[left], high[left] = interval(counts[left], values[left])
            names[left] = name
        sizes = counts.sum(axis=(1, 2))
        reasons = np.where(sizes > 1, "an interval needs two classes, in the target or in the output", TOO_FEW)
        columns = (values, low, high, sizes, names, reasons)
        return [
            estimate_of(*ends, n=n, nothing=self.nothing, interval=name, unbounded=reason)
            for *ends, n, name, reason in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def _delta(self, counts: np.ndarray, values: np.ndarray) -> intervals.Interval:
        """Return the two intervals of the bootstrap in their limit of many rows; NaN where a class has few.

        There the bootstrap would draw a normal distribution, in fifty times the time.
        """
        low, high = np.full((2, len(counts)), np.nan)
        some = np.flatnonzero(_has_many(counts) & ~np.isnan(values))
        if counts[0:1].size > MOST_CELLS_OF_DELTA or not len(some):
            return low, high
        variance, value = self._variance(counts[some].astype(np.float64)), values[some]
        half = intervals.Z * np.sqrt(variance)
        one = value - half, value + half
        other = self._wilson(value, value, variance, counts[some])
        low[some], high[some] = np.fmin(one[0], other[0]), np.fmax(one[1], other[1])
        return low, high

    def _variance(self, counts: np.ndarray) -> np.ndarray:
        """Return the variance by the delta method: a function of shares has the derivatives' mean square, summed."""
        variance = np.zeros(len(counts))
        for cell in np.ndindex(counts.shape[1:]):
            step = np.zeros(counts.shape[1:])
            step[cell] = STEP
            slope = (self.value(counts + step) - self.value(np.maximum(counts - step, 0.0))) / (2 * STEP)
            at = (slice(None), *cell)
            variance += np.where(counts[at] > 0, counts[at] * slope**2, 0.0)
        return variance

    def _bootstrap(self, counts: np.ndarray, values: np.ndarray) -> intervals.Interval:
        """Return the outer of two intervals, from tables drawn around the smoothed counts.

        One is between percentiles of what they give, the other Wilson's for a share of the same variance, with
        Student's quantile for as many rows as a class has (the harmonic mean). The first is short where the smoothing pulls, the
        second where rare classes make the value lopsided.
        """
        low, high = np.full((2, len(counts)), np.nan)
        classes = _occurring(counts).sum(axis=1)
        enough = np.flatnonzero((classes > 1) & (counts.sum(axis=(1, 2)) > 1) & ~np.isnan(values))
        at_once = max(1, MOST_RESAMPLED_CELLS // (intervals.RESAMPLES * counts[0].size)) if len(counts) else 1
        for first in range(0, len(enough), at_once):
            some = enough[first : first + at_once]
            samples = self.value(_resampled(counts[some])).reshape(len(some), -1)
            one, other = _percentiles(samples), self._equivalent(samples, values[some], counts[some])
            low[some] = np.fmin(np.fmin(one[0], other[0]), values[some])
            high[some] = np.fmax(np.fmax(one[1], other[1]), values[some])
        return low, high

    def _equivalent(self, samples: np.ndarray, values: np.ndarray, counts: np.ndarray) -> intervals.Interval:
        return self._wilson(values, np.nanmean(samples, axis=1), np.nanvar(samples, axis=1), counts)

    def _wilson(
        self, values: np.ndarray, centre: np.ndarray, variance: np.ndarray, counts: np.ndarray
    ) -> intervals.Interval:
        """Return Wilson's interval of a share of the same variance."""
        from scipy.special import stdtrit

        wrong = np.roll(np.eye(counts.shape[1], counts.shape[2]), 1, axis=1)
        least = float(self.value(wrong))  # 0, or -1 for a correlation of two classes
        span = 1 - least
        quantile = stdtrit(np.maximum(_rows_per_class(counts) - 1, 1), 0.5 + intervals.CONFIDENCE / 2)
        share, centre = (values - least) / span, (centre - least) / span
        low, high = intervals.equivalent_wilson(share, centre, variance / span**2, quantile)
        return least + span * low, least + span * high


def _has_many(counts: np.ndarray) -> np.ndarray:
    """Return which slices have MANY hits, misses and false alarms of every class that occurs, at least two of them."""
    hits = np.zeros((len(counts), counts.shape[2]), dtype=np.int64)
    hits[:, : counts.shape[1]] = np.diagonal(counts, axis1=1, axis2=2)
    support = np.zeros_like(hits)
    support[:, : counts.shape[1]] = counts.sum(axis=2)
    rarest = np.minimum(hits, np.minimum(support, counts.sum(axis=1)) - hits)
    occurring = _occurring(counts)
    return np.asarray(((rarest >= MANY) | ~occurring).all(axis=1) & (occurring.sum(axis=1) > 1))


def _rows_per_class(counts: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of the sizes of the classes that occur, in the target or in the predictions."""
    sizes = counts.sum(axis=1)
    sizes[:, : counts.shape[1]] = np.maximum(sizes[:, : counts.shape[1]], counts.sum(axis=2))
    with np.errstate(divide="ignore"):
        return np.asarray((sizes > 0).sum(axis=1) / np.where(sizes > 0, 1 / sizes, 0).sum(axis=1))


def _occurring(counts: np.ndarray) -> np.ndarray:
    """Return which classes are in the targets or in the predictions: shape (slices, classes)."""
    occurring = counts.sum(axis=1) > 0
    occurring[:, : counts.shape[1]] |= counts.sum(axis=2) > 0
    return np.asarray(occurring)


def _resampled(counts: np.ndarray) -> np.ndarray:
    """Return samples of each table, from Dirichlet's distribution: shape (slices x resamples, targets, predictions).

    Gamma variates divided by their sum, all tables' from the same normal ones, whose cube they nearly are (Wilson &
    Hilferty 1931, Proc. Natl. Acad. Sci. 17:684): quantiles are within 2 % of a standard deviation, in a third of the
    time. Those of less than one row are drawn as they are. In Fortran's order, so that numpy's inner loops run over
    samples and not over the few cells of a table.
    """
    shapes = _smoothed(counts).T[..., None]
    normal, rare = _variates(*shapes.shape[:2], intervals.RESAMPLES)
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = normal * (1 / (3 * np.sqrt(shapes)))
        samples += 1 - 1 / (9 * shapes)
    np.maximum(samples, LEAST_ROOT, out=samples)
    samples *= samples * samples
    samples *= shapes
    for shape, variates in rare.items():
        prediction, target, table = np.nonzero(shapes[..., 0] == shape)
        samples[prediction, target, table] = variates[prediction, target]
    samples *= counts.sum(axis=(1, 2))[:, None] / samples.sum(axis=(0, 1))
    return samples.reshape(*shapes.shape[:2], -1).T


def _smoothed(counts: np.ndarray) -> np.ndarray:
    """Return tables to draw around: what no row of a slice shows may yet happen.

    Each class that occurs in the target gets a part of a row that is right, and one that is taken for the next class.
    """
    smoothed = counts.astype(np.float64)
    patterns, which = np.unique(_occurring(counts), axis=0, return_inverse=True)
    for number, occurring in enumerate(patterns):
        classes = np.flatnonzero(occurring)
        following, known = np.roll(classes, -1), classes < counts.shape[1]
        tables = np.flatnonzero(which.ravel() == number)[:, None]
        smoothed[tables, classes[known], classes[known]] += RIGHT
        smoothed[tables, classes[known], following[known]] += WRONG
    return smoothed


@lru_cache(maxsize=1)
def _variates(predictions: int, targets: int, resamples: int) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Return normal variates of each cell, and gamma variates of the shapes below 1; of shape 0, zeros."""
    random = np.random.default_rng(intervals.SEED)
    size = (predictions, targets, resamples)
    shapes = (0.0, WRONG, RIGHT, WRONG + RIGHT)
    return random.standard_normal(size)[:, :, None], {shape: random.standard_gamma(shape, size) for shape in shapes}


def _percentiles(samples: np.ndarray) -> intervals.Interval:
    """Return the percentile interval of each row."""
    low, high = np.empty((2, len(samples)))
    undefined = np.isnan(samples).any(axis=1)
    for row in np.flatnonzero(undefined):
        low[row], high[row] = intervals.percentile(samples[row])
    tail = 100 * (1 - intervals.CONFIDENCE) / 2  # all rows at once take a third of the time
    low[~undefined], high[~undefined] = np.percentile(samples[~undefined], [tail, 100 - tail], axis=1)
    return low, high


def cell_counts(outcome: Outcome, masks: Masks) -> np.ndarray:
    """Return counts of (target class, predicted class) per slice: shape (slices, target classes, classes)."""
    if outcome.target is None or outcome.predicted is None:
        raise TypeError("cell counts need class codes")
    shape = (outcome.target_classes, len(outcome.classes))
    if shape[0] * shape[1] <= MOST_PLANES:  # one plane at a time, packed: codes would take 8 bytes per row
        cells = [packed((outcome.target == one) & (outcome.predicted == other)) for one, other in np.ndindex(shape)]
        return masks.count(cells).reshape(-1, *shape)
    codes = outcome.target * shape[1] + outcome.predicted
    return masks.tabulate(codes, shape[0] * shape[1]).reshape(-1, *shape)


def bootstrap_rows(value: Callable[[np.ndarray], float], rows: np.ndarray, resamples: int) -> tuple[float, float]:
    """Interval of ``value(rows)`` from resamples of the rows with replacement, seeded.

    The outer of percentiles, moved outwards as Student's t is from the normal (Hesterberg 2015, Am. Stat. 69:371), and
    of Student's interval with the standard deviation of the resamples.
    """
    random = np.random.default_rng(intervals.SEED)
    samples = [value(rows[random.integers(0, len(rows), len(rows))]) for _ in range(resamples)]
    defined = np.array([sample for sample in samples if np.isfinite(sample)])
    if len(defined) < resamples / 2:
        return np.nan, np.nan
    low, high = intervals.widened_percentile(defined, value(rows), len(rows))
    return float(low), float(high)
