"""The widest difference of a metric between slices."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_behave.compare.verdicts import gap_between
from pytest_behave.errors import BehaveError, MetricError
from pytest_behave.evidence.protocol import Estimates, Evidence, Gap
from pytest_behave.measure.registry import Chosen
from pytest_behave.prepare.items import Item
from pytest_behave.records import Estimate, Slice


def measured_gap(
    evidence: Evidence, estimates: Estimates, slices: Mapping[str, Slice], item: Item, chosen: Chosen
) -> Gap:
    """Return the gap that an item is about; raises the error that keeps a slice from being measured."""
    members = tuple(slice_ for slice_ in slices.values() if item.slice in (slice_.family, slice_.name))
    reference = None if item.bounds.gap_to is None else slices.get(item.bounds.gap_to)
    if item.bounds.gap_to is not None and reference is None:
        raise BehaveError(f"there is no slice {item.bounds.gap_to!r} to measure the gap to")
    size = evidence.size_together(members if reference is None else (*members, reference))
    decided = tuple(member for member in members if member.size >= member.min_size)
    named = _named(decided, estimates, item.metric)
    goal = None if reference is None else next(iter(_named((reference,), estimates, item.metric)), None)
    if reference is not None and goal is None:
        return Gap(Estimate(None, None, None, 0, f"{reference.name} has no value"), None, decided, reference, size)
    estimate, between = gap_between(named, chosen.better, goal)
    if between is not None:
        estimate = evidence.gap_interval(estimate, slices[between[0]], slices[between[1]], chosen)
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
