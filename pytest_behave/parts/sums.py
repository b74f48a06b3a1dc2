"""Evidence from sums: of a dataset whose rows, even without what went into the model, are too many to be in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pytest_behave.compare.paired import Margin, Paired, compare_sums
from pytest_behave.compare.samples import Ranks
from pytest_behave.compare.sums import Counts, Hits, Sums
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against
from pytest_behave.evidence.gaps import without_interval
from pytest_behave.evidence.outcome import no_rows
from pytest_behave.evidence.protocol import Estimates, Gap, Moved, RowPlace, Shown, Unpairable
from pytest_behave.evidence.rows import new_class_notes
from pytest_behave.measure.outcome import Coder
from pytest_behave.measure.paired import of_planes, paired
from pytest_behave.measure.registry import Chosen, finish_states
from pytest_behave.parts.ranks import are_exact, compared_ranks
from pytest_behave.parts.totals import InSlices, Totals
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import BaselineEntry, Estimate, Instance, Key, Outcome, Slice
from pytest_behave.records.pairs import PairedStates, PairedValues, Pairs

NO_PAIRS = PairedValues(np.zeros(0), np.zeros(0), binary=False)
VALUES_ALONE = Unpairable("where a dataset is read in parts, this metric is compared by its values alone")


class SumEvidence:
    """Evidence from the totals of all parts: no row of them is in memory."""

    def __init__(
        self, prepared: Prepared, slices: tuple[Slice, ...], rows: int, totals: Totals, against: Against | None
    ) -> None:
        self.slices = slices
        self.against = against
        self._prepared = prepared
        self._rows = rows
        self._totals = totals
        self._needs_nothing = {item.spec.name for item in prepared.chosen if item.metric.needs == "nothing"}
        is_a_model = against is not None and against.stored is None
        self._baseline = self._finished(totals.baseline_states) if is_a_model else {}

    def agreement(self) -> None:
        """Return nothing: models that answer several times are refused."""

    def notes(self) -> list[str]:
        """Return what a reader should know of the outputs."""
        new = self._totals.new_classes
        return new_class_notes(sorted(new), sum(new.values()), self._rows)

    def estimates(self, wanted: set[Key]) -> Estimates:  # noqa: ARG002 - all were measured
        """Return every metric on every slice."""
        return self._finished(self._totals.states)

    def _finished(self, states: Mapping[str, InSlices | BehaveError]) -> Estimates:
        result: Estimates = {}
        chosen = [item for item in self._prepared.chosen if item.spec.name in states]
        plain = {name: found.state if isinstance(found, InSlices) else found for name, found in states.items()}
        estimates = finish_states(chosen, plain)
        names = [slice_.name for slice_ in self.slices if slice_.problem is None]
        for metric, found in states.items():
            known = estimates[metric]
            if isinstance(known, BehaveError) or not isinstance(found, InSlices):
                result |= {(name, metric): known for name in names if isinstance(known, BehaveError)}
            else:
                by_name = dict(zip(found.names, known, strict=False))
                result |= {(name, metric): by_name[name] for name in names}
        return result

    def size_together(self, slices: Sequence[Slice]) -> int:
        """Return how many rows are in any of the members of a family, or of those and ``overall``."""
        return min(sum(slice_.size for slice_ in slices), self._rows)

    def common(self, slice_: Slice) -> int:
        """Return how many rows of a slice can be compared with the baseline."""
        common = self._totals.common
        return 0 if common is None else int(common.of_names([slice_.name]).counts[0, 0])

    def clusters_in(self, slice_: Slice) -> None:
        """Return None: datasets with clusters are refused."""

    def pairing(self, chosen: Chosen) -> SumPairing | Unpairable:
        """Return the sums of a metric of both models."""
        found = self._totals.sums.get(chosen.spec.name)
        if found is None:
            return VALUES_ALONE
        return (
            Unpairable() if isinstance(found, BehaveError) else SumPairing(self._prepared, self._totals, chosen, found)
        )

    def baseline_entry(self, key: Key) -> BaselineEntry | None:
        """Return what another model as the baseline has of a metric that depends on it."""
        estimate = self._baseline.get(key)
        if not isinstance(estimate, Estimate) or key[1] in self._needs_nothing:
            return None
        return BaselineEntry(estimate.value, estimate.n, estimate.n, low=estimate.low, high=estimate.high)

    def gap_interval(self, estimate: Estimate, one: Slice, other: Slice, chosen: Chosen) -> Estimate:  # noqa: ARG002
        """Return the difference of two slices, with its interval if they are members of one family: these share no row."""
        return estimate if one.family is not None and one.family == other.family else without_interval(estimate)

    def compare_gap(self, gap: Gap, chosen: Chosen, margin: Margin) -> Unpairable:  # noqa: ARG002 - as in Evidence
        """Return why each model's own widest gap is not compared row by row."""
        return VALUES_ALONE

    def worst(self, chosen: Chosen, slice_: Slice) -> list[RowPlace]:
        """Return where the instances of a slice stand that count most against a metric."""
        found = self._totals.worst.get((slice_.name, chosen.spec.name))
        return [] if found is None else [place for _, place, _ in found.found]

    def shown(self, worst: Sequence[RowPlace], flipped: Sequence[RowPlace]) -> Shown:
        """Return instances for reports, as parts handed them over."""
        against_a_metric = [one for side in self._totals.worst.values() for one in side.found]
        changed = [one for both in self._totals.changed.values() for one in (*both.broken.found, *both.fixed.found)]
        return Shown(_those(worst, against_a_metric), _those(flipped, changed))


def _those(
    places: Sequence[RowPlace], found: Sequence[tuple[float, tuple[int, int], Instance]]
) -> dict[RowPlace, Instance]:
    wanted = set(places)
    return {place: instance for _, place, instance in found if place in wanted}


class SumPairing:
    """A metric of both models, in sums."""

    is_costly = False

    def __init__(self, prepared: Prepared, totals: Totals, chosen: Chosen, found: InSlices) -> None:
        self._prepared = prepared
        self._totals = totals
        self._chosen = chosen
        self._found = found
        self._worse = 1 if chosen.better == "lower" else -1
        self.is_share = False  # no row is known whose share it could be
        self.is_exact = not isinstance(found.state, Ranks) or are_exact(chosen, found.state)

    def compare(self, slices: Sequence[str], margins: Sequence[Margin]) -> list[Paired]:
        """Return the comparison on each of some slices."""
        sums = self._found.of_names(slices)
        if isinstance(sums, Ranks):
            return compared_ranks(self._chosen, sums, margins, self._worse)
        pairs, sums = self._form(sums)
        return compare_sums(pairs, sums, margins, self._worse, self._prepared.suite.comparison.mcnemar)

    def _form(self, sums: Sums | Hits) -> tuple[PairedValues | PairedStates, Sums]:
        """Return what sums are of, and the sums."""
        pairs: Pairs | None = NO_PAIRS
        if isinstance(sums, Hits):
            before, after = sums.occurring // 4, sums.occurring % 4
            pairs = of_planes(before > 1, before % 2 == 1, after > 1, after % 2 == 1)
            return pairs, sums.as_form(pairs)
        if isinstance(sums, Counts):
            nobody = _nobody(self._prepared, sums.classes)
            pairs = paired(self._chosen, nobody, nobody)
        if not isinstance(pairs, (PairedValues, PairedStates)):
            raise TypeError(f"{self._chosen.spec.name} has no sums")
        return pairs, sums

    def moved(self, slice_: str) -> Moved | None:
        """Return what became of the instances of a slice, None for a metric of which single ones have no part."""
        metric = self._chosen.spec.name
        counts = self._totals.moved.get(metric)
        if counts is None:
            return None
        broken, fixed = counts.of_names([slice_]).counts[0].tolist()
        changed = self._totals.changed.get((slice_, metric))
        if changed is None:
            return Moved(broken, fixed)
        sides = (changed.broken.found, changed.fixed.found)
        places = [tuple(place for _, place, _ in side) for side in sides]
        ids = [tuple(instance.id for *_, instance in side) for side in sides]
        return Moved(broken, fixed, places[0], places[1], ids[0], ids[1])


def _nobody(prepared: Prepared, classes: tuple[str, ...]) -> Outcome:
    """Return an outcome of no rows, with these classes: a metric of it says how it is made of counts."""
    if prepared.labels is None or prepared.table is None or prepared.task is None:
        raise TypeError("only classes are counted")
    coder = Coder(prepared.labels, prepared.table.spec.positive, prepared.task)
    nothing = np.zeros(0, dtype=np.int64)
    return Outcome(
        task=prepared.task,
        size=0,
        target=nothing,
        predicted=nothing,
        score=None,
        proba={},
        classes=classes,
        target_classes=coder.target_classes,
        positive=coder.positive,
        column=no_rows,
        condition=no_rows,
        frame=no_rows,
    )
