"""From an estimate and its bounds to a verdict. No I/O, no clock: the date is an argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

from pytest_behave.records import Better, Bounds, Decide, Estimate, KnownFailure, Verdict
from pytest_behave.records.verdicts import EXCUSABLE, WORST_FIRST

MOST_SEARCHED = 10_000_000
ROUNDING = 1e-12  # 0.9 - 0.8 is not more than 0.1
Z = NormalDist().inv_cdf(0.975)

Named = tuple[str, Estimate]


def judge(estimate: Estimate, bounds: Bounds, *, size: int, min_size: int) -> Verdict:
    """Return the verdict on ``min`` and ``max`` of one behavior: holds, violated or undecided.

    What has no value as its outputs or its function are broken is violated, whatever the bounds.
    """
    if size < min_size:
        return Verdict("undecided", f"{size} instance{'s' * (size != 1)}, fewer than min_size {min_size}")
    if estimate.value is None:
        return Verdict("violated" if estimate.is_broken else "undecided", estimate.reason)
    problems = [
        problem
        for problem in (
            _miss(estimate, bounds.min, "min", bounds.decide or "observed"),
            _miss(estimate, bounds.max, "max", bounds.decide or "observed"),
        )
        if problem is not None
    ]
    failures = [problem for problem in problems if problem.verdict == "violated"]
    return (failures or problems or [Verdict("holds")])[0]


def _miss(estimate: Estimate, bound: float | None, side: str, decide: Decide) -> Verdict | None:
    if bound is None:
        return None
    compared = _decisive_value(estimate, side, decide)
    if compared is None:
        return Verdict("undecided", f"`decide: {decide}` needs an interval: {estimate.reason or 'there is none'}")
    met = compared >= bound if side == "min" else compared <= bound
    needed = instances_needed(bound, side, decide) if estimate.is_share else 0
    if needed > estimate.n:
        return Verdict(
            "undecided", f"{estimate.n} instances cannot decide {side} {bound:g} ({decide}): {enough(needed)}"
        )
    if met:
        return None
    word = "below" if side == "min" else "above"
    shown = f"{figure(estimate.value)} is {word} {side} {bound:g}"
    if decide == "proven":
        shown = f"the interval reaches {figure(compared)}, {word} {side} {bound:g} (proven)"
    return Verdict("violated", shown)


def enough(needed: int) -> str:
    """Return how many instances it takes, as a clause."""
    return f"{needed:,} would" if needed < MOST_SEARCHED else "no number of them can"


def _decisive_value(estimate: Estimate, side: str, decide: Decide) -> float | None:
    """Return the value, or the end of the interval, that must meet the bound: the worse one if proven, the better one if refuted."""
    if decide == "observed":
        return estimate.value
    worse_end = estimate.low if side == "min" else estimate.high
    better_end = estimate.high if side == "min" else estimate.low
    return worse_end if decide == "proven" else better_end


def instances_needed(bound: float, side: str, decide: Decide) -> int:
    """Return how many instances a proportion needs before any outcome can decide; 0 if it always can.

    A perfect outcome's Wilson interval starts at n / (n + z^2): `proven` needs that to reach the bound, `refuted` that
    the worst outcome's interval misses it.
    """
    if decide == "observed":
        return 0
    reach = bound if side == "min" else 1 - bound
    share = reach if decide == "proven" else 1 - reach
    if not 0 <= share < 1:
        return 0 if share < 0 else MOST_SEARCHED
    if decide == "refuted" and reach <= 0:
        return MOST_SEARCHED
    return math.ceil(Z**2 * share / (1 - share) - 1e-9) + (decide == "refuted" and share == 0)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict that decides among those on several bounds, with the reasons of all that fail."""
    ranked = sorted(verdicts, key=lambda item: WORST_FIRST.index(item.verdict))
    failing = [item.reason for item in ranked if item.verdict in EXCUSABLE]
    return replace(ranked[0], reason="; ".join(failing)) if len(failing) > 1 else ranked[0]


def gap_between(
    members: Sequence[Named], better: Better, reference: Named | None = None
) -> tuple[Estimate, tuple[str, str] | None]:
    """Return the widest difference between members, and the two slices (worse one last).

    ``members`` are those that are decided: large enough and with a value. With a ``reference``, differences are taken
    from it. The interval is that of disjoint slices.
    """
    pair = _widest(members, reference)
    if pair is None:
        return Estimate(None, None, None, 0, "fewer than two members can be decided"), None
    lowest, highest = pair
    value = float(highest[1].value or 0.0) - float(lowest[1].value or 0.0)
    between = (highest[0], lowest[0]) if better == "higher" else (lowest[0], highest[0])
    ends = _gap_interval(highest[1], lowest[1])
    return Estimate(value, *ends, n=highest[1].n + lowest[1].n, interval="newcombe"), between


def judge_gap(gap: Estimate, between: tuple[str, str] | None, max_gap: float, decide: Decide | None) -> Verdict:
    """Return the verdict on a gap."""
    if gap.value is None or between is None:
        return Verdict("undecided", gap.reason)
    compared = _decisive_value(gap, "max", decide or "observed")
    if compared is None:
        return Verdict("undecided", f"`decide: {decide}` needs an interval of the gap, and there is none")
    if compared <= max_gap + ROUNDING:
        return Verdict("holds")
    reach = "" if decide in (None, "observed") else f" (interval to {figure(compared)}, {decide})"
    said = f"{between[0]} and {between[1]} differ by {figure(gap.value)}{reach}, above max_gap {max_gap:g}"
    return Verdict("violated", said)


def _widest(members: Sequence[Named], reference: Named | None) -> tuple[Named, Named] | None:
    """Return the two slices that differ most, the lower value first."""
    if reference is not None:
        others = [member for member in members if member[0] != reference[0]]
        if not others or reference[1].value is None:
            return None
        value = reference[1].value
        far = max(others, key=lambda item: (abs(float(item[1].value or 0.0) - value), item[0]))
        return (far, reference) if float(far[1].value or 0.0) < value else (reference, far)
    if len(members) < 2:  # noqa: PLR2004 - a gap lies between two
        return None
    ranked = sorted(members, key=lambda item: (item[1].value, item[0]))
    return ranked[0], ranked[-1]


def _gap_interval(highest: Estimate, lowest: Estimate) -> tuple[float | None, float | None]:
    """Newcombe 1998, Stat. Med. 17:873, method 10: the members are disjoint, so their distances add in squares."""
    ends = (highest.value, highest.low, highest.high, lowest.value, lowest.low, lowest.high)
    if any(end is None for end in ends):
        return None, None
    high_value, high_low, high_high, low_value, low_low, low_high = (float(end or 0.0) for end in ends)
    value = high_value - low_value
    below = math.hypot(high_value - high_low, low_high - low_value)
    above = math.hypot(high_high - high_value, low_value - low_low)
    return value - below, value + above


def with_known_failure(verdict: Verdict, known: KnownFailure | None, today: str, *, any_fails: bool) -> Verdict:
    """Apply a declared known failure: xfail while it lasts, a failure when it is over or no longer needed.

    ``any_fails`` tells whether any behavior under the same declaration fails (a family has many).
    """
    if known is None:
        return verdict
    if verdict.verdict in EXCUSABLE:
        if known.until is not None and today > known.until:
            return replace(verdict, reason=f"{verdict.reason}; the known failure ({known.reason}) ended {known.until}")
        return Verdict("known-failure", f"{verdict.reason}; known: {known.reason}")
    if verdict.verdict == "holds" and not any_fails:
        return Verdict("violated", f"holds again, so remove `known_failure` ({known.reason})")
    return verdict


def figure(value: float | None) -> str:
    """Return a number in four digits."""
    return f"{value:.4g}" if value is not None else "nothing"
