"""Instances as reports show them: shortened texts of what went into a model, what it said, and what was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_behave.data.table import Table
from pytest_behave.evidence.outcome import CODED
from pytest_behave.prepare.repeats import answers_to
from pytest_behave.records import Instance, Outcome
from pytest_behave.text import written

MOST_CHARACTERS = 200


def inputs_of(table: Table, rows: Sequence[int]) -> list[dict[str, str]]:
    """Return the dataset's own columns of some rows as texts, but for ids, the target, and cells without a value."""
    hidden = {*table.spec.id, table.spec.target}
    frame = table.frame.iloc[list(rows)]
    columns = [
        (str(name), frame.iloc[:, place].tolist()) for place, name in enumerate(frame.columns) if name not in hidden
    ]
    return [
        {name: shortened(values[row]) for name, values in columns if not _is_nan(values[row])}
        for row in range(len(frame))
    ]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


def instance_of(
    row: int, id_: str, outcome: Outcome, inputs: Mapping[str, str], baseline: Outcome | None = None
) -> Instance:
    """Return an instance with what the model, and the baseline if it is given, said of it."""
    target = None if outcome.target is None else outcome.target[row]
    if target is not None:
        target = outcome.classes[target] if outcome.task in CODED else shortened(target)
    return Instance(
        id=id_,
        target=target,
        output=_output_text(outcome, row),
        score=_score(outcome, row),
        input=inputs,
        baseline_output=None if baseline is None else _output_text(baseline, row),
        baseline_score=None if baseline is None else _score(baseline, row),
        answers={shortened(answer): count for answer, count in answers_to(outcome, row).items()},
    )


def _output_text(outcome: Outcome, row: int) -> str | None:
    if outcome.predicted is None:
        return None
    output = outcome.predicted[row]
    return outcome.classes[output] if outcome.task in CODED else shortened(output)


def _score(outcome: Outcome, row: int) -> float | None:
    if outcome.score is None or not np.isfinite(outcome.score[row]):
        return None
    return float(outcome.score[row])


def shortened(value: Any) -> str:
    """Return a value as text of bounded length."""
    text = written(value)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
