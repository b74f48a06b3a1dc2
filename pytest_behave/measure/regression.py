"""Metrics of regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.levels import Levels, levels_of
from pytest_behave.measure.means import Mean
from pytest_behave.measure.metric import Metric, always
from pytest_behave.measure.statistics import RowFunction
from pytest_behave.records import Estimate, MetricSpec, Outcome

SKLEARN = "scikit-learn user guide, section 3.4.6"


def _error(outcome: Outcome) -> np.ndarray:
    return np.asarray(outcome.predicted) - np.asarray(outcome.target)


def _relative_error(outcome: Outcome) -> np.ndarray:
    target = np.abs(np.asarray(outcome.target))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(target > 0, np.abs(_error(outcome)) / target, np.nan)


def _r2(outcome: Outcome, rows: np.ndarray) -> Estimate:
    n = len(rows)
    target, error = np.asarray(outcome.target)[rows], _error(outcome)[rows]
    centred = target - target.mean() if n else target
    spread = float((centred**2).mean()) if n and np.ptp(target) > 0 else 0.0
    if spread == 0:
        return Estimate(None, None, None, n, "the slice's target is constant")
    value = 1 - float((error**2).mean()) / spread
    # delta method for a ratio of means: each row's influence on SSE / SST
    influence = (error**2 - (1 - value) * centred**2) / spread
    if n < 3:  # noqa: PLR2004 - two points always lie on a line
        return Estimate(value, None, None, n, "an interval needs at least three instances")
    parts = error**2 / spread  # their mean is the ratio; of few rows, their own spread is the safer one
    variance = float(influence.var(ddof=1))
    if n <= intervals.FEW:
        variance = max(variance, float(parts.var(ddof=1)))
    reach = intervals.unseen(n) * (parts.max() + parts.min() - 2 * (1 - value))
    low, high = intervals.skewed_mean(np.array(1 - value), np.array(variance), n, np.array(reach))
    return Estimate(value, 1 - float(high), min(1 - float(low), 1.0), n, interval="delta method, t")


@dataclass(frozen=True)
class Quantile:
    """The ``q``-quantile of |output - target|, linear between order statistics, which bound it."""

    q: float

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
        statistic=always(RowFunction(_r2)),
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
