"""Rows that parts hand over: targets, outputs, slices and whatever else metrics look at, but not what went into the model.

Put together they are the rows of a dataset in memory, and are judged as those are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pytest_behave.data.parts import Part
from pytest_behave.errors import BehaveError, MetricError
from pytest_behave.evidence.baseline import STORED, Against
from pytest_behave.evidence.instances import inputs_of
from pytest_behave.evidence.outcome import Answered, coded_outcome
from pytest_behave.evidence.rows import Rows
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.registry import BUILT_IN, Chosen, measure_figures
from pytest_behave.parts.survey import Reading
from pytest_behave.parts.work import Block
from pytest_behave.predict.normalize import Batch, joined
from pytest_behave.prepare.preparation import Coding
from pytest_behave.prepare.repeats import rows_of
from pytest_behave.records import Column, Expr, Kind, ModelSpec, Outcome, Predictions, Slice
from pytest_behave.records.bits import Everything, packed
from pytest_behave.records.data import kind_of_both

BLIND = frozenset({"count", "share", "agreement", "python"})  # metrics that look at no column, or at all of them
ALL_AT_ONCE = "the metric needs all rows at once: it cannot be measured in partitions"

Truth = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Looked:
    """Columns and conditions that metrics looked at, or the text of the error that they met."""

    columns: Mapping[str, Column | str] = field(default_factory=dict)
    conditions: Mapping[Expr, Truth | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """What one model said of some rows, and what metrics look at beside it."""

    predictions: Predictions
    looked: Looked


@dataclass(frozen=True)
class HandedRows:
    """The rows of one block: ``slices`` are the packed bits (uint8) of those that are not empty in it."""

    part: int
    before: int
    ids: np.ndarray
    target: tuple[Column, np.ndarray] | None
    candidate: Side
    baseline: Side | None
    common: np.ndarray | None
    slices: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class HandedOver:
    """The blocks of parts, in no order."""

    blocks: tuple[HandedRows, ...]

    def __add__(self, other: HandedOver) -> HandedOver:
        return HandedOver((*self.blocks, *other.blocks))


@dataclass(frozen=True)
class HandOver:
    """Takes from every block all that judging needs of its rows."""

    def of(self, block: Block, chosen: tuple[Chosen, ...]) -> HandedOver:
        """Return the rows of one block."""
        table, beside = block.said.table, block.beside
        return HandedOver(
            (
                HandedRows(
                    part=block.part,
                    before=block.before,
                    ids=table.ids,
                    target=table.target,
                    candidate=_side(block.said.predictions, block.said, chosen),
                    baseline=None if beside is None else _side(beside.predictions, beside.said, chosen),
                    common=None if beside is None else beside.against.common,
                    slices={one.name: np.packbits(one.mask) for one in block.slices if one.size},
                ),
            )
        )


def _side(predictions: Predictions, said: Answered | None, chosen: Iterable[Chosen]) -> Side:
    looked = Looked() if said is None else _looked(said.outcome, chosen)
    return Side(replace(predictions, extra={}, embedding=None), looked)


def _looked(outcome: Outcome, chosen: Iterable[Chosen]) -> Looked:
    """Return what the metrics look at: found by measuring those that look at anything."""
    columns: dict[str, Column | str] = {}
    conditions: dict[Expr, Truth | str] = {}
    noting = replace(outcome, column=_noting(outcome.column, columns), condition=_noting(outcome.condition, conditions))
    known = {metric.name for metric in BUILT_IN if metric.needs != "nothing"}
    looking = [item for item in chosen if item.metric.name not in known | BLIND]
    if looking:
        measure_figures(looking, noting, Masks([Everything(outcome.size)], outcome.size))
    return Looked(columns, conditions)


def _noting(find: Callable[[Any], Any], notes: dict[Any, Any]) -> Callable[[Any], Any]:
    def found(name: Any) -> Any:
        try:
            notes[name] = find(name)
        except BehaveError as error:
            notes[name] = str(error)
            raise
        return notes[name]

    return found


# -- put together again


def rows_together(
    handed: HandedOver, coding: Coding, model: ModelSpec, slices: Sequence[Slice], inputs: ReadInputs
) -> Rows:
    """Return the rows of all parts in the order of the dataset; ``slices`` say what there is to know but their rows."""
    blocks = sorted(handed.blocks, key=lambda block: (block.part, block.before))
    ids = _ids(blocks)
    outcome = _outcome([block.candidate for block in blocks], coding, blocks, model)
    return Rows(
        ids=ids,
        instances=ids,
        outcome=outcome,
        slices=tuple(replace(one, bits=_bits(one.name, blocks)) if one.problem is None else one for one in slices),
        clusters=None,
        inputs=lambda rows: inputs.of([(block.part, block.before, len(block.ids)) for block in blocks], rows),
    )


def beside_together(handed: HandedOver, coding: Coding, baseline: ModelSpec | None, against: Against) -> Against:
    """Return the baseline with its outcome on the rows of all parts, valid on the common ones."""
    blocks = sorted(handed.blocks, key=lambda block: (block.part, block.before))
    found = [block.common for block in blocks if block.common is not None]
    common = np.concatenate(found) if found else against.common
    if against.reason or not common.any():
        return replace(against, common=common)
    sides = [block.baseline for block in blocks if block.baseline is not None]
    first = int(np.flatnonzero(common)[0])
    known = np.where(common, np.arange(len(common)), first)  # as where all rows are in memory
    outcome = _outcome(sides, coding, blocks, baseline or STORED, known)
    return replace(against, common=common, outcome=outcome)


def _outcome(
    sides: Sequence[Side],
    coding: Coding,
    blocks: Sequence[HandedRows],
    model: ModelSpec,
    rows: np.ndarray | None = None,
) -> Outcome:
    ends = np.cumsum([0, *(_size(side.predictions) for side in sides)])
    batches = [
        Batch(np.arange(first, last), side.predictions)
        for side, first, last in zip(sides, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    ]
    predictions = joined(batches)
    predictions = predictions if rows is None else rows_of(predictions, rows)
    outcome = coded_outcome(coding, _target(blocks), _ids(blocks), model, predictions)
    looked = [side.looked for side in sides]
    return replace(
        outcome,
        column=lambda name: _together([one.columns.get(name) for one in looked], _column),
        condition=lambda expression: _together([one.conditions.get(expression) for one in looked], _truth),
        frame=_no_frame,
    )


def _size(predictions: Predictions) -> int:
    found = [predictions.prediction, predictions.score, *predictions.proba.values()]
    return next((len(values) for values in found if values is not None), 0)


def _together(found: Sequence[Any], join: Callable[[Sequence[Any]], Any]) -> Any:
    for one in found:
        if isinstance(one, str):
            raise MetricError(one)
    if any(one is None for one in found):
        raise MetricError(ALL_AT_ONCE)
    return join(found)


def _no_frame() -> Any:
    raise MetricError(ALL_AT_ONCE)


def _column(columns: Sequence[Column]) -> Column:
    kind = columns[0].kind
    for column in columns[1:]:
        kind = kind_of_both(kind, column.kind)
    values = [_values(column, kind) for column in columns]
    return Column(kind, np.concatenate(values), np.concatenate([column.missing for column in columns]))


def _values(column: Column, kind: Kind) -> np.ndarray:
    """Return the values of a part of a column of some kind; a part without any value has the kind ``empty``."""
    if kind == "mixed":
        return column.values.astype(object)
    if column.kind == kind:
        return column.values
    nothing: dict[Kind, Any] = {"number": np.nan, "bool": False, "date": np.datetime64("NaT", "ns")}
    return np.full(len(column.missing), nothing.get(kind))


def _truth(truths: Sequence[Truth]) -> Truth:
    return np.concatenate([true for true, _ in truths]), np.concatenate([unknown for _, unknown in truths])


def _ids(blocks: Sequence[HandedRows]) -> np.ndarray:
    return np.concatenate([block.ids for block in blocks])


def _target(blocks: Sequence[HandedRows]) -> tuple[Column, np.ndarray] | None:
    targets = [block.target for block in blocks if block.target is not None]
    if not targets:
        return None
    return _column([column for column, _ in targets]), np.concatenate([texts for _, texts in targets])


def _bits(name: str, blocks: Sequence[HandedRows]) -> Any:
    masks = [
        np.unpackbits(block.slices[name], count=len(block.ids)).view(np.bool_)
        if name in block.slices
        else np.zeros(len(block.ids), dtype=bool)
        for block in blocks
    ]
    return packed(np.concatenate(masks))


# -- what went into the model, of some rows


@dataclass(frozen=True)
class Inputs:
    """What went into the model in some rows, as reports show it, by part and number within the dataset."""

    found: Mapping[tuple[int, int], Mapping[str, str]]

    def __add__(self, other: Inputs) -> Inputs:
        return Inputs({**self.found, **other.found})


@dataclass(frozen=True)
class LookAtInputs:
    """Reads some rows of parts again: those that reports show."""

    reading: Reading
    rows_before: tuple[int, ...]
    wanted: Mapping[int, tuple[int, ...]]

    def __call__(self, part: Part) -> Inputs:
        """Return the wanted rows of one part."""
        before = self.rows_before[part.number]
        found: dict[tuple[int, int], Mapping[str, str]] = {}
        wanted = self.wanted[part.number]
        for table in self.reading.tables(part, self.reading.references(), before):
            own = [row for row in wanted if before <= row < before + len(table)]
            texts = inputs_of(table, [row - before for row in own])
            found |= {(part.number, row): text for row, text in zip(own, texts, strict=True)}
            before += len(table)
        return Inputs(found)


@dataclass(frozen=True)
class ReadInputs:
    """Finds what went into the model: an engine reads the parts again in which some rows stand."""

    reading: Reading
    rows_before: tuple[int, ...]
    parts: tuple[Part, ...]
    total: Callable[[Callable[[Part], Any], Sequence[Part]], Inputs]

    def of(self, blocks: Sequence[tuple[int, int, int]], rows: Sequence[int]) -> list[Mapping[str, str]]:
        """Return the inputs of some rows, rising, of a dataset of ``blocks``: part, rows before, rows."""
        firsts = np.cumsum([0, *(size for *_, size in blocks)])
        places = []
        for row, block in zip(rows, np.searchsorted(firsts, rows, side="right") - 1, strict=True):
            part, before, _ = blocks[int(block)]
            places.append((part, before + row - int(firsts[int(block)])))
        wanted: dict[int, tuple[int, ...]] = {}
        for part, number in places:
            wanted[part] = (*wanted.get(part, ()), number)
        some = tuple(part for part in self.parts if part.number in wanted)
        found = self.total(LookAtInputs(self.reading, self.rows_before, wanted), some).found
        return [found[place] for place in places]
