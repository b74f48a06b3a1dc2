"""What parts of a dataset give when a model has run over them: sums of all kinds, slice by slice, and a few instances.

``MeasurePart`` is what an engine calls on every part, and ``Totals`` what it adds up. No size depends on the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_behave.compare.samples import Ranks
from pytest_behave.outputs.spills import write_spill
from pytest_behave.compare.sums import Hits, Sums, hits_of, sums_of
from pytest_behave.data.columns import canonical_text
from pytest_behave.data.parts import Part
from pytest_behave.data.slices import make_slices
from pytest_behave.data.table import Table
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against, against_model, predictions_to_store
from pytest_behave.judge.comparisons import hashes_of, units_of
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.evidence.flips import RowLosses, row_losses
from pytest_behave.parts.joined import Joined, StoredRows
from pytest_behave.parts.cache import Kept, PredictorInParts, SharedCache
from pytest_behave.evidence.rows import MOST_INSTANCES, Measured
from pytest_behave.prepare.preparation import Preparation, Prepared
from pytest_behave.parts.ranks import ranks_of
from pytest_behave.parts.survey import Reading, Seen, both_seen, seen_of
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.outcome import Labels
from pytest_behave.measure.paired import hit_states, paired
from pytest_behave.measure.registry import Chosen, measure_states, rows_by_badness
from pytest_behave.measure.states import Counts
from pytest_behave.records import Instance, Key, ModelSpec, Name, Outcome, Slice, Task
from pytest_behave.records.bits import Bits, packed
from pytest_behave.records.pairs import PairedInfluences, PairedStates, PairedValues


@dataclass(frozen=True)
class InSlices:
    """A state by the names of its slices; it has one slice more, the last, which is empty."""

    names: tuple[str, ...]
    state: Any

    def __add__(self, other: InSlices) -> InSlices:
        if self.names == other.names:
            return InSlices(self.names, self.state + other.state)
        names = tuple(dict.fromkeys((*self.names, *other.names)))
        return InSlices(names, self._of(names) + other._of(names))

    def _of(self, names: Sequence[str]) -> Any:
        return self.of_names([*names, ""])

    def of_names(self, names: Sequence[str]) -> Any:
        """Return the state of slices by name; what is in none of the rows is empty."""
        places = {name: place for place, name in enumerate(self.names)}
        return self.state.of_slices(np.array([places.get(name, -1) for name in names], dtype=np.int64))


@dataclass(frozen=True)
class Worst:
    """The instances that count most against behaviors, each with how much and where it stands: worst first."""

    found: tuple[tuple[float, int, int, Instance], ...] = ()

    def __add__(self, other: Worst) -> Worst:
        return Worst(
            tuple(sorted((*self.found, *other.found), key=lambda item: (-item[0], *item[1:3]))[:MOST_INSTANCES])
        )


@dataclass(frozen=True)
class Changed:
    """The worst of the instances of a slice that broke, and the best of those that were fixed."""

    broken: Worst
    fixed: Worst

    def __add__(self, other: Changed) -> Changed:
        return Changed(self.broken + other.broken, self.fixed + other.fixed)


@dataclass(frozen=True)
class Common:
    """How many rows are in the baseline too, unchanged, in all and by slice; and those that are not."""

    rows: int
    added: int
    changed: int
    slices: InSlices

    def __add__(self, other: Common) -> Common:
        return Common(
            self.rows + other.rows,
            self.added + other.added,
            self.changed + other.changed,
            self.slices + other.slices,
        )


def _merged(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, Any]:
    result = {**one, **other}
    for key in one.keys() & other.keys():
        both = (one[key], other[key])
        result[key] = next((item for item in both if isinstance(item, BehaveError)), None) or both[0] + both[1]
    return result


@dataclass(frozen=True)
class Totals:
    """Everything that parts give. What could not be measured is the error that kept it from being so.

    ``moved`` counts the instances that broke and that were fixed, where single instances can. ``common`` is None
    without a baseline whose outputs are known, and where there are no rows.
    """

    rows: int
    slices: dict[str, Seen]
    states: Mapping[str, InSlices | BehaveError]
    baseline_states: Mapping[str, InSlices | BehaveError]
    sums: Mapping[str, InSlices | BehaveError]
    worst: Mapping[Key, Worst]
    changed: Mapping[Key, Changed]
    moved: Mapping[str, InSlices]
    new_classes: Mapping[str, int]
    common: Common | None = None
    kept: Kept = field(default_factory=Kept)

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.rows + other.rows,
            both_seen(self.slices, other.slices),
            _merged(self.states, other.states),
            _merged(self.baseline_states, other.baseline_states),
            _merged(self.sums, other.sums),
            _merged(self.worst, other.worst),
            _merged(self.changed, other.changed),
            _merged(self.moved, other.moved),
            _merged(self.new_classes, other.new_classes),
            self.common + other.common if self.common and other.common else self.common or other.common,
            self.kept + other.kept,
        )


@dataclass(frozen=True)
class Spill:
    """Where outputs wait to be stored, and the fingerprint of the model they are of: as the process that stores has it."""

    folder: Path
    fingerprint: str


@dataclass(frozen=True)
class MeasurePart:
    """Reads a part, runs the model over it and measures.

    ``explained`` are the slices, families or ``*`` and the metrics whose worst instances may be asked for. ``stored`` is
    what a stored baseline's outputs are joined from, ``spill`` where those of this model are kept, ``shared`` the cache.
    Extensions stay in the process that has them.
    """

    reading: Reading
    model: ModelSpec
    baseline: ModelSpec | None
    task: Task | None
    labels: Labels | None
    rows_before: tuple[int, ...]
    explained: frozenset[Key]
    stored: StoredRows | None = None
    spill: Spill | None = None
    extensions: Extensions = field(default_factory=Extensions)
    shared: SharedCache | None = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what cannot be pickled."""
        return {**self.__dict__, "extensions": Extensions()}

    def __call__(self, part: Part) -> Totals:
        """Return the totals of one part."""
        worker = _WORKERS.get(self.key)
        if worker is None:
            _WORKERS.clear()
            worker = _WORKERS[self.key] = _Worker(self)
        return worker.measure(part)


_WORKERS: dict[str, _Worker] = {}  # of this process: a model is opened once, not per part


class _Worker:
    def __init__(self, job: MeasurePart) -> None:
        self.job = job
        preparation = Preparation(job.reading.suite, job.extensions)
        self.references = preparation.references = job.reading.references()
        chosen = preparation.metrics(job.task)
        self.prepared = Prepared(
            suite=job.reading.suite,
            table=None,
            task=job.task,
            target=None,
            labels=job.labels,
            chosen=chosen,
            slices=(),
            deferred=(),
            items=(),
            references=self.references,
            extensions=job.extensions,
            models=(job.model,),
            baseline=job.baseline,
        )
        preparation.raise_if_problems()
        self.predictor = PredictorInParts(self.prepared, job.model, "candidate", job.shared)
        self.baseline = None
        if job.baseline is not None:
            self.baseline = PredictorInParts(self.prepared, job.baseline, "baseline", job.shared)
        self.stored = None if job.stored is None else Joined(job.stored)

    def measure(self, part: Part) -> Totals:
        before = self.job.rows_before[part.number]
        total = Totals(0, {}, {}, {}, {}, {}, {}, {}, {})
        for table in self.job.reading.tables(part, self.references, before):
            if len(table):
                total += self._block(table, part, before)
            before += len(table)
        kept = sum((one.take() for one in (self.predictor, self.baseline) if one is not None), Kept())
        return replace(total, kept=kept)

    def _against(self, prepared: Prepared, fork: Table) -> Against | None:
        prepared = replace(prepared, table=fork)
        if self.baseline is not None and self.job.baseline is not None:
            return against_model(prepared, fork, self.job.baseline, self.baseline.over(prepared))
        return None if self.stored is None else self.stored.against(prepared, fork)

    def _block(self, table: Table, part: Part, before: int) -> Totals:
        prepared = replace(self.prepared, table=table, target=_target_of(table))
        against = self._against(prepared, table.fork())
        measured = _Block(prepared, self.job.model, self.predictor.over(prepared), against.columns if against else {})
        if self.job.spill is not None:  # by the rows before: another worker, after this one's death, writes the same
            kept = predictions_to_store(measured, self.job.spill.fingerprint)
            write_spill(self.job.spill.folder, f"{before:015}", kept)
        slices = [slice_ for slice_ in measured.slices if slice_.problem is None]
        block = _Measuring(measured, slices, against, self.job.explained, (part.number, before))
        return Totals(
            rows=len(table),
            slices=seen_of(measured.slices),
            states=block.states(),
            baseline_states=block.baseline_states(),
            sums=block.sums(),
            worst=block.worst(),
            changed=block.changed,
            moved=block.moved,
            new_classes=_new_classes(measured.outcome),
            common=block.common(),
        )


def _target_of(table: Table) -> Any:
    if table.spec.target is None:
        return None
    column = table.lookup(Name(table.spec.target, quoted=True))
    return column, canonical_text(column)


class _Block(Measured):
    """Some rows of a dataset."""

    def _slices(self) -> list[Slice]:
        return list(make_slices(self.table, self.prepared.suite.slices, is_part=True))


def _new_classes(outcome: Outcome) -> dict[str, int]:
    """Return how often outputs are classes that the target never is."""
    names = outcome.classes[outcome.target_classes :]
    if not names or outcome.predicted is None:
        return {}
    counts = np.bincount(outcome.predicted, minlength=len(outcome.classes))[outcome.target_classes :]
    return {name: count for name, count in zip(names, counts.tolist(), strict=True) if count}


class _Measuring:
    def __init__(
        self,
        measured: Measured,
        slices: Sequence[Slice],
        against: Against | None,
        explained: Collection[Key],
        place: tuple[int, int],
    ) -> None:
        self.measured = measured
        self.slices = slices
        self.against = against
        self.explained = explained
        self.part, self.before = place
        size = measured.outcome.size
        self.names = tuple(slice_.name for slice_ in slices)
        nothing = packed(np.zeros(size, dtype=bool))
        self.bits: list[Bits] = [*(slice_.bits for slice_ in slices), nothing]
        self.masks = Masks(self.bits, size)
        self.changed: dict[Key, Changed] = {}
        self.moved: dict[str, InSlices] = {}

    def states(self) -> dict[str, InSlices | BehaveError]:
        return self._states(self.measured.outcome)

    def baseline_states(self) -> dict[str, InSlices | BehaveError]:
        return {} if self.against is None or self.against.outcome is None else self._states(self.against.outcome)

    def _states(self, outcome: Outcome) -> dict[str, InSlices | BehaveError]:
        found = measure_states(self.measured.prepared.chosen, outcome, self.masks)
        return {
            name: state if isinstance(state, BehaveError) else InSlices(self.names, state)
            for name, state in found.items()
        }

    def common(self) -> Common | None:
        """Return how many rows can be compared, None without a baseline."""
        if self.against is None:
            return None
        use, counts = self.against.use, self.masks.count([self.against.common])
        return Common(use.common, use.added, use.changed, InSlices(self.names, Counts(counts)))

    def sums(self) -> dict[str, InSlices | BehaveError]:
        """Return what the comparison with the baseline needs, and keep who changed."""
        outcome, against = self.measured.outcome, self.against
        if against is None or against.outcome is None:
            return {}
        hashes = hashes_of(self.measured.table.ids)
        units = units_of(hashes)
        rows = [np.flatnonzero(bits.bools() & against.common) for bits in self.bits]
        result: dict[str, InSlices | BehaveError] = {}
        sums: Sums | Hits | Ranks
        for chosen in self.measured.prepared.chosen:
            worse = 1 if chosen.better == "lower" else -1
            try:
                pairs = paired(chosen, against.outcome, outcome)
            except BehaveError as error:
                result[chosen.spec.name] = error
                continue
            if isinstance(pairs, (PairedValues, PairedStates)):
                hits = hit_states(chosen, against.outcome, outcome)
                sums = sums_of(pairs, rows, worse, units) if hits is None else hits_of(hits, rows, worse, units)
            elif isinstance(pairs, PairedInfluences) and pairs.test == "delong":
                sums = ranks_of(chosen, (against.outcome, outcome), hashes, rows)
            else:
                continue
            result[chosen.spec.name] = InSlices(self.names, sums)
            losses = row_losses(pairs, worse, against.outcome, outcome)
            if losses is not None:
                self._note_changes(chosen, losses, rows)
        return result

    def _note_changes(self, chosen: Chosen, losses: RowLosses, rows: Sequence[np.ndarray]) -> None:
        against, metric = self.against, chosen.spec.name
        if against is None:
            return
        counts = self.masks.count([(losses.loss > 0) & against.common, (losses.loss < 0) & against.common])
        self.moved[metric] = InSlices(self.names, Counts(counts))
        for slice_, where in zip(self.slices, rows, strict=False):
            if self._is_explained(slice_, chosen):
                self.changed[slice_.name, metric] = Changed(
                    self._worst(losses.broken(where), losses.loss, against.outcome),
                    self._worst(losses.fixed(where), -losses.loss, against.outcome),
                )

    def _worst(self, rows: np.ndarray, badness: np.ndarray, baseline: Outcome | None = None) -> Worst:
        """Return the first of rows that are in order."""
        first = rows[:MOST_INSTANCES].tolist()
        return Worst(
            tuple(
                (float(badness[row]), self.part, self.before + row, self.measured.instance(row, baseline))
                for row in first
            )
        )

    def _is_explained(self, slice_: Slice, chosen: Chosen) -> bool:
        names = {slice_.name, slice_.family, *(() if slice_.name == "overall" else ("*",))}
        return any((name, chosen.spec.name) in self.explained for name in names if name is not None)

    def worst(self) -> dict[Key, Worst]:
        result = {}
        everything = np.ones(self.measured.outcome.size, dtype=bool)
        for chosen in self.measured.prepared.chosen:
            asked = [slice_ for slice_ in self.slices if self._is_explained(slice_, chosen)]
            if not asked:
                continue
            try:
                order, badness = rows_by_badness(chosen, self.measured.outcome, everything)
            except BehaveError:
                continue
            of_row = np.zeros(len(everything))
            of_row[order] = badness
            for slice_ in asked:
                inside = slice_.bits.bools()[order]
                result[slice_.name, chosen.spec.name] = self._worst(order[inside], of_row)
        return result
