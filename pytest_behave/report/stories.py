"""Overlapping slices that lose the same instances tell one story: which slices to show, which to fold under them."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_behave.records import Behavior
from pytest_behave.report.lines import badness, worst_first

TOLD = 0.9  # share of a behavior's broken instances that others must hold for it to be folded
WORSE = ("regressed", "suspect")


@dataclass(frozen=True, slots=True)
class Story:
    """A behavior to show, and those that it explains, worst first."""

    behavior: Behavior
    also: tuple[Behavior, ...] = ()


def stories(behaviors: Iterable[Behavior]) -> list[Story]:
    """Return behaviors, worst first, each that only repeats others folded under one of them.

    Per metric, a greedy weighted set cover over broken instances, at the cost of a slice's rows: slices in which the
    broken instances are densest are shown. Nothing is folded under a milder verdict, nor what fails under what warns.
    Behaviors without broken instances, and those that are not worse, stand alone.
    """
    by_metric: dict[str, list[Behavior]] = defaultdict(list)
    told: list[Story] = []
    for behavior in worst_first(behaviors):
        if behavior.verdict in WORSE and behavior.baseline is not None and behavior.baseline.broken_ids:
            by_metric[behavior.metric].append(behavior)
        else:
            told.append(Story(behavior))
    for found in by_metric.values():
        told += _cover(found)
    return sorted(told, key=lambda story: badness(story.behavior))


def also_names(story: Story) -> str:
    """Return the names of the slices that are folded."""
    return ", ".join(behavior.slice for behavior in story.also)


def _cover(behaviors: Sequence[Behavior]) -> list[Story]:
    """Choose among behaviors of one metric, worst first: all of one verdict and severity before the next."""
    holders: dict[str, list[int]] = defaultdict(list)
    ids = [frozenset(behavior.baseline.broken_ids) if behavior.baseline else frozenset() for behavior in behaviors]
    for index, names in enumerate(ids):
        for name in names:
            holders[name].append(index)
    left = [len(names) for names in ids]  # broken instances that no chosen behavior holds
    teller: dict[str, int] = {}  # the chosen behavior that first held an instance
    chosen: list[int] = []
    for tier in _tiers(behaviors):
        waiting = [(_cost(behaviors[index], left[index]), index) for index in tier if not _is_told(left, ids, index)]
        heapq.heapify(waiting)
        while waiting:
            cost, index = heapq.heappop(waiting)
            if _is_told(left, ids, index):
                continue
            current = _cost(behaviors[index], left[index])
            if current > cost:  # others took some of its instances meanwhile; costs only rise, so look again later
                heapq.heappush(waiting, (current, index))
                continue
            chosen.append(index)
            for name in ids[index]:
                if name not in teller:
                    teller[name] = index
                    for holder in holders[name]:
                        left[holder] -= 1
    return _folded(behaviors, ids, chosen, teller)


def _tiers(behaviors: Sequence[Behavior]) -> list[list[int]]:
    tiers: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for index, behavior in enumerate(behaviors):
        tiers[badness(behavior)[:2]].append(index)
    return [tiers[key] for key in sorted(tiers)]


def _cost(behavior: Behavior, left: int) -> float:
    return max(behavior.size, 1) / max(left, 1)


def _is_told(left: Sequence[int], ids: Sequence[frozenset[str]], index: int) -> bool:
    return left[index] <= (1 - TOLD) * len(ids[index]) + 1e-9


def _folded(
    behaviors: Sequence[Behavior], ids: Sequence[frozenset[str]], chosen: Sequence[int], teller: dict[str, int]
) -> list[Story]:
    """Fold each behavior that was not chosen under the chosen one that tells most of it."""
    also: dict[int, list[Behavior]] = {index: [] for index in chosen}
    for index, behavior in enumerate(behaviors):
        if index not in also:
            shares = Counter(teller[name] for name in ids[index] if name in teller)
            most = max(shares.values())
            also[min(found for found, share in shares.items() if share == most)].append(behavior)
    return [Story(behaviors[index], tuple(also[index])) for index in chosen]
