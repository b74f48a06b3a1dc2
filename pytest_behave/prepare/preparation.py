"""Everything that can be known before a model runs: the table, the task, the metrics, the slices, the items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pytest_behave.compare.store import baseline_paths
from pytest_behave.data.parts import Dtypes, Part
from pytest_behave.data.readers import read_dataset
from pytest_behave.data.slices import OVERALL, deferred_slices, make_slices
from pytest_behave.data.table import Table
from pytest_behave.decorators import Mark, marks_in
from pytest_behave.engines import Engine
from pytest_behave.errors import BehaveError, SuiteError, did_you_mean
from pytest_behave.measure.outcome import Labels, check_target, infer_task
from pytest_behave.measure.registry import BUILT_IN, NEED_A_DEFINITION, Chosen, find_metric
from pytest_behave.prepare.declared import DeclaredNames
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.references import References
from pytest_behave.records import (
    Bounds,
    MetadataSpec,
    MetricSpec,
    ModelSpec,
    Name,
    Place,
    Scalar,
    Slice,
    SliceSpec,
    Suite,
    Task,
    Tolerance,
)
from pytest_behave.records.declarations import BATCH_SIZE


@dataclass(frozen=True)
class Item:
    """One thing to check: bounds on a metric of a slice, the gap of a family, or all members of a deferred family."""

    slice: str
    metric: str
    bounds: Bounds
    kind: str = "behavior"

    @property
    def name(self) -> str:
        """The metric as reports and node ids call it."""
        return f"{self.metric} gap" if self.kind == "gap" else self.metric

    @property
    def tolerance(self) -> Tolerance | None:
        """How much worse than the baseline it may get."""
        return self.bounds.max_gap_regression if self.kind == "gap" else self.bounds.max_regression


@dataclass(frozen=True)
class InParts:
    """A dataset that is not in memory: its parts, kept rows before each, types of columns of text files, content.

    ``engine`` is where its parts are measured.
    """

    parts: tuple[Part, ...]
    rows_before: tuple[int, ...]
    rows: int
    dtypes: Dtypes
    fingerprint: str
    engine: Engine


@dataclass(frozen=True)
class Coding:
    """How targets and outputs are coded: the task, the labels of the target in all rows, which of them is positive."""

    task: Task | None
    labels: Labels | None
    positive: Scalar | None = None


class Data(Protocol):
    """The rows of a dataset before a model runs. ``table`` holds all of them or, of a dataset in ``parts``, the first."""

    @property
    def table(self) -> Table:
        """The rows in memory."""

    @property
    def parts(self) -> InParts | None:
        """How the dataset is read in parts, None if it is not."""

    def labels(self) -> Labels | None:
        """Return what the target holds in all rows, None without a target."""

    def slices(self, specs: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        """Return ``overall`` and the declared slices that need no model."""


@dataclass(frozen=True)
class WholeData:
    """A dataset in memory."""

    table: Table
    parts: None = None

    def labels(self) -> Labels | None:
        """Return what the target holds, None without a target."""
        target = self.table.target
        return None if target is None else Labels.of(*target, self.table.ids)

    def slices(self, specs: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        """Return ``overall`` and the declared slices that need no model."""
        return make_slices(self.table, specs)


Reader = Callable[[Suite, References, Extensions], Data]


def whole_data(suite: Suite, references: References, extensions: Extensions) -> Data:
    """Read a suite's dataset into memory; raises DataError or PredicateError."""
    if suite.dataset is None:
        raise TypeError("the suite has no dataset")
    frame = read_dataset(suite.dataset, references.load, extensions.read)
    metadata = metadata_of(suite, references)
    return WholeData(Table(frame, suite.dataset, metadata, references.load, suite.path.parent))


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


def known_metric_names(extensions: Extensions, folder: Path) -> Callable[[str | None], frozenset[str]]:
    """Return a function from a suite's ``python:`` module to every name that may stand alone in ``metrics:``."""

    def names(python: str | None) -> frozenset[str]:
        references = References(folder, extensions.modules).with_module(python)
        built_in = {metric.name for metric in BUILT_IN if metric.name not in NEED_A_DEFINITION}
        return frozenset(built_in | set(extensions.metrics) | set(marks_in(references.modules, "metric")))

    return names


def prepare(suite: Suite, extensions: Extensions, read: Reader = whole_data) -> Prepared:
    """Read the data and settle every name; raises SuiteError with all problems found, each with its place."""
    return Preparation(suite, extensions, read).prepared()


def chosen_metrics(
    suite: Suite, references: References, extensions: Extensions, task: Task | None
) -> tuple[Chosen, ...]:
    """Return the declared metrics with their implementations; raises SuiteError with all problems found."""
    marked = marks_in(references.modules, "metric")

    def choose(spec: MetricSpec) -> Chosen | str:
        try:
            return find_metric(_complete(spec, marked, references), task, extensions.metrics)
        except BehaveError as error:
            return f"{spec.place or suite.path}: {error}"

    found = [choose(spec) for spec in suite.metrics]
    problems = [item for item in found if isinstance(item, str)]
    if problems:
        raise SuiteError(problems)
    return tuple(item for item in found if not isinstance(item, str))


def _complete(spec: MetricSpec, marked: dict[str, Mark], references: References) -> MetricSpec:
    if spec.python is not None:
        return replace(spec, function=references.load(spec.python))
    mark = marked.get(spec.metric)
    if mark is None:
        return spec
    return replace(spec, metric="python", function=mark.function, better=spec.better or mark.better)


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
        items = self._items(slices, deferred)
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

    def _items(self, slices: tuple[Slice, ...], deferred: tuple[SliceSpec, ...]) -> tuple[Item, ...]:
        merged: dict[tuple[str, str], Bounds] = {}
        gaps: dict[tuple[str, str], Bounds] = {}
        kinds: dict[tuple[str, str], str] = {}
        families = {spec.name for spec in deferred if spec.by}
        declared = DeclaredNames(slices, deferred, {spec.name for spec in self.suite.slices if spec.by})
        for expectation in sorted(self.suite.expectations, key=lambda item: declared.rank(item.slice)):
            targets = self._targets(expectation.slice, declared, expectation.bounds.place)
            bounds = expectation.bounds
            for name in targets:
                key = (name, expectation.metric)
                kinds[key] = "family" if name in families else "behavior"
                if bounds.limits_a_value or kinds[key] == "family" or key in merged:
                    merged[key] = _overlaid(merged.get(key), bounds)
            if bounds.limits_a_gap and expectation.slice not in families:
                around = targets if expectation.slice == "*" else [expectation.slice]
                gaps |= {(name, expectation.metric): bounds for name in around}
        items = [Item(name, metric, bounds, kinds[name, metric]) for (name, metric), bounds in merged.items()]
        items += [Item(name, metric, bounds, "gap") for (name, metric), bounds in gaps.items()]
        order = {name: index for index, name in enumerate([OVERALL, *self._order(declared)])}
        return tuple(sorted(items, key=lambda item: (order.get(item.slice, len(order)), item.kind == "gap")))

    def _order(self, declared: DeclaredNames) -> list[str]:
        names: list[str] = []
        for spec in self.suite.slices:
            names += declared.members.get(spec.name, [])
            names.append(spec.name)
        return [*names, *declared.late]

    def _targets(self, name: str, declared: DeclaredNames, place: Place | None) -> list[str]:
        if name == "*":
            return [slice_ for slice_ in declared.known if slice_ != OVERALL] + [*declared.late]
        members = declared.members.get(name, [])
        if name in declared.known or members:
            return members or [name]
        if name in declared.late or name.partition("=")[0] in declared.late or declared.has_problems:
            return [name]
        if self.suite.dataset is None:
            self.problems.append(f"{place}: expectations on slices need a `dataset`")
        else:
            self.problems.append(f"{place}: there is no slice {name!r}{did_you_mean(name, declared.known)}")
        return []


def declared_models(suite: Suite) -> tuple[ModelSpec, ...]:
    """Return the models of a suite, the one that it compares with last."""
    return suite.models if suite.baseline is None else (*suite.models, suite.baseline)


def has_open_ended_model(suite: Suite) -> bool:
    """Tell whether a model may return columns that nobody declared."""
    return any(spec.kind in ("python", "plugin", "url", "command") for spec in declared_models(suite))


def _overlaid(below: Bounds | None, above: Bounds) -> Bounds:
    """Return the more specific bounds, what they leave open filled from the general ones."""
    if below is None:
        return above
    return replace(
        above,
        min=below.min if above.min is None else above.min,
        max=below.max if above.max is None else above.max,
        max_regression=above.max_regression or below.max_regression,
        decide=above.decide or below.decide,
        severity=above.severity or below.severity,
        known_failure=above.known_failure or below.known_failure,
    )


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


def metadata_of(suite: Suite, references: References) -> tuple[MetadataSpec, ...]:
    """Return the declared metadata, and that of marked functions."""
    marked = marks_in(references.modules, "metadata").values()
    return (*suite.metadata, *(MetadataSpec(mark.name, function=mark.function, stage=mark.stage) for mark in marked))


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
