"""What workers do with a part of a dataset: read it, ask the models, join what is stored, and hand over what judging needs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pytest_behave.data.parts import Part
from pytest_behave.data.slices import make_slices
from pytest_behave.data.table import Table
from pytest_behave.evidence.baseline import (
    Against,
    aligned,
    baseline_use,
    named_columns,
    predictions_to_store,
    with_outputs,
)
from pytest_behave.evidence.outcome import Answered, answered
from pytest_behave.evidence.predictor import Asked, Keep, Predictor, keep_nothing
from pytest_behave.measure.registry import Chosen
from pytest_behave.outputs.spills import write_spill
from pytest_behave.parts.cache import Known, Role, SharedCache, keep_for_all
from pytest_behave.parts.joined import Joined, StoredRows
from pytest_behave.parts.survey import Reading, Seen, both_seen, seen_of
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.metrics import chosen_metrics
from pytest_behave.prepare.preparation import Coding
from pytest_behave.records import ModelSpec, Predictions, Slice


@dataclass(frozen=True)
class Beside:
    """The baseline of some rows, and what it said of each, in their order."""

    against: Against
    predictions: Predictions
    said: Answered | None


@dataclass(frozen=True)
class Block:
    """Some rows of a part, as many rows ``before`` them in the dataset, with what the models said of them."""

    part: int
    before: int
    said: Answered
    slices: tuple[Slice, ...]
    beside: Beside | None


class Summary(Protocol):
    """What is handed over of every block; summaries add up, in any order and grouping."""

    def of(self, block: Block, chosen: tuple[Chosen, ...]) -> Any:
        """Return what judging needs of a block."""


@dataclass(frozen=True)
class Common:
    """How many rows are in the baseline too, unchanged; and how many are not."""

    rows: int
    added: int
    changed: int

    def __add__(self, other: Common) -> Common:
        return Common(self.rows + other.rows, self.added + other.added, self.changed + other.changed)


@dataclass(frozen=True)
class Measured:
    """What parts hand over: their slices, how they compare with the baseline's rows, and the ``summary`` of each block.

    ``common`` is None without a baseline whose outputs are known, and where there are no rows; so is the summary.
    """

    rows: int = 0
    slices: dict[str, Seen] = field(default_factory=dict)
    common: Common | None = None
    known: Known = field(default_factory=Known)
    summary: Any = None

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.rows + other.rows,
            both_seen(self.slices, other.slices),
            _both(self.common, other.common),
            self.known + other.known,
            _both(self.summary, other.summary),
        )


def _both(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return one + other


@dataclass(frozen=True)
class Spill:
    """Where outputs wait to be stored, and the fingerprint of the model they are of: as the process that stores has it."""

    folder: Path
    fingerprint: str


@dataclass(frozen=True)
class Order:
    """What a run asks of every worker; extensions stay in the process that has them.

    ``stored`` is what a stored baseline's outputs are joined from, ``spill`` where those of this model are kept, ``shared``
    the cache.
    """

    reading: Reading
    model: ModelSpec
    baseline: ModelSpec | None
    coding: Coding
    rows_before: tuple[int, ...]
    summary: Summary
    stored: StoredRows | None = None
    spill: Spill | None = None
    shared: SharedCache | None = None
    extensions: Extensions = field(default_factory=Extensions)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what cannot be pickled."""
        return {**self.__dict__, "extensions": Extensions()}


class MeasurePart:
    """What an engine calls on every part. Where one object is called for several, also by threads, it opens models once."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._opening = threading.Lock()
        self._opened: _Worker | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was opened: another process opens its own."""
        return {"order": self._order}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._order, self._opening, self._opened = state["order"], threading.Lock(), None

    def __call__(self, part: Part) -> Measured:
        """Return what one part hands over."""
        with self._opening:
            if self._opened is None:
                self._opened = _Worker(self._order)
        return self._opened.measured(part)


class _Worker:
    """Models and stored outputs, opened. Nothing here knows of the rows at hand."""

    def __init__(self, order: Order) -> None:
        suite = order.reading.suite
        self.order = order
        self.references = order.reading.references()
        self.chosen = chosen_metrics(suite, self.references, order.extensions, order.coding.task)
        self.heard: dict[str, None] = {}
        keeps: dict[Role, Keep] = {"candidate": keep_nothing, "baseline": keep_nothing}
        if order.shared is not None:
            cache, self.heard = order.shared.opened()
            keeps |= {role: keep_for_all(cache, identity) for role, identity in order.shared.identities.items()}

        def predictor(spec: ModelSpec, role: Role) -> Predictor:
            asked = Asked(suite, spec, self.references, order.extensions, in_parts=True)
            return Predictor(asked, keep=keeps[role])

        self.candidate = predictor(order.model, "candidate")
        self.baseline = None if order.baseline is None else predictor(order.baseline, "baseline")
        self.stored = None if order.stored is None else Joined(order.stored)

    def measured(self, part: Part) -> Measured:
        before = self.order.rows_before[part.number]
        total = Measured()
        for table in self.order.reading.tables(part, self.references, before):
            if len(table):
                total += self._of_table(table, part.number, before)
            before += len(table)
        return replace(total, known=total.known + Known(said=tuple(self.heard)))

    def _of_table(self, table: Table, part: int, before: int) -> Measured:
        beside, known = self._beside(table)
        answers = self.candidate.of_table(table)
        columns = None if beside is None else beside.against.columns
        said = answered(self.order.coding, table, self.order.model, answers.predictions, columns)
        if self.order.spill is not None:  # by the rows before: another worker, after this one's death, writes the same
            kept = predictions_to_store(self.order.reading.suite, said, self.order.spill.fingerprint)
            write_spill(self.order.spill.folder, f"{before:015}", kept)
        slices = tuple(make_slices(said.table, self.order.reading.suite.slices, is_part=True))
        made = tuple(slice_ for slice_ in slices if slice_.problem is None)
        return Measured(
            rows=len(table),
            slices=seen_of(slices),
            common=None if beside is None else _common(beside.against),
            known=Known.of("candidate", answers) + known,
            summary=self.order.summary.of(Block(part, before, said, made, beside), self.chosen),
        )

    def _beside(self, table: Table) -> tuple[Beside | None, Known]:
        suite, coding = self.order.reading.suite, self.order.coding
        if self.baseline is not None and self.order.baseline is not None:
            answers = self.baseline.of_table(table)
            said = answered(coding, table, self.order.baseline, answers.predictions)
            use = baseline_use(suite, "model", self.order.baseline.name, len(table))
            everywhere = np.ones(len(table), dtype=bool)
            against = Against(use, said.outcome, everywhere, columns=named_columns(said.table))
            return Beside(against, answers.predictions, said), Known.of("baseline", answers)
        if self.stored is None:
            return None, Known()
        use = baseline_use(suite, "stored", self.stored.about.model, 0)
        unknown = Against(use, None, np.zeros(0, dtype=bool))
        found, against = aligned(suite, table, self.stored.of(table), unknown)
        joined, answers_known = with_outputs(coding, table, found, against)
        return Beside(joined, found.predictions, answers_known), Known()


def _common(against: Against) -> Common:
    use = against.use
    return Common(use.common, use.added, use.changed)
