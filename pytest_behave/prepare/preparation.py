"""Everything that can be known before a model runs: the table, the task, the metrics, the slices, the items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_behave.compare.store import baseline_paths
from pytest_behave.data.slices import deferred_slices
from pytest_behave.data.table import Table
from pytest_behave.decorators import Mark, marks_in
from pytest_behave.errors import BehaveError, SuiteError, did_you_mean
from pytest_behave.measure.outcome import Labels, check_target, infer_task
from pytest_behave.measure.registry import Chosen
from pytest_behave.prepare.dataset import Data, InParts, Reader, whole_data
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.items import Item, items_of
from pytest_behave.prepare.metrics import chosen_metrics
from pytest_behave.prepare.references import References
from pytest_behave.records import (
    ModelSpec,
    Name,
    Place,
    Scalar,
    Slice,
    SliceSpec,
    Suite,
    Task,
)
from pytest_behave.records.declarations import BATCH_SIZE


@dataclass(frozen=True)
class Coding:
    """How targets and outputs are coded: the task, the labels of the target in all rows, which of them is positive."""

    task: Task | None
    labels: Labels | None
    positive: Scalar | None = None


@dataclass(frozen=True)
class Prepared:
    """A suite with its data, ready for a model. Of a dataset in ``parts``, the table holds the first rows only."""

    suite: Suite
    table: Table | None
    task: Task | None
    labels: Labels | None
    chosen: tuple[Chosen, ...]
    slices: tuple[Slice, ...]
    deferred: tuple[SliceSpec, ...]
    items: tuple[Item, ...]
    references: References
    extensions: Extensions
    models: tuple[ModelSpec, ...]
    baseline: ModelSpec | None = None
    parts: InParts | None = None

    @property
    def coding(self) -> Coding:
        """How targets and outputs are coded."""
        positive = None if self.suite.dataset is None else self.suite.dataset.positive
        return Coding(self.task, self.labels, positive)

    @property
    def baseline_file(self) -> Path:
        """Where accepted values of the suite are stored."""
        return baseline_paths(self.suite.path, self.suite.name)[0]


def prepare(suite: Suite, extensions: Extensions, read: Reader = whole_data) -> Prepared:
    """Read the data and settle every name; raises SuiteError with all problems found, each with its place."""
    return Preparation(suite, extensions, read).prepared()


class Preparation:
    """One suite on its way to being prepared, and the problems found so far."""

    def __init__(self, suite: Suite, extensions: Extensions, read: Reader) -> None:
        self.suite = suite
        self.extensions = extensions
        self.read = read
        self.problems: list[str] = []
        self.references = References(suite.path.parent, extensions.modules)

    def prepared(self) -> Prepared:
        """Return the prepared suite; raises SuiteError with all problems."""
        with_module = self._try(Place(self.suite.path), lambda: self.references.with_module(self.suite.python))
        self.raise_if_problems()
        self.references = with_module
        data = self._data()
        table = None if data is None else data.table
        labels = self._labels(data)
        task = self._task(table, labels)
        chosen: tuple[Chosen, ...] = (
            self._try(None, lambda: chosen_metrics(self.suite, self.references, self.extensions, task)) or ()
        )
        self._check_names(table)
        deferred = self._deferred(table)
        slices = self._slices(data, deferred)
        items: tuple[Item, ...] = self._try(None, lambda: items_of(self.suite, slices, deferred)) or ()
        models = tuple(self._model(spec) for spec in self.suite.models)
        baseline = None if self.suite.baseline is None else self._model(self.suite.baseline)
        self._check_repeats(chosen, models)
        self.raise_if_problems()
        return Prepared(
            suite=self.suite,
            table=table,
            task=task,
            labels=labels,
            chosen=chosen,
            slices=slices,
            deferred=deferred,
            items=items,
            references=self.references,
            extensions=self.extensions,
            models=models,
            baseline=baseline,
            parts=None if data is None else data.parts,
        )

    def raise_if_problems(self) -> None:
        """Raise SuiteError with all problems found so far."""
        if self.problems:
            raise SuiteError(self.problems)

    def _try(self, place: Place | None, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except SuiteError as error:
            self.problems += error.problems
        except BehaveError as error:
            self.problems.append(f"{place or self.suite.path}: {error}")
        return None

    # -- data

    def _data(self) -> Data | None:
        spec = self.suite.dataset
        if spec is None:
            return None
        data: Data | None = self._try(spec.place, lambda: self.read(self.suite, self.references, self.extensions))
        self.raise_if_problems()
        return data

    def _labels(self, data: Data | None) -> Labels | None:
        if data is None:
            return None
        labels: Labels | None = self._try(data.table.spec.place, data.labels)
        self.raise_if_problems()
        return labels

    def _task(self, table: Table | None, labels: Labels | None) -> Task | None:
        if table is None or labels is None:
            return self.suite.task
        task = self.suite.task or infer_task(labels)
        if task is not None:
            self._try(table.spec.place, lambda: check_target(str(table.spec.target), labels, task))
        return task

    def _model(self, spec: ModelSpec) -> ModelSpec:
        marked = marks_in(self.references.modules, "model")
        model: ModelSpec = self._try(spec.place, partial(_model_of, spec, marked))
        return model

    @property
    def _open_ended(self) -> bool:
        return has_open_ended_model(self.suite)

    def _check_names(self, table: Table | None) -> None:
        """Find wrong names also where nothing uses the metadata, metric or model yet."""
        if table is None:
            return
        circles = [f"{item.place or self.suite.path}: {said}" for item, said in table.circles()]
        self.problems += circles
        if circles:
            self.raise_if_problems()  # slices of such metadata would only say so again
        expressions = [(item.place, item.name, item.expression) for item in self.suite.metadata]
        expressions += [(item.place, item.name, item.predicate) for item in self.suite.metrics]
        for place, name, expression in expressions:
            problem = "" if expression is None else table.unknown_names(expression, open_ended=self._open_ended)
            if problem:
                self.problems.append(f"{place}: {name}: {problem}")
        if table.spec.cluster is not None:
            self._try(table.spec.place, lambda: _check_cluster(table))
        for model in declared_models(self.suite):
            for name in _columns_read(model):
                problem = table.unknown_names(Name(name, quoted=True), open_ended=False)
                self.problems += [f"{model.place}: model: {problem}"] if problem else []

    def _check_repeats(self, chosen: tuple[Chosen, ...], models: tuple[ModelSpec | None, ...]) -> None:
        if any(model is None or model.repeats > 1 for model in models):
            return
        self.problems += [
            f"{item.spec.place}: agreement is that of several answers, and no model has `repeats`"
            for item in chosen
            if item.metric.name == "agreement"
        ]

    # -- slices and items

    def _deferred(self, table: Table | None) -> tuple[SliceSpec, ...]:
        if table is None:
            return ()
        names = deferred_slices(table, self.suite.slices, open_ended=self._open_ended)
        return tuple(spec for spec in self.suite.slices if spec.name in names)

    def _slices(self, data: Data | None, deferred: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        if data is None:
            return ()
        late = {spec.name for spec in deferred}
        slices = data.slices(tuple(spec for spec in self.suite.slices if spec.name not in late))
        self.problems += [
            f"{slice_.place}: slice {slice_.name!r}: {slice_.problem}" for slice_ in slices if slice_.problem
        ]
        return slices


def declared_models(suite: Suite) -> tuple[ModelSpec, ...]:
    """Return the models of a suite, the one that it compares with last."""
    return suite.models if suite.baseline is None else (*suite.models, suite.baseline)


def has_open_ended_model(suite: Suite) -> bool:
    """Tell whether a model may return columns that nobody declared."""
    return any(spec.kind in ("python", "plugin", "url", "command") for spec in declared_models(suite))


def _columns_read(model: ModelSpec) -> tuple[str, ...]:
    """Return the columns of the dataset that a model names."""
    if model.kind == "column":
        return (model.location,)
    return () if model.service is None else (*model.features, *model.service.columns, *model.service.datatypes)


def _check_cluster(table: Table) -> None:
    name = str(table.spec.cluster)
    problem = table.unknown_names(Name(name, quoted=True), open_ended=False)
    if problem:
        raise BehaveError(f"dataset.cluster: {problem}")
    clusters = table.clusters()
    if clusters is not None and len(set(clusters.tolist())) < 2:  # noqa: PLR2004 - one cluster has no spread
        raise BehaveError(f"dataset.cluster: {name!r} has one value only, so there is nothing to tell chance from")


def _model_of(spec: ModelSpec, marked: dict[str, Mark]) -> ModelSpec:
    if spec.kind != "python" or spec.function is not None or ":" in spec.location:
        return spec
    mark = marked.get(spec.location)
    if mark is None:
        raise BehaveError(
            f"model {spec.location!r} is neither module:callable nor marked with @behave.model"
            f"{did_you_mean(spec.location, marked)}"
        )
    batch_size = mark.batch_size if spec.batch_size == BATCH_SIZE else spec.batch_size
    repeats = mark.repeats if spec.repeats == 1 else spec.repeats
    return replace(spec, function=mark.function, batch_size=batch_size, repeats=repeats)
