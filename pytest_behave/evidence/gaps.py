"""Gaps between slices, from rows: their intervals, and what became of them since the baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pytest_behave.compare.influence import error_of, of_pairs
from pytest_behave.compare.tails import t_quantile
from pytest_behave.compare.verdicts import gap_between
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.protocol import Gap
from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen
from pytest_behave.records import Better, Estimate, Outcome, Slice
from pytest_behave.records.pairs import Influences, PairedInfluences, PairedRows, Pairs


def without_interval(estimate: Estimate) -> Estimate:
    """Return an estimate of which only the value is known."""
    return replace(estimate, low=None, high=None, interval="")


def interval_of_gap(
    estimate: Estimate, slices: tuple[Slice, Slice], chosen: Chosen, outcome: Outcome, clusters: np.ndarray | None
) -> Estimate:
    """Return the gap between two slices with an interval from each row's part in it, rows independent or in clusters."""
    one, other = slices
    try:
        pairs = paired(chosen, outcome, outcome)
    except BehaveError:
        return without_interval(estimate)
    if pairs is None or isinstance(pairs, PairedRows) or estimate.value is None:
        return without_interval(estimate)
    influences = [_candidate_rows(pairs, slice_.mask) for slice_ in (one, other)]
    both = np.flatnonzero(one.mask | other.mask)
    of_both = None if clusters is None else clusters[both]
    error, freedom = error_of((influences[0] - influences[1])[both], of_both, len(both) - 1)
    if freedom < 1:
        return without_interval(estimate)
    half = float(t_quantile(freedom)) * error
    return replace(
        estimate, low=max(estimate.value - half, 0.0), high=estimate.value + half, interval="delta, common rows"
    )


def _candidate_rows(pairs: Pairs, mask: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(mask)
    result = np.zeros(len(mask))
    result[rows] = of_pairs(pairs).on(rows).candidate_rows
    return result


def paired_gap(
    pairs: Pairs, gap: Gap, better: Better, rows_of: Callable[[Slice], np.ndarray], size: int
) -> tuple[PairedInfluences, np.ndarray] | None:
    """Return the gaps of both models as pairs, and the rows that have a part in them; None if no row has one.

    Each model's gap is its own widest. A row's part in a gap is its part in the one value less that in the other.
    ``rows_of`` gives the rows of a slice that can be compared, of ``size`` rows in all.
    """
    slices = {slice_.name: slice_ for slice_ in (*gap.members, *([gap.reference] if gap.reference else []))}
    rows = {name: rows_of(slice_) for name, slice_ in slices.items()}
    found = {name: of_pairs(pairs).on(where) for name, where in rows.items() if len(where)}
    reference = None if gap.reference is None else gap.reference.name
    sides = []
    for side in ("baseline", "candidate"):
        values = {name: float(getattr(item, side)) for name, item in found.items()}
        widest = _widest(values, reference, better)
        if widest is None:
            return None
        influence = np.zeros(size)
        for name, sign in zip(widest, _signs(values, widest), strict=True):
            influence[rows[name]] += sign * getattr(found[name], f"{side}_rows")
        sides.append((abs(values[widest[0]] - values[widest[1]]), influence))
    (before, before_rows), (after, after_rows) = sides
    both = PairedInfluences(
        lambda where: Influences(before, after, before_rows[where], after_rows[where], len(where) - 1), "delta"
    )
    return both, np.unique(np.concatenate(list(rows.values())))


def _widest(values: dict[str, float], reference: str | None, better: Better) -> tuple[str, str] | None:
    """Return the two slices of one model that differ most."""
    named = [(name, Estimate(value, None, None, 1)) for name, value in values.items() if np.isfinite(value)]
    goal = next((item for item in named if item[0] == reference), None)
    if reference is not None and goal is None:
        return None
    return gap_between([item for item in named if item[0] != reference], better, goal)[1]


def _signs(values: dict[str, float], pair: tuple[str, str]) -> tuple[int, int]:
    return (1, -1) if values[pair[0]] >= values[pair[1]] else (-1, 1)
