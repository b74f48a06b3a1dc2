"""From a change and its tolerance to a verdict."""

from __future__ import annotations

from pytest_behave.compare.power import MOST_SEARCHED
from pytest_behave.compare.verdicts import ROUNDING, figure
from pytest_behave.records import Change, Decide, Tolerance, Verdict

LEAST_COVERAGE = 0.5  # of the instances must be comparable for anything to be decided


def judge_change(  # noqa: C901, PLR0913 - a change, and all that its verdict hangs on
    change: Change,
    tolerance: Tolerance,
    *,
    name: str,
    worse: int,
    decide: Decide | None,
    alpha: float,
    differs: bool,
    decidable: bool,
    coverage: float,
    needed: int,
) -> Verdict:
    """Return the verdict on ``max_regression`` (or, by ``name``, another bound on a change).

    ``worse`` is +1 where a rise is a loss. ``decidable`` tells whether any outcome on so many instances could be a
    regression, ``coverage`` how many of them can be compared, ``needed`` how many instances would decide.
    """
    if change.value is None or change.change is None:
        return Verdict("undecided", change.reason)
    if coverage < LEAST_COVERAGE:
        return Verdict("undecided", f"only {coverage:.0%} of the instances can be compared with the baseline")
    allowed = change.tolerance or 0.0
    if not differs and allowed >= 0:
        return Verdict("holds")
    if not decidable:
        return Verdict(
            "undecided",
            f"{change.n:,} instance{'s' * (change.n != 1)} cannot decide {name} {tolerance}{_would(needed)}",
        )
    loss = worse * change.change
    if decide == "proven":
        end = change.high if worse > 0 else change.low
        if end is None:
            return Verdict("undecided", "`decide: proven` needs an interval of the change, and there is none")
        if worse * end > allowed + ROUNDING:
            return Verdict("regressed", f"a loss of {figure(worse * end)} is not ruled out (proven)")
        return Verdict("holds")
    if loss <= allowed + ROUNDING:
        return Verdict("holds")
    unpaired = "" if change.paired else " (unpaired)"
    said = f"a loss beyond {name} {tolerance}{_best(change, tolerance, worse)}{unpaired}"
    if decide == "observed":
        return Verdict("regressed", said)
    if change.p_adjusted is not None and change.p_adjusted <= alpha:
        return Verdict("regressed", f"{said}{_p(change)}")
    return Verdict("suspect", f"{said}, within noise{_p(change)}{_would(needed)}")


def _best(change: Change, tolerance: Tolerance, worse: int) -> str:
    """Return the best accepted value, where the accepted one is worse; it follows from what is left of the tolerance."""
    value = float(change.value or 0.0)
    lost = (tolerance.by * abs(value) if tolerance.relative else tolerance.by) - float(change.tolerance or 0.0)
    return f", which was {figure(value - worse * lost)}" if tolerance.best and lost > ROUNDING else ""


def _p(change: Change) -> str:
    if change.p is None or change.p_adjusted is None:
        return ""
    return f" (p {change.p:.2g}, {change.p_adjusted:.2g} among all bounds)"


def _would(needed: int) -> str:
    return f"; {needed:,} that differ as much would decide" if needed < MOST_SEARCHED else ""
