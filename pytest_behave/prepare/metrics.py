"""The metrics that a suite names: built in, its own, and those of plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pytest_behave.decorators import Mark, marks_in
from pytest_behave.errors import BehaveError, SuiteError
from pytest_behave.measure.registry import BUILT_IN, NEED_A_DEFINITION, Chosen, find_metric
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.references import References
from pytest_behave.records import MetricSpec, Suite, Task


def known_metric_names(extensions: Extensions, folder: Path) -> Callable[[str | None], frozenset[str]]:
    """Return a function from a suite's ``python:`` module to every name that may stand alone in ``metrics:``."""

    def names(python: str | None) -> frozenset[str]:
        references = References(folder, extensions.modules).with_module(python)
        built_in = {metric.name for metric in BUILT_IN if metric.name not in NEED_A_DEFINITION}
        return frozenset(built_in | set(extensions.metrics) | set(marks_in(references.modules, "metric")))

    return names


def chosen_metrics(
    suite: Suite, references: References, extensions: Extensions, task: Task | None
) -> tuple[Chosen, ...]:
    """Return the declared metrics with their implementations; raises SuiteError with all problems found."""
    marked = marks_in(references.modules, "metric")

    def choose(spec: MetricSpec) -> Chosen | str:
        try:
            return find_metric(_complete(spec, marked, references), task, extensions.metrics)
        except BehaveError as error:
            return f"{spec.place or suite.path}: {error}"

    found = [choose(spec) for spec in suite.metrics]
    problems = [item for item in found if isinstance(item, str)]
    if problems:
        raise SuiteError(problems)
    return tuple(item for item in found if not isinstance(item, str))


def _complete(spec: MetricSpec, marked: dict[str, Mark], references: References) -> MetricSpec:
    if spec.python is not None:
        return replace(spec, function=references.load(spec.python))
    mark = marked.get(spec.metric)
    if mark is None:
        return spec
    return replace(spec, metric="python", function=mark.function, better=spec.better or mark.better)
