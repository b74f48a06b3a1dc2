"""Evidence from rows in memory: all of a dataset, or those that its parts have handed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TextIO

import numpy as np

from pytest_behave.codes import factorize
from pytest_behave.compare.multiplicity import units_of
from pytest_behave.compare.paired import Margin, Paired, Settings, compare_pairs
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against
from pytest_behave.evidence.clustered import clustered
from pytest_behave.evidence.flips import RowLosses, row_losses
from pytest_behave.evidence.gaps import interval_of_gap, paired_gap
from pytest_behave.evidence.instances import inputs_of, instance_of
from pytest_behave.evidence.outcome import Answered
from pytest_behave.evidence.protocol import (
    MOST_IDS,
    MOST_INSTANCES,
    Estimates,
    Gap,
    Moved,
    RowPlace,
    Shown,
    Unpairable,
)
from pytest_behave.evidence.swaps import Swaps
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen, measure, worst_rows
from pytest_behave.predict.progress import progress_bar
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.prepare.repeats import agreement_note, agreement_of
from pytest_behave.records import Agreement, BaselineEntry, Estimate, Key, ModelSpec, Outcome, Slice
from pytest_behave.records.bits import AnyOf, Bits, packed
from pytest_behave.records.pairs import PairedRows, PairedValues, Pairs

Inputs = Callable[[Sequence[int]], "Sequence[Mapping[str, str]]"]


@dataclass(frozen=True)
class Rows:
    """Every row of a dataset, with its target and output, and the slices that it is in.

    ``ids`` is an object array of one text per row, ``clusters`` one of the names of their clusters or None,
    ``instances`` are the ids without those of further answers. ``inputs`` gives what went into the model in some rows, by
    their numbers.
    """

    ids: np.ndarray
    instances: np.ndarray
    outcome: Outcome
    slices: tuple[Slice, ...]
    clusters: np.ndarray | None
    inputs: Inputs

    @classmethod
    def of(cls, answered: Answered, slices: Sequence[Slice]) -> Rows:
        """Return the rows of a dataset in memory."""
        table = answered.table
        return cls(
            ids=table.ids,
            instances=table.once.ids,
            outcome=answered.outcome,
            slices=tuple(slices),
            clusters=table.clusters(),
            inputs=lambda rows: inputs_of(table, rows),
        )


@dataclass(frozen=True)
class About:
    """What a suite says of all its comparisons: its name, its metrics, the model's name, the test of paired shares."""

    suite: str
    model: str
    chosen: tuple[Chosen, ...]
    mcnemar: Literal["mid-p", "exact"]

    @classmethod
    def of(cls, prepared: Prepared, model: ModelSpec) -> About:
        """Return what a prepared suite says of comparisons with one of its models."""
        return cls(prepared.suite.name, model.name, prepared.chosen, prepared.suite.comparison.mcnemar)


class RowEvidence:
    """Evidence from rows. With ``swaps``, both models exchange their outputs on some of them."""

    def __init__(
        self,
        about: About,
        rows: Rows,
        against: Against | None = None,
        terminal: TextIO | None = None,
        swaps: Swaps | None = None,
    ) -> None:
        self.about = about
        self.rows = rows
        self.slices = rows.slices
        self.against = against
        self.swaps = swaps
        self.terminal = terminal
        self._by_name = {slice_.name: slice_ for slice_ in rows.slices if slice_.problem is None}

    def beside(self, against: Against | None) -> RowEvidence:
        """Return the same rows beside a baseline."""
        return RowEvidence(self.about, self.rows, against, self.terminal)

    def swapped(self, swaps: Swaps) -> RowEvidence:
        """Return a world in which both models exchange their outputs on some rows: nothing is known of stored values."""
        if self.against is None:
            raise TypeError("only two models can exchange their outputs")
        against = replace(self.against, stored=None, accepted=None)
        return RowEvidence(self.about, self.rows, against, None, swaps)

    @cached_property
    def clusters(self) -> np.ndarray | None:
        """The number of each row's cluster, None where rows are independent."""
        return None if self.rows.clusters is None else factorize(self.rows.clusters)[0]

    @cached_property
    def settings(self) -> Settings:
        """What all comparisons share."""
        names = self.rows.ids if self.rows.clusters is None else self.rows.clusters
        return Settings(units_of(names), self.clusters, self.about.mcnemar)

    @cached_property
    def _common(self) -> Bits | None:
        """The rows that can be compared with the baseline, None where all can."""
        return None if self.against is None or self.against.common.all() else packed(self.against.common)

    def notes(self) -> list[str]:
        """Return what a reader should know of the outputs: how alike answers are, classes that the target never has."""
        outcome = self.rows.outcome
        alike = self.agreement()
        notes = [] if alike is None else [agreement_note(self.about.model, alike)]
        new = outcome.classes[outcome.target_classes :]
        if not new or outcome.predicted is None:
            return notes
        count = int((outcome.predicted >= outcome.target_classes).sum())
        return [*notes, *new_class_notes(new, count, outcome.size)]

    def agreement(self) -> Agreement | None:
        """Return how alike the answers to an instance are, None for a model that is asked once."""
        return agreement_of(self.rows.outcome, self.rows.instances)

    # -- estimates

    def estimates(self, wanted: set[Key]) -> Estimates:
        """Measure every metric on every slice; callables only where ``wanted`` asks, as each costs many calls."""
        made = list(self._by_name.values())
        results = self._measure([item for item in self.about.chosen if item.metric.name != "python"], made)
        for item in self.about.chosen:
            if item.metric.name == "python":
                asked = [s for s in made if {(s.name, item.spec.name), (s.family, item.spec.name)} & wanted]
                results |= self._measure([item], asked)
        return results

    def estimate(self, chosen: Chosen, slice_: Slice) -> Estimate:
        """Measure one metric on one slice; raises the error that keeps it from being measured."""
        found = self._measure([chosen], [slice_])[slice_.name, chosen.spec.name]
        if isinstance(found, BehaveError):
            raise found
        return found

    def _measure(self, chosen: Sequence[Chosen], slices: Sequence[Slice]) -> Estimates:
        outcome = self.rows.outcome
        masks = Masks([slice_.bits for slice_ in slices], outcome.size)
        measured = measure(chosen, outcome, masks)
        if self.clusters is not None:
            clusters, by_name = self.clusters, {item.spec.name: item for item in chosen}
            measured = {
                metric: found
                if isinstance(found, BehaveError)
                else clustered(by_name[metric], outcome, clusters, slices, found)
                for metric, found in measured.items()
            }
        return {
            (slice_.name, metric): estimates if isinstance(estimates, BehaveError) else estimates[index]
            for metric, estimates in measured.items()
            for index, slice_ in enumerate(slices)
        }

    # -- slices

    def size_together(self, slices: Sequence[Slice]) -> int:
        """Return how many instances are in any of some slices."""
        return replace(slices[0], bits=AnyOf([slice_.bits for slice_ in slices])).size if slices else 0

    def rows_of(self, slice_: Slice) -> np.ndarray:
        """Return the numbers of the rows of a slice that can be compared with the baseline, rising."""
        return slice_.bits.rows() if self._common is None else (slice_.bits & self._common).rows()

    def slice_called(self, name: str) -> Slice:
        """Return a slice that could be made."""
        return self._by_name[name]

    def common(self, slice_: Slice) -> int:
        """Return how many rows of a slice can be compared with the baseline."""
        return slice_.bits.count if self._common is None else (slice_.bits & self._common).count

    def clusters_in(self, slice_: Slice) -> int | None:
        """Return how many clusters those rows are in, None where rows are independent."""
        return None if self.clusters is None else len(np.unique(self.clusters[self.rows_of(slice_)]))

    # -- both models

    def pairing(self, chosen: Chosen) -> RowPairing | Unpairable:
        """Return a metric of both models."""
        found = self.pairs(chosen)
        return found if isinstance(found, Unpairable) else RowPairing(self, chosen, found)

    def pairs(self, chosen: Chosen) -> Pairs | Unpairable:
        """Return the values, states or influences of a metric for both models, row by row."""
        if self.against is None or self.against.outcome is None:
            return Unpairable()
        baseline, candidate = self.against.outcome, self.rows.outcome
        try:
            pairs = paired(chosen, baseline, candidate)
            if self.swaps is not None:
                pairs = self.swaps.of(pairs, chosen, baseline, candidate)
        except BehaveError as error:
            said = f"the baseline's outputs do not give the metric: {error}"
            return Unpairable(said, said)
        return Unpairable() if pairs is None else pairs

    def baseline_entry(self, key: Key) -> BaselineEntry | None:  # noqa: ARG002 - every row can be compared
        """Return None: another model's outputs are compared row by row."""
        return None

    def gap_interval(self, estimate: Estimate, one: Slice, other: Slice, chosen: Chosen) -> Estimate:
        """Return the difference of two slices with an interval that knows of rows in both, and of clusters."""
        if self.clusters is None and not (one.bits & other.bits).count:
            return estimate
        return interval_of_gap(estimate, (one, other), chosen, self.rows.outcome, self.clusters)

    def compare_gap(self, gap: Gap, chosen: Chosen, margin: Margin) -> Paired | Unpairable:
        """Return each model's own widest gap compared, on the rows that have a part in either."""
        pairs = self.pairs(chosen)
        if isinstance(pairs, Unpairable):
            return pairs
        if isinstance(pairs, PairedRows) or gap.between is None:
            return Unpairable()
        sides = paired_gap(pairs, gap, chosen.better, self.rows_of, self.rows.outcome.size)
        if sides is None:
            return Unpairable()
        (result,) = compare_pairs(sides[0], [sides[1]], [margin], 1, self.settings)
        return result

    # -- instances

    def worst(self, chosen: Chosen, slice_: Slice) -> list[RowPlace]:
        """Return the numbers of the rows that count most against a metric, worst first."""
        try:
            return list(worst_rows(chosen, self.rows.outcome, slice_.mask, MOST_INSTANCES).tolist())
        except BehaveError:
            return []

    def shown(self, worst: Sequence[RowPlace], flipped: Sequence[RowPlace]) -> Shown:
        """Return instances for reports, by the numbers of their rows."""
        numbers = sorted({*_numbers(worst), *_numbers(flipped)})
        inputs = dict(zip(numbers, self.rows.inputs(numbers), strict=True)) if numbers else {}
        ids, outcome = self.rows.ids, self.rows.outcome
        baseline = None if self.against is None else self.against.outcome
        return Shown(
            {row: instance_of(row, str(ids[row]), outcome, inputs[row]) for row in _numbers(worst)},
            {row: instance_of(row, str(ids[row]), outcome, inputs[row], baseline) for row in _numbers(flipped)},
        )


def _numbers(places: Sequence[RowPlace]) -> list[int]:
    return [place for place in places if isinstance(place, int)]


class RowPairing:
    """A metric of both models, row by row."""

    is_exact = True

    def __init__(self, evidence: RowEvidence, chosen: Chosen, pairs: Pairs) -> None:
        self.is_costly = isinstance(pairs, PairedRows) or evidence.swaps is not None
        self.is_share = isinstance(pairs, PairedValues) and pairs.binary
        self._evidence = evidence
        self._pairs = pairs
        self._worse = 1 if chosen.better == "lower" else -1
        self._rows: dict[str, np.ndarray] = {}

    def _rows_of(self, slice_: str) -> np.ndarray:
        if slice_ not in self._rows:
            self._rows[slice_] = self._evidence.rows_of(self._evidence.slice_called(slice_))
        return self._rows[slice_]

    def compare(self, slices: Sequence[str], margins: Sequence[Margin]) -> list[Paired]:
        """Return the comparison on each of some slices; one that takes long shows how far it is."""
        rows, settings = [self._rows_of(name) for name in slices], self._evidence.settings
        if not isinstance(self._pairs, PairedRows):
            return compare_pairs(self._pairs, rows, margins, self._worse, settings)
        result = []
        label = f"{self._evidence.about.suite}: comparing"
        with progress_bar(self._evidence.terminal, len(rows), label) as progress:
            for where, margin in zip(rows, margins, strict=True):
                result += compare_pairs(self._pairs, [where], [margin], self._worse, settings)
                progress(1)
        return result

    @cached_property
    def _losses(self) -> RowLosses | None:
        evidence = self._evidence
        if evidence.against is None or evidence.against.outcome is None:
            return None
        return row_losses(self._pairs, self._worse, evidence.against.outcome, evidence.rows.outcome)

    def moved(self, slice_: str) -> Moved | None:
        """Return what became of the instances of a slice, None for a metric of which single ones have no part."""
        losses = self._losses
        if losses is None:
            return None
        rows, ids = self._rows_of(slice_), self._evidence.rows.ids
        broken, fixed = losses.broken(rows), losses.fixed(rows)
        worst, best = broken[:MOST_IDS], fixed[:MOST_IDS]
        return Moved(
            broken=len(broken),
            fixed=len(fixed),
            broken_at=tuple(worst.tolist()),
            fixed_at=tuple(best.tolist()),
            broken_ids=tuple(ids[worst].tolist()),
            fixed_ids=tuple(ids[best].tolist()),
        )


def new_class_notes(names: Sequence[str], count: int, size: int) -> list[str]:
    """Return a note on ``count`` of ``size`` outputs that are classes which the target never has, if there are any."""
    shown = ", ".join(repr(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")  # noqa: PLR2004 - a hint
    said = f"{count:,} of {size:,} outputs are {shown}, which the target never is: counted as wrong answers"
    return [said] if names else []
