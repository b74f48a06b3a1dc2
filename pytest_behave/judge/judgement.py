"""Verdicts: every item of a suite held against what was measured, and against the baseline."""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pytest_behave.compare.paired import Margin
from pytest_behave.compare.power import MOST_SEARCHED, can_decide, pairs_for_error, pairs_to_decide
from pytest_behave.compare.regression import judge_change
from pytest_behave.compare.store import KEPT_DIGITS
from pytest_behave.compare.verdicts import judge, judge_gap, with_known_failure, worst
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.protocol import MOST_INSTANCES, Evidence, Gap, RowPlace
from pytest_behave.judge.comparisons import Compared, Comparisons
from pytest_behave.judge.gaps import measured_gap
from pytest_behave.prepare.items import Item
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import Behavior, Better, Bounds, Estimate, Instance, Key, Place, Tolerance, Verdict
from pytest_behave.records.verdicts import EXCUSABLE, OF_CHANGES


@dataclass(frozen=True)
class Judged:
    """A behavior with its verdict, and where the instances stand that explain it; ``by_flips`` as they changed."""

    behavior: Behavior
    places: tuple[RowPlace, ...] = ()
    by_flips: bool = False


class Judgement:
    """Verdicts on everything that a suite expects of a measured model: its evidence held against bounds and baseline."""

    def __init__(self, prepared: Prepared, evidence: Evidence, today: str) -> None:
        self.prepared = prepared
        self.evidence = evidence
        self.today = today
        self.slices = {slice_.name: slice_ for slice_ in evidence.slices}
        self.estimates = evidence.estimates({(item.slice, item.metric) for item in prepared.items})
        self.chosen = {item.spec.name: item for item in prepared.chosen}
        self.items = self._expanded()
        self.gaps: dict[Key, Gap | BehaveError] = self._gaps()
        self.comparisons = self._comparisons(evidence)
        self._accepted: dict[Key, str] = {}

    def beside(self, evidence: Evidence) -> Judgement:
        """Return the verdicts on the same estimates with another baseline beside them."""
        other = copy.copy(self)
        other.comparisons = self._comparisons(evidence)
        return other

    def changes(self) -> list[tuple[Item, Verdict]]:
        """Return the verdict on each bound that regards the baseline, and on no other."""
        large = [item for item in self.items if item.tolerance is not None and self._is_large(item)]
        return [(item, verdict) for item in large for verdict in self._judge_change(item)]

    def _is_large(self, item: Item) -> bool:
        slice_ = self.slices.get(item.slice)
        return item.kind == "gap" or (slice_ is not None and slice_.size >= slice_.min_size)

    def results(self) -> tuple[list[Behavior], tuple[Instance, ...]]:
        """Return every behavior that the suite expects with its verdict, and the instances that broke or were fixed."""
        judged = self._judged()
        worst = [place for item in judged if not item.by_flips for place in item.places]
        flips = [] if self.comparisons is None else self.comparisons.flipped(self._keys())
        flipped = [place for item in judged if item.by_flips for place in item.places]
        shown = self.evidence.shown(worst, [*flipped, *flips])
        behaviors = []
        for item in judged:
            instances = shown.flipped if item.by_flips else shown.worst
            behaviors.append(replace(item.behavior, instances=tuple(instances[place] for place in item.places)))
        return behaviors, tuple(shown.flipped[place] for place in sorted(flips))  # type: ignore[type-var]

    def _keys(self) -> list[Key]:
        return list(dict.fromkeys((item.slice, item.name) for item in self.items))

    def _judged(self) -> list[Judged]:
        judged = [(item, *self._judge(item)) for item in self.items]
        failing = {id(item.bounds.known_failure) for item, behavior, _ in judged if behavior.verdict in EXCUSABLE}
        result = []
        for item, behavior, verdict in judged:
            known = item.bounds.known_failure
            final = with_known_failure(verdict, known, self.today, any_fails=id(known) in failing)
            result.append(self._explained(replace(behavior, verdict=final.verdict, reason=final.reason)))
        return result

    @cached_property
    def tests(self) -> int:
        """The number of regression bounds, which share one error rate."""
        return sum(item.tolerance is not None for item in self.items)

    # -- what there is to judge

    def _expanded(self) -> list[Item]:
        """Replace each deferred family by its members, now known, and its gap."""
        items: list[Item] = []
        for item in self.prepared.items:
            if item.kind != "family":
                items.append(item)
                continue
            members = [slice_ for slice_ in self.slices.values() if slice_.family == item.slice]
            if item.bounds.limits_a_value or self._problem(item.slice):
                items += [replace(item, slice=member.name, kind="behavior") for member in members]
            if item.bounds.limits_a_gap and not self._problem(item.slice):
                items.append(replace(item, kind="gap"))
        return items

    def _problem(self, name: str) -> str | None:
        found = [s for s in self.slices.values() if name in (s.name, s.family)]
        return (
            next((slice_.problem for slice_ in found if slice_.problem), None)
            if found
            else f"there is no slice {name!r}"
        )

    def _gaps(self) -> dict[Key, Gap | BehaveError]:
        result: dict[Key, Gap | BehaveError] = {}
        for item in self.items:
            chosen = self.chosen.get(item.metric)
            if item.kind == "gap" and chosen is not None:
                try:
                    found = measured_gap(self.evidence, self.estimates, self.slices, item, chosen)
                except BehaveError as error:
                    result[item.slice, item.name] = error
                else:
                    result[item.slice, item.name] = found
        return result

    def _comparisons(self, evidence: Evidence) -> Comparisons | None:
        if evidence.against is None:
            return None
        comparisons = Comparisons(self.prepared, evidence, evidence.against, self.estimates, self.items)
        for item in self.items:
            gap = self.gaps.get((item.slice, item.name))
            if isinstance(gap, Gap):
                comparisons.compare_gap((item.slice, item.name), gap, self.chosen[item.metric])
        comparisons.adjust([(item.slice, item.name) for item in self.items if item.tolerance is not None])
        return comparisons

    # -- one item

    def _judge(self, item: Item) -> tuple[Behavior, Verdict]:
        chosen = self.chosen.get(item.metric)
        if item.kind == "gap":
            return self._judge_gap(item)
        better: Better = chosen.better if chosen else "higher"
        slice_ = self.slices.get(item.slice)
        if slice_ is None or slice_.problem:
            verdict = Verdict("error", f"slice {item.slice!r}: {self._problem(item.slice)}")
            return behavior_of(item, better, 0, None, verdict), verdict
        size = slice_.size
        estimate = self.estimates.get((item.slice, item.metric))
        if estimate is None or isinstance(estimate, BehaveError) or chosen is None:
            verdict = Verdict("error", str(estimate or f"metric {item.metric!r} was not measured"))
            return behavior_of(item, better, size, None, verdict, slice_.family), verdict
        verdict = judge(estimate, item.bounds, size=size, min_size=slice_.min_size)
        if size >= slice_.min_size:
            verdict = worst(_explained_first([verdict, *self._judge_change(item)]))
        behavior = behavior_of(item, better, size, estimate, verdict, slice_.family)
        return self._with_change(behavior), verdict

    def _judge_gap(self, item: Item) -> tuple[Behavior, Verdict]:
        gap = self.gaps.get((item.slice, item.name))
        if not isinstance(gap, Gap):
            verdict = Verdict("error", str(gap or f"metric {item.metric!r} was not measured"))
            return behavior_of(item, "lower", 0, None, verdict), verdict
        bounds = item.bounds
        verdicts = (
            [] if bounds.max_gap is None else [judge_gap(gap.estimate, gap.between, bounds.max_gap, bounds.decide)]
        )
        verdict = worst(_explained_first([*verdicts, *self._judge_change(item)]) or [Verdict("holds")])
        behavior = replace(behavior_of(item, "lower", gap.size, gap.estimate, verdict), between=gap.between)
        return self._with_change(behavior), verdict

    def _judge_change(self, item: Item) -> list[Verdict]:
        tolerance, key = item.tolerance, (item.slice, item.name)
        if tolerance is None:
            return []
        if self.comparisons is None:
            return [Verdict("no-baseline", _no_baseline(self.prepared.suite.path, "there is no baseline yet"))]
        if not self.comparisons.is_known(key):
            said = "the baseline has no such behavior"
            return [Verdict("no-baseline", _no_baseline(self.prepared.suite.path, said))]
        found = self.comparisons.found.get(key)
        if found is None:
            why = self.comparisons.unpairable.get(item.metric, "a value is missing on one side")
            return [Verdict("undecided", f"the change cannot be measured: {why}")]
        verdict = judge_change(
            found.change,
            tolerance,
            name="max_gap_regression" if item.kind == "gap" else "max_regression",
            worse=found.worse,
            decide=item.bounds.decide,
            alpha=self.prepared.suite.comparison.alpha,
            differs=found.paired.differs,
            decidable=self.comparisons.decidable(key),
            coverage=self.comparisons.coverage(key),
            needed=self._needed(found),
        )
        if verdict.verdict in OF_CHANGES:
            return [self._unless_accepted(key, verdict, found, tolerance)]
        return [verdict]

    def _needed(self, found: Compared) -> int:
        """Return how many instances would decide at what was observed, were the bound the only one to be broken."""
        change, spec = found.change, self.prepared.suite.comparison
        alpha, margin = spec.alpha / max(self.tests, 1), max(change.tolerance or 0.0, 0.0)
        beyond = found.worse * float(change.change or 0.0) - margin
        if beyond <= 0 and can_decide(change.n, margin, spec.alpha, spec.mcnemar):  # then nobody is told
            return MOST_SEARCHED
        if change.broken is not None and change.fixed is not None and found.paired.is_counted:
            return pairs_to_decide(
                change.broken, change.fixed, change.n, margin=margin, alpha=alpha, mcnemar=spec.mcnemar
            )
        return pairs_for_error(found.paired.high - found.paired.low, beyond, change.n, alpha)

    def _unless_accepted(self, key: Key, verdict: Verdict, found: Compared, tolerance: Tolerance) -> Verdict:
        """Let a loss pass that was accepted since the commit compared with, if it did not grow since."""
        if self.comparisons is None or self.comparisons.against.accepted is None:
            return verdict
        against = self.comparisons.against
        before = against.stored.entries.get(key) if against.stored else None
        after = against.accepted.entries.get(key) if against.accepted else None
        now = self._value(key)
        if before is None or after is None or after == before or after.value is None or now is None:
            return verdict
        allowed = Margin(tolerance.by, tolerance.relative).of(after.value) + KEPT_DIGITS * abs(after.value)
        if found.worse * (now - after.value) > allowed:
            return verdict
        why = f": {after.reason}" if after.reason else ""
        said = f"accepted in this change, {before.value:.4g} → {after.value:.4g}{why}"
        self._accepted[key] = said
        return Verdict("holds", said)

    def _value(self, key: Key) -> float | None:
        gap = self.gaps.get(key)
        estimate = gap.estimate if isinstance(gap, Gap) else self.estimates.get(key)
        return estimate.value if isinstance(estimate, Estimate) else None

    def _with_change(self, behavior: Behavior) -> Behavior:
        key = (behavior.slice, behavior.metric)
        found = None if self.comparisons is None else self.comparisons.found.get(key)
        if found is None:
            return behavior
        return replace(behavior, baseline=replace(found.change, accepted=self._accepted.get(key, "")))

    def _explained(self, behavior: Behavior) -> Judged:
        key = (behavior.slice, behavior.metric)
        if self.comparisons is not None and behavior.verdict in OF_CHANGES and key in self.comparisons.found:
            moved = self.comparisons.found[key].moved
            return Judged(behavior, () if moved is None else moved.broken_at[:MOST_INSTANCES], by_flips=True)
        chosen = self.chosen.get(behavior.metric)
        if behavior.verdict not in ("violated", "known-failure") or chosen is None or behavior.slice not in self.slices:
            return Judged(behavior)
        return Judged(behavior, tuple(self.evidence.worst(chosen, self.slices[behavior.slice])))

    def observed(self, held: set[Key]) -> list[Behavior]:
        """Return what was measured without an expectation."""
        result = []
        for (name, metric), estimate in self.estimates.items():
            if (name, metric) in held or isinstance(estimate, BehaveError):
                continue
            slice_, chosen = self.slices[name], self.chosen[metric]
            item = Item(name, metric, Bounds())
            verdict = Verdict("holds")
            behavior = behavior_of(item, chosen.better, slice_.size, estimate, verdict, slice_.family)
            result.append(self._with_change(replace(behavior, verdict=None, reason=estimate.reason)))
        return result

    def orphans(self, held: set[Key]) -> list[Key]:
        """Return the stored entries that the suite no longer declares."""
        stored = None if self.comparisons is None else self.comparisons.against.stored
        return [] if stored is None else sorted(key for key in stored.entries if key not in held)


def _explained_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Order verdicts so that among the same ones, one with a reason decides: that a loss was accepted, for example."""
    return sorted(verdicts, key=lambda verdict: not verdict.reason)


def _no_baseline(suite: Path, said: str) -> str:
    """Return what is missing, and the command that mends it, as one types it in the current folder."""
    try:
        shown = Path(os.path.relpath(suite)).as_posix()
    except ValueError:  # on another drive
        shown = suite.name
    return f"{said}: accept it with `pytest --behave --behave-baseline=new {shlex.quote(shown)}`"


def behavior_of(  # noqa: PLR0913, PLR0917 - a behavior is made of all of these
    item: Item,
    better: Better,
    size: int,
    estimate: Estimate | None,
    verdict: Verdict,
    family: str | None = None,
) -> Behavior:
    """Return the record of a behavior from its item, estimate and verdict."""
    line, file = line_of(item.bounds.place)
    return Behavior(
        slice=item.slice,
        metric=item.name,
        better=better,
        size=size,
        n=0 if estimate is None else estimate.n,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        bounds=_shown_bounds(item),
        decide=item.bounds.decide or "observed",
        severity=item.bounds.severity or "error",
        verdict=verdict.verdict,
        reason=verdict.reason or ("" if estimate is None else estimate.reason),
        interval="" if estimate is None else estimate.interval,
        line=line,
        file=file,
        family=family,
    )


def _shown_bounds(item: Item) -> dict[str, float | str]:
    names = ("max_gap", "gap_to", "max_gap_regression") if item.kind == "gap" else ("min", "max", "max_regression")
    found = {name: getattr(item.bounds, name) for name in names}
    return {
        name: (_shown_tolerance(value) if isinstance(value, Tolerance) else value)
        for name, value in found.items()
        if value is not None
    }


def _shown_tolerance(tolerance: Tolerance) -> float | str:
    return tolerance.by if not tolerance.relative and not tolerance.best else str(tolerance)


def line_of(place: Place | None) -> tuple[int | None, str | None]:
    """Return line and file of a place."""
    return (place.line, str(place.path)) if place is not None else (None, None)
