"""What is checked: the items that a suite's expectations declare, each with its bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_behave.data.slices import OVERALL
from pytest_behave.errors import BehaveError, SuiteError, did_you_mean
from pytest_behave.prepare.declared import DeclaredNames
from pytest_behave.records import Bounds, Slice, SliceSpec, Suite, Tolerance


@dataclass(frozen=True)
class Item:
    """One thing to check: bounds on a metric of a slice, the gap of a family, or all members of a deferred family."""

    slice: str
    metric: str
    bounds: Bounds
    kind: str = "behavior"

    @property
    def name(self) -> str:
        """The metric as reports and node ids call it."""
        return f"{self.metric} gap" if self.kind == "gap" else self.metric

    @property
    def tolerance(self) -> Tolerance | None:
        """How much worse than the baseline it may get."""
        return self.bounds.max_gap_regression if self.kind == "gap" else self.bounds.max_regression


def items_of(suite: Suite, slices: tuple[Slice, ...], deferred: tuple[SliceSpec, ...]) -> tuple[Item, ...]:
    """Return the items in the order of the declared slices; raises SuiteError with every slice that does not exist."""
    problems: list[str] = []
    merged: dict[tuple[str, str], Bounds] = {}
    gaps: dict[tuple[str, str], Bounds] = {}
    kinds: dict[tuple[str, str], str] = {}
    families = {spec.name for spec in deferred if spec.by}
    declared = DeclaredNames(slices, deferred, {spec.name for spec in suite.slices if spec.by})
    for expectation in sorted(suite.expectations, key=lambda item: declared.rank(item.slice)):
        bounds = expectation.bounds
        try:
            targets = _targets(suite, expectation.slice, declared)
        except BehaveError as error:
            problems.append(f"{bounds.place}: {error}")
            continue
        for name in targets:
            key = (name, expectation.metric)
            kinds[key] = "family" if name in families else "behavior"
            if bounds.limits_a_value or kinds[key] == "family" or key in merged:
                merged[key] = _overlaid(merged.get(key), bounds)
        if bounds.limits_a_gap and expectation.slice not in families:
            around = targets if expectation.slice == "*" else [expectation.slice]
            gaps |= {(name, expectation.metric): bounds for name in around}
    items = [Item(name, metric, bounds, kinds[name, metric]) for (name, metric), bounds in merged.items()]
    items += [Item(name, metric, bounds, "gap") for (name, metric), bounds in gaps.items()]
    if problems:
        raise SuiteError(problems)
    order = {name: index for index, name in enumerate([OVERALL, *_order(suite, declared)])}
    return tuple(sorted(items, key=lambda item: (order.get(item.slice, len(order)), item.kind == "gap")))


def _order(suite: Suite, declared: DeclaredNames) -> list[str]:
    names: list[str] = []
    for spec in suite.slices:
        names += declared.members.get(spec.name, [])
        names.append(spec.name)
    return [*names, *declared.late]


def _targets(suite: Suite, name: str, declared: DeclaredNames) -> list[str]:
    if name == "*":
        return [slice_ for slice_ in declared.known if slice_ != OVERALL] + [*declared.late]
    members = declared.members.get(name, [])
    if name in declared.known or members:
        return members or [name]
    if name in declared.late or name.partition("=")[0] in declared.late or declared.has_problems:
        return [name]
    if suite.dataset is None:
        raise BehaveError("expectations on slices need a `dataset`")
    raise BehaveError(f"there is no slice {name!r}{did_you_mean(name, declared.known)}")


def _overlaid(below: Bounds | None, above: Bounds) -> Bounds:
    """Return the more specific bounds, what they leave open filled from the general ones."""
    if below is None:
        return above
    return replace(
        above,
        min=below.min if above.min is None else above.min,
        max=below.max if above.max is None else above.max,
        max_regression=above.max_regression or below.max_regression,
        decide=above.decide or below.decide,
        severity=above.severity or below.severity,
        known_failure=above.known_failure or below.known_failure,
    )
