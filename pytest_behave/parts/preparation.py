"""Preparing a suite whose dataset is read in parts: an engine surveys them, and only the first rows are kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TextIO

from pytest_behave.data.memory import estimated_bytes, free_bytes, memory_of
from pytest_behave.data.parts import Dtypes, Part, parts_of
from pytest_behave.data.readers import files_of, format_of, is_reference
from pytest_behave.data.slices import deferred_slices
from pytest_behave.data.table import Table
from pytest_behave.engines import Engine, open_engine
from pytest_behave.errors import DataError, SuiteError
from pytest_behave.measure.outcome import Labels
from pytest_behave.parts.survey import LookAtRows, LookAtTypes, Reading, Survey, slices_of
from pytest_behave.predict.progress import progress_bar
from pytest_behave.prepare.dataset import Data, InParts, Reader
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.preparation import has_open_ended_model
from pytest_behave.prepare.references import References
from pytest_behave.records import Call, MetadataSpec, Place, Slice, SliceSpec, Suite


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


@dataclass(frozen=True)
class PartedData:
    """A dataset of which only the first rows are in memory; the others were surveyed."""

    table: Table
    parts: InParts
    survey: Survey

    def labels(self) -> Labels | None:
        """Return what the target holds in all parts, None without a target."""
        return self.survey.labels

    def slices(self, specs: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        """Return ``overall`` and the declared slices that need no model, without their rows."""
        return slices_of(self.survey.slices, specs, self.parts.rows)


def reader_of_parts(engine: Engine, terminal: TextIO | None = None) -> Reader:
    """Return what surveys the parts of a suite's dataset on an engine."""

    def read(suite: Suite, references: References, _extensions: Extensions) -> Data:
        return _surveyed(suite, references, engine, terminal)

    return read


def _surveyed(suite: Suite, references: References, engine: Engine, terminal: TextIO | None) -> PartedData:
    spec = suite.dataset
    if spec is None:
        raise TypeError("the suite has no dataset")
    problems = [f"{place}: {said}" for place, said in _needing_all_rows(suite)]
    if problems:
        raise SuiteError(problems)

    def total(what: str, measure: Callable[[Part], Any], parts: Sequence[Part]) -> Any:
        with progress_bar(terminal, len(parts), f"{suite.name}: {what}", "part") as progress:
            return engine.total(measure, parts, lambda _part: progress(1))

    parts = parts_of(spec)
    texts = [part for part in parts if format_of(part.path) != "parquet"]
    dtypes: Dtypes = total("types", LookAtTypes(spec), texts).dtypes if texts else {}
    reading = Reading(suite, dtypes, references.modules)
    head = next((table for part in parts for table in reading.tables(part, references) if len(table)), None)
    if head is None:
        raise DataError("dataset.where selects no rows" if spec.where else f"{spec.source} holds no rows")
    late = deferred_slices(head, suite.slices, open_ended=has_open_ended_model(suite))
    early = tuple(item for item in suite.slices if item.name not in late)
    survey: Survey = total("rows", LookAtRows(reading, early), parts)
    if survey.ids is not None and survey.ids.twice:
        raise DataError(f"dataset.id: {'/'.join(spec.id)} is not unique, rows in different parts share an id")
    counts = [survey.rows[part.number] for part in parts]
    before = tuple(itertools.accumulate(counts, initial=0))[:-1]
    found = InParts(parts, before, sum(counts), dtypes, survey.content.fingerprint, engine)
    return PartedData(head, found, survey)


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
