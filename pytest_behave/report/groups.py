"""The behaviors of a suite in the groups and the order in which reports tell them, each in one group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_behave.records import Behavior, SuiteRun
from pytest_behave.report.lines import broken, direction, improved, suspects, worst_first


@dataclass(frozen=True, slots=True)
class Groups:
    """What broke (also with severity warning) comes first; ``worse`` is what two records alone show, unpaired.

    What is ``holding`` may have changed, within its bounds or accepted; ``unbounded`` is what is only observed.
    """

    broken: tuple[Behavior, ...]
    suspects: tuple[Behavior, ...]
    worse: tuple[Behavior, ...]
    improved: tuple[Behavior, ...]
    undecided: tuple[Behavior, ...]
    known: tuple[Behavior, ...]
    holding: tuple[Behavior, ...]
    unbounded: tuple[Behavior, ...]
    is_compared: bool


def grouped(suite: SuiteRun) -> Groups:
    """Return the groups of a suite. What is only observed counts between two records, where it has no verdict either."""
    told, doubted = broken(suite), suspects(suite)
    seen = {id(behavior) for behavior in (*told, *doubted)}
    observed = [behavior for behavior in suite.observed if behavior.baseline and not behavior.baseline.paired]
    rest = [behavior for behavior in (*suite.behaviors, *observed) if id(behavior) not in seen]
    names = ("worse", "improved", "undecided", "known", "holding", "unbounded")
    parts: dict[str, list[Behavior]] = {name: [] for name in names}
    for behavior in rest:
        parts[_part(behavior)].append(behavior)
    return Groups(
        broken=tuple(told),
        suspects=tuple(doubted),
        worse=tuple(_largest_first(parts["worse"])),
        improved=tuple(_largest_first(parts["improved"])),
        undecided=tuple(worst_first(parts["undecided"])),
        known=tuple(worst_first(parts["known"])),
        holding=tuple(worst_first(parts["holding"])),
        unbounded=tuple(worst_first(parts["unbounded"])),
        is_compared=suite.baseline is not None or any(behavior.baseline for behavior in (*suite.behaviors, *observed)),
    )


def _part(behavior: Behavior) -> str:
    unpaired = behavior.baseline is not None and not behavior.baseline.paired
    if unpaired and direction(behavior) < 0:
        return "worse"
    if behavior.verdict == "undecided":
        return "undecided"
    if improved(behavior) or (unpaired and direction(behavior) > 0):
        return "improved"
    if behavior.verdict is None:
        return "unbounded"
    return "known" if behavior.verdict == "known-failure" else "holding"


def _largest_first(behaviors: Iterable[Behavior]) -> list[Behavior]:
    return sorted(behaviors, key=lambda item: (-_size_of_change(item), item.slice, item.metric))


def _size_of_change(behavior: Behavior) -> float:
    return abs((behavior.baseline.change if behavior.baseline else None) or 0.0)
