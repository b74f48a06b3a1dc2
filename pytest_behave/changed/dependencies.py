"""What the verdicts of a suite depend on, told from files alone: nothing of it is imported, parsed or run.

A ``State`` is plain JSON. Paths are relative to the suite's folder, so that a CI system can restore it elsewhere.
"""

from __future__ import annotations

import glob
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pytest_behave.guard import is_own_file
from pytest_behave.predict.code import LARGEST, Reach, file_digest, version_of

PACKAGES = ("pytest_behave", "numpy", "pandas", "scipy", "pyarrow")
SETTLED = 2 * 10**9  # ns after which a file's time of change is trusted to tell it from a later content


class Code(NamedTuple):
    """Where the code behind a suite starts: dotted names, and (name, file) of modules that are loaded already."""

    names: tuple[str, ...]
    modules: tuple[tuple[str, Path], ...]


FactsOf = Callable[[Path, Code], "tuple[dict[str, str], int]"]


@dataclass(frozen=True)
class State:
    """``files`` are [label, size, time of change in ns, digest] by path; size is None where there is no such file.

    ``patterns`` are (label, glob), ``names`` the modules that the suite names, ``facts`` digests of what their code
    reaches, ``options`` and ``versions`` as they were. ``until`` is the ISO date after which a known failure fails. ``unknown``
    says what cannot be told, so that the suite always runs.
    """

    files: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    patterns: Sequence[Sequence[str]] = ()
    names: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    until: str | None = None
    unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def versions() -> dict[str, str]:
    """Return the versions that every verdict depends on."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{name: version_of(name) for name in PACKAGES}}


class Now(NamedTuple):
    """What a state is held against: the suite's folder, the modules of plugins, options, today's ISO date."""

    folder: Path
    modules: tuple[tuple[str, Path], ...]
    options: Mapping[str, Any]
    today: str
    facts_of: FactsOf


def changes(state: State, now: Now) -> Iterator[str]:
    """Yield what is no longer as in a state, as sentences without a subject; the cheapest to find out come first."""
    if state.unknown:
        yield state.unknown
    names = {**state.options, **now.options}
    yield from (f"{name} differs" for name in names if state.options.get(name) != now.options.get(name))
    for name, version in versions().items():
        if state.versions.get(name) != version:
            yield f"{name} is {version or 'gone'}, and was {state.versions.get(name) or 'not there'}"
    if state.until is not None and now.today > state.until:
        yield f"a known failure was accepted until {state.until}"
    yield from _changed_files(state, now.folder)
    yield from _changed_code(state, now)


def _changed_files(state: State, folder: Path) -> Iterator[str]:
    for name, known in state.files.items():
        word = _difference(folder / name, known)
        if word:
            yield f"{known[0]} {name} {word}".lstrip()
    for label, pattern in state.patterns:
        new = sorted({relative_to(path, folder) for path in _fitting(folder, pattern)} - set(state.files))
        yield from (f"{label} {name} is new".lstrip() for name in new)


def _changed_code(state: State, now: Now) -> Iterator[str]:
    facts, _ = now.facts_of(now.folder, Code(tuple(state.names), now.modules))
    for name in sorted({*facts, *state.facts}):
        if facts.get(name) != state.facts.get(name):
            yield f"{name} {'is new' if name not in state.facts else 'is gone' if name not in facts else 'changed'}"


def _difference(path: Path, known: Sequence[Any]) -> str:
    _, size, changed_at, digest = known
    try:
        found = path.stat()
    except OSError:
        return "is gone" if size is not None else ""
    if size is None:
        return "is new"
    if not digest:
        return "changed while it ran"
    if found.st_size != size:
        return "changed"
    return "" if found.st_mtime_ns == changed_at or file_digest(path) == digest else "changed"


class Files:
    """The files of a suite as they are, collected; what changed after ``started`` (ns) has no digest.

    ``known`` are those of an earlier state: a file of the same size and time of change is not read again.
    """

    def __init__(self, folder: Path, started: int, now: int, known: Mapping[str, Sequence[Any]]) -> None:
        self.folder = folder
        self.found: dict[str, list[Any]] = {}
        self._started = started
        self._now = now
        self._known = known

    def add(self, label: str, path: Path) -> None:
        """Add a file, which need not be there."""
        name = relative_to(path, self.folder)
        if name in self.found:
            return
        try:
            state = path.stat()
        except OSError:
            self.found[name] = [label, None, None, ""]
            return
        size, changed_at = state.st_size, state.st_mtime_ns
        earlier = self._known.get(name, ("", None, None, ""))
        if changed_at > self._started:
            digest = ""
        elif (size, changed_at) == tuple(earlier[1:3]) and earlier[3]:
            digest = earlier[3]
        else:
            digest = file_digest(path)
        # a content may come a moment later with the same time of change: then the digest decides
        settled = self._now - changed_at > SETTLED or size > LARGEST
        self.found[name] = [label, size, changed_at if settled else None, digest]


def code_facts(folder: Path, code: Code) -> tuple[dict[str, str], int]:
    """Return digests of what some code reaches by what each is, and when the latest of its modules changed (ns)."""
    reach = Reach(folder)
    for name in code.names:
        reach.add_reference(name)
    for name, file in code.modules:
        if is_own_file(file):
            reach.add_file(name, file)
        else:
            reach.add_reference(name.partition(".")[0])
    by_name: dict[str, list[str]] = {}
    for fact in reach.facts:
        by_name.setdefault(f"{fact.kind} {fact.name}", []).append(str(fact))
    facts = {name: _digest("\n".join(sorted(lines))) for name, lines in by_name.items()}
    return facts, max(map(_changed_at, reach.files), default=0)


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _fitting(folder: Path, pattern: str) -> Iterable[Path]:
    return map(Path, glob.glob(str(folder / pattern), recursive=True))  # noqa: PTH207 - absolute patterns


def relative_to(path: Path | str, folder: Path) -> str:
    """Return a path or glob as a state holds it."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(path).as_posix()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]
