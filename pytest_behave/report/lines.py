"""Words and figures that every report shares: sentences for a behavior or a case, tables of plain text."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

from pytest_behave.records import Behavior, CaseResult, Instance, Run, SuiteRun

ORDER = ("error", "violated", "undecided", "known-failure", "holds")
FAILING = ("error", "violated")
MOST_CHARACTERS = 70


def figure(value: float | None) -> str:
    """Return a number in three or four significant digits, or a dash."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e9:  # noqa: PLR2004 - counts stay counts
        return str(int(value))
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.2g}"  # noqa: PLR2004


def interval(behavior: Behavior) -> str:
    """Return the interval in brackets, or nothing."""
    if behavior.low is None or behavior.high is None:
        return ""
    return f"[{figure(behavior.low)}, {figure(behavior.high)}]"


def bounds(behavior: Behavior) -> str:
    """Return the bounds in words: ``min 0.7, max 0.9 (proven)``."""
    text = ", ".join(f"{name} {value:g}" for name, value in behavior.bounds.items())
    return text if behavior.decide == "observed" else f"{text} ({behavior.decide})"


def printable(text: object) -> str:
    """Return a text on one line without control characters, so that data cannot steer a terminal."""
    flat = " ".join(str(text).split())
    return "".join(
        character if unicodedata.category(character)[0] != "C" else f"\\x{ord(character):02x}" for character in flat
    )


def clipped(text: object, width: int = MOST_CHARACTERS) -> str:
    """Return a printable text cut to a width."""
    flat = printable(text)
    return flat if len(flat) <= width else flat[: max(width - 3, 1)] + "..."


def behavior_sentence(suite: str, behavior: Behavior) -> str:
    """Return one line that says what a behavior is and why it has its verdict."""
    size = f"{behavior.size} rows" if behavior.n == behavior.size else f"{behavior.size} rows, n {behavior.n}"
    where = f"{suite}: {behavior.slice} ({size}): {behavior.metric}"
    span = f", 95% {interval(behavior)}" if interval(behavior) else ""
    return printable(f"{where}: {behavior.verdict}: {behavior.reason}{span}")


def case_sentence(suite: str, case: CaseResult) -> str:
    """Return one line that says which checks a case failed."""
    return printable(f"{suite}: case {case.id}: {case.verdict}: {case.reason}")


def case_section(case: CaseResult) -> str:
    """Return input, output and failed checks of a case."""
    lines = [f"input   {name}: {printable(value)}" for name, value in case.input.items()]
    lines += [f"output  {printable(case.output)}"]
    lines += [f"failed  {printable(failure)}" for failure in case.failures]
    return "\n".join(lines)


def instance_section(instances: Sequence[Instance]) -> str:
    """Return a line per instance: id, target, output, score, and the start of its input."""
    return "\n".join(instance_line(instance) for instance in instances)


def instance_line(instance: Instance) -> str:
    """Return one instance on one line."""
    said = [
        f"{name} {clipped(text)}"
        for name, text in (("target", instance.target), ("output", instance.output))
        if text is not None
    ]
    score = "" if instance.score is None else f"(score {figure(instance.score)})"
    inputs = "; ".join(f"{name} {clipped(value)}" for name, value in list(instance.input.items())[:4])
    start = " ".join(part for part in (f"{printable(instance.id)}:", ", ".join(said), score) if part)
    return f"{start}  {inputs}" if inputs else start


def worst_first(behaviors: Iterable[Behavior]) -> list[Behavior]:
    """Sort by verdict, then by how far the value is beyond its bound, then by name."""
    return sorted(
        behaviors, key=lambda item: (ORDER.index(item.verdict or "holds"), -excess(item), item.slice, item.metric)
    )


def excess(behavior: Behavior) -> float:
    """Return how far the value lies beyond its bounds; 0 if it does not."""
    if behavior.value is None:
        return 0.0
    low = behavior.bounds.get("min", behavior.value)
    high = min(behavior.bounds.get("max", behavior.value), behavior.bounds.get("max_gap", behavior.value))
    return max(low - behavior.value, behavior.value - high, 0.0)


def verdicts(suite: SuiteRun) -> list[str]:
    """Return the verdict of every behavior and case of a suite."""
    behaviors = [str(behavior.verdict) for behavior in suite.behaviors if behavior.verdict is not None]
    return behaviors + [str(case.verdict) for case in suite.cases]


def count_line(run: Run) -> str:
    """Return one line: how many behaviors and cases have which verdict, in how many suites."""
    found = [verdict for suite in run.suites for verdict in verdicts(suite)]
    counts = {verdict: found.count(verdict) for verdict in ORDER}
    parts = [f"{count} {_counted(verdict, count)}" for verdict, count in reversed(counts.items()) if count]
    suites = f"{len(run.suites)} suite{'s' * (len(run.suites) != 1)}"
    return f"{', '.join(parts) or 'nothing measured'} in {suites}"


def _counted(verdict: str, count: int) -> str:
    one_and_many = {
        "holds": ("holds", "hold"),
        "error": ("error", "errors"),
        "known-failure": ("known failure", "known failures"),
    }
    one, many = one_and_many.get(verdict, (verdict, verdict))
    return one if count == 1 else many


def failing(suite: SuiteRun) -> list[Behavior]:
    """Return the behaviors of a suite that fail the build, worst first."""
    verdicts_that_fail = (*FAILING, "undecided") if suite.strict else FAILING
    return worst_first(behavior for behavior in suite.behaviors if behavior.verdict in verdicts_that_fail)


def failing_cases(suite: SuiteRun) -> list[CaseResult]:
    """Return the golden cases of a suite that fail the build."""
    return [case for case in suite.cases if case.verdict in FAILING]
