"""Accepting what a run measured as the new baseline: what changes, line by line, and then the files."""

from __future__ import annotations

import filecmp
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_behave.compare import store
from pytest_behave.compare.store import WorkingTree, baseline_paths, baseline_text, read_baseline, write_atomically
from pytest_behave.records import Accepted, BaselineEntry, Behavior, Better, Key, StoredBaseline, SuiteRun
from pytest_behave.report.lines import moved
from pytest_behave.report.record import run_from_json
from pytest_behave.text import printable

BEST = "from best"


@dataclass(frozen=True)
class Acceptance:
    """What is about to be written of one suite, and in which files; no files where nothing changes.

    A file gets these bytes, or is a copy of that file.
    """

    lines: tuple[str, ...]
    files: tuple[tuple[Path, bytes | Path], ...] = ()

    def write(self) -> None:
        """Write the files, each as a whole or not at all; raises BaselineError."""
        for path, content in self.files:
            write_atomically(path, content)


class View(NamedTuple):
    """A suite that tests declared: the regressions that they asked for, where it lives, and its staged outputs."""

    run: SuiteRun
    path: Path
    staged: str


def union(wires: Iterable[Mapping[str, Any]]) -> list[View]:
    """Return each suite once, with what the tests of all processes asked of it."""
    found: dict[tuple[str, str], View] = {}
    for wire in wires:
        (run,) = run_from_json(wire["record"]).suites
        key = (wire["path"], run.suite)
        known = found[key].run.behaviors if key in found else ()
        merged = {_key(item): item for item in (*known, *run.behaviors)}
        found[key] = View(replace(run, behaviors=tuple(merged.values())), Path(wire["path"]), wire["staged"])
    return [view for view in found.values() if view.run.behaviors]


def acceptance(  # noqa: PLR0913 - a run, its suite and what was asked for
    run: SuiteRun,
    suite_file: Path,
    *,
    mode: str,
    reason: str,
    declared: Collection[Key] | None,
    predictions: Path | None,
) -> Acceptance:
    """Return what ``mode`` (new, accept or prune) does to a suite's baseline, from the behaviors that were measured.

    ``declared`` are all keys of the suite, None if they cannot be told, ``predictions`` the file of outputs behind the run. These
    are written only if everything was measured that is declared, or else known; single values are stored without them.
    """
    if run.baseline is not None and run.baseline.kind == "model":
        return Acceptance((f"{run.suite}: compares with the model {run.baseline.name}, so there is nothing to store",))
    values, outputs = baseline_paths(suite_file, run.suite)
    old = read_baseline(WorkingTree(), values, run.suite)
    if mode == "prune":
        return _pruned(run, values, old, declared)
    able = [item for item in run.behaviors if item.verdict != "error"]
    if not able:
        return Acceptance((f"{run.suite}: no behavior was measured, so there is nothing to store",))
    known = (old.entries if old else ()) if declared is None else declared
    complete = set(known) <= {_key(item) for item in able}
    whole = predictions is not None and complete and (mode == "accept" or old is None)
    first = mode == "new" and old is not None
    measured = {_key(item): _entry(item, reason, paired=whole or _is_unchanged(item), first=first) for item in able}
    better: dict[Key, Better] = {
        _key(item): item.better
        for item in run.behaviors
        if any(BEST in str(item.bounds.get(name, "")) for name in ("max_regression", "max_gap_regression"))
    }
    act = store.accept if mode == "accept" else store.add_missing
    new, changed = act(old, measured, suite=run.suite, better=better)
    if whole or old is None:
        new = replace(new, dataset=run.dataset_fingerprint, model=run.model_fingerprint)
    verdicts = {_key(item): str(item.verdict) for item in run.behaviors}
    text = baseline_text(new).encode()
    files: list[tuple[Path, bytes | Path]] = []
    if old is None or baseline_text(old).encode() != text:
        files.append((values, text))
    if whole and predictions is not None and (files or _differs(outputs, predictions)):
        files.append((outputs, predictions))
    return Acceptance((*_lines(run.suite, changed, verdicts, files),), tuple(files))


def _key(behavior: Behavior) -> Key:
    return behavior.slice, behavior.metric


def _differs(path: Path, other: Path) -> bool:
    return not path.is_file() or not filecmp.cmp(path, other, shallow=False)


def _is_unchanged(item: Behavior) -> bool:
    """Tell whether the stored predictions give the same value, so that they can stand behind it."""
    change = item.baseline
    return change is not None and change.paired and change.change == 0 and change.n == item.n


def _entry(item: Behavior, reason: str, *, paired: bool, first: bool) -> BaselineEntry:
    """Return an accepted value: this run's or, for the ``first`` of a behavior, that of the baseline's own outputs."""
    is_share = item.is_share
    change = item.baseline
    if first and change is not None and change.paired and change.value is not None and change.n == item.n:
        hits = round(change.value * change.n) if is_share else None
        return BaselineEntry(change.value, change.n, item.size, hits=hits, reason=reason)
    return BaselineEntry(
        value=item.value,
        n=item.n,
        size=item.size,
        hits=round(float(item.value or 0.0) * item.n) if is_share else None,
        low=None if is_share else item.low,
        high=None if is_share else item.high,
        reason=reason,
        paired=paired,
    )


def _pruned(run: SuiteRun, path: Path, old: StoredBaseline | None, declared: Collection[Key] | None) -> Acceptance:
    if declared is None:
        return Acceptance((f"{run.suite}: not pruned, as not all of its behaviors could be told",))
    if old is None:
        return Acceptance((f"{run.suite}: there is no baseline to prune",))
    new, removed = store.prune(old, declared)
    files = ((path, baseline_text(new).encode()),) if removed else ()
    return Acceptance(tuple(_lines(run.suite, removed, {}, files)), files)


def _lines(
    suite: str, changed: Collection[Accepted], verdicts: dict[Key, str], files: Collection[tuple[Path, bytes | Path]]
) -> list[str]:
    if not files:
        return [f"{suite}: the baseline stays as it is"]
    values = [item for item in changed if item.before != item.after]
    lines = [f"{suite}: {len(values)} value{'s' * (len(values) != 1)} of the baseline change{'s' * (len(values) == 1)}"]
    for item in values:
        verdict = verdicts.get((item.slice, item.metric), "no longer declared")
        lines.append(printable(f"{item.slice} {item.metric}: {moved(item.before, item.after)}, {verdict}"))
    return [lines[0], *(f"  {line}" for line in lines[1:])]
