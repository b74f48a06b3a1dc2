"""All built-in metrics by name, and measuring many of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pytest_behave.errors import BehaveError, MetricError, did_you_mean
from pytest_behave.measure import classification, general, regression, text
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.means import Centred, Mean, moments
from pytest_behave.measure.metric import Metric
from pytest_behave.measure.ranking import Ranked
from pytest_behave.measure.statistics import Counted, Mergeable, Proportion, Statistic
from pytest_behave.records import Better, Estimate, MetricSpec, Outcome, Task
from pytest_behave.records.bits import Bits, packed

BUILT_IN: tuple[Metric, ...] = (
    *classification.METRICS,
    *regression.METRICS,
    *text.METRICS,
    *general.METRICS,
)
# these take a parameter that names a column, predicate or function, so they cannot stand in `metrics:` by name alone
NEED_A_DEFINITION = frozenset({"mean", "rate", "python"})


class Chosen(NamedTuple):
    """A declared metric with its implementation."""

    spec: MetricSpec
    metric: Metric

    @property
    def better(self) -> Better:
        """The direction that the suite, or else the metric, says is better."""
        return self.spec.better or self.metric.better


def find_metric(spec: MetricSpec, task: Task | None, more: Mapping[str, Metric]) -> Chosen:
    """Return the implementation of a declared metric for a task; raises MetricError if there is none."""
    kind, of, label = spec.metric.partition(" of ")
    if of and kind in ("recall", "precision"):
        metric: Metric | None = classification.of_a_class(kind, label)
    elif spec.metric in more:
        metric = more[spec.metric]
    else:
        metric = next((metric for metric in BUILT_IN if metric.name == spec.metric), None)
    if metric is None:
        known = [metric.name for metric in BUILT_IN]
        raise MetricError(f"unknown metric {spec.metric!r}{did_you_mean(spec.metric, [*known, *more])}")
    if metric.tasks and task not in metric.tasks:
        needed = " and ".join(metric.tasks)
        found = f"the task is {task}" if task else "there is no target"
        raise MetricError(f"metric {spec.name!r} is for {needed} tasks, but {found}")
    idle = sorted(set(spec.parameters) - set(metric.parameters))
    if idle:
        raise MetricError(f"metric {spec.name!r}: {idle[0]!r} does nothing for {metric.name}: remove it")
    return Chosen(spec, metric)


def measure(chosen: Sequence[Chosen], outcome: Outcome, masks: Masks) -> dict[str, list[Estimate] | BehaveError]:
    """Return, per metric name, one Estimate per slice, or the error that kept the metric from being computed.

    All rows are counted together, and all values summed together: each slice's mask is read once.
    """
    results: dict[str, list[Estimate] | BehaveError] = {}
    with np.errstate(all="ignore"):  # infinite values become None below; a warning would not say where
        for name, (statistic, found) in _computed(chosen, outcome, masks).items():
            if isinstance(found, BehaveError):
                results[name] = found
            else:
                estimates = found if isinstance(found, list) else statistic.finish(found)
                results[name] = [_finite(estimate) for estimate in estimates]
    return results


def measure_figures(chosen: Sequence[Chosen], outcome: Outcome, masks: Masks) -> dict[str, np.ndarray | BehaveError]:
    """Return the same without intervals: one number per slice, NaN where it is undefined."""
    results: dict[str, np.ndarray | BehaveError] = {}
    with np.errstate(all="ignore"):
        for name, (statistic, found) in _computed(chosen, outcome, masks, figures=True).items():
            if isinstance(found, (BehaveError, np.ndarray)):
                results[name] = found
            elif isinstance(found, list):
                results[name] = np.array([np.nan if one.value is None else one.value for one in found])
            else:
                results[name] = statistic.figures(found)
    return results


def _computed(
    chosen: Sequence[Chosen], outcome: Outcome, masks: Masks, *, figures: bool = False
) -> dict[str, tuple[Any, Any]]:
    """Return each metric's statistic and its state, its Estimates where it has none, or an error."""
    results: dict[str, tuple[Any, Any]] = {}
    counted: dict[str, tuple[Counted, list[Bits]]] = {}
    means: dict[str, tuple[Mean, Centred]] = {}
    for item in chosen:
        statistic = None
        try:
            item.metric.check(outcome)
            statistic = item.metric.statistic(item.spec)
            if isinstance(statistic, Counted):
                counted[item.spec.name] = statistic, [packed(plane) for plane in statistic.counted(outcome)]
            elif isinstance(statistic, Mean):
                means[item.spec.name] = statistic, statistic.centred(outcome)
            elif isinstance(statistic, Ranked):
                exactly = statistic.exact_figures if figures else statistic.estimates
                results[item.spec.name] = statistic, exactly(outcome, masks)
            elif isinstance(statistic, Mergeable):
                results[item.spec.name] = statistic, statistic.state(outcome, masks)
            else:
                results[item.spec.name] = statistic, statistic.estimates(outcome, masks)
        except BehaveError as error:
            results[item.spec.name] = statistic, error
    masks.count([plane for _, planes in counted.values() for plane in planes])  # its cells are counted once for all
    for name, (statistic, planes) in counted.items():
        results[name] = statistic, statistic.state_of(outcome, masks.count(planes))
    found = moments(
        [mean for mean, _ in means.values()], [part for _, part in means.values()], masks, extremes=not figures
    )
    results |= {name: (statistic, state) for (name, (statistic, _)), state in zip(means.items(), found, strict=True)}
    return {item.spec.name: results[item.spec.name] for item in chosen}


def _finite(estimate: Estimate) -> Estimate:
    """Return the estimate with infinite figures as None: a record holds only numbers that JSON knows."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is not None and not math.isfinite(value):
        return Estimate(None, None, None, estimate.n, "the value is infinite")
    if (low is not None and not math.isfinite(low)) or (high is not None and not math.isfinite(high)):
        return Estimate(value, None, None, estimate.n, "the interval is infinite")
    return estimate


def worst_rows(item: Chosen, outcome: Outcome, mask: np.ndarray, most: int) -> np.ndarray:
    """Return the rows of a slice that count most against a metric, worst first."""
    statistic: Statistic = item.metric.statistic(item.spec)
    if isinstance(statistic, Proportion):
        hits, relevant = statistic.planes(outcome)
        rows = np.flatnonzero(mask & relevant & (~hits if item.better == "higher" else hits))
    elif isinstance(statistic, Mean):
        values = np.where(mask, statistic.values(outcome), np.nan)
        rows = np.flatnonzero(~np.isnan(values))
        badness = np.abs(values[rows]) if item.metric.name == "bias" else values[rows]
        return rows[np.argsort(badness if item.better == "higher" else -badness, kind="stable")][:most]
    elif outcome.task in ("binary", "multiclass"):
        rows = np.flatnonzero(mask & (np.asarray(outcome.target) != np.asarray(outcome.predicted)))
    else:
        return np.flatnonzero(mask)[:0]
    return _most_confident(outcome, rows)[:most]


def _most_confident(outcome: Outcome, rows: np.ndarray) -> np.ndarray:
    """Order wrong rows by how sure the model was."""
    if outcome.score is None:
        return rows
    return rows[np.argsort(-np.abs(outcome.score[rows] - outcome.threshold), kind="stable")]
