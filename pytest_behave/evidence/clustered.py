"""Intervals where rows are not independent: groups of rows count, not rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_behave.compare.influence import error_of, members_of, of_pairs, resampled
from pytest_behave.compare.tails import SEED, Z, t_quantile
from pytest_behave.errors import BehaveError
from pytest_behave.measure.intervals import wilson
from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen
from pytest_behave.records import Estimate, Outcome, Slice
from pytest_behave.records.pairs import PairedRows, Pairs

RESAMPLES = 200
FEWEST_CLUSTERS = 2


def clustered(
    chosen: Chosen, outcome: Outcome, clusters: np.ndarray, slices: Sequence[Slice], estimates: Sequence[Estimate]
) -> list[Estimate]:
    """Return the estimates of one metric with intervals that know of clusters; those of exact counts as they are."""
    try:
        pairs = paired(chosen, outcome, outcome)
    except BehaveError:
        pairs = None
    if pairs is None:
        return list(estimates)
    return [
        _clustered(pairs, np.flatnonzero(slice_.mask), clusters, estimate)
        for slice_, estimate in zip(slices, estimates, strict=True)
    ]


def _clustered(pairs: Pairs, rows: np.ndarray, clusters: np.ndarray, estimate: Estimate) -> Estimate:
    if estimate.value is None:
        return estimate
    count = len(np.unique(clusters[rows]))
    if count < FEWEST_CLUSTERS:
        reason = "an interval needs at least two clusters"
        return replace(estimate, low=None, high=None, interval="", reason=reason)
    if isinstance(pairs, PairedRows):
        return _bootstrapped(pairs, rows, clusters, estimate)
    error, freedom = error_of(of_pairs(pairs).on(rows).candidate_rows, clusters[rows], 0)
    if estimate.is_mean:
        half = float(t_quantile(freedom)) * error
        return replace(estimate, low=estimate.value - half, high=estimate.value + half, interval="t by cluster")
    if 0 <= estimate.value <= 1 and (estimate.low or 0.0) >= 0:
        low, high = effective_wilson(estimate.value, error, freedom, count)
        return replace(estimate, low=low, high=high, interval="wilson, effective size")
    half = float(t_quantile(freedom)) * error
    low, high = max(estimate.value - half, -1.0), min(estimate.value + half, 1.0)
    return replace(estimate, low=low, high=high, interval="delta method by cluster")


def effective_wilson(value: float, error: float, freedom: int, count: int) -> tuple[float, float]:
    """Wilson's interval of as many independent rows as have this error (Korn & Graubard 1998, Surv. Methodol. 24:193).

    With the quantile of Student's distribution in place of the normal one; where all rows agree, of as many as clusters.
    """
    size = value * (1 - value) / error**2 if error > 0 else float(count)
    size *= (Z / float(t_quantile(freedom))) ** 2
    low, high = wilson(value * size, size)
    return float(low), float(high)


def _bootstrapped(pairs: PairedRows, rows: np.ndarray, clusters: np.ndarray, estimate: Estimate) -> Estimate:
    members, random = members_of(clusters[rows]), np.random.default_rng(SEED)
    drawn = [pairs.on(resampled(rows, members, random))[1] for _ in range(RESAMPLES)]
    samples = np.array([value for value in drawn if np.isfinite(value)])
    if len(samples) < RESAMPLES / 2:
        return replace(estimate, low=None, high=None, interval="", reason="most resamples leave the metric undefined")
    low, high = np.percentile(samples, [2.5, 97.5])
    return replace(estimate, low=float(low), high=float(high), interval="bootstrap of clusters")
