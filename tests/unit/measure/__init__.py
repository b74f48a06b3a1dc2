"""Outcomes for the tests of the measure stage: made as an evaluation makes them, but from columns instead of files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.predicates import Evaluator
from pytest_behave.errors import BehaveError
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.outcome import Labels, make_outcome
from pytest_behave.measure.registry import find_metric, measure
from pytest_behave.records import Estimate, MetricSpec, ModelSpec, Outcome, Predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_behave.records import Column, Scalar, Task


def outcome_of(  # noqa: PLR0913 - everything that targets and outputs consist of
    task: Task | None,
    target: Any,
    prediction: Any = None,
    *,
    score: Any = None,
    proba: Mapping[str, Any] | None = None,
    positive: Scalar | None = None,
    threshold: float = 0.5,
    **columns: Any,
) -> Outcome:
    """Return targets and outputs as metrics see them; ``columns`` are further columns of the dataset."""
    frame = pd.DataFrame({"target": target, **columns})
    evaluator = Evaluator.of_frame(frame)
    series = None if prediction is None else pd.Series(prediction)
    found = make_outcome(
        task=task,
        size=len(frame),
        target=_labelled(frame["target"]),
        labels=Labels.of(*_labelled(frame["target"]), np.arange(len(frame))),
        predictions=Predictions(
            prediction=series,
            score=None if score is None else np.asarray(score, dtype=np.float64),
            proba={name: np.asarray(values, dtype=np.float64) for name, values in (proba or {}).items()},
        ),
        prediction=None if series is None else _labelled(series),
        positive=positive,
        model=ModelSpec("model", "python", "model:predict", threshold=threshold),
        column=lambda name: column_of(frame[name]),
        condition=lambda expression: tuple(evaluator.truth(expression)),
        frame=lambda: frame.assign(prediction=series),
    )
    return found if task == "regression" else replace(found, agreement=np.arange(len(frame)) % 5 / 4)


def _labelled(series: pd.Series) -> tuple[Column, np.ndarray]:
    column = column_of(series)
    return column, canonical_text(column)


def results_of(
    outcome: Outcome, masks: Sequence[np.ndarray], metrics: Sequence[str | MetricSpec]
) -> dict[str, list[Estimate] | BehaveError]:
    """Measure metrics on slices, as a suite that lists them would."""
    specs = [MetricSpec(metric, metric) if isinstance(metric, str) else metric for metric in metrics]
    chosen = [find_metric(spec, outcome.task, {}) for spec in specs]
    return measure(chosen, outcome, Masks(masks, outcome.size))


def estimates_of(
    outcome: Outcome, masks: Sequence[np.ndarray], metrics: Sequence[str | MetricSpec]
) -> dict[str, list[Estimate]]:
    """Measure metrics on slices, or raise the first error that kept one from being computed."""
    results = results_of(outcome, masks, metrics)
    for result in results.values():
        if isinstance(result, BehaveError):
            raise result
    return results


def overall(outcome: Outcome, metric: str | MetricSpec) -> Estimate:
    """Measure one metric on all rows."""
    (estimates,) = estimates_of(outcome, [np.ones(outcome.size, dtype=bool)], [metric]).values()
    return estimates[0]
