"""Sums of all kinds that parts of a dataset give, slice by slice, and a few instances: no size depends on the rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_behave.codes import hashes_of
from pytest_behave.compare.multiplicity import grouped_units
from pytest_behave.compare.samples import Ranks
from pytest_behave.compare.sums import Hits, Sums, hits_of, sums_of
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.flips import RowLosses, row_losses
from pytest_behave.evidence.instances import inputs_of, instance_of
from pytest_behave.evidence.protocol import MOST_INSTANCES
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.paired import hit_states, paired
from pytest_behave.measure.registry import Chosen, measure_states, rows_by_badness
from pytest_behave.measure.states import Counts
from pytest_behave.parts.ranks import ranks_of
from pytest_behave.parts.work import Block
from pytest_behave.records import Instance, Key, Outcome, Slice
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

    found: tuple[tuple[float, tuple[int, int], Instance], ...] = ()

    def __add__(self, other: Worst) -> Worst:
        return Worst(tuple(sorted((*self.found, *other.found), key=lambda item: (-item[0], item[1]))[:MOST_INSTANCES]))


@dataclass(frozen=True)
class Changed:
    """The worst of the instances of a slice that broke, and the best of those that were fixed."""

    broken: Worst
    fixed: Worst

    def __add__(self, other: Changed) -> Changed:
        return Changed(self.broken + other.broken, self.fixed + other.fixed)


def _merged(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, Any]:
    result = {**one, **other}
    for key in one.keys() & other.keys():
        both = (one[key], other[key])
        result[key] = next((item for item in both if isinstance(item, BehaveError)), None) or both[0] + both[1]
    return result


@dataclass(frozen=True)
class Totals:
    """Everything that sums tell of parts. What could not be measured is the error that kept it from being so.

    ``moved`` counts the instances that broke and that were fixed, where single instances can. ``common`` counts the rows
    of each slice that can be compared; None without a baseline.
    """

    states: Mapping[str, InSlices | BehaveError]
    baseline_states: Mapping[str, InSlices | BehaveError]
    sums: Mapping[str, InSlices | BehaveError]
    worst: Mapping[Key, Worst]
    changed: Mapping[Key, Changed]
    moved: Mapping[str, InSlices]
    new_classes: Mapping[str, int]
    common: InSlices | None = None

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            _merged(self.states, other.states),
            _merged(self.baseline_states, other.baseline_states),
            _merged(self.sums, other.sums),
            _merged(self.worst, other.worst),
            _merged(self.changed, other.changed),
            _merged(self.moved, other.moved),
            _merged(self.new_classes, other.new_classes),
            self.common + other.common if self.common and other.common else self.common or other.common,
        )


@dataclass(frozen=True)
class SumUp:
    """Takes sums from every block. ``explained`` are slices, families or ``*`` with the metrics that a bound asks for."""

    explained: frozenset[Key]

    def of(self, block: Block, chosen: tuple[Chosen, ...]) -> Totals:
        """Return the sums of one block."""
        summing = _Summing(block, chosen, self.explained)
        return Totals(
            states=summing.states(),
            baseline_states=summing.baseline_states(),
            sums=summing.sums(),
            worst=summing.worst(),
            changed=summing.changed,
            moved=summing.moved,
            new_classes=_new_classes(block.said.outcome),
            common=summing.common(),
        )


def _new_classes(outcome: Outcome) -> dict[str, int]:
    """Return how often outputs are classes that the target never is."""
    names = outcome.classes[outcome.target_classes :]
    if not names or outcome.predicted is None:
        return {}
    counts = np.bincount(outcome.predicted, minlength=len(outcome.classes))[outcome.target_classes :]
    return {name: count for name, count in zip(names, counts.tolist(), strict=True) if count}


class _Summing:
    def __init__(self, block: Block, chosen: tuple[Chosen, ...], explained: Collection[Key]) -> None:
        self.block = block
        self.chosen = chosen
        self.table, self.outcome = block.said.table, block.said.outcome
        self.against = None if block.beside is None else block.beside.against
        self.explained = explained
        size = self.outcome.size
        self.names = tuple(slice_.name for slice_ in block.slices)
        nothing = packed(np.zeros(size, dtype=bool))
        self.bits: list[Bits] = [*(slice_.bits for slice_ in block.slices), nothing]
        self.masks = Masks(self.bits, size)
        self.changed: dict[Key, Changed] = {}
        self.moved: dict[str, InSlices] = {}
        self._inputs: dict[int, Mapping[str, str]] = {}

    def states(self) -> dict[str, InSlices | BehaveError]:
        return self._states(self.outcome)

    def baseline_states(self) -> dict[str, InSlices | BehaveError]:
        return {} if self.against is None or self.against.outcome is None else self._states(self.against.outcome)

    def _states(self, outcome: Outcome) -> dict[str, InSlices | BehaveError]:
        found = measure_states(self.chosen, outcome, self.masks)
        return {
            name: state if isinstance(state, BehaveError) else InSlices(self.names, state)
            for name, state in found.items()
        }

    def common(self) -> InSlices | None:
        """Return how many rows of each slice can be compared, None without a baseline."""
        if self.against is None:
            return None
        return InSlices(self.names, Counts(self.masks.count([self.against.common])))

    def sums(self) -> dict[str, InSlices | BehaveError]:
        """Return what the comparison with the baseline needs, and keep who changed."""
        outcome, against = self.outcome, self.against
        if against is None or against.outcome is None:
            return {}
        hashes = hashes_of(self.table.ids)
        units = grouped_units(hashes)
        rows = [np.flatnonzero(bits.bools() & against.common) for bits in self.bits]
        result: dict[str, InSlices | BehaveError] = {}
        sums: Sums | Hits | Ranks
        for chosen in self.chosen:
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
        for slice_, where in zip(self.block.slices, rows, strict=False):
            if self._is_explained(slice_, chosen):
                self.changed[slice_.name, metric] = Changed(
                    self._worst(losses.broken(where), losses.loss, against.outcome),
                    self._worst(losses.fixed(where), -losses.loss, against.outcome),
                )

    def _worst(self, rows: np.ndarray, badness: np.ndarray, baseline: Outcome | None = None) -> Worst:
        """Return the first of rows that are in order."""
        first, ids = rows[:MOST_INSTANCES].tolist(), self.table.ids
        new = [row for row in first if row not in self._inputs]  # the worst of one slice are often those of others
        self._inputs |= zip(new, inputs_of(self.table, new) if new else (), strict=True)
        found = [
            (
                float(badness[row]),
                (self.block.part, self.block.before + row),
                instance_of(row, str(ids[row]), self.outcome, self._inputs[row], baseline),
            )
            for row in first
        ]
        return Worst(tuple(found))

    def _is_explained(self, slice_: Slice, chosen: Chosen) -> bool:
        names = {slice_.name, slice_.family, *(() if slice_.name == "overall" else ("*",))}
        return any((name, chosen.spec.name) in self.explained for name in names if name is not None)

    def worst(self) -> dict[Key, Worst]:
        result = {}
        everything = np.ones(self.outcome.size, dtype=bool)
        for chosen in self.chosen:
            asked = [slice_ for slice_ in self.block.slices if self._is_explained(slice_, chosen)]
            if not asked:
                continue
            try:
                order, badness = rows_by_badness(chosen, self.outcome, everything)
            except BehaveError:
                continue
            of_row = np.zeros(len(everything))
            of_row[order] = badness
            for slice_ in asked:
                inside = slice_.bits.bools()[order]
                result[slice_.name, chosen.spec.name] = self._worst(order[inside], of_row)
        return result
