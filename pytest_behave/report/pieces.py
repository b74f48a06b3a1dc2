"""Pieces of Markdown: text from data made harmless, tables in chunks, what is folded, and what fits a limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_behave.report.lines import clipped
from pytest_behave.text import for_html, for_markdown

MOST_CHARACTERS = 300  # of a cell: one long reason must not push the others out of the comment
ROWS_OF_A_SECTION = 50
CHARACTERS_OF_A_SECTION = 10_000


def cell(text: object) -> str:
    """Return text from data for one cell of a table, cut to what a cell holds."""
    return for_markdown(clipped(text, MOST_CHARACTERS))


def heading(text: object) -> str:
    """Return text from data for a line of HTML, cut as a cell is."""
    return for_html(clipped(text, MOST_CHARACTERS))


def row(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def header(names: Sequence[str]) -> str:
    """Return the first two lines of a table."""
    return f"{row(*names)}\n|{'---|' * len(names)}"


def chunked(names: Sequence[str], rows: Sequence[str]) -> Iterator[str]:
    """Yield tables of so many rows that a report can be cut between them."""
    chunk: list[str] = []
    for line in rows:
        if len(chunk) == ROWS_OF_A_SECTION or sum(map(len, chunk)) + len(line) > CHARACTERS_OF_A_SECTION:
            yield "\n".join([header(names), *chunk]) + "\n"
            chunk = []
        chunk.append(line)
    if chunk:
        yield "\n".join([header(names), *chunk]) + "\n"


def titled(title: str, tables: Iterator[str]) -> Iterator[str]:
    """Yield tables, the first below a title."""
    for number, table in enumerate(tables):
        yield table if number else f"{title}\n\n{table}"


def folded(title: str, tables: Iterator[str]) -> Iterator[str]:
    """Yield tables that a reader has to open."""
    for number, table in enumerate(tables):
        more = " (continued)" if number else ""
        yield f"<details><summary>{title}{more}</summary>\n\n{table}\n</details>\n"


def cut(head: str, sections: Sequence[str], limit: int) -> str:
    """Return as many sections as fit into a number of bytes, and how many do not; nothing if not even the head does."""
    text, size = head, len(head.encode())
    for left, section in zip(range(len(sections), 0, -1), sections, strict=True):
        closing = f"\n{left} more sections are in the JSON report.\n"
        following = size + 1 + len(section.encode())
        if following + (len(closing.encode()) if left > 1 else 0) > limit:
            text += closing
            break
        text, size = f"{text}\n{section}", following
    return text if len(text.encode()) <= limit else ""
