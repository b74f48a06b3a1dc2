"""Every behavior against the baseline: changes with intervals, p-values adjusted for all bounds, flipped instances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_behave.compare.multiplicity import adjusted
from pytest_behave.compare.paired import Margin, Paired
from pytest_behave.compare.power import can_decide
from pytest_behave.compare.regression import LEAST_COVERAGE
from pytest_behave.compare.store import KEPT_DIGITS
from pytest_behave.compare.unpaired import compare_values
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against
from pytest_behave.evidence.protocol import Estimates, Evidence, Gap, Moved, Pairing, RowPlace, Unpairable
from pytest_behave.measure.registry import Chosen
from pytest_behave.prepare.items import Item
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import BaselineEntry, Change, Estimate, Key, Tolerance

MOST_FLIPS = 1_000  # in a run; further ones are counted by their behaviors


@dataclass(frozen=True)
class Compared:
    """A change, the comparison behind it, +1 where a rise is a loss (else -1), and the instances that moved."""

    change: Change
    paired: Paired
    worse: int
    moved: Moved | None = None


class Comparisons:
    """All changes of a measured model against a baseline, by slice and metric.

    ``found`` holds what could be compared; after ``adjust`` its p-values are those of all bounds together.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - both sides, and what to compare
        self,
        prepared: Prepared,
        evidence: Evidence,
        against: Against,
        estimates: Estimates,
        items: Iterable[Item],
        chosen: Sequence[Chosen] | None = None,
    ) -> None:
        items = list(items)
        self.suite = prepared.suite
        self.evidence = evidence
        self.against = against
        self.estimates = estimates
        self.deferred = {spec.name for spec in prepared.deferred}
        self.slices = {slice_.name: slice_ for slice_ in evidence.slices if slice_.problem is None}
        self.tolerances = {(item.slice, item.name): item.tolerance for item in items if item.tolerance is not None}
        self.declared = {(item.slice, item.metric) for item in items}
        self.found: dict[Key, Compared] = {}
        self.unpairable: dict[str, str] = {}  # why the change of a metric cannot be measured
        self.contradicted: list[Key] = []  # what the stored predictions say otherwise than the stored value
        for one in prepared.chosen if chosen is None else chosen:
            self._compare_metric(one)

    # -- one metric at a time

    def _compare_metric(self, chosen: Chosen) -> None:
        metric, worse = chosen.spec.name, 1 if chosen.better == "lower" else -1
        pairing = self.evidence.pairing(chosen)
        if isinstance(pairing, Unpairable):
            self.unpairable[metric] = pairing.why
        wanted = [name for name in self.slices if (name, metric) in self.estimates]
        if not isinstance(pairing, Unpairable) and pairing.is_costly:
            wanted = [name for name in wanted if (name, metric) in self.tolerances]
        reasons = {name: self._unpaired_reason((name, metric), pairing) for name in wanted}
        together = [name for name in wanted if reasons[name] == ""]
        if not isinstance(pairing, Unpairable) and together:
            margins = [self._margin((name, metric), worse) for name in together]
            for name, result in zip(together, pairing.compare(together, margins), strict=True):
                if pairing.is_exact and self._contradicts((name, metric), result):
                    self.contradicted.append((name, metric))
                self._add((name, metric), result, worse, pairing.moved(name))
        for name in wanted:
            if reasons[name]:
                self._compare_unpaired((name, metric), worse, reasons[name], self.estimates.get((name, metric)))

    def compare_gap(self, key: Key, gap: Gap, chosen: Chosen) -> None:
        """Compare a gap, of which more is always worse."""
        result = self.evidence.compare_gap(gap, chosen, self._margin(key, 1))
        reason = self._unpaired_reason(key, result)
        if isinstance(result, Unpairable) or reason:
            self._compare_unpaired(key, 1, reason, gap.estimate)
        else:
            self._add(key, result, 1, None)

    def _entry(self, key: Key) -> BaselineEntry | None:
        """Return what is known of a behavior beside its instances.

        That is what is stored, in the baseline compared with or, where it is newer, the working tree's; or what the
        baseline's model has, where only values can be compared.
        """
        places = (self.against.stored, self.against.accepted)
        stored = next((place.entries[key] for place in places if place is not None and key in place.entries), None)
        return stored or self.evidence.baseline_entry(key)

    def is_known(self, key: Key) -> bool:
        """Tell whether there is a baseline for a behavior: the model compared with, or a stored value."""
        return self.against.stored is None or self._entry(key) is not None

    def _unpaired_reason(self, key: Key, pairing: Pairing | Paired | Unpairable) -> str:
        if self.against.reason:
            return self.against.reason
        entry = self._entry(key)
        if entry is not None and not entry.paired:
            return "this value was accepted alone, without its predictions"
        return pairing.reason if isinstance(pairing, Unpairable) else ""

    def _contradicts(self, key: Key, result: Paired) -> bool:
        """Tell whether stored value and predictions disagree, where they must not: on the same rows."""
        if self.against.stored is None and self.against.accepted is None:
            return False
        entry, slice_ = self._entry(key), self.slices[key[0]]
        if entry is None or entry.value is None or {slice_.name, slice_.family} & self.deferred:
            return False
        same_rows = self.evidence.common(slice_) == slice_.bits.count and entry.size == slice_.size
        return bool(
            same_rows and not self.against.other_repeats and not _same(entry.value, result.baseline, KEPT_DIGITS)
        )

    def _margin(self, key: Key, worse: int) -> Margin:
        tolerance = self.tolerances.get(key) or Tolerance(0.0)
        entry = self._entry(key)
        lost = 0.0
        if tolerance.best and entry is not None and entry.best is not None and entry.value is not None:
            lost = max(worse * (entry.value - entry.best), 0.0)
        return Margin(tolerance.by, tolerance.relative, -lost)

    def _add(self, key: Key, result: Paired, worse: int, moved: Moved | None) -> None:
        if np.isnan(result.baseline):
            change = Change(None, n=result.n, reason="the metric is undefined for the baseline on these instances")
            self.found[key] = Compared(change, result, worse)
            return
        change = replace(
            self._change(key, result),
            n=result.n,
            broken=None if moved is None else moved.broken,
            fixed=None if moved is None else moved.fixed,
        )
        if key in self.declared and moved is not None:
            change = replace(change, broken_ids=moved.broken_ids, fixed_ids=moved.fixed_ids)
        self.found[key] = Compared(change, result, worse, moved)

    def _compare_unpaired(self, key: Key, worse: int, reason: str, estimate: Estimate | BehaveError | None) -> None:
        entry = self._entry(key)
        if entry is None or not isinstance(estimate, Estimate):
            return
        if entry.value is not None and estimate.value is not None and _same(entry.value, estimate.value):
            entry = replace(entry, value=estimate.value)
        result = compare_values(entry, estimate, self._margin(key, worse), worse)
        if result is None:
            return
        change = replace(self._change(key, result), n=min(entry.n, estimate.n), paired=False, reason=reason)
        self.found[key] = Compared(change, result, worse)

    def _change(self, key: Key, result: Paired) -> Change:
        return Change(
            value=result.baseline,
            change=result.change,
            low=_finite(result.low),
            high=_finite(result.high),
            test=result.test,
            tolerance=_finite(result.margin) if key in self.tolerances else None,
        )

    # -- all bounds together

    def adjust(self, keys: Sequence[Key]) -> None:
        """Give the bounds of the suite their p-values, adjusted for all of them together."""
        able = {key for key in keys if key in self.found and self.decidable(key)}
        differing = [key for key in keys if key in able and self._may_be_lost(key)]
        results = [self.found[key].paired for key in differing]
        p, p_adjusted = adjusted([item.p for item in results], [item.flippable for item in results])
        for key, own, together in zip(differing, p.tolist(), p_adjusted.tolist(), strict=True):
            self._set_p(key, own, together)
        for key in keys:
            if key in self.found and key not in differing:
                same = key in able
                self._set_p(key, 1.0 if same else self.found[key].paired.p, 1.0 if same else np.nan)

    def _may_be_lost(self, key: Key) -> bool:
        """Tell whether the bound takes part in the adjustment.

        Not if no instance differs, as then none could. Of unpaired values that cannot be known. A margin below zero says
        that the baseline itself is worse than the best allows.
        """
        found = self.found[key]
        return found.paired.differs or found.paired.margin < 0 or not found.change.paired

    def _set_p(self, key: Key, p: float, p_adjusted: float) -> None:
        compared = self.found[key]
        self.found[key] = replace(
            compared, change=replace(compared.change, p=_finite(p), p_adjusted=_finite(p_adjusted))
        )

    def decidable(self, key: Key) -> bool:
        """Tell whether any outcome on so many instances could be a regression."""
        compared, slice_ = self.found[key], self.slices.get(key[0])
        small = slice_ is not None and slice_.size < slice_.min_size
        if small or np.isnan(compared.paired.baseline) or self.coverage(key) < LEAST_COVERAGE:
            return False
        alpha = self.suite.comparison.alpha
        return can_decide(self.independent(key), max(compared.paired.margin, 0.0), alpha, self.suite.comparison.mcnemar)

    def independent(self, key: Key) -> int:
        """Return the number of independent pairs of a behavior: instances, or clusters of them."""
        slice_ = self.slices.get(key[0])
        clusters = None if slice_ is None else self.evidence.clusters_in(slice_)
        return self.found[key].paired.n if clusters is None else clusters

    def coverage(self, key: Key) -> float:
        """Return the share of a slice's instances, and of all, that can be compared: the smaller."""
        slice_ = self.slices.get(key[0])
        if slice_ is None or not self.found[key].change.paired:
            return self.against.coverage
        return min(self.against.coverage, self.evidence.common(slice_) / max(slice_.bits.count, 1))

    # -- instances

    def flipped(self, keys: Iterable[Key]) -> list[RowPlace]:
        """Return where the instances stand that behaviors count as broken or fixed: the worst of each in turn."""
        sides = []
        for key in keys:
            moved = self.found[key].moved if key in self.found else None
            if moved is not None and key in self.declared:
                sides += [moved.broken_at, moved.fixed_at]
        ranks = range(max(map(len, sides), default=0))
        in_turn = dict.fromkeys(side[rank] for rank in ranks for side in sides if rank < len(side))
        return list(in_turn)[:MOST_FLIPS]


def _same(stored: float, value: float, more: float = 0.0) -> bool:
    """Tell whether a value is the stored one, but for the digits that were not kept."""
    return abs(stored - value) <= KEPT_DIGITS * abs(stored) + more


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
