"""The summary in the terminal: one line when all is well, else what broke, worst first, fitted to the width."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_behave.records import Behavior, Run, SuiteRun
from pytest_behave.report.lines import (
    bounds,
    clipped,
    count_line,
    failing,
    failing_cases,
    figure,
    instance_line,
    interval,
)

MOST_ROWS = 30
MOST_INSTANCES = 3
FIXED_COLUMNS = 56  # size, value with interval, bound and the space between columns
LEAST_NAME = 12


def summary_lines(run: Run, width: int) -> Iterator[str]:
    """Yield the lines of the summary; the caller prints them."""
    yield f"behave: {count_line(run)}"
    for suite in run.suites:
        if failing(suite) or failing_cases(suite) or suite.notes:
            yield from _suite_lines(suite, width)


def _suite_lines(suite: SuiteRun, width: int) -> Iterator[str]:
    yield ""
    owner = f", owner {suite.owner}" if suite.owner else ""
    yield clipped(f"{suite.suite} ({suite.rows:,} rows, model {suite.model}{owner})", width)
    for note in suite.notes:
        yield f"  note: {note}"
    broken = failing(suite)
    measured = [behavior for behavior in broken if behavior.verdict != "error"]
    yield from _table(measured[:MOST_ROWS], width)
    if len(measured) > MOST_ROWS:
        yield f"  ... and {len(measured) - MOST_ROWS} more; --behave-report=md:PATH has them all"
    yield from _errors([behavior for behavior in broken if behavior.verdict == "error"], width)
    for case in failing_cases(suite)[:MOST_ROWS]:
        yield clipped(f"  case {case.id}: {case.reason}", width)


def _table(behaviors: list[Behavior], width: int) -> Iterator[str]:
    if not behaviors:
        return
    from tabulate import tabulate

    room = max(width - FIXED_COLUMNS, 2 * LEAST_NAME)
    rows = [
        [
            clipped(behavior.slice, room * 2 // 3),
            clipped(behavior.metric, room // 3),
            behavior.size,
            f"{figure(behavior.value)} {interval(behavior)}",
            bounds(behavior),
        ]
        for behavior in behaviors
    ]
    table = tabulate(rows, headers=["slice", "metric", "rows", "value [95%]", "bound"], tablefmt="plain", disable_numparse=True)
    lines = table.splitlines()
    yield "  " + lines[0]
    for line, behavior in zip(lines[1:], behaviors, strict=True):
        yield "  " + line
        if behavior.between:
            yield clipped(f"      between {behavior.between[0]} and {behavior.between[1]}", width)
        for instance in behavior.instances[:MOST_INSTANCES]:
            yield clipped(f"      {instance_line(instance)}", width)


def _errors(behaviors: list[Behavior], width: int) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for behavior in behaviors:
        reasons.setdefault(behavior.reason, []).append(f"{behavior.slice} {behavior.metric}")
    for reason, names in reasons.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield clipped(f"  error in {names[0]}{more}:", width)
        yield f"    {reason}"
