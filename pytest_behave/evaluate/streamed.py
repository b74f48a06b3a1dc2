"""Running a suite over a dataset in parts: an engine adds up what each gives, and the sums are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from pytest_behave.compare.paired import Paired, Settings, compare_sums
from pytest_behave.compare.sums import Counts, Hits, Sums
from pytest_behave.errors import BehaveError
from pytest_behave.evaluate.baseline import OTHER_DATASET, Against, baseline_use, stored_values
from pytest_behave.evaluate.compared import Compared, Comparisons
from pytest_behave.evaluate.judged import Judged
from pytest_behave.evaluate.measured import Estimates, Measured, new_class_notes
from pytest_behave.evaluate.prepare import InParts, Prepared
from pytest_behave.evaluate.survey import Reading, slices_of
from pytest_behave.evaluate.swaps import Swaps
from pytest_behave.evaluate.totals import InSlices, MeasurePart, Totals
from pytest_behave.measure.outcome import Coder
from pytest_behave.measure.paired import of_planes, paired
from pytest_behave.measure.registry import Chosen, finish_states
from pytest_behave.predict.progress import progress_bar
from pytest_behave.records import BaselineEntry, Estimate, Instance, Key, ModelSpec, Outcome, Slice
from pytest_behave.records.pairs import PairedStates, PairedValues, Pairs

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache

NOT_JOINED = "predictions stored with the baseline are not compared one by one where a dataset is read in parts"
NOWHERE = np.zeros(0, dtype=np.int64)
NO_PAIRS = PairedValues(np.zeros(0), np.zeros(0), binary=False)
NO_SUMS = "where a dataset is read in parts, this metric is compared by its values alone"


def totals_of(
    prepared: Prepared, parts: InParts, model: ModelSpec, terminal: TextIO | None, cache: Cache | None
) -> Totals:
    """Return what all parts of a dataset give; raises what measuring one raises."""
    explained = frozenset((item.slice, item.metric) for item in prepared.items)
    measure = MeasurePart(
        Reading(prepared.suite, parts.dtypes, prepared.references.modules),
        model,
        prepared.baseline,
        prepared.task,
        prepared.labels,
        parts.rows_before,
        explained,
        prepared.extensions,
        cache,
    )
    with progress_bar(terminal, len(parts.parts), f"{prepared.suite.name}: {model.name}", "part") as progress:
        total: Totals = parts.engine.total(measure, parts.parts, lambda _part: progress(1))
    return total


class MeasuredInParts(Measured):
    """What was measured of a dataset in parts, no row of which is in memory."""

    def __init__(self, prepared: Prepared, model: ModelSpec, totals: Totals) -> None:
        self.prepared = prepared
        self.model = model
        self.totals = totals
        self.clusters = None
        late = set(prepared.deferred)
        in_order = sorted(prepared.suite.slices, key=lambda spec: spec in late)
        self.slices = list(slices_of(totals.slices, in_order, totals.rows))

    def agreement(self) -> None:
        """Return nothing: models that answer several times are refused."""

    def notes(self) -> list[str]:
        """Return what a reader should know of the outputs."""
        new = self.totals.new_classes
        return new_class_notes(sorted(new), sum(new.values()), self.totals.rows)

    def estimates(self, wanted: set[Key]) -> Estimates:  # noqa: ARG002 - all were measured
        """Return every metric on every slice."""
        return self._finished(self.totals.states)

    def baseline_estimates(self) -> Estimates:
        """Return the same of the model that is compared with."""
        return self._finished(self.totals.baseline_states)

    def _finished(self, states: Mapping[str, InSlices | BehaveError]) -> Estimates:
        result: Estimates = {}
        chosen = [item for item in self.prepared.chosen if item.spec.name in states]
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
        return min(sum(slice_.size for slice_ in slices), self.totals.rows)

    def overlap(self, one: Slice, other: Slice) -> bool:
        """Tell whether two slices may have rows in common: members of one family have none."""
        return one.family is None or one.family != other.family

    def worst_instances(self, chosen: Chosen, slice_: Slice) -> tuple[Instance, ...]:
        """Return the instances of a slice that count most against a metric."""
        found = self.totals.worst.get((slice_.name, chosen.spec.name))
        return () if found is None else tuple(instance for *_, instance in found.found)


class JudgedInParts(Judged):
    """Verdicts on everything that a suite expects, from sums."""

    measured: MeasuredInParts

    def _compared(self, against: Against, terminal: TextIO | None, swaps: Swaps | None) -> Comparisons:
        return ComparisonsInParts(self.measured, against, self.estimates, self.items, terminal, swaps)


class ComparisonsInParts(Comparisons):
    """All changes against a baseline, by slice and metric, from sums."""

    measured: MeasuredInParts

    def pairs(self, chosen: Chosen) -> Pairs | None:  # noqa: ARG002 - as in Comparisons
        """Return None: no row is in memory."""
        return None

    def coverage(self, key: Key) -> float:  # noqa: ARG002 - as in Comparisons
        """Return the share of all instances that can be compared: a model answers to every one."""
        return 1.0

    def _settings(self) -> Settings:
        return Settings(np.zeros(0, dtype=np.int64), None, self.suite.comparison.mcnemar)

    def _unpaired_reason(self, key: Key, pairs: Pairs | None) -> str:  # noqa: ARG002 - as in Comparisons
        return NOT_JOINED if self.against.stored is not None else NO_SUMS

    def _compare(self, only: Chosen | None) -> None:  # noqa: ARG002 - of a fixture, whose rows are in memory
        self._baseline = self.measured.baseline_estimates()
        for chosen in self.measured.prepared.chosen:
            metric, worse = chosen.spec.name, self.worse(chosen)
            names = [name for name in self.slices if (name, metric) in self.estimates]
            found = self.measured.totals.sums.get(metric)
            if isinstance(found, InSlices):
                places = {name: place for place, name in enumerate(found.names)}
                sums = found.state.of_slices(np.array([places[name] for name in names]))
                self._compare_sums(chosen, names, sums, worse)
                continue
            if chosen.metric.needs == "nothing":
                continue
            for name in names:
                key = (name, metric)
                self._compare_unpaired(key, worse, self._unpaired_reason(key, None), self.estimates.get(key))

    def _compare_sums(self, chosen: Chosen, names: Sequence[str], sums: Sums | Hits, worse: int) -> None:
        pairs: Pairs | None = NO_PAIRS
        if isinstance(sums, Hits):
            before, after = sums.occurring // 4, sums.occurring % 4
            pairs = of_planes(before > 1, before % 2 == 1, after > 1, after % 2 == 1)
            sums = sums.as_form(pairs)
        elif isinstance(sums, Counts):
            nobody = _nobody(self.measured.prepared, sums.classes)
            pairs = paired(chosen, nobody, nobody)
        if not isinstance(pairs, (PairedValues, PairedStates)):
            raise TypeError(f"{chosen.spec.name} has no sums")
        margins = [self._margin((name, chosen.spec.name), worse) for name in names]
        results = compare_sums(pairs, sums, margins, worse, self.suite.comparison.mcnemar)
        for name, result in zip(names, results, strict=True):
            self._add_result((name, chosen.spec.name), result, worse)

    def _add_result(self, key: Key, result: Paired, worse: int) -> None:
        if np.isnan(result.baseline):
            self._add(key, result, worse, NOWHERE, None)
            return
        change = self._change(key, result, *self._moved(key))
        changed = self.measured.totals.changed.get(key)
        if changed is not None:
            broken, fixed = (tuple(item.id for *_, item in side.found) for side in (changed.broken, changed.fixed))
            change = replace(change, broken_ids=broken, fixed_ids=fixed)
        self.found[key] = Compared(change, result, worse, NOWHERE, NOWHERE)

    def _moved(self, key: Key) -> tuple[int | None, int | None]:
        """Return how many instances broke and were fixed, None if single instances cannot."""
        moved = self.measured.totals.moved.get(key[1])
        if moved is None:
            return None, None
        broken, fixed = moved.state.counts[moved.names.index(key[0])].tolist()
        return broken, fixed

    def _entry(self, key: Key) -> BaselineEntry | None:
        estimate = self._baseline.get(key)
        if isinstance(estimate, Estimate):
            return BaselineEntry(estimate.value, estimate.n, estimate.n, low=estimate.low, high=estimate.high)
        return super()._entry(key)

    def flips(self, keys: Mapping[Key, Any]) -> tuple[Instance, ...]:
        """Return the worst of the instances that behaviors count as broken or fixed, in the order of the dataset."""
        changed = [self.measured.totals.changed[key] for key in keys if key in self.measured.totals.changed]
        found = {item[1:3]: item[3] for one in changed for side in (one.broken, one.fixed) for item in side.found}
        return tuple(found[place] for place in sorted(found))

    def worst(self, key: Key, most: int) -> tuple[Instance, ...]:
        """Return the instances that broke, worst first."""
        changed = self.measured.totals.changed.get(key)
        return () if changed is None else tuple(instance for *_, instance in changed.broken.found[:most])


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
        column=_no_rows,
        condition=_no_rows,
        frame=_no_rows,
    )


def _no_rows(*_: object) -> Any:
    raise TypeError("there are no rows")


def against_in_parts(prepared: Prepared, parts: InParts, ref: str | None) -> Against | None:
    """Return what to compare with, None if there is nothing: a model, or else what is stored, by its values alone."""
    if prepared.baseline is not None:
        use = baseline_use(prepared, "model", prepared.baseline.name, parts.rows)
        return Against(use, None, NOWHERE == 0)
    found = stored_values(prepared, ref)
    if found is None:
        return None
    stored, accepted, changed, _ = found
    use = baseline_use(prepared, "stored" if ref is None else "commit", stored.model, parts.rows)
    use = replace(use, ref=ref or "", accepted=changed)
    notes = () if stored.dataset in (None, parts.fingerprint) else (OTHER_DATASET,)
    return Against(use, None, NOWHERE == 0, stored, accepted, NOT_JOINED, notes)
