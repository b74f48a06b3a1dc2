"""The funnel for text: what data, suites, file names, exceptions and servers say passes one function per output.

    for_terminal      a line of the terminal, of a command, or of a log that a CI server reads; also a name in a node id,
                      which pytest puts on terminals and into JUnit files: what is left is well-formed in XML
    for_github        a value in a workflow command, ``for_github_property`` one before its second ``::``
    for_markdown      a piece of Markdown, ``for_html`` one of HTML within it
    for_json          a whole JSON text, which stays the same to who parses it

``printable`` is what most of them start with.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from pytest_behave.errors import BehaveError, SuiteError

# json.dumps leaves these as they are, but they cannot be encoded, break lines, or turn a terminal's text around
INVISIBLE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
COMMAND = re.compile(r"##(?=\w*\[)")  # GitHub's older commands, and those of Azure and TeamCity, anywhere in a line
SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$-])")
NUMBERED = re.compile(r"^(\d+)\.(?=\s|$)")  # would start a list
# GitHub looks for mentions, references and addresses in what it rendered, where an entity or a backslash is gone
# (github/cmark-gfm#181, openjdk/skara#1548); an empty comment keeps them apart
LIVE = re.compile(r"@|#(?=\d)|\bGH\\?-(?=\d)|\bwww(?=\.)|:(?=//)", re.IGNORECASE)


def written(value: object, write: Callable[[object], str] = str) -> str:
    """Return ``str(value)`` (or ``repr(value)``), or what kind of value it is where that raises."""
    try:
        return write(value)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - it may be the user's own class, which may raise anything
        return f"<{type(value).__name__} that cannot be written>"


def printable(value: object) -> str:
    """Return a value as text on one line without control characters, so that data cannot steer a terminal."""
    return _escaped(" ".join(written(value).split()))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else " " if character.isspace() else f"\\x{ord(character):02x}"
        for character in line
    )


def for_terminal(line: object) -> str:
    """Return one line, its columns kept, that steers neither a terminal nor a CI server that reads it.

    GitHub's runner reads ``::name::`` after any white space, and ``##[name]`` anywhere (actions/runner,
    ActionCommand.cs).
    """
    shown = _escaped(written(line))
    start = shown.lstrip()
    if start.startswith("::"):
        shown = f"{shown[: len(shown) - len(start)]}: {start[2:]}"
    return COMMAND.sub("# ", shown)


def lines_for_terminal(text: str) -> str:
    """Return a text that is made of lines, each as ``for_terminal`` has it."""
    return "\n".join(map(for_terminal, text.split("\n")))


def sentences(error: BehaveError) -> Iterator[str]:
    """Yield what an error says: one line, or one per problem of a suite."""
    for sentence in error.problems if isinstance(error, SuiteError) else (error,):
        yield for_terminal(printable(sentence))


def for_github(value: object) -> str:
    """Return a value as the data of a workflow command."""
    return COMMAND.sub("# ", printable(value)).replace("%", "%25")


def for_github_property(value: object) -> str:
    """Return a value as a property of a workflow command, such as its title."""
    return for_github(value).replace(":", "%3A").replace(",", "%2C")


def for_markdown(value: object) -> str:
    """Return a value so that Markdown and HTML show it as it is, and nobody is mentioned by it."""
    plain = SPECIAL.sub(r"\\\1", html.escape(printable(value), quote=False))
    return LIVE.sub(r"\g<0><!-- -->", NUMBERED.sub(r"\1\\.", plain))


def for_html(value: object) -> str:
    """Return a value for a line of HTML, in which Markdown's backslashes would be seen."""
    shown = LIVE.sub(r"\g<0><!-- -->", html.escape(printable(value), quote=False))
    return COMMAND.sub("#&#35;", shown)


def for_json(text: str) -> str:
    """Return a JSON text with what nobody sees, and the start of commands, written as escapes."""
    return COMMAND.sub(r"\\u0023#", INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
