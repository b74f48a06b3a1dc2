"""What GitHub Actions understands: annotations on the lines of a suite, and the step summary's limit."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_behave.records import Run
from pytest_behave.report.lines import behavior_sentence, case_sentence, failing, failing_cases

MOST_ANNOTATIONS = 10  # GitHub shows ten errors per step
SUMMARY_LIMIT = 900 * 1024  # the limit is 1 MiB, beyond which the whole summary is dropped


def workflow_commands(run: Run) -> Iterator[str]:
    """Yield workflow commands, one per failing behavior or case, the last saying how many more there are."""
    found = [
        (item.file or suite.path, item.line or 1, f"{item.slice} {item.metric}", behavior_sentence(suite.suite, item))
        for suite in run.suites
        for item in failing(suite)
    ]
    found += [
        (case.file or suite.path, case.line or 1, f"case {case.id}", case_sentence(suite.suite, case))
        for suite in run.suites
        for case in failing_cases(suite)
    ]
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    for file, line, title, sentence in shown:
        yield f"::error file={_property(file)},line={line},title={_property(title)}::{_data(sentence)}"
    if len(found) > len(shown):
        yield f"::error title=pytest-behave::{len(found) - len(shown)} more behaviors fail; see the step summary"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
