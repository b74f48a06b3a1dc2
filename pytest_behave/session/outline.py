"""What of a suite is known before it runs, plain enough to be handed from process to process: its items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_behave.errors import BehaveError, SuiteError
from pytest_behave.records import Behavior, CaseResult, Place, SuiteRun

if TYPE_CHECKING:
    from pytest_behave.evaluate import Prepared


class Entry(NamedTuple):
    """One item: its name, and the file and line that declare it."""

    name: str
    file: str | None
    line: int | None


class Group(NamedTuple):
    """The items below one slice, family or tag, or the golden cases; ``kind`` is that of their results."""

    name: str
    kind: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A suite's name, candidate and items. ``baseline`` is the file that stores its values, None if it has none."""

    suite: str
    model: str
    baseline: str | None
    groups: tuple[Group, ...]
    description: str = ""
    owner: str = ""
    task: str | None = None

    @property
    def size(self) -> int:
        """How many items the suite has."""
        return sum(len(group.entries) for group in self.groups)


def outline_of(prepared: Prepared, model: str) -> Outline:
    """Return the outline of a suite that was read; ``model`` is the name of its candidate."""
    suite = prepared.suite
    return Outline(
        suite=suite.name,
        model=model,
        baseline=None if prepared.baseline is not None else str(prepared.baseline_file),
        groups=tuple(_groups(prepared)),
        description=suite.description,
        owner=suite.owner,
        task=suite.task,
    )


def _groups(prepared: Prepared) -> Iterator[Group]:
    for name, items in groupby(prepared.items, key=lambda item: item.slice):
        yield Group(name, "behaviors", tuple(_entry(item.name, item.bounds.place) for item in items))
    cases = prepared.suite.cases
    if cases:
        yield Group("cases", "cases", tuple(_entry(case.id, case.place) for case in cases))
    for rate in prepared.suite.tag_expectations:
        yield Group(rate.slice, "behaviors", (_entry(rate.metric, rate.bounds.place),))


def _entry(name: str, place: Place | None) -> Entry:
    return Entry(name, None, None) if place is None else Entry(name, str(place.path), place.line)


def to_text(outline: Outline | BehaveError) -> str:
    """Return an outline, or why there is none, as text."""
    if isinstance(outline, BehaveError):
        return json.dumps({"problems": outline.problems if isinstance(outline, SuiteError) else [str(outline)]})
    return json.dumps({name: getattr(outline, name) for name in Outline.__slots__})


def from_text(text: str) -> Outline:
    """Return the outline that a text was made from; raises SuiteError if it says why there is none."""
    data: dict[str, Any] = json.loads(text)
    if "problems" in data:
        raise SuiteError(data["problems"])
    groups = (Group(name, kind, tuple(Entry(*entry) for entry in entries)) for name, kind, entries in data["groups"])
    return Outline(**{**data, "groups": tuple(groups)})


def unmeasured(outline: Outline, path: str, reason: str) -> SuiteRun:
    """Return the run of a suite of which nothing could be measured: everything that it declares is an error."""
    run = SuiteRun(
        suite=outline.suite,
        path=path,
        rows=0,
        task=outline.task,
        model=outline.model,
        model_fingerprint="",
        dataset_fingerprint=None,
        description=outline.description,
        owner=outline.owner,
    )
    listed = [(group, entry) for group in outline.groups for entry in group.entries]
    behaviors = [_behavior(group.name, entry, reason) for group, entry in listed if group.kind == "behaviors"]
    cases = [_case(entry, reason) for group, entry in listed if group.kind == "cases"]
    return replace(run, behaviors=tuple(behaviors), cases=tuple(cases))


def _behavior(slice_: str, entry: Entry, reason: str) -> Behavior:
    return Behavior(
        slice=slice_,
        metric=entry.name,
        better="higher",
        size=0,
        n=0,
        value=None,
        low=None,
        high=None,
        verdict="error",
        reason=reason,
        line=entry.line,
        file=entry.file,
    )


def _case(entry: Entry, reason: str) -> CaseResult:
    return CaseResult(
        id=entry.name, verdict="error", input={}, output=None, reason=reason, line=entry.line, file=entry.file
    )
