"""Suites declared in Python: slices by name, metrics as attributes, values that know their evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_behave.declare.load import suite_of_data
from pytest_behave.errors import BehaveError, MetricError, did_you_mean
from pytest_behave.evaluate.extensions import Extensions
from pytest_behave.evaluate.measured import Measured
from pytest_behave.evaluate.prepare import Prepared, known_metric_names, prepare
from pytest_behave.measure.registry import find_metric
from pytest_behave.records import Estimate, Instance, MetricSpec, Slice
from pytest_behave.report.lines import figure, instance_section

if TYPE_CHECKING:
    import pandas as pd

Metrics = Sequence[str | Mapping[str, Any] | Callable[..., Any]]


class MetricValue(float):
    """A metric on a slice: a float (NaN where undefined, so that no comparison holds) with its evidence."""

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
        return int(self._slice.mask.sum())

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

    def __init__(self, prepared: Prepared) -> None:
        self._measured = Measured(prepared, prepared.models[-1])
        self._slices = {slice_.name: slice_ for slice_ in self._measured.slices}
        self._cache: dict[tuple[str, str], MetricValue] = {}
        problems = [f"slice {item.name!r}: {item.problem}" for item in self._measured.slices if item.problem]
        if problems:
            raise BehaveError("; ".join(problems))

    def __repr__(self) -> str:
        return f"<suite {self._measured.prepared.suite.name!r}, {len(self.ids)} rows, {len(self._slices)} slices>"

    @property
    def slices(self) -> list[str]:
        """The names of all slices, `overall` first, members of families among them."""
        return list(self._slices)

    @property
    def ids(self) -> np.ndarray:
        """The ids of all instances."""
        return self._measured.table.ids

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
            prepared = self._measured.prepared
            declared = {item.spec.name: item for item in prepared.chosen}
            chosen = declared.get(metric) or find_metric(
                MetricSpec(metric, metric), prepared.task, prepared.extensions.metrics
            )
            estimate = self._measured.estimate(chosen, slice_)
            instances = self._measured.worst_instances(chosen, slice_)
            self._cache[key] = MetricValue.of(slice_.name, metric, int(slice_.mask.sum()), estimate, instances)
        return self._cache[key]


def suite_of_frame(  # noqa: PLR0913 - a suite is made of all of these
    *,
    data: pd.DataFrame,
    model: Callable[..., Any] | Mapping[str, Any],
    target: str | None = None,
    id: str | Sequence[str] = (),  # noqa: A002 - as in the suite format
    positive: Any = None,
    task: str | None = None,
    slices: Mapping[str, Any] | None = None,
    metrics: Metrics = (),
    metadata: Mapping[str, Any] | None = None,
    name: str = "suite",
    folder: Path | None = None,
    extensions: Extensions | None = None,
) -> SuiteView:
    """Return a suite over a data frame; the arguments are those of the YAML format.

    ``model`` is a callable from DataFrame to outputs, or a mapping such as ``{"column": "score", "as": "score"}``;
    ``metrics`` and ``metadata`` also take callables. Raises SuiteError for what is declared wrongly.
    """
    metadata, slices = dict(metadata or {}), dict(slices or {})
    dataset: dict[str, Any] = {"path": "data", "id": [id] if isinstance(id, str) else list(id)}
    dataset |= {key: value for key, value in (("target", target), ("positive", _plain(positive))) if value is not None}
    functions = {key: value for key, value in metadata.items() if callable(value)}
    declaration: dict[str, Any] = {
        "suite": name,
        "dataset": dataset,
        "model": dict(model) if isinstance(model, Mapping) else {"python": "model:model"},
        "metadata": {key: {"python": "data:data"} if key in functions else value for key, value in metadata.items()},
        "slices": {key: dict(value) if isinstance(value, Mapping) else value for key, value in slices.items()},
        "metrics": [_metric(item) for item in metrics],
    }
    if task is not None:
        declaration["task"] = task
    folder = folder or Path.cwd()
    extensions = extensions or Extensions()
    path = folder / "behave.suite"
    suite = suite_of_data(declaration, path, known_metric_names(extensions, folder))
    custom = {_name_of(item): item for item in metrics if callable(item)}
    suite = replace(
        suite,
        models=tuple(replace(item, function=model) for item in suite.models) if callable(model) else suite.models,
        metadata=tuple(replace(item, function=functions.get(item.name)) for item in suite.metadata),
        metrics=tuple(
            replace(item, function=custom[item.name], python=None) if item.name in custom else item
            for item in suite.metrics
        ),
    )
    return SuiteView(prepare(suite, replace(extensions, read=lambda _source, _spec: data)))


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _metric(item: str | Mapping[str, Any] | Callable[..., Any]) -> Any:
    if isinstance(item, Mapping):
        return dict(item)
    return {"name": _name_of(item), "python": "metric:metric"} if callable(item) else item


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
