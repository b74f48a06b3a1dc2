"""Suite files as pytest nodes: ``file::slice::metric``, ``file::cases::id``, ``file::family::metric gap``.

Nodes know what a suite declares and what became of it, not the suite itself: another process may have read it.
"""

from __future__ import annotations

import linecache
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from _pytest.warnings import catch_warnings_for_item

from pytest_behave.errors import BehaveError, SuiteError
from pytest_behave.names import BehaveWarning
from pytest_behave.records import Behavior, CaseResult, Key
from pytest_behave.records.memory import uncollected
from pytest_behave.records.verdicts import ACCEPTABLE, FAILING, UNSURE
from pytest_behave.report.changes import behavior_sentence, declaration_of
from pytest_behave.report.record import RESULT_KINDS
from pytest_behave.session import outline
from pytest_behave.session.suites import Result
from pytest_behave.session.toolbox import TOOLBOX, Toolbox
from pytest_behave.text import for_terminal, lines_for_terminal, sentences


class BehaviorFailure(AssertionError):  # noqa: N818 - the name stands in pytest's own output
    """A behavior or case failed; its text is one line, the evidence goes into a section of the report."""

    def __init__(self, sentence: str, title: str, section: str) -> None:
        super().__init__(for_terminal(sentence))
        self.title = title
        self.section = lines_for_terminal(section)


class SuiteFile(pytest.File):
    """A ``*.behave.yaml`` file."""

    printed: tuple[str, str] = ("", "")  # by a model that ran before any item did

    def collect(self) -> Iterable[pytest.Collector]:
        """Yield one collector per slice, family and tag, and one for the cases."""
        toolbox = self.config.stash[TOOLBOX]
        try:
            found = toolbox.suites.outline(self.path)
        except SuiteError as error:
            raise self.CollectError("\n".join(map(toolbox.options.shown, sentences(error)))) from None
        if found.baseline is not None:
            self._check_baseline(found.suite, Path(found.baseline))
        self.add_marker("behave")
        for group in found.groups:
            yield Group.from_parent(self, name=for_terminal(group.name), group=group)

    def _check_baseline(self, name: str, values: Path) -> None:
        other = self.config.stash[TOOLBOX].suites.first_with(values, self.path)
        if other != self.path:
            said = (
                f"{self.path.name}: its name is {name!r}, as that of {other.name}, so both would store their baseline in "
                f"{values.parent.name}/{values.name}: give one of them another name by `suite:`"
            )
            raise self.CollectError(for_terminal(said))


class Group(pytest.Collector):
    """The items of one slice, or the golden cases. Node ids are made of names as they can be shown."""

    def __init__(self, group: outline.Group, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = group

    def collect(self) -> Iterable[pytest.Item]:
        """Return the items, in the order of the suite."""
        suite = self.parent
        if not isinstance(suite, SuiteFile):
            raise TypeError("a group of items lives below a suite file")
        items: list[SuiteItem] = []
        with uncollected():
            for index, entry in enumerate(self.group.entries):
                shared = items[0]._fixtureinfo if items else None  # noqa: SLF001 - as pytest does for parameters
                item = ITEMS[self.group.kind].from_parent(
                    self, name=for_terminal(entry.name), callobj=_replaced_by_runtest, fixtureinfo=shared
                )
                item.key, item.entry, item.index, item.suite_file = (self.group.name, entry.name), entry, index, suite
                items.append(item)
        return items


def _replaced_by_runtest() -> None:
    """Stand in for the test function that pytest.Function asks for."""


class SuiteItem(pytest.Function):
    """Something that a suite checks. A pytest.Function, so that fixtures and other plugins treat it as a test.

    A kind of item names the ``kind`` of its results and finds them in those of the suite.
    """

    kind: str
    key: Key  # slice and metric, or "cases" and the id of a case
    entry: outline.Entry
    index: int = 0
    suite_file: SuiteFile

    @property
    def suite_path(self) -> Path:
        """The suite's file."""
        return self.suite_file.path

    @property
    def toolbox(self) -> Toolbox:
        """What the plugin works with in this process."""
        return self.config.stash[TOOLBOX]

    @property
    def outcome(self) -> Result:
        """What became of the suite, measured now if this is its first item."""
        return self.toolbox.suites.result(self.suite_path)

    def results(self) -> list[tuple[int, Any]]:
        """Return the item's results with their places among those of their kind."""
        raise TypeError("a kind of item says what its results are")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place in the YAML file and the heading of a failure."""
        file, line = self.entry.file, self.entry.line
        return (
            Path(for_terminal(file if file is not None else self.path)),
            line - 1 if line is not None else None,
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

    def measure_early(self) -> None:
        """Measure the suite as this item would while it runs: under its filters of warnings, and captured."""
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            capture.resume_global_capture()
        try:
            with catch_warnings_for_item(self.config, self.ihook, "runtest", self):
                self.toolbox.suites.result(self.suite_path)
        finally:
            if capture is not None:
                capture.suspend_global_capture(in_=False)
                self.suite_file.printed = capture.read_global_capture()

    def runtest(self) -> None:
        """Pass, fail, xfail or warn by the verdict."""
        for text, stream in zip(self.suite_file.printed, (sys.stdout, sys.stderr), strict=True):
            stream.write(text)
        self.suite_file.printed = ("", "")
        found = [result for _, result in self.results()]
        for result in found:
            self.add_properties(result)
        outcome, kind = self.outcome, RESULT_KINDS[self.kind]
        for result in found:
            if self.fails(result):
                title, section = ("traceback", outcome.crash) if outcome.crash else kind.section(result)
                sentence = kind.sentence(outcome.run.suite, result)
                raise BehaviorFailure(self.toolbox.options.shown(sentence), title, section)
        for result in found:
            self.warn_of(result)
        if not found:
            raise BehaviorFailure(f"{self.nodeid} was not measured", "", "")
        if all(result.verdict == "known-failure" for result in found):
            pytest.xfail(for_terminal(found[0].reason))

    def fails(self, result: Any) -> bool:
        """Tell whether a result fails the item."""
        return RESULT_KINDS[self.kind].fails(result, self.toolbox.options.is_strict)

    def warn_of(self, result: Any) -> None:
        """Warn of a result that passes in doubt, where a kind has such."""

    def add_properties(self, result: Any) -> None:
        """Add figures to the JUnit report."""
        self.user_properties.append(("behave.verdict", result.verdict))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ARG002 - pytest's signature
        """Show one line and the evidence, not a traceback."""
        if not isinstance(excinfo.value, (BehaviorFailure, BehaveError)):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value")
        message = str(excinfo.value)
        if shown.reprcrash is not None:
            shown.reprcrash.message = message
            if self.entry.file is not None and self.entry.line is not None:
                shown.reprcrash.path, shown.reprcrash.lineno = for_terminal(self.entry.file), self.entry.line
        if isinstance(excinfo.value, BehaviorFailure) and excinfo.value.section:
            shown.addsection(excinfo.value.title, excinfo.value.section)
        return shown

    def told(self) -> list[Any]:
        """Return which results the item stands for: the suite's file, their kind, their places."""
        return [str(self.suite_path), self.kind, [index for index, _ in self.results()]]


class BehaviorItem(SuiteItem):
    """A metric of a slice, the gap of a family, or the pass rate of a tag."""

    kind = "behaviors"

    def results(self) -> list[tuple[int, Behavior]]:
        """Return the item's behaviors with their places in the run: one, or those of a deferred family."""
        group, metric = self.key
        found = self.outcome.behaviors_of(group)
        own = [(index, item) for index, item in found if (item.slice, item.metric) == self.key]
        return own or [(index, item) for index, item in found if item.metric in (metric, f"{metric} gap")]

    def _is_stored(self, behavior: Behavior) -> bool:
        """Tell whether this run stores the change that it found; one against another model cannot be."""
        has_a_file = self.toolbox.suites.outline(self.suite_path).baseline is not None
        return self.toolbox.options.accepts and has_a_file and behavior.verdict in ACCEPTABLE

    def fails(self, result: Behavior) -> bool:
        """Tell whether a behavior fails the item: not if this run stores its change."""
        return not self._is_stored(result) and super().fails(result)

    def warn_of(self, result: Behavior) -> None:
        """Warn of a behavior that is in doubt, or that fails but is declared to warn only."""
        if self._is_stored(result) or result.verdict not in (*FAILING, *UNSURE):
            return
        shared = None
        if result.verdict == "undecided":  # where several share a sentence, pytest shows it once for all
            shared = self.outcome.warnings.get(declaration_of(result))
        self.warn(BehaveWarning(for_terminal(shared or behavior_sentence(self.outcome.run.suite, result))))

    def add_properties(self, result: Behavior) -> None:
        """Add the figures of a behavior."""
        change = result.baseline
        figures = {
            "verdict": result.verdict,
            "value": result.value,
            "low": result.low,
            "high": result.high,
            "n": result.n,
            "size": result.size,
            **result.bounds,
            "baseline": None if change is None else change.value,
            "change": None if change is None else change.change,
            "p_adjusted": None if change is None else change.p_adjusted,
            "broken": None if change is None else change.broken,
            "fixed": None if change is None else change.fixed,
        }
        self.user_properties += [
            (f"behave.{name}", _shown(value)) for name, value in figures.items() if value is not None
        ]


def _shown(value: float | str) -> int | str:
    if isinstance(value, str):
        return for_terminal(value)
    return value if isinstance(value, int) else f"{value:.6g}"


class CaseItem(SuiteItem):
    """A golden case."""

    kind = "cases"

    def results(self) -> list[tuple[int, CaseResult]]:
        """Return the case with its place in the run."""
        cases = self.outcome.run.cases
        return [(self.index, cases[self.index])] if self.index < len(cases) else []


ITEMS: dict[str, type[SuiteItem]] = {item.kind: item for item in (BehaviorItem, CaseItem)}
