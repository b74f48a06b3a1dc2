"""Words and figures that every report shares: sentences for a behavior or a case, tables of plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pytest_behave.records import Behavior, CaseResult, Instance, Run, SuiteRun, Unread
from pytest_behave.records.verdicts import FAILING, UNSURE, WORST_FIRST
from pytest_behave.text import printable

MOST_CHARACTERS = 70
MOST_OF_A_SENTENCE = 1_000
ARROW = " \N{RIGHTWARDS ARROW} "


def figure(value: float | None) -> str:
    """Return a number in three or four significant digits, or a dash."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e9:  # noqa: PLR2004 - counts stay counts
        return str(int(value))
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.2g}"  # noqa: PLR2004


def moved(before: float | None, after: float | None) -> str:
    """Return two numbers with as many digits as tell them apart: ``0.974 → 0.822``."""
    shown = ["nothing" if value is None else figure(value) for value in (before, after)]
    if shown[0] == shown[1] and before is not None and after is not None:
        shown = [f"{value:.6g}" for value in (before, after)]
    return ARROW.join(shown)


def interval(behavior: Behavior) -> str:
    """Return the interval in brackets, or nothing."""
    if behavior.low is None or behavior.high is None:
        return ""
    return f"[{figure(behavior.low)}, {figure(behavior.high)}]"


def bounds(behavior: Behavior) -> str:
    """Return the bounds in words: ``min 0.7, max 0.9 (proven)``."""
    text = ", ".join(
        f"{name} {clipped(value) if isinstance(value, str) else format(value, 'g')}"
        for name, value in behavior.bounds.items()
    )
    return text if behavior.decide == "observed" else f"{text} ({behavior.decide})"


def clipped(text: object, width: int = MOST_CHARACTERS) -> str:
    """Return a printable text cut to a width."""
    flat = printable(text)
    return flat if len(flat) <= width else flat[: max(width - 3, 1)] + "..."


def case_sentence(suite: str, case: CaseResult) -> str:
    """Return one line that says which checks a case failed."""
    return printable(f"{suite}: case {case.id}: {case.verdict}: {case.reason}")


def case_section(case: CaseResult) -> str:
    """Return input, output and failed checks of a case; no output where the model failed to give one."""
    lines = [f"input   {printable(name)}: {printable(value)}" for name, value in case.input.items()]
    if case.verdict != "error" or case.output is not None:
        lines += [f"output  {printable(case.output)}"]
    lines += [f"failed  {printable(failure)}" for failure in case.failures]
    if case.answers > 1:
        lines += [f"answers {case.passed} of {case.answers} passed"]
    return "\n".join(lines)


def instance_section(instances: Sequence[Instance]) -> str:
    """Return a line per instance: id, target, output, score, what they were, and the start of its input."""
    return "\n".join(instance_line(instance) for instance in instances)


def instance_line(instance: Instance) -> str:
    """Return one instance on one line."""
    output, score = instance.output, instance.score
    target = "" if instance.target is None else f"target {clipped(instance.target)}"
    words = "" if output is None else f"output {clipped(output)}{_was(output, instance.baseline_output)}"
    is_flip = instance.baseline_output not in (None, output)  # then the score that it had matters less than the input
    was_score = None if is_flip or instance.baseline_score is None else figure(instance.baseline_score)
    scored = "" if score is None else f"(score {figure(score)}{_was(figure(score), was_score, ', was {}')})"
    inputs = "; ".join(f"{clipped(name)} {clipped(value)}" for name, value in list(instance.input.items())[:4])
    given = ", ".join(f"{clipped(answer)} {count}" for answer, count in instance.answers.items())
    said = ", ".join(part for part in (target, words + f" (answers: {given})" * bool(given)) if part)
    start = " ".join(part for part in (f"{printable(instance.id)}:", said, scored) if part)
    return f"{start}  {inputs}" if inputs else start


def _was(now: str, before: str | None, words: str = " (was {})") -> str:
    return "" if before is None or before == now else words.format(clipped(before))


def reasons(item: Unread) -> list[str]:
    """Return why something could not be read, line by line; of a traceback, the lines that say what was raised."""
    lines = [line for line in item.message.splitlines() if line.strip()]
    return [line[1:] for line in lines if line.startswith("E ")] or lines


def unread_sentence(item: Unread) -> str:
    """Return one line that says why something could not be read."""
    return clipped(f"could not be read: {'; '.join(map(printable, reasons(item)))}", MOST_OF_A_SENTENCE)


def worst_first(behaviors: Iterable[Behavior]) -> list[Behavior]:
    """Sort by verdict, then by how far the value is beyond its bound, then by name."""
    return sorted(behaviors, key=badness)


def badness(behavior: Behavior) -> tuple[int, bool, float, str, str]:
    """Return what reports sort by, the worst first; what only warns comes after what fails for the same reason."""
    place = WORST_FIRST.index(behavior.verdict or "holds")
    return place, behavior.severity == "warning", -excess(behavior), behavior.slice, behavior.metric


def excess(behavior: Behavior) -> float:
    """Return how far the value lies beyond its bounds, or its loss beyond the tolerance; 0 if it does not."""
    if behavior.verdict in ("regressed", "suspect") and behavior.baseline and behavior.baseline.change is not None:
        loss = -behavior.baseline.change if behavior.better == "higher" else behavior.baseline.change
        return max(loss - (behavior.baseline.tolerance or 0.0), 0.0)
    if behavior.value is None:
        return 0.0
    low, *highs = (float(behavior.bounds.get(name, behavior.value)) for name in ("min", "max", "max_gap"))
    high = min(highs)
    return max(low - behavior.value, behavior.value - high, 0.0)


def verdicts(suite: SuiteRun) -> list[str]:
    """Return the verdict of every behavior and case of a suite."""
    behaviors = [str(behavior.verdict) for behavior in suite.behaviors if behavior.verdict is not None]
    return behaviors + [str(case.verdict) for case in suite.cases]


def count_line(run: Run) -> str:
    """Return one line: how many behaviors and cases have which verdict, in how many suites, and how many improved."""
    found = [verdict for suite in run.suites for verdict in verdicts(suite)]
    counts = {verdict: found.count(verdict) for verdict in WORST_FIRST}
    parts = [f"{count} {_counted(verdict, count)}" for verdict, count in reversed(counts.items()) if count]
    suites = f"{len(run.suites)} suite{'s' * (len(run.suites) != 1)}"
    better = sum(improved(behavior) for suite in run.suites for behavior in suite.behaviors)
    return f"{', '.join(parts) or 'nothing measured'} in {suites}" + f", {better} improved" * bool(better)


def improved(behavior: Behavior) -> bool:
    """Tell whether a behavior got better than the baseline, instance by instance, and not by chance."""
    change = behavior.baseline
    decided = behavior.verdict != "undecided"
    return change is not None and change.paired and decided and direction(behavior) > 0


def direction(behavior: Behavior) -> int:
    """Return 1 if a behavior got better and -1 if it got worse, as far as the interval of its change tells; else 0."""
    change = behavior.baseline
    if change is None or change.low is None or change.high is None:
        return 0
    up = (change.low > 0) - (change.high < 0)
    return up if behavior.better == "higher" else -up


def _counted(verdict: str, count: int) -> str:
    one_and_many = {
        "holds": ("holds", "hold"),
        "error": ("error", "errors"),
        "known-failure": ("known failure", "known failures"),
    }
    one, many = one_and_many.get(verdict, (verdict, verdict))
    return one if count == 1 else many


def fails(behavior: Behavior, *, strict: bool) -> bool:
    """Tell whether a behavior fails the build."""
    return behavior.severity == "error" and behavior.verdict in (FAILING + UNSURE if strict else FAILING)


def failing(suite: SuiteRun) -> list[Behavior]:
    """Return the behaviors of a suite that fail the build, worst first."""
    return worst_first(behavior for behavior in suite.behaviors if fails(behavior, strict=suite.strict))


def broken(suite: SuiteRun) -> list[Behavior]:
    """Return the behaviors that fail the build, and those that would if they were not of severity warning."""
    return worst_first(
        behavior for behavior in suite.behaviors if behavior.verdict in FAILING or fails(behavior, strict=suite.strict)
    )


def suspects(suite: SuiteRun) -> list[Behavior]:
    """Return the behaviors that are worse within noise and do not fail the build, worst first."""
    return worst_first(
        behavior
        for behavior in suite.behaviors
        if behavior.verdict == "suspect" and not fails(behavior, strict=suite.strict)
    )


def failing_cases(suite: SuiteRun) -> list[CaseResult]:
    """Return the golden cases of a suite that fail the build."""
    return [case for case in suite.cases if case.verdict in FAILING]
