"""Every behavior against the baseline: changes with intervals, p-values adjusted for all bounds, flipped instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

import numpy as np
import pandas as pd

from pytest_behave.compare.multiplicity import MOST_UNITS, adjusted, flip_units
from pytest_behave.compare.paired import Margin, Paired, Settings, compare_pairs
from pytest_behave.compare.power import can_decide
from pytest_behave.compare.regression import LEAST_COVERAGE
from pytest_behave.compare.store import KEPT_DIGITS
from pytest_behave.compare.unpaired import compare_values
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against
from pytest_behave.evidence.flips import RowLosses, row_losses
from pytest_behave.evidence.rows import Estimates, Measured
from pytest_behave.prepare.preparation import Item
from pytest_behave.evidence.swaps import Swaps
from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen
from pytest_behave.predict.progress import progress_bar
from pytest_behave.records import BaselineEntry, Change, Estimate, Instance, Key, Slice, Tolerance
from pytest_behave.records.pairs import PairedInfluences, PairedRows, Pairs


@dataclass(frozen=True)
class Compared:
    """A change, the comparison behind it, and the rows that broke and that were fixed, worst first."""

    change: Change
    paired: Paired
    worse: int
    broken: np.ndarray
    fixed: np.ndarray


class Comparisons:
    """All changes of a measured model against a baseline, by slice and metric."""

    def __init__(  # noqa: PLR0913, PLR0917 - both sides, and what to compare
        self,
        measured: Measured,
        against: Against,
        estimates: Estimates,
        items: Sequence[Item],
        terminal: TextIO | None = None,
        swaps: Swaps | None = None,
        only: Chosen | None = None,
    ) -> None:
        self.measured = measured
        self.against = against
        self.estimates = estimates
        self.terminal = terminal
        self.swaps = swaps
        self.suite = measured.prepared.suite
        self.slices = {slice_.name: slice_ for slice_ in measured.slices if slice_.problem is None}
        self.chosen = {item.spec.name: item for item in measured.prepared.chosen}
        self.settings = self._settings()
        self.tolerances = {(item.slice, item.name): item.tolerance for item in items if item.tolerance is not None}
        self.declared = {(item.slice, item.metric) for item in items}
        self.found: dict[Key, Compared] = {}
        self.unpairable: dict[str, str] = {}  # why a metric cannot be compared instance by instance
        self.contradicted: list[Key] = []  # what the stored predictions say otherwise than the stored value
        self._compare(only)

    def _settings(self) -> Settings:
        clusters, ids = self.measured.clusters, self.measured.table.ids
        units = (
            flip_units(len(ids), clusters)
            if len(ids) <= MOST_UNITS or clusters is not None
            else units_of(hashes_of(ids))
        )
        return Settings(units, clusters, self.suite.comparison.mcnemar)

    def _compare(self, only: Chosen | None) -> None:
        for item in self.measured.prepared.chosen if only is None else (only,):
            self._compare_metric(item)

    # -- one metric at a time

    def worse(self, chosen: Chosen) -> int:
        """Return +1 where a rise of the metric is a loss, else -1."""
        return 1 if chosen.better == "lower" else -1

    def pairs(self, chosen: Chosen) -> Pairs | None:
        """Return a metric of both models, None if it cannot be compared instance by instance."""
        if self.against.outcome is None:
            return None
        try:
            pairs = paired(chosen, self.against.outcome, self.measured.outcome)
            return (
                pairs
                if self.swaps is None
                else self.swaps.of(pairs, chosen, self.against.outcome, self.measured.outcome)
            )
        except BehaveError as error:
            self.unpairable[chosen.spec.name] = f"the baseline's outputs do not give the metric: {error}"
            return None

    def rows(self, slice_: Slice) -> np.ndarray:
        """Return the rows of a slice that can be compared."""
        return np.flatnonzero(slice_.mask & self.against.common)

    def common(self, slice_: Slice) -> int:
        """Return how many rows of a slice can be compared."""
        return len(self.rows(slice_))

    def _compare_metric(self, chosen: Chosen) -> None:
        metric, worse = chosen.spec.name, self.worse(chosen)
        pairs = self.pairs(chosen)
        wanted = [name for name in self.slices if (name, metric) in self.estimates]
        if isinstance(pairs, PairedRows) or self.swaps is not None:
            wanted = [name for name in wanted if (name, metric) in self.tolerances]
        reasons = {name: self._unpaired_reason((name, metric), pairs) for name in wanted}
        together = [name for name in wanted if reasons[name] == ""]
        if pairs is not None and together:
            rows = [self.rows(self.slices[name]) for name in together]
            margins = [self._margin((name, metric), worse) for name in together]
            losses = self._losses(pairs, worse)
            for name, where, result in zip(together, rows, self._paired(pairs, rows, margins, worse), strict=True):
                if self._contradicts((name, metric), result):
                    self.contradicted.append((name, metric))
                self._add((name, metric), result, worse, where, losses)
        for name in wanted:
            if reasons[name]:
                self._compare_unpaired((name, metric), worse, reasons[name], self.estimates.get((name, metric)))

    def compare_gap(self, key: Key, sides: tuple[PairedInfluences, np.ndarray] | None, estimate: Estimate) -> None:
        """Compare a gap, of which more is always worse, on the rows that have a part in it."""
        reason = self._unpaired_reason(key, None if sides is None else sides[0])
        if sides is None or reason:
            self._compare_unpaired(key, 1, reason, estimate)
            return
        pairs, rows = sides
        (result,) = compare_pairs(pairs, [rows], [self._margin(key, 1)], 1, self.settings)
        self._add(key, result, 1, rows, None)

    def _paired(self, pairs: Pairs, rows: list[np.ndarray], margins: list[Margin], worse: int) -> list[Paired]:
        if not isinstance(pairs, PairedRows):
            return compare_pairs(pairs, rows, margins, worse, self.settings)
        result = []
        with progress_bar(self.terminal, len(rows), f"{self.suite.name}: comparing") as progress:
            for where, margin in zip(rows, margins, strict=True):
                result += compare_pairs(pairs, [where], [margin], worse, self.settings)
                progress(1)
        return result

    def _entry(self, key: Key) -> BaselineEntry | None:
        """Return what is stored of a behavior: in the baseline compared with or, where it is newer, the working tree's."""
        places = (self.against.stored, self.against.accepted)
        return next((place.entries[key] for place in places if place is not None and key in place.entries), None)

    def is_known(self, key: Key) -> bool:
        """Tell whether there is a baseline for a behavior: the model compared with, or a stored value."""
        return self.against.stored is None or self._entry(key) is not None

    def _unpaired_reason(self, key: Key, pairs: object | None) -> str:
        if self.against.reason:
            return self.against.reason
        entry = self._entry(key)
        if entry is not None and not entry.paired:
            return "this value was accepted alone, without its predictions"
        said = self.unpairable.get(key[1], "the metric cannot be measured on the stored predictions")
        return "" if pairs is not None else said

    def _contradicts(self, key: Key, result: Paired) -> bool:
        """Tell whether stored value and predictions disagree, where they must not: on the same rows."""
        entry, slice_ = self._entry(key), self.slices[key[0]]
        deferred = {spec.name for spec in self.measured.prepared.deferred}
        if entry is None or entry.value is None or {slice_.name, slice_.family} & deferred:
            return False
        same_rows = self.common(slice_) == slice_.bits.count and entry.size == slice_.size
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

    def _losses(self, pairs: Pairs, worse: int) -> RowLosses | None:
        baseline = self.against.outcome
        return None if baseline is None else row_losses(pairs, worse, baseline, self.measured.outcome)

    def _add(self, key: Key, result: Paired, worse: int, rows: np.ndarray, losses: RowLosses | None) -> None:
        if np.isnan(result.baseline):
            change = Change(None, n=result.n, reason="the metric is undefined for the baseline on these instances")
            self.found[key] = Compared(change, result, worse, rows[:0], rows[:0])
            return
        broken, fixed = (rows[:0], rows[:0]) if losses is None else (losses.broken(rows), losses.fixed(rows))
        counts = (None, None) if losses is None else (len(broken), len(fixed))
        change = self._change(key, result, *counts)
        if key in self.declared and losses is not None:
            ids, most = self.measured.table.ids, losses.most
            change = replace(
                change, broken_ids=tuple(ids[broken[:most]].tolist()), fixed_ids=tuple(ids[fixed[:most]].tolist())
            )
        self.found[key] = Compared(change, result, worse, broken, fixed)

    def _change(self, key: Key, result: Paired, broken: int | None, fixed: int | None) -> Change:
        return Change(
            value=result.baseline,
            change=result.change,
            low=_finite(result.low),
            high=_finite(result.high),
            n=result.n,
            test=result.test,
            tolerance=_finite(result.margin) if key in self.tolerances else None,
            broken=broken,
            fixed=fixed,
        )

    def _compare_unpaired(self, key: Key, worse: int, reason: str, estimate: Estimate | BehaveError | None) -> None:
        entry = self._entry(key)
        if entry is None or not isinstance(estimate, Estimate):
            return
        if entry.value is not None and estimate.value is not None and _same(entry.value, estimate.value):
            entry = replace(entry, value=estimate.value)
        result = compare_values(entry, estimate, self._margin(key, worse), worse)
        if result is None:
            return
        change = Change(
            value=result.baseline,
            change=result.change,
            low=_finite(result.low),
            high=_finite(result.high),
            n=min(entry.n, estimate.n),
            test=result.test,
            tolerance=_finite(result.margin) if key in self.tolerances else None,
            paired=False,
            reason=reason,
        )
        nowhere = np.zeros(0, dtype=np.int64)
        self.found[key] = Compared(change, result, worse, nowhere, nowhere)

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
        compared = self.found[key]
        slice_ = self.slices.get(key[0])
        if self.settings.clusters is None or slice_ is None:
            return compared.paired.n
        return len(np.unique(self.settings.clusters[self.rows(slice_)]))

    def coverage(self, key: Key) -> float:
        """Return the share of a slice's instances, and of all, that can be compared: the smaller."""
        slice_ = self.slices.get(key[0])
        if slice_ is None or not self.found[key].change.paired:
            return self.against.coverage
        return min(self.against.coverage, self.common(slice_) / max(slice_.bits.count, 1))

    # -- instances

    def flips(self, keys: Mapping[Key, Any]) -> tuple[Instance, ...]:
        """Return every instance that some behavior counts as broken or fixed, in the order of the dataset."""
        parts = []
        for key in keys:
            if key in self.found:
                compared = self.found[key]
                parts += [
                    compared.broken[: len(compared.change.broken_ids)],
                    compared.fixed[: len(compared.change.fixed_ids)],
                ]
        rows = np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
        return tuple(self.instance(int(row)) for row in rows)

    def worst(self, key: Key, most: int) -> tuple[Instance, ...]:
        """Return the instances that broke, worst first."""
        return tuple(self.instance(int(row)) for row in self.found[key].broken[:most])

    def instance(self, row: int) -> Instance:
        """Return an instance with both outputs."""
        return self.measured.instance(row, self.against.outcome)


def hashes_of(ids: np.ndarray) -> np.ndarray:
    """Return a hash of each id."""
    return pd.util.hash_array(ids.astype(object), categorize=False)


def units_of(hashes: np.ndarray) -> np.ndarray:
    """Return the unit of each of very many rows, one of 4,096 by its id: the same whatever the other rows are."""
    return (hashes % np.uint64(MOST_UNITS)).astype(np.int64)


def _same(stored: float, value: float, more: float = 0.0) -> bool:
    """Tell whether a value is the stored one, but for the digits that were not kept."""
    return abs(stored - value) <= KEPT_DIGITS * abs(stored) + more


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
