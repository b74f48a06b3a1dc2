"""What a model said, beside the right answers: coded for metrics, and as columns by the names that predicates use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.table import Table
from pytest_behave.measure.outcome import Labels, make_outcome
from pytest_behave.predict.normalize import check_complete
from pytest_behave.prepare.preparation import Coding
from pytest_behave.records import Column, ModelSpec, Name, Outcome, Predictions

CODED = ("binary", "multiclass")


@dataclass(frozen=True)
class Answered:
    """Rows with what a model said of them: the ``table`` knows its outputs by name."""

    table: Table
    outcome: Outcome
    predictions: Predictions


def answered(
    coding: Coding,
    table: Table,
    model: ModelSpec,
    predictions: Predictions,
    more: Mapping[str, pd.Series] | None = None,
) -> Answered:
    """Return a table with a model's outputs; ``more`` are further columns that predicates may name."""
    outcome = coded_outcome(coding, table.target, table.ids, model, predictions)
    columns = output_columns(outcome, predictions, coding.labels)
    table = table.with_outputs({**columns, **(more or {})})
    outcome = replace(
        outcome,
        column=lambda name: table.lookup(_name_of(name)),
        condition=lambda expression: tuple(table.evaluator.truth(expression)),  # type: ignore[arg-type,return-value]
        frame=table.full_frame,
    )
    return Answered(table, outcome, predictions)


def coded_outcome(
    coding: Coding,
    target: tuple[Column, np.ndarray] | None,
    ids: np.ndarray,
    model: ModelSpec,
    predictions: Predictions,
) -> Outcome:
    """Return targets and outputs of some rows in codes; no further column is known yet."""
    prediction = None
    if predictions.prediction is not None:
        series = predictions.prediction
        if coding.task == "text":
            series = series.astype(object).fillna("")  # an empty transcript is an answer
        check_complete(series, ids.tolist(), f"model {model.name!r}")
        column = column_of(series)
        prediction = column, canonical_text(column)
    return make_outcome(
        task=coding.task,
        size=len(ids),
        target=target,
        labels=coding.labels,
        predictions=predictions,
        prediction=prediction,
        positive=coding.positive,
        model=model,
        column=no_rows,
        condition=no_rows,
        frame=no_rows,
    )


def no_rows(*_: object) -> Any:
    """Raise TypeError: there are no rows to look into."""
    raise TypeError("there are no rows")


def output_columns(outcome: Outcome, predictions: Predictions, labels: Labels | None) -> dict[str, pd.Series]:
    """Return what a model said as columns by the names that predicates use."""
    columns = dict(predictions.extra)
    if outcome.predicted is not None:
        columns["output"] = pd.Series(_outputs(outcome, predictions, labels))
    if outcome.score is not None:
        columns["score"] = pd.Series(outcome.score)
    columns |= {f"proba:{name}": pd.Series(values) for name, values in predictions.proba.items()}
    return columns


def _outputs(outcome: Outcome, predictions: Predictions, labels: Labels | None) -> Any:
    """Return the labels that the model gave, or those that its scores mean, as the target writes them."""
    were_scores = predictions.score is None and outcome.score is not None and not predictions.proba
    if outcome.task not in CODED or labels is None:
        return outcome.predicted
    if predictions.prediction is not None and not were_scores:
        return predictions.prediction
    return labels.column_of(outcome.classes, np.asarray(outcome.predicted))


def _name_of(text: str) -> Name:
    """Return a column as a metric names it: in backticks it is the dataset's own, as in expressions."""
    return Name(text.strip("`"), quoted=text.startswith("`"))
