"""The Markdown report: fits one comment, worst first, cut at section borders, all text from data escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from pytest_behave.records import Behavior, Instance, Run, SuiteRun
from pytest_behave.report.lines import (
    bounds,
    clipped,
    count_line,
    failing,
    failing_cases,
    figure,
    interval,
    printable,
    worst_first,
)

MARKER = "<!-- pytest-behave -->"
COMMENT_LIMIT = 65_536
SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$-])")


def markdown(run: Run, limit: int = COMMENT_LIMIT) -> str:
    """Return the report in at most ``limit`` bytes of UTF-8."""
    broken = any(failing(suite) or failing_cases(suite) for suite in run.suites)
    head = f"{MARKER}\n## {'❌' if broken else '✅'} Behaviors: {count_line(run)}\n"
    sections = [section for suite in sorted(run.suites, key=_worst) for section in _sections(suite)]
    return _cut(head, sections, limit)


def escaped(text: object) -> str:
    """Return text from data so that Markdown and HTML show it as it is, and nobody is mentioned by it."""
    safe = html.escape(printable(text), quote=False).replace("&", "\0")
    return SPECIAL.sub(r"\\\1", safe).replace("\0", "&").replace("@", "&#64;").replace("://", "&#58;//")


def _worst(suite: SuiteRun) -> tuple[bool, str]:
    return (not (failing(suite) or failing_cases(suite)), suite.suite)


def _cut(head: str, sections: Sequence[str], limit: int) -> str:
    text, left = head, list(sections)
    while left:
        following = f"{text}\n{left[0]}"
        closing = f"\n{len(left)} more sections are in the JSON report.\n"
        last = len(left) == 1
        if len((following if last else following + closing).encode()) > limit:
            return text + closing
        text = following
        left.pop(0)
    return text


def _sections(suite: SuiteRun) -> Iterator[str]:
    broken, cases = failing(suite), failing_cases(suite)
    owner = f" · {escaped(suite.owner)}" if suite.owner else ""
    title = f"### {escaped(suite.suite)} ({suite.rows:,} rows · model {escaped(suite.model)}{owner})"
    notes = "".join(f"\n> {escaped(note)}\n" for note in suite.notes)
    yield f"{title}\n{notes}"
    yield from _tables(broken)
    if cases:
        rows = [
            f"| {escaped(case.id)} | {escaped(clipped(case.output, 200))} | {escaped(case.reason)} |" for case in cases
        ]
        yield from _chunked("| case | output | failed |\n|---|---|---|", rows)
    for behavior in broken:
        if behavior.instances:
            yield _details(behavior)
    undecided = [behavior for behavior in suite.behaviors if behavior.verdict == "undecided"]
    known = [behavior for behavior in suite.behaviors if behavior.verdict == "known-failure"]
    holding = [behavior for behavior in suite.behaviors if behavior.verdict == "holds"]
    for name, behaviors in (("undecided", undecided), ("known failures", known), ("holding", holding)):
        yield from _folded(f"{len(behaviors)} {name}", worst_first(behaviors))


def _row(behavior: Behavior) -> str:
    between = f" ({escaped(behavior.between[0])} to {escaped(behavior.between[1])})" if behavior.between else ""
    cells = (
        f"{escaped(behavior.slice)} ({behavior.size:,})",
        f"{escaped(behavior.metric)}{between}",
        f"{figure(behavior.value)} {interval(behavior)}",
        bounds(behavior),
        f"**{behavior.verdict}**" + (f": {escaped(behavior.reason)}" if behavior.reason else ""),
    )
    return f"| {' | '.join(cells)} |"


HEADER = "| slice (rows) | metric | value [95 %] | bound | verdict |\n|---|---|---|---|---|"
ROWS_OF_A_SECTION = 50


def _tables(behaviors: Sequence[Behavior]) -> Iterator[str]:
    yield from _chunked(HEADER, [_row(behavior) for behavior in behaviors])


def _chunked(header: str, rows: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(rows), ROWS_OF_A_SECTION):
        yield "\n".join([header, *rows[start : start + ROWS_OF_A_SECTION]]) + "\n"


def _folded(title: str, behaviors: Sequence[Behavior]) -> Iterator[str]:
    for number, table in enumerate(_tables(behaviors)):
        more = "" if number == 0 else " (continued)"
        yield f"<details><summary>{title}{more}</summary>\n\n{table}\n</details>\n"


def _details(behavior: Behavior) -> str:
    title = f"{escaped(behavior.slice)} {escaped(behavior.metric)}: {len(behavior.instances)} instances"
    rows = [_instance_row(instance) for instance in behavior.instances]
    table = "\n".join(["| id | target | output | score | input |", "|---|---|---|---|---|", *rows])
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>\n"


def _instance_row(instance: Instance) -> str:
    inputs = "; ".join(f"{name}: {clipped(value, 120)}" for name, value in list(instance.input.items())[:4])
    cells = (instance.id, instance.target or "", instance.output or "", figure(instance.score), inputs)
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"
