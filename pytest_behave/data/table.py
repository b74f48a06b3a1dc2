"""The dataset in memory: rows, ids, derived metadata and, once a model has run, its outputs, all as columns."""

from __future__ import annotations

import copy
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize
from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.derived import names_read_by, order_of
from pytest_behave.data.fingerprints import frame_fingerprint, row_hashes
from pytest_behave.data.partitions import Groups, by_edges, by_quantiles
from pytest_behave.data.predicates import Evaluator, names_in
from pytest_behave.errors import DataError, PredicateError, did_you_mean, nearest
from pytest_behave.guard import guarded
from pytest_behave.records import Column, DatasetSpec, Expr, MetadataSpec, Name

OUTPUT_NAMES = ("output", "score")
BASELINE_NAMES = ("baseline.output", "baseline.score")
MOST_CATEGORIES = 50


class Table:
    """All columns of a suite by name. Metadata is computed when first asked for.

    The frame is the whole dataset or, with as many as ``rows_before`` rows before it, a part of it. For a model that
    answers several times, ``repeated`` gives a table with a row per answer; ``once`` is the dataset itself. What models
    say is never added to a table: ``with_outputs`` returns another one, so that two models may share the rows.
    """

    def __init__(  # noqa: PLR0913 - rows, and all that is said of them
        self,
        frame: pd.DataFrame,
        spec: DatasetSpec,
        metadata: tuple[MetadataSpec, ...],
        load: Callable[[str], Any],
        folder: Path,
        *,
        rows_before: int | None = None,
    ) -> None:
        self.spec = spec
        self.repeats = 1
        self._once: Table | None = None
        self.is_part = rows_before is not None
        self.metadata = {item.name: item for item in metadata}
        self.frame = frame
        self._load = load
        self._folder = str(folder)
        self._outputs: dict[str, Column] | None = None
        self._output_series: dict[str, pd.Series] = {}
        self._columns: dict[str, Column] = {}
        self._target: tuple[Column, np.ndarray] | None = None
        self.evaluator = self._evaluator()
        if spec.where is not None:
            self._keep(self.evaluator.mask(spec.where))
        self.ids = _instance_ids(self.frame, spec, rows_before or 0)

    def _evaluator(self) -> Evaluator:
        """Return an evaluator that does not keep the table alive: of a dataset in parts, each must go at once."""
        lookup = weakref.WeakMethod(self.lookup)

        def found(name: Name) -> Column:
            known = lookup()
            if known is None:
                raise TypeError("the table of this evaluator is gone")
            return known(name)

        return Evaluator(len(self.frame), found, self._folder)

    def _keep(self, mask: np.ndarray) -> None:
        if not mask.any() and not self.is_part:
            raise DataError("dataset.where selects no rows")
        self.frame = self.frame[mask].reset_index(drop=True)
        self._columns = {}
        self.evaluator = self._evaluator()

    def repeated(self, repeats: int) -> Table:
        """Return a table with a row per answer, the first answers to all instances before the second ones."""
        other = copy.copy(self)
        other._once, other.repeats = self, repeats  # noqa: SLF001 - a table of the same class
        other.frame = pd.concat([self.frame] * repeats, ignore_index=True)
        other.ids = np.array([f"{id_} #{repeat + 1}" for repeat in range(repeats) for id_ in self.ids], dtype=object)
        other._columns = {}  # noqa: SLF001 - as above
        other._target = None if self.target is None else _repeated_target(self.target, repeats)  # noqa: SLF001 - as above
        other.evaluator = other._evaluator()  # noqa: SLF001 - as above
        return other

    @property
    def target(self) -> tuple[Column, np.ndarray] | None:
        """The right answers and their texts, None where no target is declared; raises PredicateError if it is absent."""
        if self._target is None and self.spec.target is not None:
            column = self.lookup(Name(self.spec.target, quoted=True))
            self._target = column, canonical_text(column)
        return self._target

    @property
    def once(self) -> Table:
        """The table with a row per instance."""
        return self if self._once is None else self._once

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def fingerprint(self) -> str:
        """The content of the rows in use, whatever their order."""
        return frame_fingerprint(self.once.frame)

    def hashes(self, columns: Iterable[str]) -> np.ndarray:
        """Return a 32-bit hash per instance of some of the dataset's own columns."""
        return row_hashes(self.once.frame, columns)

    def clusters(self, name: str | None = None) -> np.ndarray | None:
        """Return the name of each row's cluster, by a column or else as declared; None if neither names one.

        Rows without a value are on their own. The answers to an instance are in one cluster at least.
        """
        if self._once is not None:
            clusters = self._once.clusters(name)
            return np.tile(_alone(self._once.ids) if clusters is None else clusters, self.repeats)
        name = name or self.spec.cluster
        if name is None:
            return None
        column = self.lookup(Name(name, quoted=True))
        return np.where(column.missing, _alone(self.ids), canonical_text(column))

    # -- columns by name

    def lookup(self, name: Name) -> Column:
        """Return a column: the model's outputs, the target, metadata, the dataset's own; raises PredicateError."""
        if is_output(name):
            return self._output(name.name)
        if not name.quoted and name.name == "target" and self.spec.target is not None:
            return self._own(self.spec.target)
        if name.name in self.metadata:
            return self._derived(self.metadata[name.name])
        if name.name in self.frame.columns:
            return self._own(name.name)
        if self._outputs is not None and name.name in self._outputs:
            return self._outputs[name.name]
        raise PredicateError(f"there is no column {name.name!r}{did_you_mean(name.name, self.names())}")

    def names(self) -> list[str]:
        """Return every name that an expression may use."""
        outputs = list(self._outputs or ()) or list(OUTPUT_NAMES)
        return [*map(str, self.frame.columns), *self.metadata, "target", *outputs]

    def needs_output(self, expression: Expr, *, open_ended: bool) -> bool:
        """Tell whether an expression looks at what the model says; ``open_ended`` models may add columns."""
        return any(self._name_needs_output(name, open_ended=open_ended) for name in names_in(expression))

    def _name_needs_output(self, name: Name, *, open_ended: bool) -> bool:
        waiting, seen = [name], set()
        while waiting:
            name = waiting.pop()
            item = None if is_output(name) else self.metadata.get(name.name)
            if is_output(name) or (item is not None and item.stage == "output"):
                return True
            if item is None and open_ended and self._may_be_returned(name.name):
                return True
            if item is not None and item.name not in seen:
                seen.add(item.name)
                waiting += names_read_by(item)
        return False

    def _may_be_returned(self, name: str) -> bool:
        """Tell whether a name that is no column may be one that the model returns: it is not just misspelt."""
        known = name in self.frame.columns or name == "target"
        return not known and not self._is_misspelt(name)

    def _is_misspelt(self, name: str) -> bool:
        """Tell a slip of the pen from the name of a column that only the model knows, such as conf_b beside conf_a."""
        near = nearest(name, self.names())
        return near is not None and _stem(near) != _stem(name)

    def circles(self) -> Iterator[tuple[MetadataSpec, str]]:
        """Yield metadata that is defined by itself, with a sentence on it; one of those that need each other."""
        known: set[str] = set()
        for item in self.metadata.values():
            order = order_of(item, self._needs, known)
            known |= {*(needed.name for needed in order.items), *order.circle}
            if order.circle:
                yield self.metadata[order.circle[0]], order.problem

    def unknown_names(self, expression: Expr, *, open_ended: bool) -> str:
        """Return a sentence on the first name that can never be known, else nothing."""
        for name in names_in(expression):
            known = name.name in self.names() or self._name_needs_output(name, open_ended=open_ended)
            if not known:
                return f"there is no column {name.name!r}{did_you_mean(name.name, self.names())}"
        return ""

    def _own(self, name: str) -> Column:
        if name not in self._columns:
            if name not in self.frame.columns:
                raise PredicateError(f"there is no column {name!r}{did_you_mean(name, map(str, self.frame.columns))}")
            self._columns[name] = column_of(self.frame[name])
        return self._columns[name]

    def _output(self, name: str) -> Column:
        if self._outputs is None:
            raise PredicateError(f"{name!r} is known only after the model has run")
        if name not in self._outputs:
            if name in BASELINE_NAMES:
                raise PredicateError(f"there is no {name!r}: the suite has no baseline with predictions")
            own = f"; for the dataset's own column write `{name}` in backticks" if name in self.frame.columns else ""
            raise PredicateError(f"the model gives no {name!r}{own}")
        return self._outputs[name]

    def _derived(self, item: MetadataSpec) -> Column:
        key = f"metadata {item.name}"
        if key not in self._columns:
            known = {one for one in self.metadata if f"metadata {one}" in self._columns}
            order = order_of(item, self._needs, known)
            if order.problem:
                raise PredicateError(order.problem)
            for needed in order.items:
                self._columns[f"metadata {needed.name}"] = self._derived_here(needed)
        return self._columns[key]

    def _derived_here(self, item: MetadataSpec) -> Column:
        """Return metadata of which all that it needs is known."""
        source = self._source(item)
        if source is None:
            return self._derive(item)
        return repeated_column(source._derived(item), self.repeats)  # noqa: SLF001 - a table of the same class

    @cached_property
    def _needs(self) -> dict[str, list[MetadataSpec]]:
        """The metadata that each metadata is computed from."""
        return {
            item.name: [self.metadata[name.name] for name in names_read_by(item) if self._is_metadata(name)]
            for item in self.metadata.values()
        }

    def _is_metadata(self, name: Name) -> bool:
        is_target = not name.quoted and name.name == "target" and self.spec.target is not None
        return name.name in self.metadata and not is_output(name) and not is_target

    def _source(self, item: MetadataSpec) -> Table | None:
        """Return the table of instances where a row per answer can take some metadata from it."""
        once = self._once
        return None if once is None or self._name_needs_output(Name(item.name, quoted=True), open_ended=True) else once

    def _derive(self, item: MetadataSpec) -> Column:
        if item.expression is not None:
            return self.evaluator.column(item.expression)
        groups = self.bins_of(item.name)
        if groups is not None:
            return _group_column(groups)
        if item.function is None and item.python is None:
            return self._returned(item)
        return self._from_function(item)

    def bins_of(self, name: str) -> Groups | None:
        """Return the groups of metadata made by edges or quantiles, in their order; None for other columns."""
        item = self.metadata.get(name)
        if item is None or item.column is None:
            return None
        source = self._source(item)
        if source is not None:
            groups = source.bins_of(name)
            return None if groups is None else groups._replace(codes=np.tile(groups.codes, self.repeats))
        column = self._own(item.column) if item.column == item.name else self.lookup(Name(item.column, quoted=True))
        if item.quantiles is not None:
            return by_quantiles(item.column, column, item.quantiles)
        return by_edges(item.column, column, item.edges)

    def _returned(self, item: MetadataSpec) -> Column:
        if self._outputs is None or item.name not in self._outputs:
            raise PredicateError(f"metadata {item.name!r} is `from: output`, but the model returned no such column")
        return self._outputs[item.name]

    def _from_function(self, item: MetadataSpec) -> Column:
        function = item.function or self._load(str(item.python))
        frame = self.full_frame() if item.stage == "output" else self.frame.copy(deep=False)
        with guarded(DataError, f"metadata {item.name!r}:"):
            values = function(frame)
            if np.ndim(values) != 1 or len(values) != len(frame):
                shape = len(values) if np.ndim(values) else type(values).__name__
                raise DataError(f"metadata {item.name!r} returned {shape} values for {len(frame)} rows")
            own = values.reset_index(drop=True) if isinstance(values, pd.Series) else pd.Series(list(values))
            return column_of(own)

    # -- outputs

    def with_outputs(self, outputs: Mapping[str, pd.Series]) -> Table:
        """Return a table that knows a model's outputs (``output``, ``score``, further columns) by name too."""
        other = copy.copy(self)
        other._columns = dict(self._columns)  # noqa: SLF001 - a table of the same class
        other._output_series = dict(outputs)  # noqa: SLF001 - as above
        other._outputs = {name: column_of(series) for name, series in outputs.items()}  # noqa: SLF001 - as above
        other.evaluator = other._evaluator()  # noqa: SLF001 - as above
        other.evaluator.know(self.evaluator)
        return other

    @property
    def outputs(self) -> Mapping[str, pd.Series]:
        """What the model said, by name; empty before it has run."""
        return self._output_series

    def full_frame(self) -> pd.DataFrame:
        """Return dataset, input metadata as far as computed, and outputs as one frame; ``prediction`` is the output."""
        frame = self.frame.copy(deep=False)
        for name, item in self.metadata.items():
            if item.stage == "input" and f"metadata {name}" in self._columns:
                frame[name] = _series_of(self._columns[f"metadata {name}"])
        for name, series in self._output_series.items():
            frame["prediction" if name == "output" else name] = series
        if self.spec.target is not None:
            frame["target"] = self.frame[self.spec.target]
        return frame

    # -- checks

    def unknown_value(self, name: Name, value: str) -> str:
        """Return a sentence if a categorical column never has this value, else nothing."""
        if name.quoted or name.name not in (*OUTPUT_NAMES, *BASELINE_NAMES):
            column = self.lookup(name)
            if column.kind == "text":
                known = factorize(column.values[~column.missing])[1] if column.codes is None else column.codes[1]
                few = len(known) <= min(MOST_CATEGORIES, max(len(self) // 2, 1))
                if few and value not in set(known):
                    return f"column {name.name!r} never is {value!r}{did_you_mean(value, known)}"
        return ""


def is_output(name: Name) -> bool:
    """Tell whether a name stands for what a model says."""
    return not name.quoted and name.name in (*OUTPUT_NAMES, *BASELINE_NAMES)


def _instance_ids(frame: pd.DataFrame, spec: DatasetSpec, rows_before: int) -> np.ndarray:
    if not spec.id:
        return np.array([str(rows_before + row) for row in range(1, len(frame) + 1)], dtype=object)
    for name in spec.id:
        if name not in frame.columns:
            raise DataError(f"dataset.id: there is no column {name!r}{did_you_mean(name, map(str, frame.columns))}")
    columns = [column_of(frame[name]) for name in spec.id]
    missing = np.logical_or.reduce([column.missing for column in columns])
    if missing.any():
        rows = ", ".join(str(row + 1) for row in np.flatnonzero(missing)[:3])
        raise DataError(f"dataset.id: {missing.sum():,} rows have no {'/'.join(spec.id)} (rows {rows}, ...)")
    parts = [canonical_text(column) for column in columns]
    ids = parts[0] if len(parts) == 1 else np.array(["/".join(row) for row in zip(*parts, strict=True)], dtype=object)
    duplicated = pd.Series(ids).duplicated(keep=False)
    if duplicated.any():
        examples = ", ".join(factorize(ids[duplicated.to_numpy()])[1][:3])
        raise DataError(
            f"dataset.id: {'/'.join(spec.id)} is not unique, {int(duplicated.sum()):,} rows share an id "
            f"(for example {examples})"
        )
    return np.asarray(ids, dtype=object)


def _alone(ids: np.ndarray) -> np.ndarray:
    """Return the names of clusters of one row each; no text of a cell has them."""
    return np.array([f"\0{id_}" for id_ in ids], dtype=object)


def _stem(name: str) -> str:
    """Return a name without what tells it from others of a series: its last word, or number."""
    return re.sub(r"(_[^_]*|\d+)$", "", name.lower())


def _repeated_target(target: tuple[Column, np.ndarray], repeats: int) -> tuple[Column, np.ndarray]:
    return repeated_column(target[0], repeats), np.tile(target[1], repeats)


def repeated_column(column: Column, repeats: int) -> Column:
    """Return a column of all rows, that many times over."""
    codes = None if column.codes is None else (np.tile(column.codes[0], repeats), column.codes[1])
    return Column(column.kind, np.tile(column.values, repeats), np.tile(column.missing, repeats), codes)


def _group_column(groups: Groups) -> Column:
    names = np.array([*groups.names, None], dtype=object)
    return Column("text", names[groups.codes], groups.codes < 0)


def _series_of(column: Column) -> pd.Series:
    series = pd.Series(column.values)
    return series.where(~column.missing) if column.missing.any() else series
