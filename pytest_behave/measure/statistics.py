"""The kinds of statistic that metrics are: each turns an outcome and masks into one Estimate per slice.

Proportion    share of relevant rows that are hits              Wilson
CellFunction  function of the counts of (target, prediction)    bootstrap of the counts, its limit, or a closed form

means.py adds the mean of a value per row, ranking.py what depends on the order of scores. All can be measured in
partitions: states add up, and ``finish`` turns what they add up to into Estimates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.confusion import Totals, per_class
from pytest_behave.measure.kernel import MOST_PLANES, Masks
from pytest_behave.measure.states import Cells, Counts, State
from pytest_behave.records import Estimate, Outcome
from pytest_behave.records.bits import packed

MOST_RESAMPLED_CELLS = 250_000  # 1 MB, a processor's cache: 60 binary slices at once

CellIntervals = Callable[[np.ndarray], intervals.Interval]


BOOTSTRAP = "bootstrap of counts"
DELTA = "delta method"
MANY = 30  # hits, misses and false alarms of each class, from which a function of counts is nearly normal
STEP = 0.25  # rows, of a numerical derivative
TOO_FEW = "an interval needs at least two instances"
LEAST_ROOT = 1e-3  # of a gamma variate by its mean
RIGHT, WRONG = 0.5, 0.25  # what is added to the counts of each class before they are drawn again


class Statistic(Protocol):
    """What a metric is computed as; ``floor`` and ``ceiling``, where it has them, are what it cannot leave."""

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
        """Return the metric on each slice alone, NaN where it is undefined: shape (slices,)."""


@runtime_checkable
class Counted(Mergeable, Protocol):
    """A statistic whose state are counts of rows, so that those of many metrics are counted together."""

    def counted(self, outcome: Outcome) -> Sequence[np.ndarray]:
        """Return the bool arrays whose True rows are counted: shape (rows,) each."""

    def state_of(self, outcome: Outcome, counts: np.ndarray) -> State:
        """Return the state from the counts, shaped (slices, arrays)."""


@dataclass(frozen=True)
class Proportion:
    """Hits among relevant rows; ``planes`` gives both as bool arrays, shape (rows,)."""

    planes: Callable[[Outcome], tuple[np.ndarray, np.ndarray]]
    nothing: str = "no instance"
    floor: ClassVar[float] = 0.0
    ceiling: ClassVar[float] = 1.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return Wilson intervals from two counts per slice."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Counts:
        """Count hits and relevant rows."""
        return self.state_of(outcome, masks.count(self.counted(outcome)))

    def counted(self, outcome: Outcome) -> Sequence[np.ndarray]:
        """Return relevant rows that are hits, and relevant rows."""
        hits, relevant = self.planes(outcome)
        return hits & relevant, relevant

    def state_of(self, _outcome: Outcome, counts: np.ndarray) -> Counts:
        """Return the counts as they are."""
        return Counts(counts)

    def figures(self, state: Counts) -> np.ndarray:
        """Return hits / relevant rows: shape (slices,)."""
        return _shares(state.counts[:, 0], state.counts[:, 1])

    def finish(self, state: Counts) -> list[Estimate]:
        """Return one Estimate per pair of counts."""
        return proportion_estimates(state.counts[:, 0], state.counts[:, 1], self.nothing)


def _shares(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / relevant)


def proportion_estimates(hits: np.ndarray, relevant: np.ndarray, nothing: str) -> list[Estimate]:
    """Return one Estimate per pair of counts: shape (slices,) each."""
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
    if n == 0 or math.isnan(value):
        return Estimate(None, None, None, n, f"the slice has {nothing}")
    if math.isnan(low) or math.isnan(high):
        return Estimate(value, None, None, n, unbounded)
    return Estimate(value, low, high, n, interval=interval)


@dataclass(frozen=True)
class CellFunction:
    """A function of counts of (target, prediction), of which it takes the totals of each class.

    It is the same for multiples of the counts; NaN where undefined, ``nothing`` says why. ``closed`` gives intervals
    from counts shaped (slices, targets, predictions) without a bootstrap, NaN where it cannot.
    """

    of_totals: Callable[[Totals], np.ndarray]
    nothing: str
    closed: CellIntervals | None = None
    interval: str = BOOTSTRAP
    floor: float = 0.0
    ceiling: ClassVar[float] = 1.0

    def value(self, counts: np.ndarray) -> np.ndarray:
        """Return the function of counts shaped (..., targets, predictions): shape (...)."""
        return self.of_totals(per_class(counts))

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Count (target, prediction) cells per slice, then compute the value and its interval."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Cells:
        """Count cells."""
        return Cells(masks.once(outcome, cell_counts), outcome.classes)

    def figures(self, state: Cells) -> np.ndarray:
        """Return the function of the counts."""
        return self.value(state.counts)

    def finish(self, state: Cells) -> list[Estimate]:
        """Return one Estimate per table of counts."""
        return finish_together([self], state)[0]


def finish_together(functions: Sequence[CellFunction], state: Cells) -> list[list[Estimate]]:
    """Return what each function's ``finish`` gives; the tables of a bootstrap are drawn once for all."""
    counts, totals = state.counts, per_class(state.counts)
    values = np.array([function.of_totals(totals) for function in functions])
    low, high = np.stack([_closed(function, counts) for function in functions], axis=1)
    sizes, many = counts.sum(axis=(1, 2)), _has_many(totals)
    left = np.isnan(low) & ~np.isnan(values) & (sizes > 1) & (_occurring(totals).sum(axis=1) > 1)
    if left.any():
        low, high = np.where(left, _outer(functions, counts, values, left, many), (low, high))
    names = np.where(left, np.where(many, DELTA, BOOTSTRAP), [[function.interval] for function in functions])
    reasons = np.where(sizes > 1, "an interval needs two classes, in the target or in the output", TOO_FEW)
    of_all = sizes.tolist(), reasons.tolist()
    return [
        [
            estimate_of(*ends, n=n, nothing=function.nothing, interval=name, unbounded=reason)
            for *ends, name, n, reason in zip(*columns, *of_all, strict=True)
        ]
        for function, *columns in zip(
            functions, values.tolist(), low.tolist(), high.tolist(), names.tolist(), strict=True
        )
    ]


def _closed(function: CellFunction, counts: np.ndarray) -> intervals.Interval:
    if function.closed is None:
        return np.full((2, len(counts)), np.nan)  # type: ignore[return-value]  # two rows are a pair
    return function.closed(counts.astype(np.float64))


def _outer(
    functions: Sequence[CellFunction], counts: np.ndarray, values: np.ndarray, wanted: np.ndarray, many: np.ndarray
) -> intervals.Interval:
    """Return the outer of two intervals of the ``wanted``, each end shaped (functions, slices).

    One is that of the function's distribution around the counts, the other Wilson's for a share of the same variance,
    with Student's quantile for as many rows as a class has (the harmonic mean). The first is short where the smoothing
    pulls, the second where rare classes make the value lopsided.
    """
    low, high, mean, variance = np.where(
        many, _limit(functions, counts, values, wanted & many), _bootstrap(functions, counts, wanted & ~many)
    )
    wrong = np.roll(np.eye(counts.shape[1], counts.shape[2]), 1, axis=1)
    least = np.array([[function.value(wrong)] for function in functions])  # 0, or -1 for a correlation of two classes
    span = 1 - least
    quantile = intervals.student(np.maximum(_rows_per_class(per_class(counts)) - 1, 1))
    ends = intervals.equivalent_wilson((values - least) / span, (mean - least) / span, variance / span**2, quantile)
    return (
        np.fmin(np.minimum(low, values), least + span * ends[0]),
        np.fmax(np.maximum(high, values), least + span * ends[1]),
    )


def _limit(functions: Sequence[CellFunction], counts: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return what ``_bootstrap`` tends to with many rows, in a fraction of its time: (4, functions, slices)."""
    spread = np.full((4, *wanted.shape), np.nan)
    for row, function in enumerate(functions):
        some = np.flatnonzero(wanted[row])
        value, variance = values[row, some], _variance(function, counts[some])
        half = intervals.Z * np.sqrt(variance)
        spread[:, row, some] = value - half, value + half, value, variance
    return spread


def _variance(function: CellFunction, counts: np.ndarray) -> np.ndarray:
    """Return the variance by the delta method: shape (slices,).

    A function of shares has the derivatives' mean square, summed.
    """
    totals = np.array([total.T for total in per_class(counts)])  # each shaped (classes, slices)
    slopes = np.empty_like(totals)
    for place in np.ndindex(totals.shape[:2]):
        step = np.zeros((*totals.shape[:2], 1))
        step[place] = STEP
        ends = (function.of_totals(Totals(*end.mT)) for end in (np.maximum(totals - step, 0), totals + step))
        slopes[place] = np.subtract(*ends) / (-2 * STEP)
    hits, support, predicted = slopes
    of_cells = predicted[:, None] + support  # a row adds to the totals of its prediction and its target
    of_cells += np.eye(len(hits))[..., None] * hits
    cells = counts.T
    return np.asarray(np.where(cells > 0, cells * of_cells[:, : cells.shape[1]] ** 2, 0.0).sum(axis=(0, 1)))


def _bootstrap(functions: Sequence[CellFunction], counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return percentiles, mean and variance of tables drawn around the smoothed counts: (4, functions, slices)."""
    spread = np.full((4, *wanted.shape), np.nan)
    slices = np.flatnonzero(wanted.any(axis=0))
    at_once = max(1, MOST_RESAMPLED_CELLS // (intervals.RESAMPLES * counts[0].size))
    for first in range(0, len(slices), at_once):
        some = slices[first : first + at_once]
        totals = per_class(_resampled(counts[some]))
        for row, function in enumerate(functions):
            here = wanted[row, some]
            if here.any():
                samples = function.of_totals(totals).reshape(len(some), -1)[here]
                spread[:, row, some[here]] = _described(samples)
    return spread


def _has_many(totals: Totals) -> np.ndarray:
    """Return which slices have MANY hits, misses and false alarms of every class, of at least two: shape (slices,)."""
    hits, support, predicted = totals
    rarest, occurring = np.minimum(hits, np.minimum(support, predicted) - hits), _occurring(totals)
    return np.asarray(((rarest >= MANY) | ~occurring).all(axis=1) & (occurring.sum(axis=1) > 1))


def _rows_per_class(totals: Totals) -> np.ndarray:
    """Return the harmonic mean of the sizes of the classes that occur, in target or predictions: shape (slices,)."""
    sizes = np.maximum(totals.support, totals.predicted)
    with np.errstate(divide="ignore"):
        return np.asarray((sizes > 0).sum(axis=1) / np.where(sizes > 0, 1 / sizes, 0).sum(axis=1))


def _occurring(totals: Totals) -> np.ndarray:
    """Return which classes are in the targets or in the predictions: shape (slices, classes)."""
    return np.asarray(totals.support + totals.predicted > 0)


def _resampled(counts: np.ndarray) -> np.ndarray:
    """Return samples of each table, from Dirichlet's distribution: shape (slices x resamples, targets, predictions).

    Gamma variates, of which only the shares count. All tables' come from the same normal ones, whose cube they nearly
    are (Wilson & Hilferty 1931, Proc. Natl. Acad. Sci. 17:684): quantiles are within 2 % of a standard deviation, in a
    third of the time. Those of less than one row are drawn as they are. As floats of 4 bytes, in half the time of 8,
    and in Fortran's order, so that numpy's inner loops run over samples and not over the few cells of a table.
    """
    shapes = _smoothed(counts).T[..., None]
    normal, rare = _variates(*shapes.shape[:2], intervals.RESAMPLES)
    roots = np.cbrt(shapes)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation, mean = roots / (3 * np.sqrt(shapes)), roots * (1 - 1 / (9 * shapes))
        samples = normal * deviation.astype(np.float32)
        samples += mean.astype(np.float32)
    np.maximum(samples, (roots * LEAST_ROOT).astype(np.float32), out=samples)
    samples *= samples * samples
    for shape, variates in rare.items():
        prediction, target, table = np.nonzero(shapes[..., 0] == shape)
        samples[prediction, target, table] = variates[prediction, target]
    return samples.reshape(*shapes.shape[:2], -1).T


def _smoothed(counts: np.ndarray) -> np.ndarray:
    """Return tables to draw around, shaped as ``counts``: what no row of a slice shows may yet happen.

    Each class that occurs in the target gets a part of a row that is right, and one that is taken for the next class.
    """
    smoothed = counts.astype(np.float64)
    patterns, which = np.unique(_occurring(per_class(counts)), axis=0, return_inverse=True)
    for number, occurring in enumerate(patterns):
        classes = np.flatnonzero(occurring)
        following, known = np.roll(classes, -1), classes < counts.shape[1]
        tables = np.flatnonzero(which.ravel() == number)[:, None]
        smoothed[tables, classes[known], classes[known]] += RIGHT
        smoothed[tables, classes[known], following[known]] += WRONG
    return smoothed


@lru_cache(maxsize=1)
def _variates(predictions: int, targets: int, resamples: int) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Return normal variates (predictions, targets, 1, resamples), and gamma variates by their shape below 1.

    Those of shape 0 are zeros; shape (predictions, targets, resamples) each.
    """
    random = np.random.default_rng(intervals.SEED)
    size = (predictions, targets, resamples)
    normal = random.standard_normal(size).astype(np.float32)[:, :, None]
    return normal, {shape: random.standard_gamma(shape, size) for shape in (0.0, WRONG, RIGHT, WRONG + RIGHT)}


def _described(samples: np.ndarray) -> np.ndarray:
    """Return percentiles, mean and variance of each row, samples that are undefined left out: shape (4, rows)."""
    known = ~np.isnan(samples)
    mean, variance = samples.mean(axis=1, where=known), samples.var(axis=1, where=known)
    return np.array([*intervals.percentile(samples), mean, variance])


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
