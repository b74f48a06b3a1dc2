"""Suites declared in Python: slices by name, metrics as attributes, values that know their evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_behave.declare.load import suite_of_data
from pytest_behave.decorators import ATTRIBUTE, Mark
from pytest_behave.errors import BaselineError, BehaveError, MetricError, did_you_mean
from pytest_behave.evaluate.run import empty_run
from pytest_behave.evidence.baseline import predictions_to_store
from pytest_behave.evidence.rows import RowEvidence
from pytest_behave.evidence.whole import WholeRun, find_baseline, predictor_of
from pytest_behave.judge.comparisons import Comparisons
from pytest_behave.judge.judgement import behavior_of
from pytest_behave.measure.registry import Chosen, find_metric
from pytest_behave.outputs.predictions import predictions_bytes
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.items import Item
from pytest_behave.prepare.metrics import known_metric_names
from pytest_behave.prepare.preparation import Prepared, prepare
from pytest_behave.prepare.repeats import with_repeats
from pytest_behave.records import (
    Behavior,
    Bounds,
    Change,
    Estimate,
    Instance,
    MetricSpec,
    ModelSpec,
    Slice,
    SuiteRun,
    Tolerance,
    Verdict,
)
from pytest_behave.report.lines import figure, instance_section

if TYPE_CHECKING:
    import pandas as pd

    from pytest_behave.predict.cache import Cache

Model = Callable[..., Any] | Mapping[str, Any] | str
Metrics = Sequence[str | Mapping[str, Any] | Callable[..., Any]]


class Regression(float):
    """How much worse than the baseline a metric is: a float, below 0 where it is better, with its evidence.

    ``low`` and ``high`` are the ends of its 95 % interval, so ``regression().low <= 0.01`` fails only what is proven.
    """

    change: Change
    low: float | None
    high: float | None
    name: str

    @classmethod
    def of(cls, name: str, change: Change, worse: int) -> Regression:
        """Return the loss of a change; NaN where it cannot be measured."""
        loss = cls(np.nan if change.change is None else worse * change.change + 0.0)  # no -0.0
        ends = [None if end is None else worse * end for end in (change.low, change.high)]
        loss.low, loss.high = ends if worse > 0 else ends[::-1]
        loss.name, loss.change = name, change
        return loss

    def explain(self) -> list[str]:
        """Return what a failed assertion shows: both values, the interval, the instances that broke."""
        change = self.change
        if change.value is None or change.change is None:
            return [f"the regression of {self.name} is unknown: {change.reason}"]
        span = "" if self.low is None else f", 95% [{figure(self.low)}, {figure(self.high)}]"
        moved = f"{figure(change.value)} → {figure(change.value + change.change)}"
        paired = "" if change.paired else f" (unpaired: {change.reason})"
        lines = [f"the regression of {self.name} is {figure(float(self))} ({moved}{span}){paired}"]
        if change.broken is not None and change.fixed is not None:
            shown = ", ".join(change.broken_ids[:5])
            lines.append(f"{change.broken} broken, {change.fixed} fixed" + (f"; broken: {shown}" if shown else ""))
        return lines


class MetricValue(float):
    """A metric on a slice: a float (NaN where undefined, so that no comparison holds) with its evidence."""

    _view: SuiteView
    _slice: Slice

    slice: str
    metric: str
    size: int
    n: int
    low: float | None
    high: float | None
    reason: str
    instances: tuple[Instance, ...]

    @classmethod
    def of(
        cls, slice_: str, metric: str, size: int, estimate: Estimate, instances: tuple[Instance, ...]
    ) -> MetricValue:
        """Return the value of an estimate."""
        value = cls(np.nan if estimate.value is None else estimate.value)
        value.slice, value.metric, value.size, value.n = slice_, metric, size, estimate.n
        value.low, value.high, value.reason = estimate.low, estimate.high, estimate.reason
        value.instances = instances
        return value

    def regression(self) -> Regression:
        """Return how much worse than the baseline it is; raises BaselineError if there is none to compare with."""
        __tracebackhide__ = True
        return self._view.regression(self._slice, self.metric)

    def explain(self) -> list[str]:
        """Return what a failed assertion shows: the slice, its size, the interval, the worst instances."""
        span = f", 95% [{figure(self.low)}, {figure(self.high)}]" if self.low is not None else ""
        if np.isnan(self):
            return [f"{self.metric} of {self.slice!r} is undefined: {self.reason}"]
        head = f"{self.metric} of {self.slice!r} is {figure(float(self))} ({self.size} rows, n {self.n}{span})"
        return [head, *instance_section(self.instances[:3]).splitlines()]

    def __repr__(self) -> str:
        return float.__repr__(self)


class SliceView:
    """One slice of a suite: every metric is an attribute, or an item where its name is no Python name."""

    def __init__(self, view: SuiteView, slice_: Slice) -> None:
        self._view = view
        self._slice = slice_

    @property
    def size(self) -> int:
        """Number of instances."""
        return self._slice.size

    @property
    def ids(self) -> list[str]:
        """The instances' ids."""
        return list(self._view.ids[self._slice.mask])

    def __getitem__(self, metric: str) -> MetricValue:
        return self._view.measure(self._slice, metric)

    def __getattr__(self, metric: str) -> MetricValue:
        if metric.startswith("_"):
            raise AttributeError(metric)
        try:
            return self[metric]
        except MetricError as error:
            raise AttributeError(str(error)) from None

    def __repr__(self) -> str:
        return f"<slice {self._slice.name!r}, {self.size} rows>"


class SuiteView:
    """A suite with its model's outputs; ``suite["slice"].metric`` measures."""

    def __init__(
        self, prepared: Prepared, *, ref: str | None = None, accepts: bool = False, cache: Cache | None = None
    ) -> None:
        self._prepared = with_repeats(prepared, prepared.models[-1].repeats)
        self._ref, self._accepts = ref, accepts
        self._kept = cache
        self._model = prepared.models[-1]
        self._predictor = predictor_of(self._prepared, self._model, cache=cache)
        self._run = WholeRun.of(self._prepared, self._model, self._predictor)
        self._regressions: dict[tuple[str, str], Behavior] = {}
        self._slices = {slice_.name: slice_ for slice_ in self._run.evidence.slices}
        self._cache: dict[tuple[str, str], MetricValue] = {}
        problems = [f"slice {item.name!r}: {item.problem}" for item in self._run.evidence.slices if item.problem]
        if problems:
            raise BehaveError("; ".join(problems))

    def __repr__(self) -> str:
        return f"<suite {self._prepared.suite.name!r}, {len(self.ids)} rows, {len(self._slices)} slices>"

    @property
    def slices(self) -> list[str]:
        """The names of all slices, `overall` first, members of families among them."""
        return list(self._slices)

    @property
    def ids(self) -> np.ndarray:
        """The ids of all instances."""
        return self._run.evidence.rows.instances

    @property
    def overall(self) -> SliceView:
        """All instances."""
        return self["overall"]

    def __getitem__(self, name: str) -> SliceView:
        if name not in self._slices:
            raise KeyError(f"there is no slice {name!r}{did_you_mean(name, self._slices)}")
        return SliceView(self, self._slices[name])

    def family(self, name: str) -> dict[str, SliceView]:
        """Return the members of a family by name."""
        members = {item.name: self[item.name] for item in self._slices.values() if item.family == name}
        if not members:
            raise KeyError(
                f"there is no family {name!r}{did_you_mean(name, {str(s.family) for s in self._slices.values()})}"
            )
        return members

    def measure(self, slice_: Slice, metric: str) -> MetricValue:
        """Return a declared or built-in metric on a slice; raises MetricError if there is none such."""
        key = (slice_.name, metric)
        if key not in self._cache:
            chosen = self._chosen(metric)
            evidence = self._run.evidence
            estimate = evidence.estimate(chosen, slice_)
            worst = evidence.worst(chosen, slice_)
            shown = evidence.shown(worst, ()).worst
            instances = tuple(shown[place] for place in worst)
            value = MetricValue.of(slice_.name, metric, slice_.size, estimate, instances)
            value._view, value._slice = self, slice_  # noqa: SLF001 - it is made here only
            self._cache[key] = value
        return self._cache[key]

    @cached_property
    def _beside(self) -> RowEvidence:
        """The same rows beside the baseline, which is looked for when the first regression is asked for."""
        return self._run.evidence.beside(find_baseline(self._prepared, self._ref, cache=self._kept))

    def regression(self, slice_: Slice, metric: str) -> Regression:
        """Return how much worse than the baseline a metric is on a slice.

        While baselines are being accepted (``--behave-baseline=new`` or ``accept``) it is 0, but against another model.
        """
        prepared, name = self._prepared, f"{metric} of {slice_.name!r}"
        chosen = self._chosen(metric)
        worse = 1 if chosen.better == "lower" else -1
        estimate = self._run.evidence.estimate(chosen, slice_)
        against = self._beside.against
        item = Item(slice_.name, metric, Bounds(max_regression=Tolerance(0.0)))
        verdict = Verdict("holds")
        behavior = behavior_of(item, chosen.better, slice_.size, estimate, verdict, slice_.family)
        found = None
        if against is not None:
            key = (slice_.name, metric)
            comparisons = Comparisons(prepared, self._beside, against, {key: estimate}, [item], [chosen])
            found = comparisons.found.get(key)
            behavior = replace(behavior, baseline=None if found is None else found.change)
        self._regressions[slice_.name, metric] = behavior
        if self._accepts and prepared.baseline is None:
            return Regression.of(
                name, Change(estimate.value, change=0.0, low=0.0, high=0.0, reason="being accepted"), worse
            )
        stored = None if against is None else against.stored
        if against is None or (stored is not None and (slice_.name, metric) not in stored.entries):
            raise BaselineError(
                f"there is no baseline for {name} of {prepared.suite.name}: accept it with "
                "`pytest --behave --behave-baseline=new`"
            )
        if found is None:
            return Regression.of(name, Change(None, reason="a value is missing on one side"), worse)
        return Regression.of(name, found.change, worse)

    def _chosen(self, metric: str) -> Chosen:
        prepared = self._prepared
        declared = {item.spec.name: item for item in prepared.chosen}
        return declared.get(metric) or find_metric(
            MetricSpec(metric, metric), prepared.task, prepared.extensions.metrics
        )

    def run_to_accept(self) -> tuple[SuiteRun, Path, bytes]:
        """Return the regressions that were asked for as a run, the suite's place, and the file of outputs behind it."""
        prepared, fingerprint, against = self._prepared, self._predictor.fingerprint, self._beside.against
        run = empty_run(prepared, self._model, fingerprint)
        use = None if against is None else against.use
        run = replace(run, behaviors=tuple(self._regressions.values()), baseline=use)
        return (
            run,
            prepared.suite.path,
            predictions_bytes(predictions_to_store(prepared.suite, self._run.said, fingerprint)),
        )


def suite_of_frame(  # noqa: PLR0913 - a suite is made of all of these
    *,
    data: pd.DataFrame,
    model: Model,
    baseline: Model | None = None,
    target: str | None = None,
    id: str | Sequence[str] = (),  # noqa: A002 - as in the suite format
    positive: Any = None,
    task: str | None = None,
    slices: Mapping[str, Any] | None = None,
    metrics: Metrics = (),
    metadata: Mapping[str, Any] | None = None,
    name: str = "suite",
    cluster: str | None = None,
    folder: Path | None = None,
    extensions: Extensions | None = None,
    ref: str | None = None,
    accepts: bool = False,
    cache: Cache | None = None,
) -> SuiteView:
    """Return a suite over a data frame; the arguments are those of the YAML format.

    ``model`` is a callable from DataFrame to outputs, ``"module:callable"``, or a mapping such as
    ``{"column": "score", "as": "score"}``; so is ``baseline``, without which regressions are measured against the stored
    baseline (in ``baselines/`` of the folder, or as the commit ``ref`` has it); ``metrics`` and ``metadata`` also take callables. Raises SuiteError for what is declared wrongly.
    """
    metadata, slices = dict(metadata or {}), dict(slices or {})
    dataset: dict[str, Any] = {"path": "data", "id": [id] if isinstance(id, str) else list(id)}
    dataset |= {
        key: value
        for key, value in (("target", target), ("positive", _plain(positive)), ("cluster", cluster))
        if value is not None
    }
    functions = {key: value for key, value in metadata.items() if callable(value)}
    declaration: dict[str, Any] = {
        "suite": name,
        "dataset": dataset,
        "model": _model(model, "model"),
        "metadata": {key: {"python": "data:data"} if key in functions else value for key, value in metadata.items()},
        "slices": {key: dict(value) if isinstance(value, Mapping) else value for key, value in slices.items()},
        "metrics": [_metric(item) for item in metrics],
    }
    if task is not None:
        declaration["task"] = task
    if baseline is not None:
        declaration["baseline"] = _model(baseline, "baseline")
    folder = folder or Path.cwd()
    extensions = extensions or Extensions()
    path = folder / "behave.suite"
    suite = suite_of_data(declaration, path, known_metric_names(extensions, folder))
    custom = {_name_of(item): item for item in metrics if callable(item)}
    suite = replace(
        suite,
        models=tuple(_with_function(item, model) for item in suite.models),
        baseline=None if suite.baseline is None else _with_function(suite.baseline, baseline),
        metadata=tuple(replace(item, function=functions.get(item.name)) for item in suite.metadata),
        metrics=tuple(
            replace(item, function=custom[item.name], python=None) if item.name in custom else item
            for item in suite.metrics
        ),
    )
    prepared = prepare(suite, replace(extensions, read=lambda _source, _spec: data))
    return SuiteView(prepared, ref=ref, accepts=accepts, cache=cache)


def _model(model: Model, name: str) -> Any:
    if isinstance(model, str):
        return model
    return dict(model) if isinstance(model, Mapping) else {"python": f"{name}:{name}"}


def _with_function(spec: ModelSpec, model: Model | None) -> ModelSpec:
    if not callable(model):
        return spec
    mark = getattr(model, ATTRIBUTE, None)
    return replace(spec, function=model, repeats=mark.repeats if isinstance(mark, Mark) else 1)


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _metric(item: str | Mapping[str, Any] | Callable[..., Any]) -> Any:
    if isinstance(item, Mapping):
        return dict(item)
    return {"name": _name_of(item), "python": "metric:metric"} if callable(item) else item


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
