"""Preparing a suite whose dataset is read in parts: an engine surveys them, and only the first rows are kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TextIO

import numpy as np

from pytest_behave.data.memory import estimated_bytes, free_bytes, memory_of
from pytest_behave.data.parts import Dtypes, Part, parts_of
from pytest_behave.data.readers import files_of, format_of, is_reference
from pytest_behave.data.slices import deferred_slices
from pytest_behave.data.table import Table
from pytest_behave.engines import Engine, open_engine
from pytest_behave.errors import DataError
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.preparation import InParts, Preparation, Prepared
from pytest_behave.parts.survey import LookAtRows, LookAtTypes, Reading, Survey, slices_of
from pytest_behave.measure.outcome import Labels
from pytest_behave.predict.progress import progress_bar
from pytest_behave.records import Call, Column, DatasetSpec, MetadataSpec, Place, Slice, SliceSpec, Suite


class Resources:
    """Where suites run: an engine, by name, and how much a dataset may take ("2GB") before it is read in parts.

    Without ``memory`` that is half of what is free. The engine is started when it is first needed. Raises EngineError or
    DataError for a name or a size that is none.
    """

    def __init__(
        self,
        engine: str = "local",
        memory: str | None = None,
        plugin: Callable[[str], Engine | None] | None = None,
        terminal: TextIO | None = None,
    ) -> None:
        self.terminal = terminal
        self._is_local = engine == "local"
        self._memory = None if memory is None else memory_of(memory)
        self._engine = open_engine(engine, plugin)
        self._is_started = False

    @property
    def engine(self) -> Engine:
        """The engine, started; raises EngineError."""
        if not self._is_started:
            self._is_started = True
            self._engine.start()
        return self._engine

    def close(self) -> None:
        """Stop the engine, if it was started."""
        if self._is_started:
            self._is_started = False
            self._engine.stop()

    def want_parts(self, suite: Suite, extensions: Extensions) -> bool:
        """Tell whether a suite's dataset is to be read in parts: files that do not fit, or another engine than ours."""
        spec = suite.dataset
        if spec is None or is_reference(spec.source):
            return False
        if extensions.read is not None and extensions.read(spec.source, spec) is not None:
            return False
        if not self._is_local:
            return True
        free = free_bytes() if self._memory is None else None
        most = self._memory if free is None else free // 2
        return most is not None and sum(map(estimated_bytes, files_of(spec.source))) > most


def prepare_in_parts(suite: Suite, extensions: Extensions, engine: Engine, terminal: TextIO | None = None) -> Prepared:
    """Survey the parts of a suite's dataset and settle every name; raises SuiteError as ``prepare`` does."""
    return _PreparationInParts(suite, extensions, engine, terminal).prepared()


class _PreparationInParts(Preparation):
    def __init__(self, suite: Suite, extensions: Extensions, engine: Engine, terminal: TextIO | None) -> None:
        super().__init__(suite, extensions)
        self.engine = engine
        self.terminal = terminal
        self.in_parts: InParts | None = None
        self.survey: Survey | None = None

    def prepared(self) -> Prepared:
        return replace(super().prepared(), parts=self.in_parts)

    def _table(self) -> Table | None:
        spec = self.suite.dataset
        if spec is None:
            return None
        self.problems += [f"{place}: {said}" for place, said in _needing_all_rows(self.suite)]
        self.raise_if_problems()
        table: Table | None = self._try(spec.place, lambda: self._surveyed(spec))
        self.raise_if_problems()
        return table

    def _surveyed(self, spec: DatasetSpec) -> Table:
        parts = parts_of(spec)
        texts = [part for part in parts if format_of(part.path) != "parquet"]
        dtypes: Dtypes = self._total("types", LookAtTypes(spec), texts).dtypes if texts else {}
        reading = Reading(self.suite, dtypes, self.references.modules)
        head = next((table for part in parts for table in reading.tables(part, self.references) if len(table)), None)
        if head is None:
            raise DataError("dataset.where selects no rows" if spec.where else f"{spec.source} holds no rows")
        late = deferred_slices(head, self.suite.slices, open_ended=self._open_ended)
        early = tuple(item for item in self.suite.slices if item.name not in late)
        survey: Survey = self._total("rows", LookAtRows(reading, early), parts)
        if survey.ids is not None and survey.ids.twice:
            raise DataError(f"dataset.id: {'/'.join(spec.id)} is not unique, rows in different parts share an id")
        counts = [survey.rows[part.number] for part in parts]
        before = tuple(itertools.accumulate(counts, initial=0))[:-1]
        self.in_parts = InParts(parts, before, sum(counts), dtypes, survey.content.fingerprint, self.engine)
        self.survey = survey
        return head

    def _total(self, what: str, measure: Callable[[Part], Any], parts: Sequence[Part]) -> Any:
        with progress_bar(self.terminal, len(parts), f"{self.suite.name}: {what}", "part") as progress:
            return self.engine.total(measure, parts, lambda _part: progress(1))

    def _labels(self, table: Table | None, target: tuple[Column, np.ndarray] | None) -> Labels | None:  # noqa: ARG002
        return None if self.survey is None else self.survey.labels

    def _slices(self, table: Table | None, deferred: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        if table is None or self.survey is None or self.in_parts is None:
            return ()
        early = tuple(spec for spec in self.suite.slices if spec not in deferred)
        slices = slices_of(self.survey.slices, early, self.in_parts.rows)
        self.problems += [
            f"{slice_.place}: slice {slice_.name!r}: {slice_.problem}" for slice_ in slices if slice_.problem
        ]
        return slices


def _needing_all_rows(suite: Suite) -> list[tuple[Place | None, str]]:
    """Return what the suite declares that no part of a dataset can tell."""
    why = "needs all rows at once, and this dataset is read in parts"
    declared: tuple[SliceSpec | MetadataSpec, ...] = (*suite.slices, *suite.metadata)
    found = [(item.place, f"{item.name}: `quantiles` {why}: use `edges`") for item in declared if item.quantiles]
    expressions: list[tuple[Place | None, str, Any]]
    expressions = [(item.place, item.name, part) for item in suite.slices for part in (item.predicate, *item.parts)]
    expressions += [(item.place, item.name, item.expression) for item in suite.metadata]
    expressions += [(item.place, item.name, item.predicate) for item in suite.metrics]
    found += [
        (model.place, f"model {model.name!r}: `repeats` {why}")
        for model in (*suite.models, *([suite.baseline] if suite.baseline else []))
        if model.repeats > 1
    ]
    if suite.dataset is not None:
        expressions.append((suite.dataset.place, "dataset.where", suite.dataset.where))
        if suite.dataset.cluster is not None:
            found.append((suite.dataset.place, f"dataset.cluster {why}"))
    found += [
        (place, f"{name}: `quantile` {why}: write the number")
        for place, name, part in expressions
        if _calls_quantile(part)
    ]
    return found


def _calls_quantile(expression: Any) -> bool:
    if isinstance(expression, Call) and expression.function == "quantile":
        return True
    if isinstance(expression, tuple):
        return any(map(_calls_quantile, expression))
    return is_dataclass(expression) and any(
        _calls_quantile(getattr(expression, field.name)) for field in fields(expression)
    )
