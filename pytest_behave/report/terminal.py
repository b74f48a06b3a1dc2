"""The summary in the terminal: one line when all is well, else what broke, worst first, fitted to the width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_behave.records import Behavior, Instance, Run, SuiteRun
from pytest_behave.report.changes import (
    accepted_words,
    baseline_line,
    change_words,
    flipped,
    flips_by_id,
    unpaired_notes,
)
from pytest_behave.report.groups import Groups, grouped
from pytest_behave.report.lines import (
    count_line,
    failing_cases,
    instance_line,
)
from pytest_behave.report.stories import Story, also_names, stories
from pytest_behave.report.tables import ABSOLUTE, COMPARED, fitted, indented, table_lines, wrapped
from pytest_behave.text import for_terminal, printable

ELSEWHERE = "; --behave-report=md:PATH has them all"
MOST_ROWS = 30
MOST_INSTANCES = 3
MOST_MENTIONED = 3
UNMEASURED = {"error": "error in", "no-baseline": "no baseline for"}


def summary_lines(run: Run, width: int) -> Iterator[str]:
    """Yield the lines of the summary; the caller prints them."""
    yield from map(for_terminal, _lines(run, width))


def _lines(run: Run, width: int) -> Iterator[str]:
    yield from wrapped(f"behave: {count_line(run)}", width)
    for suite in run.suites:
        found = grouped(suite)
        if _is_worth_telling(found) or failing_cases(suite) or suite.notes or _accepted(suite):
            yield from _suite_lines(suite, found, width)


def _is_worth_telling(found: Groups) -> bool:
    """Tell whether something is worse or, between two records, which have no verdict on it, better."""
    told_apart = any(item.baseline is not None and not item.baseline.paired for item in found.improved)
    return bool(found.broken or found.suspects or found.worse or told_apart)


def _suite_lines(suite: SuiteRun, found: Groups, width: int) -> Iterator[str]:
    yield ""
    owner = f", owner {suite.owner}" if suite.owner else ""
    yield fitted(f"{suite.suite} ({suite.rows:,} rows, model {suite.model}{owner})", width)
    if suite.baseline is not None:
        yield from wrapped(f"  {baseline_line(suite, suite.baseline)}", width)
    for note in (*suite.notes, *unpaired_notes(suite)):
        yield from wrapped(f"  note: {printable(note)}", width)
    yield from _table(suite, stories(item for item in found.broken if item.verdict not in UNMEASURED), width)
    yield from _unmeasured([item for item in found.broken if item.verdict in UNMEASURED], width)
    cases = failing_cases(suite)
    for case in cases[:MOST_ROWS]:
        yield f"  {fitted(f'case {case.id}: {case.reason}', width - 2)}"
    if len(cases) > MOST_ROWS:
        yield from wrapped(f"  ... and {len(cases) - MOST_ROWS} more cases{ELSEWHERE}", width)
    yield from _mentioned("suspect", found.suspects, width)
    yield from _mentioned("worse", found.worse, width)
    yield from _mentioned("improved", found.improved, width)
    yield from _accepted_lines(_accepted(suite), width)


def _table(suite: SuiteRun, told: Sequence[Story], width: int) -> Iterator[str]:
    also = {id(story.behavior): story for story in told}
    flips = flips_by_id(suite)
    shown = [story.behavior for story in told[:MOST_ROWS]]
    layout = COMPARED if any(item.baseline is not None for item in shown) else ABSOLUTE
    yield from table_lines(shown, layout, lambda item: _evidence(also[id(item)], flips, width), width)
    if len(told) > MOST_ROWS:
        yield from wrapped(f"  ... and {len(told) - MOST_ROWS} more{ELSEWHERE}", width)


def _evidence(story: Story, flips: Mapping[str, Instance], width: int) -> Iterator[str]:
    behavior = story.behavior
    if behavior.between:
        yield indented(f"between {behavior.between[0]} and {behavior.between[1]}", width)
    if story.also:
        yield indented(f"also: {also_names(story)}", width)
    for instance in flipped(behavior, flips)[:MOST_INSTANCES]:
        yield indented(instance_line(instance), width)


def _unmeasured(behaviors: Sequence[Behavior], width: int) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for behavior in behaviors:
        start = UNMEASURED[behavior.verdict or "error"]
        reasons.setdefault((start, behavior.reason), []).append(f"{behavior.slice} {behavior.metric}")
    for (start, reason), names in reasons.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"  {fitted(f'{start} {names[0]}{more}:', width - 2)}"
        yield f"    {printable(reason)}"  # never cut: the end of a message says what to do


def _mentioned(word: str, behaviors: Sequence[Behavior], width: int) -> Iterator[str]:
    for behavior in behaviors[:MOST_MENTIONED]:
        name = printable(f"{behavior.slice} {behavior.metric}")
        yield f"  {fitted(f'{word}: {name} {change_words(behavior)}', width - 2)}"
    if len(behaviors) > MOST_MENTIONED:
        yield f"  {fitted(f'{word}: {len(behaviors) - MOST_MENTIONED} more', width - 2)}"


def _accepted(suite: SuiteRun) -> list[str]:
    return [accepted_words(entry) for entry in suite.baseline.accepted] if suite.baseline is not None else []


def _accepted_lines(accepted: Sequence[str], width: int) -> Iterator[str]:
    for words in accepted[:MOST_ROWS]:
        yield from wrapped(f"  accepted in this change: {words}", width)
    if len(accepted) > MOST_ROWS:
        yield from wrapped(f"  ... and {len(accepted) - MOST_ROWS} more accepted{ELSEWHERE}", width)
