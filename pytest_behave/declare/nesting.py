"""How deeply a YAML text is nested, told from its characters: parsers have limits, and crashes, of their own.

Where a text could be read in two ways the deeper one counts. A text that is not YAML may get any answer.
"""

from __future__ import annotations

import re

BREAKS = "\n\r\x85\u2028\u2029"
QUOTED = re.compile(r"""(?s)"(?:\\.|[^"\\])*"?|'(?:''|[^'])*'?""")
# whatever stands between two signs of a flow collection, and the second of them; it matches everywhere, so that no text
# makes it try again
SIGN = re.compile(
    rf"""(?xs)
    (?: {QUOTED.pattern.removeprefix("(?s)")}
    | \#[^{BREAKS}]*
    | (?!\?(?:[][{{}},\s]|\Z)) [^][{{}},:\s"'\#] (?: [^][{{}},:\#{BREAKS}] | :(?![][{{}},\s]|\Z) | (?<!\s)\# )*  # a plain text
    | \s+
    )*
    (.|\Z)
    """
)
LINE = re.compile(rf"([ \ufeff]*)([^{BREAKS}]*)")
PLAIN = re.compile(rf"(?:[^:\#{BREAKS}]|:(?!\s|\Z)|(?<!\s)\#)+")
DOCUMENT = re.compile(r"(?:---|\.\.\.)(?=\s|\Z)[ \t]*")
ENTRY = re.compile(r"([-?:])(?:[ \t]+|(?=\s|\Z))")
PROPERTY = re.compile(r"[&!][^\s]*[ \t]*")
COLON = re.compile(r"[ \t]*:(?:[ \t]+|(?=\s|\Z))")


def first_too_deep(text: str, most: int) -> int | None:
    """Return where in a text a list or mapping begins that stands in ``most`` others, or None."""
    reading = _Reading(text, most)
    at = 0
    while at < len(text) and reading.too_deep is None:
        at = reading.after_line(at)
    return reading.too_deep


class _Reading:
    """What surrounds the place up to which a text is read.

    ``blocks`` are the block collections, by column and kind; lines that begin right of ``text_beyond`` go on with a text.
    """

    def __init__(self, text: str, most: int) -> None:
        self.text = text
        self.most = most
        self.blocks: list[tuple[int, str]] = []
        self.text_beyond: int | None = None
        self.too_deep: int | None = None

    def after_line(self, start: int) -> int:
        """Read the line that starts here, with all lines that its quotes and brackets take; return where the next starts."""
        line = LINE.match(self.text, start)
        assert line is not None  # noqa: S101 - it matches nothing as well
        at, end = line.end(1), line.end()
        if at == start and (marker := DOCUMENT.match(self.text, start)):
            self.blocks, self.text_beyond = [], None
            at = marker.end()
        is_text = self.text_beyond is not None and at - start > self.text_beyond
        if not is_text and at < end and self.text[at] != "#":
            self.text_beyond = None
            end = max(end, self._after_nodes(at, start))
            end = LINE.match(self.text, end).end()  # type: ignore[union-attr]
        return end + 1

    def _after_nodes(self, at: int, start: int) -> int:
        while entry := ENTRY.match(self.text, at):
            self._enter(at - start, "list" if entry[1] == "-" else "mapping", at)
            at = entry.end()
        column = at - start
        while True:
            while part := PROPERTY.match(self.text, at):
                at = part.end()
            at = self._after_node(at)
            colon = COLON.match(self.text, at)
            if colon is None:
                return at
            self._enter(column, "mapping", at)
            self.text_beyond = None
            at, column = colon.end(), colon.end() - start

    def _enter(self, column: int, kind: str, at: int) -> None:
        while self.blocks and self.blocks[-1][0] > column:
            self.blocks.pop()
        if kind == "mapping" and self.blocks and self.blocks[-1] == (column, "list"):
            self.blocks.pop()  # a list may stand right below its key
        if not self.blocks or self.blocks[-1] != (column, kind):
            self.blocks.append((column, kind))
            self._check(0, at)

    def _check(self, flows: int, at: int) -> None:
        if self.too_deep is None and len(self.blocks) + flows > self.most:
            self.too_deep = at

    def _after_node(self, at: int) -> int:
        first = self.text[at : at + 1]
        if first in ("[", "{"):
            return self._after_flow(at)
        if quoted := QUOTED.match(self.text, at):
            return quoted.end()
        if first and first not in f"#{BREAKS}":
            self.text_beyond = self.blocks[-1][0] if self.blocks else -1
        if first in ("|", ">"):
            return LINE.match(self.text, at).end()  # type: ignore[union-attr]
        plain = PLAIN.match(self.text, at)
        return plain.end() if plain else at

    def _after_flow(self, at: int) -> int:
        """Return where the brackets that open here are closed; a pair in a list, `[a: b]`, is a mapping as well."""
        levels: list[int] = []
        is_list: list[bool] = []
        for found in SIGN.finditer(self.text, at):
            sign = found[1]
            if sign in ("[", "{"):
                levels.append(1)
                is_list.append(sign == "[")
            elif sign in ("]", "}"):
                levels.pop()
                is_list.pop()
            elif is_list[-1] and sign:
                levels[-1] = 1 if sign == "," else 2
            else:
                continue
            self._check(sum(levels), found.start(1))
            if not levels or self.too_deep is not None:
                return found.end()
        return len(self.text)
