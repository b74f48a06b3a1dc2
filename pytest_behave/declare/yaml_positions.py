"""YAML as people mean it, with the place of every key and value.

A private subclass of PyYAML's safe loader reads scalars by YAML 1.2's rules (``no`` is a text, ``1e-3`` a number,
``12:30`` a text, a date stays a text); keys are texts as written; a duplicate key is a problem, not the last value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pytest_behave.errors import SuiteError
from pytest_behave.records import Place

Loc = tuple[str | int, ...]
MOST_NODES = 2_000_000

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), "-+0123456789")
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    "-+.0123456789",
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), "<")


@dataclass
class Document:
    """A file's content as plain Python values, the place of each by its path of keys, and what is wrong so far."""

    data: Any
    keys: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def key_place(self, loc: Loc) -> Place:
        """Return where a key stands (for an item of a list: the item), or the nearest thing around it."""
        while loc and loc not in self.keys and loc not in self.values:
            loc = loc[:-1]
        return self.keys.get(loc) or self.values[loc]

    def value_place(self, loc: Loc) -> Place:
        """Return where a value stands, or the nearest thing around it."""
        while loc and loc not in self.values:
            loc = loc[:-1]
        return self.values[loc]


def read_yaml(path: Path) -> Document:
    """Read one YAML file; raises SuiteError if it is not YAML at all or cannot be opened."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SuiteError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeError) as error:
        raise SuiteError([f"{path}: cannot be read: {error}"]) from None
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SuiteError([f"{path}:{line}:{column}: this is not YAML: {_yaml_reason(error)}"]) from None
    except yaml.YAMLError as error:
        raise SuiteError([f"{path}:1:1: this is not YAML: {str(error).splitlines()[0]}"]) from None
    except RecursionError:
        raise SuiteError([f"{path}:1:1: the file is nested too deeply"]) from None
    document = Document(None, values={(): Place(path)})
    if node is not None:
        document.data = _Builder(path, document).build(node, ())
    return document


def _yaml_reason(error: yaml.MarkedYAMLError) -> str:
    reason = str(error.problem or error.context)
    if "cannot start any token" in reason and "`" in reason:
        return "a value may not start with a backtick: put the whole value in single quotes"
    if "mapping values are not allowed" in reason:
        return "a colon followed by a space needs quotes around the whole value"
    if "tab" in reason or "'\\t'" in reason:
        return "indent with spaces, not tabs"
    return reason


class _Builder:
    def __init__(self, path: Path, document: Document) -> None:
        self.path = path
        self.document = document
        self.nodes = 0
        self.under_way: set[int] = set()

    def build(self, node: yaml.Node, loc: Loc) -> Any:
        self.nodes += 1
        place = Place(self.path, node.start_mark.line + 1, node.start_mark.column + 1)
        self.document.values[loc] = place
        if self.nodes > MOST_NODES:
            raise SuiteError([f"{place}: the file has more than {MOST_NODES:,} values (aliases of aliases?)"])
        if id(node) in self.under_way:
            raise SuiteError([f"{place}: an alias refers to what it stands in"])
        self.under_way.add(id(node))
        try:
            return self._value(node, loc)
        finally:
            self.under_way.discard(id(node))

    def _value(self, node: yaml.Node, loc: Loc) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*loc, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            place = Place(self.path, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.update(dict(self._merged(value_node, place)))
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self.document.problems.append(f"{place}: a key must be plain text")
                continue
            key = str(key_node.value)
            key_loc = (*loc, key)
            if key in result:
                first = self.document.keys[key_loc]
                self.document.problems.append(f"{place}: duplicate key {key!r}, first used in line {first.line}")
                continue
            self.document.keys[key_loc] = place
            result[key] = self.build(value_node, key_loc)
        for key, value_node in merged.items():
            if key not in result:
                result[key] = self.build(value_node, (*loc, key))
        return result

    def _merged(self, node: yaml.Node, place: Place) -> Iterator[tuple[str, yaml.Node]]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                self.document.problems.append(f"{place}: << takes a mapping (an alias such as *name)")
                continue
            for key_node, value_node in source.value:
                yield str(key_node.value), value_node

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text) if len(text) <= 300 else text  # noqa: PLR2004 - Python refuses numbers of 4,300 digits
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if kind != "str" and node.tag.startswith(("tag:", "!")):
            place = Place(self.path, node.start_mark.line + 1, node.start_mark.column + 1)
            self.document.problems.append(f"{place}: the tag {node.tag} is not allowed: suites are plain data")
        return text
