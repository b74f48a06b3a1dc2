"""All built-in metrics by name, and measuring many of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pytest_behave.errors import BehaveError, MetricError, did_you_mean
from pytest_behave.guard import any_place, guarded
from pytest_behave.measure import classification, general, regression, text
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.means import Mean, moments
from pytest_behave.measure.metric import Metric
from pytest_behave.measure.ranking import Ranked, estimates_together, figures_together
from pytest_behave.measure.states import Cells, State
from pytest_behave.measure.statistics import (
    CellFunction,
    Counted,
    Mergeable,
    Proportion,
    Statistic,
    finish_together,
)
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

RankTogether = Callable[[Iterable[str], Outcome, Masks], Mapping[str, Any]]


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

    def counted(statistic: Any) -> Any:
        together = isinstance(statistic, CellFunction)
        return statistic.state(outcome, masks) if together else statistic.estimates(outcome, masks)

    with np.errstate(all="ignore"):  # infinite values become None below; a warning would not say where
        return _finished(_computed(chosen, outcome, masks, counted, ranked=estimates_together))


def measure_figures(chosen: Sequence[Chosen], outcome: Outcome, masks: Masks) -> dict[str, np.ndarray | BehaveError]:
    """Return the same without intervals: one number per slice, NaN where it is undefined."""

    def plain(statistic: Any) -> Any:
        mergeable = isinstance(statistic, Mergeable)
        return statistic.state(outcome, masks) if mergeable else statistic.estimates(outcome, masks)

    results: dict[str, np.ndarray | BehaveError] = {}
    with np.errstate(all="ignore"):
        computed = _computed(chosen, outcome, masks, plain, ranked=figures_together, extremes=False)
        for name, (statistic, found) in computed.items():
            if isinstance(found, (BehaveError, np.ndarray)):
                results[name] = found
            elif isinstance(found, list):
                results[name] = np.array([np.nan if one.value is None else one.value for one in found])
            else:
                results[name] = statistic.figures(found)
    return results


def measure_states(chosen: Sequence[Chosen], outcome: Outcome, masks: Masks) -> dict[str, State | BehaveError]:
    """Return, per metric name, what is to be kept of a partition of the rows; states of partitions add up.

    A metric that needs all rows at once, as one's own does, gives the error that says so.
    """

    def state(statistic: Any) -> Any:
        if not isinstance(statistic, Mergeable):
            raise MetricError("the metric needs all rows at once: it cannot be measured in partitions")
        return statistic.state(outcome, masks)

    with np.errstate(all="ignore"):
        return {name: found for name, (_, found) in _computed(chosen, outcome, masks, state).items()}


def finish_states(
    chosen: Sequence[Chosen], states: Mapping[str, State | BehaveError]
) -> dict[str, list[Estimate] | BehaveError]:
    """Return, per metric name, one Estimate per slice from the sum of the states of all partitions."""
    with np.errstate(all="ignore"):
        return _finished(
            {item.spec.name: (item.metric.statistic(item.spec), states[item.spec.name]) for item in chosen}
        )


def _finished(computed: Mapping[str, tuple[Any, Any]]) -> dict[str, list[Estimate] | BehaveError]:
    """Return Estimates from states, errors and Estimates as they are; functions of the same counts share their draws."""
    results: dict[str, Any] = {}
    for names in _alike({name: state for name, (_, state) in computed.items() if isinstance(state, Cells)}):
        functions, state = [computed[name][0] for name in names], computed[names[0]][1]
        results |= zip(names, finish_together(functions, state), strict=True)
    for name, (statistic, found) in computed.items():
        if name not in results:
            results[name] = found if isinstance(found, (BehaveError, list)) else statistic.finish(found)
    return {
        name: found if isinstance(found, BehaveError) else [_finite(estimate) for estimate in found]
        for name, found in ((name, results[name]) for name in computed)
    }


def _alike(states: Mapping[str, Cells]) -> list[list[str]]:
    """Return the names of states in groups of equal counts."""
    groups: list[list[str]] = []
    for name, state in states.items():
        equal = (names for names in groups if np.array_equal(states[names[0]].counts, state.counts))
        group = next(equal, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return groups


def _computed(  # noqa: PLR0913 - what is measured, and how
    chosen: Sequence[Chosen],
    outcome: Outcome,
    masks: Masks,
    other: Callable[[Any], Any],
    *,
    ranked: RankTogether | None = None,
    extremes: bool = True,
) -> dict[str, tuple[Any, Any]]:
    """Return each metric's statistic and its state, what ``other`` makes of one that is no count or mean, or an error.

    ``ranked`` measures all metrics of ranks together.
    """
    run = _Pass(chosen, outcome, masks)
    run.count()
    if ranked is not None:
        run.rank(ranked)
    run.others(other)
    run.means(extremes=extremes)  # last: values of all rows take most of the memory
    return {item.spec.name: run.results[item.spec.name] for item in chosen}


class _Pass:
    """One pass of many metrics over the same rows; one that fails leaves the others."""

    def __init__(self, chosen: Sequence[Chosen], outcome: Outcome, masks: Masks) -> None:
        self.outcome, self.masks = outcome, masks
        self.results: dict[str, tuple[Any, Any]] = {}
        self.left: dict[str, Any] = {}
        for item in chosen:
            found = self._attempt(item.spec.name, partial(_statistic, item, outcome))
            if found is not None:
                self.left[item.spec.name] = found

    def _attempt(self, name: str, work: Callable[[], Any]) -> Any:
        try:
            with guarded(MetricError, f"metric {name!r} raised", any_place):  # it may be a plugin's
                return work()
        except BehaveError as error:
            self.results[name] = None, error
            return None

    def count(self) -> None:
        """Count the rows of all metrics that are counts."""
        counted = self._taken(lambda statistic: isinstance(statistic, Counted))
        planes = {name: self._attempt(name, partial(self._planes, one)) for name, one in counted.items()}
        known = {name: some for name, some in planes.items() if some is not None}
        self.masks.count([plane for some in known.values() for plane in some])  # the cells are counted once for all
        for name, some in known.items():
            self.results[name] = counted[name], counted[name].state_of(self.outcome, self.masks.count(some))

    def _planes(self, statistic: Counted) -> list[Bits]:
        return [packed(plane) for plane in statistic.counted(self.outcome)]

    def rank(self, ranked: RankTogether) -> None:
        """Measure all metrics of ranks: each slice is put in order once."""
        metrics = self._taken(lambda statistic: isinstance(statistic, Ranked))
        if metrics:
            found = ranked(dict.fromkeys(one.name for one in metrics.values()), self.outcome, self.masks)
            self.results |= {name: (one, found[one.name]) for name, one in metrics.items()}

    def means(self, *, extremes: bool) -> None:
        """Sum the values of all metrics that are means."""
        means = self._taken(lambda statistic: isinstance(statistic, Mean))
        parts = {name: self._attempt(name, partial(one.centred, self.outcome)) for name, one in means.items()}
        known = {name: part for name, part in parts.items() if part is not None}
        states = moments([means[name] for name in known], list(known.values()), self.masks, extremes=extremes)
        self.results |= {name: (means[name], state) for name, state in zip(known, states, strict=True)}

    def others(self, other: Callable[[Any], Any]) -> None:
        """Compute the metrics that are neither."""
        for name, one in self._taken(lambda statistic: not isinstance(statistic, Mean)).items():
            found = self._attempt(name, partial(other, one))
            if found is not None:
                self.results[name] = one, found

    def _taken(self, kind: Callable[[Any], bool]) -> dict[str, Any]:
        taken = {name: one for name, one in self.left.items() if kind(one)}
        self.left = {name: one for name, one in self.left.items() if name not in taken}
        return taken


def _statistic(item: Chosen, outcome: Outcome) -> Statistic:
    item.metric.check(outcome)
    return item.metric.statistic(item.spec)


def _finite(estimate: Estimate) -> Estimate:
    """Return the estimate with infinite figures as None: a record holds only numbers that JSON knows."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is not None and not math.isfinite(value):
        return Estimate(None, None, None, estimate.n, "the value is infinite", is_broken=True)
    if (low is not None and not math.isfinite(low)) or (high is not None and not math.isfinite(high)):
        return Estimate(value, None, None, estimate.n, "the interval is infinite")
    return estimate


def worst_rows(item: Chosen, outcome: Outcome, mask: np.ndarray, most: int) -> np.ndarray:
    """Return the rows of a slice that count most against a metric, worst first."""
    return rows_by_badness(item, outcome, mask)[0][:most]


def rows_by_badness(item: Chosen, outcome: Outcome, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that count against a metric, worst first, and how bad each is."""
    statistic: Statistic = item.metric.statistic(item.spec)
    if isinstance(statistic, Mean):
        values = np.where(mask, statistic.values(outcome), np.nan)
        rows = np.flatnonzero(~np.isnan(values))
        badness = np.abs(values[rows]) if item.metric.name == "bias" else values[rows]
        return _worst_first(rows, -badness if item.better == "higher" else badness)
    if isinstance(statistic, Proportion):
        hits, relevant = statistic.planes(outcome)
        rows = np.flatnonzero(mask & relevant & (~hits if item.better == "higher" else hits))
    elif outcome.task in ("binary", "multiclass"):
        rows = np.flatnonzero(mask & (np.asarray(outcome.target) != np.asarray(outcome.predicted)))
    else:
        rows = np.flatnonzero(mask)[:0]
    # wrong rows by how sure the model was
    sure = np.zeros(len(rows)) if outcome.score is None else np.abs(outcome.score[rows] - outcome.threshold)
    return _worst_first(rows, sure)


def _worst_first(rows: np.ndarray, badness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-badness, kind="stable")
    return rows[order], badness[order]
