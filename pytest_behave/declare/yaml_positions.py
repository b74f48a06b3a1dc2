"""YAML as people mean it, with the place of every key and value.

A private subclass of PyYAML's safe loader reads scalars by YAML 1.2's rules (``no`` is a text, ``1e-3`` a number,
``12:30`` a text, a date stays a text); keys are texts as written; a duplicate key is a problem, not the last value.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pytest_behave.declare.nesting import first_too_deep
from pytest_behave.errors import BehaveError, SuiteError
from pytest_behave.files import check_readable
from pytest_behave.records import Place

Loc = tuple[str | int, ...]
MOST_LEVELS = 100  # of lists and mappings; deeper than any suite, and where no parser has reached a limit of its own
MOST_REPEATED = 100_000
CLOSING = {"[": "]", "{": "}"}

TAG = "tag:yaml.org,2002:"
TEXT, MERGE = f"{TAG}str", f"{TAG}merge"

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Return the tag of a node: as PyYAML does, without its detours for the most frequent kind."""
        if kind is yaml.ScalarNode and implicit[0]:
            for tag, pattern in self.yaml_implicit_resolvers.get(value[:1], ()):
                if pattern.match(value):
                    return tag
            return TEXT
        return str(super().resolve(kind, value, implicit))


SCALARS = {
    "bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "int": (re.compile(r"^[-+]?[0-9]+$"), "-+0123456789"),
    "float": (
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        "-+.0123456789",
    ),
    "merge": (re.compile(r"^<<$"), "<"),
}
for _name, (_pattern, _first) in SCALARS.items():
    _Loader.add_implicit_resolver(TAG + _name, _pattern, _first)


class Spot:
    """Where something stands: its key, if it has one, and its value; what it holds is told from its node when asked for."""

    __slots__ = ("_builder", "_key", "_node", "_parts", "_path")

    def __init__(
        self,
        path: Path,
        node: yaml.Node | None = None,
        key: yaml.Node | None = None,
        builder: _Builder | None = None,
    ) -> None:
        self._path = path
        self._node = node
        self._key = key
        self._builder = builder
        self._parts: dict[str | int, Spot] | None = None

    @property
    def parts(self) -> dict[str | int, Spot]:
        """What a mapping holds by key, or a list by index; others may be put in their place."""
        if self._parts is None:
            self._parts = {} if self._builder is None else self._builder.parts_of(self._node)
        return self._parts

    def key_place(self) -> Place:
        """Return the place of the key; of an item of a list the item's."""
        return _place(self._path, self._key or self._node)

    def value_place(self) -> Place:
        """Return the place of the value."""
        return _place(self._path, self._node)


def _place(path: Path, node: yaml.Node | None) -> Place:
    return Place(path) if node is None else Place(path, node.start_mark.line + 1, node.start_mark.column + 1)


@dataclass
class Document:
    """A file's content as plain Python values, the place of each, and what is wrong so far.

    ``files`` are those that it was read from, ``patterns`` the globs that found some of them.
    """

    data: Any
    root: Spot
    problems: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)

    def nearest(self, loc: Loc) -> Spot:
        """Return where something stands, or the nearest thing around it."""
        spot = self.root
        for part in loc:
            inner = spot.parts.get(part)
            if inner is None:
                return spot
            spot = inner
        return spot

    def put(self, loc: Loc, spot: Spot) -> None:
        """Let something, and all that it holds, stand where it stands in another document."""
        self.nearest(loc[:-1]).parts[loc[-1]] = spot

    def key_place(self, loc: Loc) -> Place:
        """Return where a key stands (for an item of a list: the item), or the nearest thing around it."""
        return self.nearest(loc).key_place()

    def value_place(self, loc: Loc) -> Place:
        """Return where a value stands, or the nearest thing around it."""
        return self.nearest(loc).value_place()


def read_yaml(path: Path) -> Document:
    """Read one YAML file; raises SuiteError if it is not YAML at all or cannot be opened."""
    try:
        check_readable(path, BehaveError)
        text = path.read_text(encoding="utf-8-sig")
    except BehaveError as error:
        raise SuiteError([str(error)]) from None
    except FileNotFoundError:
        raise SuiteError([f"{path}: there is no such file"]) from None
    except UnicodeError:
        raise SuiteError([f"{path}: cannot be read: it is not UTF-8"]) from None
    except OSError as error:
        raise SuiteError([f"{path}: cannot be read: {error.strerror}"]) from None
    deep = first_too_deep(text, MOST_LEVELS)
    if deep is not None:
        raise SuiteError([f"{_place_in(path, text, deep)}: this is not YAML: it is nested too deeply"])
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SuiteError([f"{path}:{line}:{column}: this is not YAML: {_reason(error, text)}"]) from None
    except yaml.reader.ReaderError as error:
        at = len(text.encode()[: error.position].decode(errors="ignore"))
        sentence = f"this is not YAML: the control character U+{error.character:04X} is not allowed"
        raise SuiteError([f"{_place_in(path, text, at)}: {sentence}"]) from None
    if node is None:
        return Document(None, Spot(path), files=[path])
    builder = _Builder(path, has_aliases="&" in text)
    data = builder.build(node)
    return Document(data, Spot(path, node, builder=builder), builder.problems, [path])


def _place_in(path: Path, text: str, at: int) -> Place:
    return Place(path, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """Say what is wrong, by the characters at the marks: what the parser says differs from release to release."""
    begun, found = (
        text[mark.index : mark.index + 1] if mark else "" for mark in (error.context_mark, error.problem_mark)
    )
    line = error.context_mark.line + 1 if error.context_mark else 1
    if isinstance(error, yaml.composer.ComposerError):
        return {
            "*": "no anchor of this name stands before the alias",
            "&": f"an anchor of this name stands in line {line} already",
        }.get(found, "a second document begins here: a file holds one")
    if found == "\t":
        return "indent with spaces, not tabs"
    if begun in ("[", "{"):
        return f"a comma is missing before this, or a {CLOSING[begun]} that closes the {begun} of line {line}"
    if begun in ("'", '"'):
        if found:
            return "this is no escape: a text with a backslash goes in single quotes"
        return f"the {begun} of line {line} is not closed"
    if not found:
        return "the file ends before all that it begins is closed"
    if found in ("]", "}"):
        return f"nothing is open that this {found} closes"
    if isinstance(error, yaml.scanner.ScannerError) and found in ("`", "@", "%"):
        name = {"`": "a backtick"}.get(found, found)
        return f"a value may not start with {name}: put the whole value in single quotes"
    if isinstance(error, yaml.scanner.ScannerError) and found == ":":
        return "a colon followed by a space needs quotes around the whole value"
    return "this does not go with what stands before it: check the indentation, colons and quotes"


def _is_plain_key(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag != MERGE


class _Builder:
    def __init__(self, path: Path, *, has_aliases: bool) -> None:
        self.path = path
        self.has_aliases = has_aliases
        self.problems: list[str] = []
        self.repeated = 0
        self.built: set[int] = set()
        self.under_way: set[int] = set()
        self.merged: dict[int, dict[str, yaml.Node]] = {}

    def build(self, node: yaml.Node) -> Any:
        if not self.has_aliases:
            return self._value(node)
        place = _place(self.path, node)
        if id(node) in self.built:
            self.repeated += 1
            if self.repeated > MOST_REPEATED:
                raise SuiteError([f"{place}: the aliases of the file repeat more than {MOST_REPEATED:,} values"])
        if id(node) in self.under_way:
            raise SuiteError([f"{place}: an alias refers to what it stands in"])
        if len(self.under_way) > MOST_LEVELS:
            raise SuiteError([f"{place}: the aliases of the file nest it too deeply"])
        self.built.add(id(node))
        self.under_way.add(id(node))
        try:
            return self._value(node)
        finally:
            self.under_way.discard(id(node))

    def parts_of(self, node: yaml.Node | None) -> dict[str | int, Spot]:
        """Return where the parts of a node stand that was built."""
        if isinstance(node, yaml.SequenceNode):
            return {index: Spot(self.path, child, builder=self) for index, child in enumerate(node.value)}
        parts: dict[str | int, Spot] = {}
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if _is_plain_key(key) and key.value not in parts:
                    parts[key.value] = Spot(self.path, value, key, self)
            for name, value in self.merged.get(id(node), {}).items():
                if name not in parts:
                    parts[name] = Spot(self.path, value, builder=self)
        return parts

    def _value(self, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == TEXT else self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, ("seq",))
            return [self.build(child) for child in node.value]
        self._check_tag(node, ("map",))
        return self._mapping(node)

    def _check_tag(self, node: yaml.Node, allowed: Container[str]) -> None:
        if node.tag.removeprefix(TAG) not in allowed:
            self._problem(node, f"the tag {node.tag} is not allowed here: suites are plain data")

    def _problem(self, node: yaml.Node, sentence: str) -> None:
        self.problems.append(f"{_place(self.path, node)}: {sentence}")

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merges = False
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                merges = True
                continue
            key = self._key(key_node)
            if key is None:
                continue
            if key in result:
                first = next(other for other, _ in node.value if _is_plain_key(other) and other.value == key)
                line = first.start_mark.line + 1
                self._problem(key_node, f"duplicate key {key!r}, first used in line {line}")
                continue
            result[key] = self.build(value_node)
        for key, value_node in self._merged(node, ()).items() if merges else ():
            if key not in result:
                result[key] = self.build(value_node)
        return result

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._problem(node, "a key must be plain text")
            return None
        if node.tag != TEXT:
            self._check_tag(node, ("str", *SCALARS))
        return str(node.value)

    def _merged(self, node: yaml.MappingNode, outer: tuple[yaml.Node, ...]) -> dict[str, yaml.Node]:
        """Return what `<<` adds to a mapping: earlier sources win, and a source's own keys over what it merges."""
        if id(node) not in self.merged:
            merged: dict[str, yaml.Node] = {}
            for key_node, value_node in node.value:
                if key_node.tag == MERGE:
                    sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                    for source in sources:
                        merged = {**self._offered(key_node, source, (*outer, node)), **merged}
            self.merged[id(node)] = merged
        return self.merged[id(node)]

    def _offered(self, key_node: yaml.Node, source: yaml.Node, outer: tuple[yaml.Node, ...]) -> dict[str, yaml.Node]:
        if not isinstance(source, yaml.MappingNode) or source in outer:
            self._problem(key_node, "<< takes a mapping (an alias such as *name)")
            return {}
        own = {str(key.value): value for key, value in source.value if _is_plain_key(key)}
        return {**self._merged(source, outer), **own}

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix(TAG)
        if kind in SCALARS and not SCALARS[kind][0].match(text):
            self._problem(node, f"{text!r} cannot be tagged as {kind}")
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text) if len(text) <= 300 else text  # noqa: PLR2004 - Python refuses numbers of 4,300 digits
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        self._check_tag(node, ("str", "merge"))
        return text
