"""The widest difference of a metric between slices, and what became of it since the baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pytest_behave.compare.influence import error_of, of_pairs
from pytest_behave.compare.tails import t_quantile
from pytest_behave.compare.verdicts import gap_between
from pytest_behave.errors import BehaveError, MetricError
from pytest_behave.evaluate.compared import Comparisons
from pytest_behave.evaluate.measured import Estimates, Measured
from pytest_behave.evaluate.prepare import Item
from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen
from pytest_behave.records import Better, Estimate, Slice
from pytest_behave.records.pairs import Influences, PairedInfluences, PairedRows, Pairs

Between = tuple[str, str]


@dataclass(frozen=True)
class Gap:
    """A gap of the candidate: the slices it may lie between, the two that it does, and the rows of all."""

    estimate: Estimate
    between: Between | None
    members: tuple[Slice, ...]
    reference: Slice | None
    size: int


def measured_gap(measured: Measured, estimates: Estimates, slices: dict[str, Slice], item: Item, chosen: Chosen) -> Gap:
    """Return the gap that an item is about; raises the error that keeps a slice from being measured."""
    members = tuple(slice_ for slice_ in slices.values() if item.slice in (slice_.family, slice_.name))
    reference = None if item.bounds.gap_to is None else slices.get(item.bounds.gap_to)
    if item.bounds.gap_to is not None and reference is None:
        raise BehaveError(f"there is no slice {item.bounds.gap_to!r} to measure the gap to")
    everything = members if reference is None else (*members, reference)
    size = measured.size_together(everything)
    decided = tuple(member for member in members if member.size >= member.min_size)
    named = _named(decided, estimates, item.metric)
    goal = None if reference is None else next(iter(_named((reference,), estimates, item.metric)), None)
    if reference is not None and goal is None:
        return Gap(Estimate(None, None, None, 0, f"{reference.name} has no value"), None, decided, reference, size)
    estimate, between = gap_between(named, chosen.better, goal)
    if between is not None:
        estimate = _with_interval(measured, estimate, between, slices, chosen)
    return Gap(estimate, between, decided, reference, size)


def _named(slices: tuple[Slice, ...], estimates: Estimates, metric: str) -> list[tuple[str, Estimate]]:
    result = []
    for slice_ in slices:
        estimate = estimates.get((slice_.name, metric))
        if isinstance(estimate, BehaveError):
            raise estimate
        if estimate is not None and estimate.is_broken:
            raise MetricError(f"{slice_.name}: {estimate.reason}")
        if estimate is not None and estimate.value is not None:
            result.append((slice_.name, estimate))
    return result


def _with_interval(
    measured: Measured, estimate: Estimate, between: Between, slices: dict[str, Slice], chosen: Chosen
) -> Estimate:
    """Return the gap with an interval that knows of common rows, or of clusters; that of disjoint slices else."""
    one, other = slices[between[0]], slices[between[1]]
    clusters = measured.clusters
    if clusters is None and not measured.overlap(one, other):
        return estimate
    nothing = replace(estimate, low=None, high=None, interval="")
    if measured.prepared.parts is not None:
        return nothing
    try:
        pairs = paired(chosen, measured.outcome, measured.outcome)
    except BehaveError:
        return nothing
    if pairs is None or isinstance(pairs, PairedRows) or estimate.value is None:
        return nothing
    influences = [_candidate_rows(pairs, slice_.mask) for slice_ in (one, other)]
    both = np.flatnonzero(one.mask | other.mask)
    error, freedom = error_of(
        (influences[0] - influences[1])[both], None if clusters is None else clusters[both], len(both) - 1
    )
    if freedom < 1:
        return nothing
    half = float(t_quantile(freedom)) * error
    return replace(
        estimate, low=max(estimate.value - half, 0.0), high=estimate.value + half, interval="delta, common rows"
    )


def _candidate_rows(pairs: Pairs, mask: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(mask)
    result = np.zeros(len(mask))
    result[rows] = of_pairs(pairs).on(rows).candidate_rows
    return result


def paired_gap(comparisons: Comparisons, gap: Gap, chosen: Chosen) -> tuple[PairedInfluences, np.ndarray] | None:
    """Return the gaps of both models as pairs, and the rows that have a part in them; None if no row has one.

    Each model's gap is its own widest. A row's part in a gap is its part in the one value less that in the other.
    """
    pairs = comparisons.pairs(chosen)
    if pairs is None or isinstance(pairs, PairedRows) or gap.between is None:
        return None
    slices = {slice_.name: slice_ for slice_ in (*gap.members, *([gap.reference] if gap.reference else []))}
    rows = {name: comparisons.rows(slice_) for name, slice_ in slices.items()}
    found = {name: of_pairs(pairs).on(where) for name, where in rows.items() if len(where)}
    reference = None if gap.reference is None else gap.reference.name
    sides = []
    for side in ("baseline", "candidate"):
        values = {name: float(getattr(item, side)) for name, item in found.items()}
        widest = _widest(values, reference, chosen.better)
        if widest is None:
            return None
        influence = np.zeros(comparisons.measured.outcome.size)
        for name, sign in zip(widest, _signs(values, widest), strict=True):
            influence[rows[name]] += sign * getattr(found[name], f"{side}_rows")
        sides.append((abs(values[widest[0]] - values[widest[1]]), influence))
    (before, before_rows), (after, after_rows) = sides
    pairs = PairedInfluences(
        lambda where: Influences(before, after, before_rows[where], after_rows[where], len(where) - 1), "delta"
    )
    return pairs, np.unique(np.concatenate(list(rows.values())))


def _widest(values: dict[str, float], reference: str | None, better: Better) -> Between | None:
    """Return the two slices of one model that differ most."""
    named = [(name, Estimate(value, None, None, 1)) for name, value in values.items() if np.isfinite(value)]
    goal = next((item for item in named if item[0] == reference), None)
    if reference is not None and goal is None:
        return None
    return gap_between([item for item in named if item[0] != reference], better, goal)[1]


def _signs(values: dict[str, float], pair: Between) -> tuple[int, int]:
    return (1, -1) if values[pair[0]] >= values[pair[1]] else (-1, 1)
