"""The summary in the terminal: one line when all is well, else what broke, worst first, fitted to the width."""

from __future__ import annotations

import itertools
import textwrap
import unicodedata
from collections.abc import Iterator

from pytest_behave.records import Behavior, Run, SuiteRun
from pytest_behave.report.lines import (
    bounds,
    count_line,
    failing,
    failing_cases,
    figure,
    instance_line,
    interval,
    printable,
)

ELSEWHERE = "; --behave-report=md:PATH has them all"
MOST_ROWS = 30
MOST_INSTANCES = 3
LEAST_NAME = 12
PADDING = 2  # which tabulate adds to a header
HEADERS = ("slice", "metric", "rows", "value [95%]", "bound")


def summary_lines(run: Run, width: int) -> Iterator[str]:
    """Yield the lines of the summary; the caller prints them."""
    yield from _wrapped(f"behave: {count_line(run)}", width)
    for suite in run.suites:
        if failing(suite) or failing_cases(suite) or suite.notes:
            yield from _suite_lines(suite, width)


def _suite_lines(suite: SuiteRun, width: int) -> Iterator[str]:
    yield ""
    owner = f", owner {suite.owner}" if suite.owner else ""
    yield fitted(f"{suite.suite} ({suite.rows:,} rows, model {suite.model}{owner})", width)
    for note in suite.notes:
        yield from _wrapped(f"  note: {printable(note)}", width)
    broken = failing(suite)
    measured = [behavior for behavior in broken if behavior.verdict != "error"]
    yield from _table(measured[:MOST_ROWS], width)
    if len(measured) > MOST_ROWS:
        yield from _wrapped(f"  ... and {len(measured) - MOST_ROWS} more{ELSEWHERE}", width)
    yield from _errors([behavior for behavior in broken if behavior.verdict == "error"], width)
    cases = failing_cases(suite)
    for case in cases[:MOST_ROWS]:
        yield f"  {fitted(f'case {case.id}: {case.reason}', width - 2)}"
    if len(cases) > MOST_ROWS:
        yield from _wrapped(f"  ... and {len(cases) - MOST_ROWS} more cases{ELSEWHERE}", width)


def _wrapped(text: str, width: int) -> list[str]:
    room = width if cells(text) == len(text) else width // 2
    return textwrap.wrap(text, room, subsequent_indent="    ", break_on_hyphens=False)


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for each wide character, none for a combining one."""
    return sum(
        2 if unicodedata.east_asian_width(character) in "WF" else unicodedata.category(character) not in ("Mn", "Me")
        for character in text
    )


def fitted(text: str, width: int) -> str:
    """Return a printable text cut to so many columns."""
    flat = printable(text)
    if cells(flat) <= width:
        return flat
    ends = itertools.accumulate(map(cells, flat))
    return flat[: sum(end <= width - len("...") for end in ends)] + "..."


def _table(behaviors: list[Behavior], width: int) -> Iterator[str]:
    if not behaviors:
        return
    from tabulate import tabulate

    fixed = [
        [behavior.size, f"{figure(behavior.value)} {interval(behavior)}", bounds(behavior)] for behavior in behaviors
    ]
    room = width - _width_of(fixed) - 2
    is_narrow = all(cells(name) == len(name) for behavior in behaviors for name in (behavior.slice, behavior.metric))
    if room < 2 * LEAST_NAME or not is_narrow:  # tabulate aligns wide characters only where wcwidth is installed
        yield from _list(behaviors, width)
        return
    names = _fitted_names(behaviors, room)
    rows = [[*name, *cells] for name, cells in zip(names, fixed, strict=True)]
    lines = tabulate(rows, headers=HEADERS, tablefmt="plain", disable_numparse=True).splitlines()
    yield f"  {lines[0]}"
    for line, behavior in zip(lines[1:], behaviors, strict=True):
        yield f"  {line}"
        yield from _evidence(behavior, width)


def _list(behaviors: list[Behavior], width: int) -> Iterator[str]:
    """Yield what the table holds where the terminal is too narrow for it, or its characters are too wide."""
    for behavior in behaviors:
        value = f"{figure(behavior.value)} {interval(behavior)}".strip()
        yield f"  {fitted(f'{behavior.slice} {behavior.metric}', width - 2)}"
        yield from _wrapped(f"    {value}, {bounds(behavior)}, {behavior.size} rows", width)
        yield from _evidence(behavior, width)


def _evidence(behavior: Behavior, width: int) -> Iterator[str]:
    if behavior.between:
        yield _indented(f"between {behavior.between[0]} and {behavior.between[1]}", width)
    for instance in behavior.instances[:MOST_INSTANCES]:
        yield _indented(instance_line(instance), width)


def _width_of(rows: list[list[object]]) -> int:
    """Return the width of columns, two spaces before each, and the indent."""
    columns = zip(HEADERS[2:], *[map(str, row) for row in rows], strict=True)
    return 2 + sum(2 + max(len(header) + PADDING, *map(len, cells)) for header, *cells in columns)


def _fitted_names(behaviors: list[Behavior], room: int) -> list[tuple[str, str]]:
    """Return slice and metric of each behavior, cut so that both columns fit into ``room``."""
    longest_slice = max(len(HEADERS[0]) + PADDING, *(len(behavior.slice) for behavior in behaviors))
    longest_metric = max(len(HEADERS[1]) + PADDING, *(len(behavior.metric) for behavior in behaviors))
    metric = min(longest_metric, max(room // 2, room - longest_slice))
    return [(fitted(behavior.slice, room - metric), fitted(behavior.metric, metric)) for behavior in behaviors]


def _indented(text: str, width: int) -> str:
    return f"      {fitted(text, width - 6)}"


def _errors(behaviors: list[Behavior], width: int) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for behavior in behaviors:
        reasons.setdefault(behavior.reason, []).append(f"{behavior.slice} {behavior.metric}")
    for reason, names in reasons.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"  {fitted(f'error in {names[0]}{more}:', width - 2)}"
        yield f"    {printable(reason)}"  # never cut: the end of a message says what to do
