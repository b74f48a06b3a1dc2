"""Tables of behaviors for a terminal: as many columns as fit, what does not fit on a line below, else a list."""

from __future__ import annotations

import itertools
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pytest_behave.records import Behavior
from pytest_behave.report.changes import change_and_interval, flip_counts, values
from pytest_behave.report.lines import ARROW, bounds, figure, interval
from pytest_behave.text import printable

LEAST_NAME = 12
NAMES = ("slice", "metric")
Evidence = Callable[[Behavior], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds; ``words`` say the same where there is no column."""

    header: str
    cell: Callable[[Behavior], str]
    words: Callable[[Behavior], str]


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns beside the names, from the fullest table to the leanest. ``padding`` is added to each header."""

    tables: tuple[tuple[Column, ...], ...]
    listed: tuple[Column, ...]
    padding: int


def _value(behavior: Behavior) -> str:
    return f"{figure(behavior.value)} {interval(behavior)}".strip()


ROWS = Column("rows", lambda item: str(item.size), lambda item: f"{item.size} rows")
VALUE = Column("value [95%]", lambda item: f"{figure(item.value)} {interval(item)}", _value)
BOUND = Column("bound", bounds, bounds)
BEFORE_AFTER = Column(f"before{ARROW}after", values, values)
CHANGE = Column(
    "change [95%]",
    lambda item: change_and_interval(item.baseline),
    lambda item: change_and_interval(item.baseline) if item.baseline else "",
)
FLIPS = Column(
    "broken/fixed",
    lambda item: flip_counts(item.baseline).replace(" broken, ", "/").removesuffix(" fixed") or "-",
    lambda item: flip_counts(item.baseline),
)
VERDICT = Column("verdict", lambda item: str(item.verdict), lambda item: str(item.verdict))
SEVERITY = Column("severity", lambda item: item.severity, lambda item: "only warns" * (item.severity == "warning"))

ABSOLUTE = Layout(((ROWS, VALUE, BOUND),), (VALUE, BOUND, ROWS), padding=2)
COMPARED = Layout(
    (
        (ROWS, BEFORE_AFTER, CHANGE, FLIPS, VERDICT, BOUND),
        (ROWS, BEFORE_AFTER, CHANGE, FLIPS, VERDICT),
        (BEFORE_AFTER, CHANGE, VERDICT),
    ),
    (BEFORE_AFTER, CHANGE, FLIPS, VERDICT, SEVERITY, BOUND, ROWS),
    padding=0,
)


def table_lines(behaviors: Sequence[Behavior], layout: Layout, evidence: Evidence, width: int) -> Iterator[str]:
    """Yield a table, or a list where the terminal is too narrow for it or its characters are too wide."""
    if not behaviors:
        return
    # tabulate aligns wide characters only where wcwidth is installed
    texts = (text for item in behaviors for text in (item.slice, item.metric, _joined(item, layout.listed)))
    is_narrow = all(cells(text) == len(text) for text in texts)
    for columns in layout.tables if is_narrow else ():
        fixed = [[column.cell(behavior) for column in columns] for behavior in behaviors]
        headers = [column.header + " " * layout.padding for column in columns]
        room = width - 2 - sum(2 + max(map(len, texts)) for texts in zip(headers, *fixed, strict=True)) - 2
        if room >= 2 * LEAST_NAME:
            left_out = [column for column in layout.listed if column not in columns]
            names = _fitted_names(behaviors, room, layout.padding)
            rows = [[*name, *texts] for name, texts in zip(names, fixed, strict=True)]
            yield from _aligned(
                [[*NAMES, *(column.header for column in columns)], *rows],
                layout.padding,
                behaviors,
                partial(_below, left_out, evidence, width),
            )
            return
    for behavior in behaviors:
        yield f"  {fitted(f'{behavior.slice} {behavior.metric}', width - 2)}"
        yield from wrapped(f"    {_joined(behavior, layout.listed)}", width)
        yield from evidence(behavior)


def _aligned(rows: list[list[str]], padding: int, behaviors: Sequence[Behavior], below: Evidence) -> Iterator[str]:
    from tabulate import tabulate

    if padding:
        lines = tabulate(rows[1:], headers=rows[0], tablefmt="plain", disable_numparse=True).splitlines()
    else:  # a header of tabulate's is at least two columns wider than its text
        lines = tabulate(rows, tablefmt="plain", disable_numparse=True).splitlines()
    yield f"  {lines[0].rstrip()}"
    for line, behavior in zip(lines[1:], behaviors, strict=True):
        yield f"  {line.rstrip()}"
        yield from below(behavior)


def _joined(behavior: Behavior, columns: Sequence[Column]) -> str:
    return ", ".join(words for words in (column.words(behavior) for column in columns) if words)


def _below(left_out: Sequence[Column], evidence: Evidence, width: int, behavior: Behavior) -> Iterator[str]:
    words = _joined(behavior, left_out)
    if words:
        yield indented(words, width)
    yield from evidence(behavior)


def _fitted_names(behaviors: Sequence[Behavior], room: int, padding: int) -> list[tuple[str, str]]:
    """Return slice and metric of each behavior, cut so that both columns fit into ``room``."""
    longest_slice = max(len(NAMES[0]) + padding, *(len(behavior.slice) for behavior in behaviors))
    longest_metric = max(len(NAMES[1]) + padding, *(len(behavior.metric) for behavior in behaviors))
    metric = min(longest_metric, max(room // 2, room - longest_slice))
    return [(fitted(behavior.slice, room - metric), fitted(behavior.metric, metric)) for behavior in behaviors]


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines that fit."""
    room = width if cells(text) == len(text) else width // 2
    return textwrap.wrap(text, room, subsequent_indent="    ", break_on_hyphens=False)


def indented(text: str, width: int) -> str:
    """Return a line of evidence below a behavior."""
    return f"      {fitted(text, width - 6)}"


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for each wide character, none for a combining one."""
    if text.isascii():
        return len(text)
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
