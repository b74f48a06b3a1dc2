"""Metrics of regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.levels import Levels, levels_of
from pytest_behave.measure.means import Mean
from pytest_behave.measure.metric import Metric, always
from pytest_behave.records import Estimate, MetricSpec, Outcome

SKLEARN = "scikit-learn user guide, section 3.4.6"


def _error(outcome: Outcome) -> np.ndarray:
    return np.asarray(outcome.predicted) - np.asarray(outcome.target)


def _relative_error(outcome: Outcome) -> np.ndarray:
    target = np.abs(np.asarray(outcome.target))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(target > 0, np.abs(_error(outcome)) / target, np.nan)


@dataclass(frozen=True)
class Spread:
    """Sums of each slice: of targets' distances c from their mean and of errors e, up to fourth powers.

    Columns of ``sums``: c^2, c^3, c^4, e^2, e^4, e^2 c, e^2 c^2. Columns of ``ends``: the least and the largest target,
    the least and the largest e^2.
    """

    n: np.ndarray
    mean: np.ndarray
    sums: np.ndarray
    ends: np.ndarray

    def __add__(self, other: Spread) -> Spread:
        n = self.n + other.n
        share = np.divide(other.n, n, where=n > 0, out=np.zeros(len(n)))
        mean = np.where(share == 1, other.mean, self.mean + share * np.where(share > 0, other.mean - self.mean, 0.0))
        ends = [np.fmin(self.ends, other.ends), np.fmax(self.ends, other.ends)]
        return Spread(n, mean, self._around(mean) + other._around(mean), np.where(IS_LEAST, *ends))

    def _around(self, mean: np.ndarray) -> np.ndarray:
        """Return the sums with the distances taken from another mean."""
        moved = np.where(self.n > 0, self.mean - mean, 0.0)
        c2, c3, c4, e2, e4, e2c, e2c2 = self.sums.T
        return np.column_stack(
            [
                c2 + self.n * moved**2,
                c3 + 3 * moved * c2 + self.n * moved**3,
                c4 + 4 * moved * c3 + 6 * moved**2 * c2 + self.n * moved**4,
                e2,
                e4,
                e2c + moved * e2,
                e2c2 + 2 * moved * e2c + moved**2 * e2,
            ]
        )

    def of_slices(self, places: np.ndarray) -> Spread:
        """Return the sums of some of the slices."""
        return Spread(self.n[places], self.mean[places], self.sums[places], self.ends[places])


IS_LEAST = np.array([True, False, True, False])


class Determination:
    """R squared, from sums."""

    ceiling: ClassVar[float] = 1.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return R squared of each slice."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Spread:
        """Return the sums of each slice."""
        target, squares = np.asarray(outcome.target), _error(outcome) ** 2
        n, mean = np.zeros(len(masks), dtype=np.int64), np.zeros(len(masks))
        sums, ends = np.zeros((len(masks), 7)), np.full((len(masks), 4), np.nan)
        for index in range(len(masks)):
            rows = masks.rows(index)
            if len(rows) == 0:
                continue
            some, e2 = target[rows], squares[rows]
            n[index], mean[index] = len(rows), some.mean()
            c = some - mean[index]
            c2 = c * c
            sums[index] = c2.sum(), (c2 * c).sum(), (c2 * c2).sum(), e2.sum(), (e2 * e2).sum(), e2 @ c, e2 @ c2
            ends[index] = some.min(), some.max(), e2.min(), e2.max()
        return Spread(n, mean, sums, ends)

    def figures(self, state: Spread) -> np.ndarray:
        """Return R squared of each slice alone."""
        return np.array([np.nan if one.value is None else one.value for one in self.finish(state)])

    def finish(self, state: Spread) -> list[Estimate]:
        """Return R squared of each slice."""
        return [_r2(*one) for one in zip(state.n.tolist(), state.sums.tolist(), state.ends.tolist(), strict=True)]


def _r2(n: int, sums: list[float], ends: list[float]) -> Estimate:
    c2, _, c4, e2, e4, _, e2c2 = sums
    lowest, highest, least, largest = ends
    if n == 0 or lowest == highest or c2 == 0:
        return Estimate(None, None, None, n, "the slice's target is constant")
    ratio, spread = e2 / c2, c2 / n
    if n < 3:  # noqa: PLR2004 - two points always lie on a line
        return Estimate(1 - ratio, None, None, n, "an interval needs at least three instances")
    # delta method for a ratio of means: each row's influence on SSE / SST is (e^2 - ratio c^2) / spread, 0 on average
    variance = max(e4 - 2 * ratio * e2c2 + ratio**2 * c4, 0.0) / spread**2 / (n - 1)
    if n <= intervals.FEW:  # e^2 / spread has the ratio as its mean; of few rows, its own spread is the safer one
        variance = max(variance, (e4 - e2**2 / n) / spread**2 / (n - 1))
    reach = intervals.unseen(n) * ((largest + least) / spread - 2 * ratio)
    low, high = intervals.skewed_mean(np.array(ratio), np.array(variance), n, np.array(reach))
    return Estimate(1 - ratio, 1 - float(high), min(1 - float(low), 1.0), n, interval="delta method, t")


@dataclass(frozen=True)
class Quantile:
    """The ``q``-quantile of |output - target|, linear between order statistics, which bound it."""

    q: float
    floor: ClassVar[float] = 0.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the quantile of each slice, exactly."""
        errors = np.abs(_error(outcome))
        return [self._estimate(np.sort(errors[rows])) for rows in map(masks.rows, range(len(masks)))]

    def state(self, outcome: Outcome, masks: Masks) -> Levels:
        """Return how often each error occurs."""
        return levels_of(np.abs(_error(outcome)), None, masks)

    def figures(self, state: Levels) -> np.ndarray:
        """Return the quantile of each slice."""
        return np.array([np.nan if one.value is None else one.value for one in self.finish(state)])

    def finish(self, state: Levels) -> list[Estimate]:
        """Return the quantile of each slice; of errors in bins, the middle of its bin."""
        lower, upper = state.bounds()
        return [self._of_counts(counts[:, 0], lower, upper, exact=state.exact) for counts in state.counts]

    def _estimate(self, errors: np.ndarray) -> Estimate:
        n = len(errors)
        if n == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")
        low, high = intervals.quantile_ranks(n, self.q)
        value = float(np.quantile(errors, self.q))
        if low < 0 or high >= n:
            return Estimate(value, None, None, n, "the slice is too small to bound this quantile")
        return Estimate(value, float(errors[low]), float(errors[high]), n, interval="order statistics")

    def _of_counts(self, counts: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, exact: bool) -> Estimate:
        ends = np.cumsum(counts)
        n = int(ends[-1]) if len(ends) else 0
        if n == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")

        def place(rank: int) -> int:
            return int(np.searchsorted(ends, rank, side="right"))

        below, part = divmod(self.q * (n - 1), 1)
        places = place(int(below)), place(min(int(below) + 1, n - 1))
        value = float(np.quantile([(lower[at] + upper[at]) / 2 for at in places], part))
        low, high = intervals.quantile_ranks(n, self.q)
        if low < 0 or high >= n:
            return Estimate(value, None, None, n, "the slice is too small to bound this quantile")
        widest = max(float(upper[at] - lower[at]) for at in places) / 2
        note = "" if exact else f"; errors in bins, off by at most {widest:.1e}"
        ends_of = float(lower[place(low)]), float(upper[place(high)])
        return Estimate(value, *ends_of, n, interval="order statistics" + note)


def _quantile(spec: MetricSpec) -> Quantile:
    return Quantile(float(spec.parameters.get("q", 0.5 if spec.metric == "median_ae" else 0.9)))


METRICS = (
    Metric(
        name="mae",
        better="lower",
        tasks=("regression",),
        statistic=always(Mean(lambda o: np.abs(_error(o)), floor=0.0)),
        definition="mean of |output - target|",
        undefined="never (a slice is not empty)",
        source=SKLEARN,
    ),
    Metric(
        name="mse",
        better="lower",
        tasks=("regression",),
        statistic=always(Mean(lambda o: _error(o) ** 2, floor=0.0)),
        definition="mean of (output - target)^2",
        undefined="never (a slice is not empty)",
        source=SKLEARN,
    ),
    Metric(
        name="rmse",
        better="lower",
        tasks=("regression",),
        statistic=always(Mean(lambda o: _error(o) ** 2, root=True, floor=0.0)),
        definition="square root of mse; its interval is that of mse, rooted",
        undefined="never (a slice is not empty)",
        source=SKLEARN,
    ),
    Metric(
        name="bias",
        better="lower",
        tasks=("regression",),
        statistic=always(Mean(_error)),
        definition="mean of output - target; bound it on both sides, `lower` only says that too high is the worse error",
        undefined="never (a slice is not empty)",
        source="Walther & Moore 2005, Ecography 28:815",
    ),
    Metric(
        name="mape",
        better="lower",
        tasks=("regression",),
        statistic=always(Mean(_relative_error, "no instance whose target is not zero", floor=0.0)),
        definition="mean of |output - target| / |target| over targets that are not zero",
        undefined="every target of the slice is zero",
        source=SKLEARN,
    ),
    Metric(
        name="r2",
        better="higher",
        tasks=("regression",),
        statistic=always(Determination()),
        definition="1 - sum of squared errors / sum of squares around the slice's own mean target",
        undefined="the slice's target is constant",
        source=SKLEARN,
    ),
    Metric(
        name="median_ae",
        better="lower",
        tasks=("regression",),
        statistic=_quantile,
        definition="median of |output - target|",
        undefined="never (a slice is not empty)",
        source=SKLEARN + "; interval: Conover 1999, Practical Nonparametric Statistics, 3.2",
    ),
    Metric(
        name="absolute_error_quantile",
        parameters=("q",),
        better="lower",
        tasks=("regression",),
        statistic=_quantile,
        definition="q-quantile (default 0.9) of |output - target|, linear between order statistics",
        undefined="never (a slice is not empty)",
        source="Conover 1999, Practical Nonparametric Statistics, 3.2",
    ),
)
