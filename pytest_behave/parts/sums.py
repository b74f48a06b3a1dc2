"""Running a suite over a dataset in parts: an engine adds up what each gives, and the sums are judged."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from pytest_behave.compare.paired import Paired, Settings, compare_sums
from pytest_behave.compare.samples import Ranks
from pytest_behave.outputs.spills import merge_spills
from pytest_behave.compare.sums import Counts, Hits, Sums
from pytest_behave.errors import BehaveError, EngineError
from pytest_behave.evidence.baseline import (
    NOTHING_COMMON,
    Against,
    against_values,
    baseline_use,
    coverage_notes,
    lost_notes,
    of_another_run,
    repeats_notes,
    stored_values,
    values_alone,
)
from pytest_behave.judge.comparisons import Compared, Comparisons
from pytest_behave.parts.joined import StoredRows, stored_rows
from pytest_behave.judge.judgement import Judged
from pytest_behave.parts.cache import Role, say_kept, shared_cache
from pytest_behave.evidence.rows import Estimates, Measured, new_class_notes
from pytest_behave.prepare.preparation import InParts, Prepared
from pytest_behave.parts.ranks import compared_ranks
from pytest_behave.parts.survey import Reading, slices_of
from pytest_behave.evidence.swaps import Swaps
from pytest_behave.parts.totals import Common, InSlices, MeasurePart, Spill, Totals
from pytest_behave.measure.outcome import Coder
from pytest_behave.measure.paired import of_planes, paired
from pytest_behave.measure.registry import Chosen, finish_states
from pytest_behave.predict.progress import progress_bar
from pytest_behave.records import BaselineEntry, Estimate, Instance, Key, ModelSpec, Outcome, Slice
from pytest_behave.records.pairs import PairedStates, PairedValues, Pairs

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache

NOWHERE = np.zeros(0, dtype=np.int64)
NO_PAIRS = PairedValues(np.zeros(0), np.zeros(0), binary=False)
NO_SUMS = "where a dataset is read in parts, this metric is compared by its values alone"


def judged_in_parts(  # noqa: PLR0913 - what a run may be told
    prepared: Prepared,
    parts: InParts,
    model: ModelSpec,
    *,
    today: str,
    ref: str | None,
    keep: Path | None,
    fingerprint: str,
    terminal: TextIO | None,
    cache: Cache | None,
) -> tuple[JudgedInParts, Against | None]:
    """Return what was measured of all parts, with the means to judge it, and what it is compared with.

    The outputs of the model with this fingerprint are kept in the file ``keep``. Raises what measuring a part raises.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-behave-", ignore_cleanup_errors=True) as shared:
        folder = Path(shared)
        against, stored = _against(prepared, parts, ref, folder)
        spill = None if keep is None else Spill(folder / "spill", fingerprint)
        if spill is not None:
            spill.folder.mkdir()
        totals = _totals(prepared, parts, model, stored, spill, terminal, cache)
        if keep is not None and spill is not None and merge_spills(spill.folder, keep) < totals.rows:
            raise EngineError(
                f"what workers kept in {spill.folder} did not arrive there: set TMPDIR, where pytest runs, to a folder "
                "that all workers share"
            )
    if against is not None and totals.common is not None and stored is not None:
        against = _with_common(prepared, against, stored, totals.common)
    return JudgedInParts(MeasuredInParts(prepared, model, totals), today, against, terminal), against


def _totals(  # noqa: PLR0913, PLR0917 - as above
    prepared: Prepared,
    parts: InParts,
    model: ModelSpec,
    stored: StoredRows | None,
    spill: Spill | None,
    terminal: TextIO | None,
    cache: Cache | None,
) -> Totals:
    explained = frozenset((item.slice, item.metric) for item in prepared.items)
    models: dict[Role, ModelSpec] = {"candidate": model}
    if prepared.baseline is not None:
        models["baseline"] = prepared.baseline
    shared = shared_cache(prepared, models, cache)
    measure = MeasurePart(
        Reading(prepared.suite, parts.dtypes, prepared.references.modules),
        model,
        prepared.baseline,
        prepared.task,
        prepared.labels,
        parts.rows_before,
        explained,
        stored,
        spill,
        prepared.extensions,
        shared,
    )
    with progress_bar(terminal, len(parts.parts), f"{prepared.suite.name}: {model.name}", "part") as progress:
        total: Totals = parts.engine.total(measure, parts.parts, lambda _part: progress(1))
    if shared is not None:
        say_kept(prepared, models, shared, total.kept)
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

    def common(self, slice_: Slice) -> int:
        """Return how many rows of a slice can be compared."""
        common = self.measured.totals.common
        return 0 if common is None else int(common.slices.of_names([slice_.name]).counts[0, 0])

    def _settings(self) -> Settings:
        return Settings(np.zeros(0, dtype=np.int64), None, self.suite.comparison.mcnemar)

    def _unpaired_reason(self, key: Key, pairs: object | None) -> str:
        if pairs is None and not self.against.reason:
            return NO_SUMS
        return super()._unpaired_reason(key, None if isinstance(pairs, BehaveError) else pairs)

    def _compare(self, only: Chosen | None) -> None:  # noqa: ARG002 - of a fixture, whose rows are in memory
        self._baseline = {} if self.against.stored is not None else self.measured.baseline_estimates()
        for chosen in self.measured.prepared.chosen:
            metric, worse = chosen.spec.name, self.worse(chosen)
            found = self.measured.totals.sums.get(metric)
            names = [name for name in self.slices if (name, metric) in self.estimates]
            reasons = {name: self._unpaired_reason((name, metric), found) for name in names}
            together = [name for name in names if not reasons[name]]
            if isinstance(found, InSlices) and together:
                self._compare_sums(chosen, together, found.of_names(together), worse)
            if chosen.metric.needs == "nothing" and self.against.stored is None:
                continue
            for name in names:
                if reasons[name]:
                    self._compare_unpaired((name, metric), worse, reasons[name], self.estimates.get((name, metric)))

    def _compare_sums(self, chosen: Chosen, names: Sequence[str], sums: Sums | Hits | Ranks, worse: int) -> None:
        margins = [self._margin((name, chosen.spec.name), worse) for name in names]
        is_exact = True
        if isinstance(sums, Ranks):
            results, is_exact = compared_ranks(chosen, sums, margins, worse)
        else:
            pairs, sums = self._form(chosen, sums)
            results = compare_sums(pairs, sums, margins, worse, self.suite.comparison.mcnemar)
        for name, result in zip(names, results, strict=True):
            key = (name, chosen.spec.name)
            if is_exact and self.against.stored is not None and self._contradicts(key, result):
                self.contradicted.append(key)
            self._add_result(key, result, worse)

    def _form(self, chosen: Chosen, sums: Sums | Hits) -> tuple[PairedValues | PairedStates, Sums]:
        """Return what sums are of, and the sums."""
        pairs: Pairs | None = NO_PAIRS
        if isinstance(sums, Hits):
            before, after = sums.occurring // 4, sums.occurring % 4
            pairs = of_planes(before > 1, before % 2 == 1, after > 1, after % 2 == 1)
            return pairs, sums.as_form(pairs)
        if isinstance(sums, Counts):
            nobody = _nobody(self.measured.prepared, sums.classes)
            pairs = paired(chosen, nobody, nobody)
        if not isinstance(pairs, (PairedValues, PairedStates)):
            raise TypeError(f"{chosen.spec.name} has no sums")
        return pairs, sums

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
        broken, fixed = moved.of_names([key[0]]).counts[0].tolist()
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


def _against(
    prepared: Prepared, parts: InParts, ref: str | None, folder: Path
) -> tuple[Against | None, StoredRows | None]:
    """Return what to compare with, None if there is nothing, and stored outputs if there are any of use."""
    if prepared.baseline is not None:
        return Against(baseline_use(prepared, "model", prepared.baseline.name, parts.rows), None, NOWHERE == 0), None
    known = stored_values(prepared, ref)
    if known is None:
        return None, None
    against, found = against_values(prepared, known, ref), stored_rows(prepared, known, folder)
    reason = found if isinstance(found, str) else of_another_run(prepared, known.values, found.about.model)
    if isinstance(found, str) or reason:
        return values_alone(against, reason, parts.rows, parts.fingerprint), None
    return against, found


def _with_common(prepared: Prepared, against: Against, stored: StoredRows, common: Common) -> Against:
    """Return stored values to compare with, now that it is known which rows are in both."""
    if prepared.table is None:
        raise TypeError("only a dataset has parts")
    removed = stored.rows - common.rows - common.changed
    use = replace(against.use, common=common.rows, added=common.added, changed=common.changed, removed=removed)
    repeats = stored.about.repeats
    notes = [*repeats_notes(repeats, 1), *lost_notes(prepared, prepared.table, stored.about.columns)]
    reason = "" if common.rows else NOTHING_COMMON
    return replace(against, use=use, notes=(*notes, *coverage_notes(use)), reason=reason, other_repeats=repeats != 1)
