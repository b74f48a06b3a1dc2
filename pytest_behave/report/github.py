"""What GitHub Actions understands: annotations on the lines of a suite, and the step summary's limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_behave.records import Behavior, CaseResult, Run, SuiteRun
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.report.lines import (
    broken,
    case_sentence,
    failing,
    failing_cases,
    fails,
    suspects,
    unread_sentence,
)
from pytest_behave.text import for_github, for_github_property

MOST_ANNOTATIONS = 10  # GitHub shows ten errors and ten warnings per step
SUMMARY_LIMIT = 900 * 1024  # the limit is 1 MiB, beyond which the whole summary is dropped


@dataclass(frozen=True, slots=True)
class Annotation:
    """A sentence at a line of a file."""

    file: str
    line: int
    title: str
    sentence: str


def workflow_commands(run: Run) -> Iterator[str]:
    """Yield workflow commands: an error per unread file, failing behavior or case, a warning per suspect or lenient one.

    The last of each kind says how many more there are.
    """
    errors = [Annotation(item.path, 1, item.path, unread_sentence(item)) for item in run.unread]
    errors += [_of_behavior(suite, item) for suite in run.suites for item in failing(suite)]
    errors += [_of_case(suite, case) for suite in run.suites for case in failing_cases(suite)]
    yield from _commands("error", errors, "fail")
    warnings = [_of_behavior(suite, item) for suite in run.suites for item in _only_warned(suite)]
    yield from _commands("warning", warnings, "warn")


def _only_warned(suite: SuiteRun) -> Iterable[Behavior]:
    return [item for item in broken(suite) if not fails(item, strict=suite.strict)] + suspects(suite)


def _of_behavior(suite: SuiteRun, item: Behavior) -> Annotation:
    sentence = behavior_sentence(suite.suite, item)
    return Annotation(item.file or suite.path, item.line or 1, f"{item.slice} {item.metric}", sentence)


def _of_case(suite: SuiteRun, case: CaseResult) -> Annotation:
    return Annotation(case.file or suite.path, case.line or 1, f"case {case.id}", case_sentence(suite.suite, case))


def _commands(kind: str, found: Sequence[Annotation], verb: str) -> Iterator[str]:
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    for item in shown:
        file, title = for_github_property(item.file), for_github_property(item.title)
        yield f"::{kind} file={file},line={item.line},title={title}::{for_github(item.sentence)}"
    if len(found) > len(shown):
        yield f"::{kind} title=pytest-behave::{len(found) - len(shown)} more behaviors {verb}; see the step summary"
