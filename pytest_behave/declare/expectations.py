"""From checked shapes to expectations: bounds by slice and metric, pass rates by tag."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pytest_behave.declare import schema
from pytest_behave.declare.problems import Problems
from pytest_behave.declare.yaml_positions import Loc
from pytest_behave.errors import did_you_mean
from pytest_behave.records import Bounds, Expectation, KnownFailure, MetricSpec, SliceSpec, Tolerance

OVERALL = "overall"
GAPS = ("max_gap", "max_gap_regression")
OWN = ("min", "max", "max_regression")


def build_expectations(
    part: schema.SuitePart, slices: tuple[SliceSpec, ...], metrics: tuple[MetricSpec, ...], problems: Problems
) -> tuple[Expectation, ...]:
    """Return the expectations on slices and families, adding every problem found to ``problems``."""
    return tuple(_Builder(part, slices, metrics, problems).expectations())


def build_tag_expectations(part: schema.SuitePart, problems: Problems) -> tuple[Expectation, ...]:
    """Return the pass rates that golden cases must keep to, by tag."""
    tags = {tag for entry in part.cases if isinstance(entry, schema.CasePart) for tag in entry.tags}
    result = []
    for tag, expected in part.expect.get("cases", {}).items():
        loc: Loc = ("expect", "cases", tag)
        if tag not in tags:
            problems.at_key(loc, f"no case has the tag {tag!r}{did_you_mean(tag, tags)}")
        if not isinstance(expected, schema.PassRatePart):
            problems.at_key(loc, "write `pass_rate: {min: 0.9}`")
            continue
        rate = expected.pass_rate
        relative = [name for name in (*GAPS, "gap_to", "max_regression") if getattr(rate, name) is not None]
        if rate.min is None and rate.max is None and not relative:
            problems.at_key((*loc, "pass_rate"), "give at least one of min and max")
        for name in relative:
            problems.at_key((*loc, "pass_rate", name), f"`{name}` does nothing for a pass rate: remove it")
        result.append(Expectation(f"cases={tag}", "pass_rate", bounds_of((*loc, "pass_rate"), rate, problems)))
    return tuple(result)


class _Builder:
    def __init__(
        self,
        part: schema.SuitePart,
        slices: tuple[SliceSpec, ...],
        metrics: tuple[MetricSpec, ...],
        problems: Problems,
    ) -> None:
        self.part = part
        self.slices = {spec.name: spec for spec in slices}
        self.metrics = [metric.name for metric in metrics]
        self.problems = problems

    def expectations(self) -> list[Expectation]:
        for index, name in enumerate(self.metrics):
            if name in self.metrics[:index]:
                self.problems.at_value(("metrics", index), f"the metric {name!r} is named twice")
        result = []
        for slice_name, expected in self.part.expect.items():
            if slice_name == "cases":
                continue
            loc: Loc = ("expect", slice_name)
            if slice_name not in (OVERALL, "*") and self._unknown(slice_name):
                self.problems.at_key(loc, self._unknown(slice_name))
            for metric, bounds in expected.items():
                if metric not in self.metrics:
                    known = did_you_mean(metric, self.metrics) or " (known: those under `metrics:`)"
                    self.problems.at_key((*loc, metric), f"unknown metric {metric!r}{known}")
                result.append(Expectation(slice_name, metric, self._bounds((*loc, metric), bounds)))
        return result

    def _unknown(self, name: str) -> str:
        """Return what is wrong with the name of a slice, or nothing; whether a family has such a member shows later."""
        if name in self.slices or any(name.startswith(f"{family}=") for family in self.slices):
            return ""
        return f"unknown slice {name!r}{did_you_mean(name, [OVERALL, *self.slices])}"

    def _bounds(self, loc: Loc, part: schema.BoundsPart | schema.PassRatePart) -> Bounds:
        if isinstance(part, schema.PassRatePart):
            self.problems.at_key((*loc, "pass_rate"), "`pass_rate` stands only under `expect: cases:`")
            return Bounds()
        self._check_gaps(loc, part)
        self._check_limits(loc, part)
        return bounds_of(loc, part, self.problems)

    def _check_gaps(self, loc: Loc, part: schema.BoundsPart) -> None:
        declared = self.slices.get(str(loc[1]))
        given = [name for name in GAPS if getattr(part, name) is not None]
        if part.gap_to is None:
            for name in given if declared is None or not declared.by else ():
                self.problems.at_key(
                    (*loc, name), f"`{name}` needs a family (a slice with `by:`), or `gap_to: overall`"
                )
            return
        place = (*loc, "gap_to")
        if not given:
            self.problems.at_key(place, "`gap_to` needs `max_gap` or `max_gap_regression`")
        if part.gap_to == loc[1]:
            self.problems.at_value(place, f"the gap from {part.gap_to!r} to itself is always 0: name another slice")
        elif part.gap_to in self.slices and self.slices[part.gap_to].by:
            self.problems.at_value(place, f"{part.gap_to!r} is a family: name one slice, such as a member of it")
        elif part.gap_to != OVERALL and self._unknown(part.gap_to):
            self.problems.at_value(place, self._unknown(part.gap_to))

    def _check_limits(self, loc: Loc, part: schema.BoundsPart) -> None:
        """Find bounds that bound nothing; an exception for one slice may rest on more general bounds."""
        if any(getattr(part, name) is not None for name in (*OWN, *GAPS)) or part.gap_to is not None:
            return
        is_exception = part.known_failure is not None or "severity" in part.model_fields_set
        if not is_exception or loc[1] in (OVERALL, "*"):
            self.problems.at_key(loc, "give at least one of min, max, max_regression, max_gap")
        elif not self._more_general(str(loc[1]), str(loc[2])):
            self.problems.at_key(loc, f"there is no min, max or max_regression of {loc[2]!r} to make an exception from")

    def _more_general(self, name: str, metric: str) -> list[schema.BoundsPart]:
        """Return the bounds on its value that a slice has through its family and through "*"."""
        families = [family for family in self.slices if name.startswith(f"{family}=")]
        found = [self.part.expect.get(place, {}).get(metric) for place in (*families, "*")]
        bounds = [part for part in found if isinstance(part, schema.BoundsPart)]
        return [part for part in bounds if any(getattr(part, limit) is not None for limit in OWN)]


def bounds_of(loc: Loc, part: schema.BoundsPart, problems: Problems) -> Bounds:
    """Return the bounds of one expectation."""
    if part.min is not None and part.max is not None and part.min > part.max:
        problems.at_key(loc, f"min {part.min:g} is above max {part.max:g}")
    known = part.known_failure
    if known is not None and known.until is not None and not _is_date(known.until):
        problems.at_value((*loc, "known_failure", "until"), f"there is no day {known.until}")
    return Bounds(
        min=part.min,
        max=part.max,
        max_gap=part.max_gap,
        gap_to=part.gap_to,
        max_regression=_tolerance(part.max_regression),
        max_gap_regression=_tolerance(part.max_gap_regression),
        decide=part.decide if "decide" in part.model_fields_set else None,
        severity=part.severity if "severity" in part.model_fields_set else None,
        known_failure=KnownFailure(known.reason, known.until) if known else None,
        place=problems.document.key_place(loc),
    )


def _tolerance(value: Any) -> Tolerance | None:
    if value is None:
        return None
    amount, best = (value.by, value.from_ == "best") if isinstance(value, schema.TolerancePart) else (value, False)
    if isinstance(amount, str):
        return Tolerance(float(amount.rstrip("% ")) / 100, relative=True, best=best)
    return Tolerance(amount, best=best)


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
