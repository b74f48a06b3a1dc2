"""Verdicts: every item of a suite held against what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pytest_behave.compare.verdicts import judge, judge_gap, with_known_failure
from pytest_behave.errors import BehaveError
from pytest_behave.evaluate.measured import Measured
from pytest_behave.evaluate.prepare import Item
from pytest_behave.measure.registry import Chosen
from pytest_behave.records import Behavior, Better, Bounds, Estimate, Place, Verdict


class Judged:
    """Verdicts on everything that a suite expects of a measured model."""

    def __init__(self, measured: Measured, today: str) -> None:
        self.measured = measured
        self.prepared = measured.prepared
        self.today = today
        self.slices = {slice_.name: slice_ for slice_ in measured.slices}
        self.estimates = measured.estimates({(item.slice, item.metric) for item in self.prepared.items})
        self.chosen = {item.spec.name: item for item in self.prepared.chosen}

    def behaviors(self) -> list[Behavior]:
        """Return every behavior that the suite expects, with its verdict."""
        judged = [(item, *self._judge(item)) for item in self._expanded()]
        failing = {id(item.bounds.known_failure) for item, behavior, _ in judged if behavior.verdict == "violated"}
        result = []
        for item, behavior, verdict in judged:
            known = item.bounds.known_failure
            final = with_known_failure(verdict, known, self.today, any_fails=id(known) in failing)
            behavior = replace(behavior, verdict=final.verdict, reason=final.reason)  # noqa: PLW2901 - as judged
            result.append(self._with_instances(behavior))
        return result

    def _expanded(self) -> list[Item]:
        """Replace each deferred family by its members, now known, and its gap."""
        items: list[Item] = []
        for item in self.prepared.items:
            if item.kind != "family":
                items.append(item)
                continue
            members = [slice_ for slice_ in self.slices.values() if slice_.family == item.slice]
            if item.bounds.min is not None or item.bounds.max is not None or self._problem(item.slice):
                items += [replace(item, slice=member.name, kind="behavior") for member in members]
            if item.bounds.max_gap is not None and not self._problem(item.slice):
                items.append(replace(item, kind="gap"))
        return items

    def _problem(self, name: str) -> str | None:
        found = [s for s in self.slices.values() if name in (s.name, s.family)]
        return (
            next((slice_.problem for slice_ in found if slice_.problem), None)
            if found
            else f"there is no slice {name!r}"
        )

    def _judge(self, item: Item) -> tuple[Behavior, Verdict]:
        chosen = self.chosen.get(item.metric)
        better = chosen.better if chosen else "higher"
        if item.kind == "gap":
            return self._judge_gap(item, chosen)
        slice_ = self.slices.get(item.slice)
        if slice_ is None or slice_.problem:
            verdict = Verdict("error", f"slice {item.slice!r}: {self._problem(item.slice)}")
            return behavior_of(item, better, 0, None, verdict), verdict
        size = int(slice_.mask.sum())
        estimate = self.estimates.get((item.slice, item.metric))
        if estimate is None or isinstance(estimate, BehaveError):
            verdict = Verdict("error", str(estimate or f"metric {item.metric!r} was not measured"))
            return behavior_of(item, better, size, None, verdict, slice_.family), verdict
        verdict = judge(estimate, item.bounds, size=size, min_size=slice_.min_size)
        return behavior_of(item, better, size, estimate, verdict, slice_.family), verdict

    def _judge_gap(self, item: Item, chosen: Chosen | None) -> tuple[Behavior, Verdict]:
        members = []
        better = chosen.better if chosen else "higher"
        family = [slice_ for slice_ in self.slices.values() if slice_.family == item.slice]
        for member in family:
            estimate = self.estimates.get((member.name, item.metric))
            if isinstance(estimate, BehaveError):
                verdict = Verdict("error", str(estimate))
                return behavior_of(item, "lower", 0, None, verdict), verdict
            large = int(member.mask.sum()) >= member.min_size
            if estimate is not None and estimate.value is not None and large:
                members.append((member.name, estimate))
        verdict, gap, between = judge_gap(members, float(item.bounds.max_gap or 0.0), better)
        size = int(np.logical_or.reduce([slice_.mask for slice_ in family]).sum()) if family else 0
        behavior = behavior_of(item, "lower", size, gap, verdict)
        return replace(behavior, between=between), verdict

    def _with_instances(self, behavior: Behavior) -> Behavior:
        chosen = self.chosen.get(behavior.metric)
        if behavior.verdict not in ("violated", "known-failure") or chosen is None or behavior.slice not in self.slices:
            return behavior
        return replace(behavior, instances=self.measured.worst_instances(chosen, self.slices[behavior.slice]))

    def observed(self, held: set[tuple[str, str]]) -> list[Behavior]:
        """Return what was measured without an expectation."""
        result = []
        for (name, metric), estimate in self.estimates.items():
            if (name, metric) in held or isinstance(estimate, BehaveError):
                continue
            slice_, chosen = self.slices[name], self.chosen[metric]
            item = Item(name, metric, Bounds())
            verdict = Verdict("holds")
            behavior = behavior_of(item, chosen.better, int(slice_.mask.sum()), estimate, verdict, slice_.family)
            result.append(replace(behavior, verdict=None, reason=estimate.reason))
        return result


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
    names = ("max_gap",) if item.kind == "gap" else ("min", "max")
    return Behavior(
        slice=item.slice,
        metric=item.name,
        better=better,
        size=size,
        n=0 if estimate is None else estimate.n,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        bounds={name: getattr(item.bounds, name) for name in names if getattr(item.bounds, name) is not None},
        decide=item.bounds.decide or "observed",
        verdict=verdict.verdict,
        reason=verdict.reason or ("" if estimate is None else estimate.reason),
        interval="" if estimate is None else estimate.interval,
        line=line,
        file=file,
        family=family,
    )


def line_of(place: Place | None) -> tuple[int | None, str | None]:
    """Return line and file of a place."""
    return (place.line, str(place.path)) if place is not None else (None, None)
