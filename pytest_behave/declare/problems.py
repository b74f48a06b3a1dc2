"""Sentences about one file, each with its place, in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_behave.declare.yaml_positions import Document, Loc

FORBIDDEN_IN_NAMES = re.compile(r"\[|\]|::|[\r\n]")
REFERENCE = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


class Problems:
    """Sentences about one document, each with its place."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.sentences: list[str] = []

    def at_key(self, loc: Loc, sentence: str) -> None:
        """Add a problem at a key."""
        self.sentences.append(f"{self.document.key_place(loc)}: {sentence}")

    def at_value(self, loc: Loc, sentence: str) -> None:
        """Add a problem at a value."""
        self.sentences.append(f"{self.document.value_place(loc)}: {sentence}")

    def in_order(self) -> list[str]:
        """Return all sentences, those of the YAML itself among them, in the order of the file."""

        def by_place(sentence: str) -> tuple[str, int, int]:
            match = re.match(r"^(.*?):(\d+):(\d+): ", sentence)
            return (match[1], int(match[2]), int(match[3])) if match else (sentence, 0, 0)

        return sorted(dict.fromkeys([*self.document.problems, *self.sentences]), key=by_place)

    def exactly_one(self, loc: Loc, part: object, names: Iterable[str]) -> str | None:
        """Return which of some keys a part gives, adding a problem unless it is just one."""
        given = [name for name in names if getattr(part, name) is not None]
        if len(given) != 1:
            found = f"not {' and '.join(given)} together" if given else "but there is none"
            self.at_key(loc, f"give exactly one of {', '.join(names)}, {found}")
            return None
        return given[0]

    def check_name(self, loc: Loc, name: str) -> None:
        """Add a problem if a name would break node ids."""
        if FORBIDDEN_IN_NAMES.search(name) or not name.strip():
            self.at_key(loc, f"the name {name!r} may not be empty or hold '[', ']', '::' or a line break")

    def check_reference(self, loc: Loc, reference: str) -> str:
        """Return a reference, adding a problem if it is not ``module:function``."""
        if not REFERENCE.match(reference):
            self.at_value(loc, f"{reference!r} is not module:function, such as my_model:predict")
        return reference
