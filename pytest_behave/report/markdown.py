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
NUMBERED = re.compile(r"^(\d+)\.(?=\s|$)")  # would start a list
# GitHub looks for mentions, references and addresses in what it rendered, where an entity or a backslash is gone
# (github/cmark-gfm#181, openjdk/skara#1548); an empty comment keeps them apart
LIVE = re.compile(r"@|#(?=\d)|\bGH\\?-(?=\d)|\bwww(?=\.)|:(?=//)", re.IGNORECASE)
MOST_CHARACTERS = 300  # of a cell: one long reason must not push the others out of the comment
ROWS_OF_A_SECTION = 50
CHARACTERS_OF_A_SECTION = 10_000


def markdown(run: Run, limit: int = COMMENT_LIMIT) -> str:
    """Return the report in at most ``limit`` bytes of UTF-8; nothing if not even its first lines fit."""
    broken = any(failing(suite) or failing_cases(suite) for suite in run.suites)
    sign = "❌" if broken else "✅" if run.suites else "⚠️"  # a run that was broken off must not look green
    head = f"{MARKER}\n## {sign} Behaviors: {count_line(run)}\n"
    sections = [section for suite in sorted(run.suites, key=_worst) for section in _sections(suite)]
    return _cut(head, sections, limit)


def escaped(text: object) -> str:
    """Return text from data so that Markdown and HTML show it as it is, and nobody is mentioned by it."""
    plain = SPECIAL.sub(r"\\\1", html.escape(printable(text), quote=False))
    return LIVE.sub(r"\g<0><!-- -->", NUMBERED.sub(r"\1\\.", plain))


def _in_html(text: object) -> str:
    """Return text from data for a line of HTML, in which Markdown's backslashes would be seen."""
    return LIVE.sub(r"\g<0><!-- -->", html.escape(printable(text), quote=False))


def _cell(text: object) -> str:
    return escaped(clipped(text, MOST_CHARACTERS))


def _worst(suite: SuiteRun) -> tuple[bool, str]:
    return (not (failing(suite) or failing_cases(suite)), suite.suite)


def _cut(head: str, sections: Sequence[str], limit: int) -> str:
    text = head
    for left, section in zip(range(len(sections), 0, -1), sections, strict=True):
        following = f"{text}\n{section}"
        closing = f"\n{left} more sections are in the JSON report.\n"
        if len((following if left == 1 else following + closing).encode()) > limit:
            text += closing
            break
        text = following
    return text if len(text.encode()) <= limit else ""


def _sections(suite: SuiteRun) -> Iterator[str]:
    broken, cases = failing(suite), failing_cases(suite)
    owner = f" · {_cell(suite.owner)}" if suite.owner else ""
    title = f"### {_cell(suite.suite)} ({suite.rows:,} rows · model {_cell(suite.model)}{owner})"
    notes = "".join(f"\n> {_cell(note)}\n" for note in suite.notes)
    yield f"{title}\n{notes}"
    yield from _tables(broken)
    if cases:
        rows = [f"| {_cell(case.id)} | {_cell(case.output)} | {_cell(case.reason)} |" for case in cases]
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
    between = f" ({_cell(behavior.between[0])} to {_cell(behavior.between[1])})" if behavior.between else ""
    cells = (
        f"{_cell(behavior.slice)} ({behavior.size:,})",
        f"{_cell(behavior.metric)}{between}",
        f"{figure(behavior.value)} {interval(behavior)}",
        bounds(behavior),
        f"**{behavior.verdict}**" + (f": {_cell(behavior.reason)}" if behavior.reason else ""),
    )
    return f"| {' | '.join(cells)} |"


HEADER = "| slice (rows) | metric | value [95 %] | bound | verdict |\n|---|---|---|---|---|"


def _tables(behaviors: Sequence[Behavior]) -> Iterator[str]:
    yield from _chunked(HEADER, [_row(behavior) for behavior in behaviors])


def _chunked(header: str, rows: Sequence[str]) -> Iterator[str]:
    chunk: list[str] = []
    for row in rows:
        if len(chunk) == ROWS_OF_A_SECTION or sum(map(len, chunk)) + len(row) > CHARACTERS_OF_A_SECTION:
            yield "\n".join([header, *chunk]) + "\n"
            chunk = []
        chunk.append(row)
    if chunk:
        yield "\n".join([header, *chunk]) + "\n"


def _folded(title: str, behaviors: Sequence[Behavior]) -> Iterator[str]:
    for number, table in enumerate(_tables(behaviors)):
        more = "" if number == 0 else " (continued)"
        yield f"<details><summary>{title}{more}</summary>\n\n{table}\n</details>\n"


def _details(behavior: Behavior) -> str:
    name = _in_html(clipped(f"{behavior.slice} {behavior.metric}", MOST_CHARACTERS))
    title = f"{name}: {len(behavior.instances)} instances"
    rows = [_instance_row(instance) for instance in behavior.instances]
    table = "\n".join(["| id | target | output | score | input |", "|---|---|---|---|---|", *rows])
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>\n"


def _instance_row(instance: Instance) -> str:
    inputs = "; ".join(f"{name}: {clipped(value, 120)}" for name, value in list(instance.input.items())[:4])
    cells = (instance.id, instance.target or "", instance.output or "", figure(instance.score), inputs)
    return f"| {' | '.join(escaped(clipped(cell, 2 * MOST_CHARACTERS)) for cell in cells)} |"
