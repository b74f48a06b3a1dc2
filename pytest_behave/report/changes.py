"""Words for what changed against a baseline, shared by every report."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

from pytest_behave.records import Accepted, BaselineUse, Behavior, Change, Instance, SuiteRun
from pytest_behave.report.lines import ARROW, figure, interval, moved
from pytest_behave.text import printable

MOST_FLIPS = 10
MOST_REASONS = 5
SIZE = re.compile(r"^\d+ instances?, ")  # at the start of a reason


def values(behavior: Behavior) -> str:
    """Return the value before and after: ``0.974 → 0.822``; without a baseline, the value alone.

    Both are of the instances that were compared, so that the change is their difference.
    """
    change = behavior.baseline
    if change is None:
        return figure(behavior.value)
    is_known = change.paired and change.value is not None and change.change is not None
    after = float(change.value or 0.0) + float(change.change or 0.0) if is_known else behavior.value
    return f"{figure(change.value)}{ARROW}{figure(after)}"


def change_and_interval(change: Change | None) -> str:
    """Return the change with its interval: ``-0.151 [-0.21, -0.10]``, in the unit of the metric."""
    if change is None or change.change is None:
        return "-"
    shown = f"{'+' * (change.change > 0)}{figure(change.change)}"
    if change.low is None or change.high is None:
        return shown
    return f"{shown} [{_end(change.low, change)}, {_end(change.high, change)}]"


def _end(value: float, change: Change) -> str:
    """Return one end of an interval, to two digits of the interval's width."""
    width = abs((change.high or 0.0) - (change.low or 0.0))
    if not math.isfinite(value) or not 1e-4 <= width < 1e6:  # noqa: PLR2004 - beyond, a fixed number of decimals says little
        return figure(value)
    decimals = max(1 - math.floor(math.log10(width)), 0)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def flip_counts(change: Change | None) -> str:
    """Return ``23 broken, 0 fixed``, or nothing where they cannot be counted."""
    if change is None or change.broken is None or change.fixed is None:
        return ""
    return f"{change.broken} broken, {change.fixed} fixed"


def change_words(behavior: Behavior) -> str:
    """Return a whole change: ``0.974 → 0.822 (-0.151 [-0.21, -0.10]), 23 broken, 0 fixed``."""
    change, counts = behavior.baseline, flip_counts(behavior.baseline)
    span = f" ({change_and_interval(change)})" if change is not None and change.change is not None else ""
    return f"{values(behavior)}{span}" + f", {counts}" * bool(counts)


def declaration_of(behavior: Behavior) -> Hashable:
    """Return what is the same for all behaviors that come from one bound, such as that of a family."""
    return behavior.file, behavior.line, behavior.metric


def undecided_sentences(suite: str, behaviors: Sequence[Behavior]) -> dict[Hashable, str]:
    """Return, by declaration, one line for all its undecided behaviors where there are several."""
    together: dict[Hashable, list[Behavior]] = defaultdict(list)
    for behavior in behaviors:
        if behavior.verdict == "undecided":
            together[declaration_of(behavior)].append(behavior)
    return {key: _undecided(suite, found) for key, found in together.items() if len(found) > 1}


def _undecided(suite: str, behaviors: Sequence[Behavior]) -> str:
    first, reasons = behaviors[0], {SIZE.sub("", behavior.reason) for behavior in behaviors}
    why = reasons.pop() if len(reasons) == 1 else f"for example {first.slice}: {first.reason}"
    return printable(f"{suite}: {first.metric}: undecided on {len(behaviors)} slices: {why}")


def behavior_sentence(suite: str, behavior: Behavior) -> str:
    """Return one line that says what a behavior is and why it has its verdict."""
    is_part = behavior.value is not None and behavior.n != behavior.size
    size = f"{behavior.size} row{'s' * (behavior.size != 1)}" + f", n {behavior.n}" * is_part
    where = f"{suite}: {behavior.slice} ({size}): {behavior.metric}"
    if behavior.verdict in ("regressed", "suspect"):
        return printable(f"{where}: {behavior.verdict}: {change_words(behavior)}: {behavior.reason}")
    is_judged = behavior.verdict not in ("error", "no-baseline")  # by its value, so that the interval matters
    span = f", 95% {interval(behavior)}" if is_judged and interval(behavior) else ""
    return printable(f"{where}: {behavior.verdict}: {behavior.reason}{span}")


def verdict_words(behavior: Behavior) -> str:
    """Return the verdict, and that it only warns if so."""
    return f"{behavior.verdict or 'observed'}{' (warning)' * (behavior.severity == 'warning')}"


def baseline_line(suite: SuiteRun, use: BaselineUse) -> str:
    """Return one line on what a suite was compared with, and how many of its rows are in both."""
    kinds = {"stored": "stored", "commit": f"that of {use.ref or use.name}", "model": f"model {use.name}"}
    name = kinds[use.kind] + (f" ({use.ref})" if use.kind == "model" and use.ref else "")
    differing = [
        f"{count:,} {word}"
        for count, word in ((use.added, "added"), (use.removed, "removed"), (use.changed, "changed"))
        if count
    ]
    known = use.common or differing
    whole = f"all {suite.rows:,}" if use.common == suite.rows else f"{use.common:,} of {suite.rows:,}"
    common = [f"{whole} rows in common"] if known else []
    return printable(", ".join([f"baseline: {name}", *common, *differing]))


def unpaired_notes(suite: SuiteRun) -> list[str]:
    """Return one note per reason why behaviors were not compared instance by instance, the commonest first."""
    reasons = Counter(
        behavior.baseline.reason or "no predictions are stored"
        for behavior in (*suite.behaviors, *suite.observed)
        if behavior.baseline is not None and not behavior.baseline.paired
    )
    return [
        f"{count:,} behavior{'s' * (count != 1)} compared by {'their' if count != 1 else 'its'} value alone: {reason}"
        for reason, count in reasons.most_common(MOST_REASONS)
        if not any(reason in note for note in suite.notes)
    ]


def accepted_words(entry: Accepted) -> str:
    """Return an accepted entry: ``overall accuracy 0.974 → 0.822 (why)``."""
    why = entry.reason or "no reason given"
    return printable(f"{entry.slice} {entry.metric} {moved(entry.before, entry.after)} ({why})")


def flipped(behavior: Behavior, flips: Mapping[str, Instance]) -> Sequence[Instance]:
    """Return up to ten instances that show what a behavior lost: those that broke, else those it was given."""
    change = behavior.baseline
    if behavior.verdict not in ("regressed", "suspect") or change is None:
        return behavior.instances
    found = [flips[name] for name in change.broken_ids[:MOST_FLIPS] if name in flips]
    return found or behavior.instances


def flips_by_id(suite: SuiteRun) -> dict[str, Instance]:
    """Return the flips of a suite by their ids."""
    return {instance.id: instance for instance in suite.flips}
