"""The Markdown report: fits one comment, worst first, cut at section borders, all text from data escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_behave.records import Accepted, Behavior, Instance, Run, SuiteRun, Unread
from pytest_behave.report.changes import (
    baseline_line,
    change_and_interval,
    flip_counts,
    flipped,
    flips_by_id,
    unpaired_notes,
    values,
    verdict_words,
)
from pytest_behave.report.groups import Groups, grouped
from pytest_behave.report.lines import (
    ARROW,
    bounds,
    clipped,
    count_line,
    failing,
    failing_cases,
    figure,
    interval,
    moved,
    reasons,
)
from pytest_behave.report.pieces import (
    MOST_CHARACTERS,
    cell,
    chunked,
    cut,
    folded,
    header,
    heading,
    row,
    titled,
)
from pytest_behave.report.stories import Story, also_names, stories
from pytest_behave.text import for_markdown

MARKER = "<!-- pytest-behave -->"
COMMENT_LIMIT = 65_536
MOST_LINES = 3  # of an error
MOST_IMPROVED = 20  # in sight; the rest is folded
ABSOLUTE = ("slice (rows)", "metric", "value [95 %]", "bound", "verdict")
COMPARED = ("slice (rows)", "metric", f"before{ARROW}after", "change [95 %]", "broken / fixed", "verdict")

INSTANCE = ("id", "target", "output", "score", "input")
FLIPPED = ("id", "target", "before", "after", "score", "input")


def markdown(run: Run, limit: int = COMMENT_LIMIT) -> str:
    """Return the report in at most ``limit`` bytes of UTF-8; nothing if not even its first lines fit."""
    broken = run.unread or any(failing(suite) or failing_cases(suite) for suite in run.suites)
    is_good = run.suites or run.left_out  # a run that was broken off must not look green
    sign = "❌" if broken else "✅" if is_good else "⚠️"
    head = f"{MARKER}\n## {sign} Behaviors: {'; '.join(_counts(run))}\n"
    sections = [section for suite in sorted(run.suites, key=_worst) for section in _sections(suite)]
    return cut(head, [*_unread(run.unread), *sections], limit)


def _counts(run: Run) -> Iterator[str]:
    """Yield what was measured, what could not be read, and what was left out; the first unless only the others are."""
    if run.suites or not (run.unread or run.left_out):
        yield count_line(run)
    if run.unread:
        word = "file" if any(item.path.endswith(".py") for item in run.unread) else "suite"
        yield f"{_several(len(run.unread), word)} could not be read"
    if run.left_out:
        yield f"{_several(len(run.left_out), 'suite')} not run: nothing changed"


def _several(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def _unread(files: Sequence[Unread]) -> Iterator[str]:
    yield from chunked(("could not be read", "why"), [row(cell(item.path), _why(item)) for item in files])


def _why(item: Unread) -> str:
    lines = reasons(item)
    more = len(lines) - MOST_LINES
    return "<br>".join([*map(cell, lines[:MOST_LINES]), *([f"... and {more} more lines"] if more > 0 else [])])


def _worst(suite: SuiteRun) -> tuple[bool, str]:
    return (not (failing(suite) or failing_cases(suite)), suite.suite)


def _sections(suite: SuiteRun) -> Iterator[str]:
    owner = f" · {cell(suite.owner)}" if suite.owner else ""
    title = f"### {cell(suite.suite)} ({suite.rows:,} rows · model {cell(suite.model)}{owner})"
    against = f"\n{cell(baseline_line(suite, suite.baseline))}\n" if suite.baseline is not None else ""
    notes = "".join(f"\n> {cell(note)}\n" for note in (*suite.notes, *unpaired_notes(suite)))
    yield f"{title}\n{against}{notes}"
    found = grouped(suite)
    if found.is_compared:
        yield from _compared(suite, found)
    else:
        yield from _absolute(suite, found)


def _absolute(suite: SuiteRun, found: Groups) -> Iterator[str]:
    yield from chunked(ABSOLUTE, [_absolute_row(behavior) for behavior in found.broken])
    yield from _cases(suite)
    for behavior in found.broken:
        yield from _evidence(behavior, behavior.instances)
    for name, behaviors in (
        ("undecided", found.undecided),
        ("known failures", found.known),
        ("holding", found.holding),
        ("not bounded", found.unbounded),
    ):
        rows = [_absolute_row(behavior) for behavior in behaviors]
        yield from folded(f"{len(behaviors)} {name}", chunked(ABSOLUTE, rows))


def _compared(suite: SuiteRun, found: Groups) -> Iterator[str]:
    broken, suspects = _told(found.broken, found.suspects)
    yield from _table(broken)
    yield from _cases(suite)
    yield from titled(f"**{len(found.suspects)} suspect**: worse, but within noise", _table(suspects))
    yield from titled(f"**{len(found.worse)} worse**, as far as values alone tell", _table(map(Story, found.worse)))
    yield from _accepted(suite.baseline.accepted if suite.baseline is not None else ())
    in_sight, more = found.improved[:MOST_IMPROVED], found.improved[MOST_IMPROVED:]
    yield from titled(f"**{len(found.improved)} improved**", _table(map(Story, in_sight)))
    flips = flips_by_id(suite)
    for story in (*broken, *suspects):
        yield from _evidence(story.behavior, flipped(story.behavior, flips))
    also = [behavior for story in (*broken, *suspects) for behavior in story.also]
    for name, behaviors in (
        (f"{len(also)} overlapping slice{'s' * (len(also) != 1)}: the same story", also),
        (f"{len(more)} more improved", more),
        (f"{len(found.undecided)} undecided", found.undecided),
        (f"{len(found.known)} known failures", found.known),
        (f"{len(found.holding)} holding", found.holding),
        (f"{len(found.unbounded)} not bounded", found.unbounded),
    ):
        yield from folded(name, _table(map(Story, behaviors)))


def _told(broken: Sequence[Behavior], suspects: Sequence[Behavior]) -> tuple[list[Story], list[Story]]:
    """Return the stories of what broke and of what is suspect; these may be folded under those."""
    fails = set(map(id, broken))
    told = stories([*broken, *suspects])
    return [item for item in told if id(item.behavior) in fails], [
        item for item in told if id(item.behavior) not in fails
    ]


def _table(told: Iterable[Story]) -> Iterator[str]:
    yield from chunked(COMPARED, [_compared_row(story) for story in told])


def _absolute_row(behavior: Behavior) -> str:
    value = f"{figure(behavior.value)} {interval(behavior)}"
    return row(*_names(behavior), value, cell(bounds(behavior)), _verdict(behavior))


def _compared_row(story: Story) -> str:
    behavior = story.behavior
    counts = flip_counts(behavior.baseline).replace(" broken, ", " / ").removesuffix(" fixed") or "-"
    also = f"; also: {cell(also_names(story))}" if story.also else ""
    change = change_and_interval(behavior.baseline)
    return row(*_names(behavior), values(behavior), change, counts, _verdict(behavior) + also)


def _names(behavior: Behavior) -> tuple[str, str]:
    between = f" ({cell(behavior.between[0])} to {cell(behavior.between[1])})" if behavior.between else ""
    return f"{cell(behavior.slice)} ({behavior.size:,})", f"{cell(behavior.metric)}{between}"


def _verdict(behavior: Behavior) -> str:
    return f"**{verdict_words(behavior)}**" + (f": {cell(behavior.reason)}" if behavior.reason else "")


def _cases(suite: SuiteRun) -> Iterator[str]:
    cases = failing_cases(suite)
    yield from chunked(
        ("case", "output", "failed"), [row(cell(case.id), cell(case.output), cell(case.reason)) for case in cases]
    )


def _accepted(entries: Sequence[Accepted]) -> Iterator[str]:
    rows = [
        row(
            cell(entry.slice),
            cell(entry.metric),
            moved(entry.before, entry.after),
            cell(entry.reason or "no reason given"),
        )
        for entry in entries
    ]
    yield from titled("#### Accepted in this change", chunked(("slice", "metric", f"old{ARROW}new", "reason"), rows))


def _evidence(behavior: Behavior, instances: Sequence[Instance]) -> Iterator[str]:
    if not instances:
        return
    counts = flip_counts(behavior.baseline)
    shown = f"{len(instances)} instance{'s' * (len(instances) != 1)}" + f" ({counts})" * bool(counts)
    title = f"{heading(f'{behavior.slice} {behavior.metric}')}: {shown}"
    is_flipped = any(instance.baseline_output is not None for instance in instances)
    rows = [_flipped_row(instance) if is_flipped else _instance_row(instance) for instance in instances]
    table = "\n".join([header(FLIPPED if is_flipped else INSTANCE), *rows])
    yield f"<details><summary>{title}</summary>\n\n{table}\n\n</details>\n"


def _instance_row(instance: Instance) -> str:
    return _row_of(
        instance.id, instance.target or "", instance.output or "", figure(instance.score), _inputs(instance.input)
    )


def _flipped_row(instance: Instance) -> str:
    score = figure(instance.score)
    if instance.baseline_score is not None:
        score = f"{figure(instance.baseline_score)}{ARROW}{score}"
    before, after = instance.baseline_output or "", instance.output or ""
    return _row_of(instance.id, instance.target or "", before, after, score, _inputs(instance.input))


def _row_of(*texts: str) -> str:
    return row(*(for_markdown(clipped(text, 2 * MOST_CHARACTERS)) for text in texts))


def _inputs(inputs: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {clipped(value, 120)}" for name, value in list(inputs.items())[:4])
