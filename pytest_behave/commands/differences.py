"""One run against another, from their records alone: values and intervals, but no common instances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_behave.compare.paired import Margin
from pytest_behave.compare.store import KEPT_DIGITS, Commit, WorkingTree, baseline_paths, read_baseline
from pytest_behave.compare.unpaired import compare_values
from pytest_behave.errors import BehaveError
from pytest_behave.measure.intervals import wilson
from pytest_behave.records import (
    BaselineEntry,
    BaselineUse,
    Behavior,
    CaseResult,
    Change,
    Estimate,
    Key,
    Run,
    StoredBaseline,
    SuiteRun,
)
from pytest_behave.records.verdicts import FAILING
from pytest_behave.report.reading import read_record
from pytest_behave.text import printable

UNPAIRED = "two run records hold no common instances' outputs"
MOST_NAMES = 10
GIT = "git:"
ALPHA = 0.05


def run_between(before: Run, after: Run) -> Run:
    """Return the second run with each behavior compared with the first one.

    Verdicts stay those of the second run, and so do its own paired comparisons where they are with the same values.
    What is only in one of both, and cases that newly fail or pass, are told in the notes of the suite.
    """
    partners = _paired_suites(before.suites, after.suites)
    taken = {id(partner) for partner in partners if partner is not None}
    compared = [
        _compared(partner, suite) if partner is not None else _added(suite)
        for partner, suite in zip(partners, after.suites, strict=True)
    ]
    removed = [_removed(suite) for suite in before.suites if id(suite) not in taken]
    return Run((*compared, *removed), after.unread)


def _paired_suites(before: Sequence[SuiteRun], after: Sequence[SuiteRun]) -> list[SuiteRun | None]:
    """Return the partner of each suite: that of the same name and file, else the only one left of the same name."""
    exact = {(suite.suite, suite.path): suite for suite in before}
    partners = [exact.get((suite.suite, suite.path)) for suite in after]
    taken = {id(partner) for partner in partners if partner is not None}
    alone = [suite for suite, partner in zip(after, partners, strict=True) if partner is None]
    left = [suite for suite in before if id(suite) not in taken]
    moved = {
        id(suite): same[0]
        for suite in alone
        if len(same := [other for other in left if other.suite == suite.suite]) == 1
        and sum(other.suite == suite.suite for other in alone) == 1
    }
    return [partner or moved.get(id(suite)) for suite, partner in zip(after, partners, strict=True)]


def _added(suite: SuiteRun) -> SuiteRun:
    notes = ("this suite is only in the second of the two runs", *suite.notes)
    plain = _without_baseline(suite.behaviors), _without_baseline(suite.observed)
    return replace(suite, notes=notes, baseline=None, flips=(), behaviors=plain[0], observed=plain[1])


def _removed(suite: SuiteRun) -> SuiteRun:
    notes = ("this suite is only in the first of the two runs",)
    return replace(suite, notes=notes, baseline=None, flips=(), behaviors=(), observed=(), cases=())


def _without_baseline(behaviors: Iterable[Behavior]) -> tuple[Behavior, ...]:
    return tuple(_with_change(behavior, None) for behavior in behaviors)


def _compared(before: SuiteRun, after: SuiteRun) -> SuiteRun:
    olds = {_key(behavior): behavior for behavior in (*before.behaviors, *before.observed)}
    # the second run's own comparison is with the first where that is the model it was compared with
    is_own = after.baseline is not None and before.model_fingerprint in (after.baseline.name, "")
    behaviors = tuple(_against(olds.get(_key(behavior)), behavior, is_own=is_own) for behavior in after.behaviors)
    observed = tuple(_against(olds.get(_key(behavior)), behavior, is_own=is_own) for behavior in after.observed)
    is_kept = any(behavior.baseline is not None and behavior.baseline.paired for behavior in (*behaviors, *observed))
    return replace(
        after,
        behaviors=behaviors,
        observed=observed,
        flips=after.flips if is_kept else (),
        baseline=after.baseline if is_kept and after.baseline is not None else _use(before, after),
        notes=(*after.notes, *_notes(before, after)),
    )


def _key(behavior: Behavior) -> Key:
    return behavior.slice, behavior.metric


def _against(before: Behavior | None, after: Behavior, *, is_own: bool) -> Behavior:
    """Return a behavior compared with what it was; its own comparison stays if it is paired and with that value."""
    if before is None:
        return _with_change(after, None)
    own = after.baseline
    if is_own and own is not None and own.paired and _is_same(own.value, before.value):
        return after
    return _with_change(after, _unpaired(before, after))


def _with_change(behavior: Behavior, change: Change | None) -> Behavior:
    instances = tuple(replace(item, baseline_output=None, baseline_score=None) for item in behavior.instances)
    return replace(behavior, baseline=change, instances=instances)


def _unpaired(before: Behavior, after: Behavior) -> Change:
    entry = BaselineEntry(before.value, before.n, before.size, low=before.low, high=before.high)
    candidate = Estimate(after.value, after.low, after.high, after.n)
    found = compare_values(entry, candidate, Margin(), 1 if after.better == "lower" else -1)
    if found is None:
        return Change(before.value, paired=False, reason=UNPAIRED)
    low, high = (float(end) if math.isfinite(end) else None for end in (found.low, found.high))
    return Change(before.value, found.change, low, high, paired=False, reason=UNPAIRED)


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=KEPT_DIGITS, abs_tol=1e-12)


def _use(before: SuiteRun, after: SuiteRun) -> BaselineUse:
    same_rows = after.dataset_fingerprint is not None and before.dataset_fingerprint == after.dataset_fingerprint
    alpha = after.baseline.alpha if after.baseline is not None else ALPHA
    return BaselineUse("model", before.model, alpha, tests=0, seed=0, common=after.rows if same_rows else 0)


def _notes(before: SuiteRun, after: SuiteRun) -> list[str]:
    old, new = ([*suite.behaviors, *suite.observed] for suite in (before, after))
    old_keys, new_keys = set(map(_key, old)), set(map(_key, new))
    verdicts = {case.id: case.verdict in FAILING for case in before.cases}
    known = [case for case in after.cases if case.id in verdicts]
    fingerprints = (before.dataset_fingerprint, after.dataset_fingerprint)
    other_rows = None not in fingerprints and fingerprints[0] != fingerprints[1]
    return [
        *(["the two runs read different datasets"] if other_rows else []),
        *_listed("added", (_name(item) for item in new if _key(item) not in old_keys)),
        *_listed("removed", (_name(item) for item in old if _key(item) not in new_keys)),
        *_listed("newly failing cases", (case.id for case in known if _fails(case) and not verdicts[case.id])),
        *_listed("newly passing cases", (case.id for case in known if not _fails(case) and verdicts[case.id])),
    ]


def _name(behavior: Behavior) -> str:
    return f"{behavior.slice} {behavior.metric}"


def _fails(case: CaseResult) -> bool:
    return case.verdict in FAILING


def _listed(title: str, names: Iterable[str]) -> list[str]:
    found = list(names)
    if not found:
        return []
    more = f" and {len(found) - MOST_NAMES:,} more" if len(found) > MOST_NAMES else ""
    return [f"{title}: {printable(', '.join(found[:MOST_NAMES]))}{more}"]


def difference(first: str, second: str) -> Run:
    """Return what lies between two runs, each named by a run record, ``git:REF:PATH``, or ``git:REF``.

    ``git:REF`` stands for the baselines committed at REF of the suites in the other run; raises BehaveError.
    """
    runs = {name: _named(name) for name in (first, second) if not _is_ref(name)}
    if not runs:
        raise BehaveError(f"{first} and {second}: one of the two must be a run record, as it names the suites")
    (other, *_) = runs.values()
    before, after = (runs.get(name) or _committed(name.removeprefix(GIT), other) for name in (first, second))
    return run_between(before, after)


def _is_ref(name: str) -> bool:
    return name.startswith(GIT) and ":" not in name.removeprefix(GIT)


def _named(name: str) -> Run:
    place: Commit | WorkingTree = WorkingTree()
    path = Path(name)
    if name.startswith(GIT):
        ref, _, inside = name.removeprefix(GIT).partition(":")
        place, path = Commit(ref), Path(inside)
    content = place.read(path)
    if content is None:
        raise BehaveError(f"{name}: there is no such file")
    return read_record(content, name)


def _committed(ref: str, other: Run) -> Run:
    """Return the values that are committed for the suites of a run; raises BehaveError if there are none at all."""
    found = {id(suite): _stored(Commit(ref), suite) for suite in other.suites}
    if not any(found.values()):
        raise BehaveError(f"git:{ref} holds no baseline of any suite in the other run")
    return Run(
        tuple(_suite_of(stored, suite, ref) for suite in other.suites if (stored := found[id(suite)]) is not None)
    )


def _stored(commit: Commit, suite: SuiteRun) -> StoredBaseline | None:
    """Return the committed baseline of a suite, whose path in a record counts from pytest's root directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        stored = read_baseline(commit, baseline_paths(folder / suite.path, suite.suite)[0], suite.suite)
        if stored is not None or (folder / ".git").exists():
            return stored
    return None


def _suite_of(stored: StoredBaseline, suite: SuiteRun, ref: str) -> SuiteRun:
    known = {_key(item): item for item in (*suite.behaviors, *suite.observed)}
    observed = tuple(_behavior_of(key, entry, known.get(key)) for key, entry in stored.entries.items())
    return SuiteRun(
        suite=suite.suite,
        path=suite.path,
        rows=suite.rows,
        task=suite.task,
        model=f"accepted at {ref}",
        model_fingerprint=stored.model,
        dataset_fingerprint=stored.dataset,
        observed=observed,
    )


def _behavior_of(key: Key, entry: BaselineEntry, known: Behavior | None) -> Behavior:
    low, high = entry.low, entry.high
    if entry.hits is not None and entry.n:
        low, high = (float(end) for end in wilson(entry.hits, entry.n))
    better = known.better if known is not None else "higher"
    return Behavior(*key, better, entry.size, entry.n, entry.value, low, high)
