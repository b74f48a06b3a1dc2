"""Suite files as pytest nodes: ``file::slice::metric``, ``file::cases::id``, ``file::family::metric gap``."""

from __future__ import annotations

import linecache
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from pytest_behave.errors import BehaveError, DataError, SuiteError
from pytest_behave.evaluate import Prepared, pick_model, prepare_file
from pytest_behave.guard import any_place, guarded
from pytest_behave.plugin import BehaveWarning
from pytest_behave.records import Behavior, CaseResult, Key, Place, SuiteRun
from pytest_behave.records.memory import uncollected
from pytest_behave.records.verdicts import FAILING, UNSURE
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.report.lines import case_section, case_sentence, fails, instance_section
from pytest_behave.report.record import behavior_to_json, case_to_json, header_to_json, instance_to_json
from pytest_behave.session.dependencies import State
from pytest_behave.session.runner import RUNNER, Runner
from pytest_behave.text import for_terminal, lines_for_terminal, sentences

ACCEPTABLE = ("regressed", "no-baseline", "suspect")


class BehaviorFailure(AssertionError):  # noqa: N818 - the name stands in pytest's own output
    """A behavior or case failed; its text is one line, the evidence goes into a section of the report."""

    def __init__(self, sentence: str, title: str, section: str) -> None:
        super().__init__(for_terminal(sentence))
        self.title = title
        self.section = lines_for_terminal(section)


class SuiteFile(pytest.File):
    """A ``*.behave.yaml`` file."""

    prepared: Prepared
    state: Callable[[dict[str, Any]], State] | None = None  # made when its first item has run
    count = 0  # items

    def collect(self) -> Iterable[pytest.Collector]:
        """Read suite and data; yield one collector per slice, family and tag, and one for the cases."""
        runner = self.config.stash[RUNNER]
        runner.tell(self.nodeid)
        started = time.time_ns()
        resources = runner.open_resources()
        try:
            with guarded(DataError, "a plugin or conftest.py raised", any_place):
                extensions = runner.extensions(self.path)
            self.prepared = prepare_file(self.path, extensions, resources)
            pick_model(self.prepared, self.config.getoption("behave_model"))
        except BehaveError as error:
            known = error if isinstance(error, SuiteError) else SuiteError([f"{self.path}: {error}"])
            raise self.CollectError("\n".join(map(runner.shown, sentences(known)))) from None
        suite = self.prepared.suite
        if self.prepared.baseline is None:
            self._check_baseline()
        self.add_marker("behave")
        self.count = len(self.prepared.items) + len(suite.cases) + len(suite.tag_expectations)
        if runner.remembers:
            self.state = runner.states.before(self.prepared, started)
        for name, group in groupby(self.prepared.items, key=lambda item: item.slice):
            items = list(group)
            places = [item.bounds.place for item in items]
            yield Group.named(self, name, [item.name for item in items], places)
        if suite.cases:
            names = [case.id for case in suite.cases]
            yield Group.named(self, "cases", names, [case.place for case in suite.cases])
        for rate in suite.tag_expectations:
            yield Group.named(self, rate.slice, [rate.metric], [rate.bounds.place])

    def _check_baseline(self) -> None:
        name, values = self.prepared.suite.name, self.prepared.baseline_file
        other = self.config.stash[RUNNER].claim(values, self.path)
        if other != self.path:
            said = (
                f"{self.path.name}: its name is {name!r}, as that of {other.name}, so both would store their baseline in "
                f"{values.parent.name}/{values.name}: give one of them another name by `suite:`"
            )
            raise self.CollectError(for_terminal(said))


class Group(pytest.Collector):
    """The items of one slice, or the golden cases. Node ids are made of names as they can be shown."""

    def __init__(self, slice_: str, names: Sequence[str], places: Sequence[Place | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slice = slice_
        self.names = names
        self.places = places

    @classmethod
    def named(cls, suite: SuiteFile, name: str, names: Sequence[str], places: Sequence[Place | None]) -> Group:
        """Return the group of a slice by its name."""
        group: Group = cls.from_parent(suite, name=for_terminal(name), slice_=name, names=names, places=places)
        return group

    def collect(self) -> Iterable[pytest.Item]:
        """Return the items, in the order of the suite."""
        kind = CaseItem if self.slice == "cases" else BehaviorItem
        suite = self.parent
        if not isinstance(suite, SuiteFile):
            raise TypeError("a group of items lives below a suite file")
        items: list[SuiteItem] = []
        with uncollected():
            for index, (name, place) in enumerate(zip(self.names, self.places, strict=True)):
                shared = items[0]._fixtureinfo if items else None  # noqa: SLF001 - as pytest does for parameters
                item = kind.from_parent(self, name=for_terminal(name), callobj=_replaced_by_runtest, fixtureinfo=shared)
                item.key, item.place, item.index, item.suite_file = (self.slice, name), place, index, suite
                items.append(item)
        return items


def _replaced_by_runtest() -> None:
    """Stand in for the test function that pytest.Function asks for."""


class SuiteItem(pytest.Function):
    """Something that a suite checks. A pytest.Function, so that fixtures and other plugins treat it as a test."""

    key: Key  # slice and metric, or "cases" and the id of a case
    place: Place | None = None
    index: int = 0
    suite_file: SuiteFile

    @property
    def suite_path(self) -> Path:
        """The suite's file."""
        return self.suite_file.path

    @property
    def runner(self) -> Runner:
        """The plugin's state in this process."""
        return self.config.stash[RUNNER]

    @property
    def suite_run(self) -> SuiteRun:
        """The suite's run, made now if this is its first item."""
        return self.runner.run(self.suite_file.prepared)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place in the YAML file and the heading of a failure."""
        place = self.place
        path = place.path if place is not None else self.path
        return (
            Path(for_terminal(str(path))),
            place.line - 1 if place is not None else None,
            f"{self.parent.name if self.parent else ''} {self.name}",
        )

    def warn(self, warning: Warning) -> None:
        """Warn at a line of the suite. pytest shows that line as it is in the file, unless it could steer the output."""
        path, before, _ = self.reportinfo()
        number = (before or 0) + 1
        line = linecache.getline(str(path), number).strip()
        warnings.warn_explicit(
            warning, None, filename=self.location[0], lineno=number if for_terminal(line) == line else 0
        )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ARG002 - pytest's signature
        """Show one line and the evidence, not a traceback."""
        if not isinstance(excinfo.value, (BehaviorFailure, BehaveError)):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value")
        message = str(excinfo.value)
        if shown.reprcrash is not None:
            shown.reprcrash.message = message
            if self.place is not None:
                shown.reprcrash.path, shown.reprcrash.lineno = for_terminal(str(self.place.path)), self.place.line
        if isinstance(excinfo.value, BehaviorFailure) and excinfo.value.section:
            shown.addsection(excinfo.value.title, excinfo.value.section)
        return shown

    def once(self) -> dict[str, Any]:
        """Return what is sent once per process.

        What the run record says of the suite itself, what was measured without an expectation, flips, what is
        declared, and what makes the suite green.
        """
        run, staged = self.suite_run, self.runner.staged(self.suite_path)
        failed = any(behavior.verdict == "error" for behavior in run.behaviors)
        return {
            "suite": header_to_json(run, self.runner.relative),
            "observed": [behavior_to_json(item, self.runner.relative) for item in run.observed],
            "flips": [instance_to_json(item) for item in run.flips],
            "declared": None if failed else [[item.slice, item.metric] for item in run.behaviors],
            "staged": str(staged) if staged.exists() else None,
            "green": self._green(),
        }

    def _green(self) -> dict[str, Any] | None:
        """Return what makes the suite green, and in which state."""
        file = self.suite_file
        if file.state is None:
            return None
        earlier = self.runner.known_green.get(file.nodeid, {})
        return {"suite": file.nodeid, "items": file.count, "state": file.state(earlier.get("state", {})).to_json()}

    def result(self) -> dict[str, Any]:
        """Return the item's part of the run record."""
        raise TypeError("a kind of item says what its result is")


class BehaviorItem(SuiteItem):
    """A metric of a slice, the gap of a family, or the pass rate of a tag."""

    def _behaviors(self) -> list[tuple[int, Behavior]]:
        """Return the item's behaviors with their places in the run: one, or those of a deferred family."""
        group, metric = self.key
        found = self.runner.behaviors_of(self.suite_file.prepared, group)
        own = [(index, item) for index, item in found if (item.slice, item.metric) == self.key]
        return own or [(index, item) for index, item in found if item.metric in (metric, f"{metric} gap")]

    def runtest(self) -> None:
        """Pass, fail, xfail or warn by the verdict."""
        behaviors = [behavior for _, behavior in self._behaviors()]
        for behavior in behaviors:
            self._add_properties(behavior)
        for behavior in behaviors:
            sentence = behavior_sentence(self.suite_run.suite, behavior)
            if self._fails(behavior):
                raise BehaviorFailure(self.runner.shown(sentence), "instances", instance_section(behavior.instances))
        for behavior in behaviors:
            if self._warns(behavior):
                self.warn(BehaveWarning(for_terminal(self.runner.warning(self.suite_file.prepared, behavior))))
        if not behaviors:
            raise BehaviorFailure(f"{self.nodeid} was not measured", "", "")
        if all(behavior.verdict == "known-failure" for behavior in behaviors):
            pytest.xfail(for_terminal(behaviors[0].reason))

    def _is_stored(self, behavior: Behavior) -> bool:
        """Tell whether this run stores the change that it found; one against another model cannot be."""
        has_a_file = self.suite_file.prepared.baseline is None
        return self.runner.accepts and has_a_file and behavior.verdict in ACCEPTABLE

    def _fails(self, behavior: Behavior) -> bool:
        return not self._is_stored(behavior) and fails(behavior, strict=self.runner.is_strict)

    def _warns(self, behavior: Behavior) -> bool:
        return not self._is_stored(behavior) and behavior.verdict in (*FAILING, *UNSURE)

    def _add_properties(self, behavior: Behavior) -> None:
        change = behavior.baseline
        figures = {
            "verdict": behavior.verdict,
            "value": behavior.value,
            "low": behavior.low,
            "high": behavior.high,
            "n": behavior.n,
            "size": behavior.size,
            **behavior.bounds,
            "baseline": None if change is None else change.value,
            "change": None if change is None else change.change,
            "p_adjusted": None if change is None else change.p_adjusted,
            "broken": None if change is None else change.broken,
            "fixed": None if change is None else change.fixed,
        }
        self.user_properties += [
            (f"behave.{name}", _shown(value)) for name, value in figures.items() if value is not None
        ]

    def result(self) -> dict[str, Any]:
        """Return the behaviors for the run record."""
        behaviors = [[index, behavior_to_json(item, self.runner.relative)] for index, item in self._behaviors()]
        return {"suite": self.runner.relative(self.suite_path), "behaviors": behaviors}


class CaseItem(SuiteItem):
    """A golden case."""

    def _case(self) -> CaseResult:
        return self.suite_run.cases[self.index]

    def runtest(self) -> None:
        """Pass, or fail with input, output and the failed checks."""
        case = self._case()
        self.user_properties.append(("behave.verdict", case.verdict))
        if case.verdict in FAILING:
            sentence = case_sentence(self.suite_run.suite, case)
            raise BehaviorFailure(self.runner.shown(sentence), "case", case_section(case))
        if case.verdict == "known-failure":
            pytest.xfail(for_terminal(case.reason))

    def result(self) -> dict[str, Any]:
        """Return the case for the run record."""
        case = case_to_json(self._case(), self.runner.relative)
        return {"suite": self.runner.relative(self.suite_path), "cases": [[self.index, case]]}


def _shown(value: float | str) -> int | str:
    if isinstance(value, str):
        return for_terminal(value)
    return value if isinstance(value, int) else f"{value:.6g}"
