"""Metrics of regression."""

from __future__ import annotations

import numpy as np

from pytest_behave.measure import intervals
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


def _quantile(spec: MetricSpec) -> RowFunction:
    q = float(spec.parameters.get("q", 0.5 if spec.metric == "median_ae" else 0.9))

    def estimate(outcome: Outcome, rows: np.ndarray) -> Estimate:
        n = len(rows)
        if n == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")
        errors = np.sort(np.abs(_error(outcome)[rows]))
        value = float(np.quantile(errors, q))
        low, high = intervals.quantile_ranks(n, q)
        if low < 0 or high >= n:
            return Estimate(value, None, None, n, "the slice is too small to bound this quantile")
        return Estimate(value, float(errors[low]), float(errors[high]), n, interval="order statistics")

    return RowFunction(estimate)


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
