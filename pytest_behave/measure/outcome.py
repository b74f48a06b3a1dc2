"""Targets and outputs side by side, coded as metrics want them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize
from pytest_behave.errors import DataError, ModelError, did_you_mean
from pytest_behave.records import Column, Expr, Kind, ModelSpec, Outcome, Predictions, Scalar, Task
from pytest_behave.records.data import kind_of_both

MOST_CLASSES_OF_NUMBERS = 20
MOST_CLASSES_OF_TEXTS = 50
BINARY = 2
MOST_LABELS = 100_000
EXAMPLES = 3
OPPOSITES = {"0": "1", "1": "0", "True": "False", "False": "True"}


@dataclass(frozen=True)
class Labels:
    """What a target holds: its kind, the labels that occur (as text and as the target writes them), what is missing.

    Of very many labels some are left out. Those of parts of a dataset add up to those of all.
    """

    kind: Kind
    is_whole: bool
    rows: int
    values: Mapping[str, Any]
    missing: int
    examples: tuple[str, ...]

    @classmethod
    def of(cls, column: Column, texts: np.ndarray, ids: np.ndarray) -> Labels:
        """Return what a target column holds; ``texts`` are its labels, ``ids`` name its rows."""
        present = np.flatnonzero(~column.missing)
        codes, distinct = factorize(texts[present])
        first = np.empty(len(distinct), dtype=np.intp)
        first[codes[::-1]] = present[::-1]  # of several rows the last that is written stays
        first = first[:MOST_LABELS]
        values = dict(zip(texts[first].tolist(), column.values[first].tolist(), strict=True))
        missing = np.flatnonzero(column.missing)
        examples = tuple(str(ids[row]) for row in missing[:EXAMPLES])
        return cls(column.kind, column.values.dtype.kind == "i", len(texts), values, len(missing), examples)

    def __add__(self, other: Labels) -> Labels:
        values = dict(itertools.islice({**self.values, **other.values}.items(), MOST_LABELS))
        return Labels(
            kind_of_both(self.kind, other.kind),
            self.is_whole and other.is_whole,
            self.rows + other.rows,
            values,
            self.missing + other.missing,
            (*self.examples, *other.examples)[:EXAMPLES],
        )

    def as_written(self, labels: Iterable[str]) -> list[Any]:
        """Return labels as the target writes them (numbers, truths or texts); one that it never has stays a text."""
        return [self.values.get(label, label) for label in labels]

    def column_of(self, classes: Sequence[str], codes: np.ndarray) -> pd.Series:
        """Return codes into some labels as a column of what the target writes: shape (rows,)."""
        used = np.flatnonzero(np.bincount(codes, minlength=len(classes)))
        places = np.zeros(len(classes), dtype=np.intp)
        places[used] = np.arange(len(used))
        return (
            pd.Series(self.as_written(classes[code] for code in used.tolist()))
            .take(places[codes])
            .reset_index(drop=True)
        )


def infer_task(labels: Labels) -> Task | None:
    """Guess the task from the target: two values binary, few values multiclass, many texts text, else regression."""
    distinct, rows = len(labels.values), labels.rows
    if distinct == 0:
        return None
    if labels.kind == "bool" or distinct == BINARY:
        return "binary"
    if labels.kind == "number":
        return "multiclass" if labels.is_whole and distinct <= MOST_CLASSES_OF_NUMBERS else "regression"
    few = distinct <= max(MOST_CLASSES_OF_TEXTS, rows // 100) and distinct <= rows / 2
    return "multiclass" if few or distinct == 1 else "text"


def check_target(name: str, labels: Labels, task: Task) -> None:
    """Raise DataError if targets are missing or not what the task needs."""
    if labels.missing:
        raise DataError(
            f"dataset.target: {name!r} is missing for {labels.missing:,} instance{'s' * (labels.missing != 1)} "
            f"(for example {', '.join(labels.examples)}): leave them out with `where: not isnull({name})`"
        )
    if task == "regression" and labels.kind not in ("number", "bool"):
        raise DataError(f"dataset.target: {name!r} is {labels.kind}, but the task is regression")


class Coder:
    """Codes of class labels: target classes first, then classes that only a model says."""

    def __init__(self, labels: Labels, positive: Scalar | None, task: Task) -> None:
        self.binary_target_is_number = labels.kind == "number"
        self.target_is_bool = labels.kind == "bool"
        as_numbers = labels.kind in ("number", "bool")
        self.classes = sorted(labels.values, key=_as_number if as_numbers else str)
        self.target_classes = len(self.classes)
        self.positive = self._positive(positive) if task == "binary" else -1

    def _positive(self, positive: Scalar | None) -> int:
        if len(self.classes) > BINARY:
            raise DataError(f"dataset.target has {len(self.classes)} values ({self._shown()}): a binary task has two")
        if positive is None and len(self.classes) < BINARY:
            raise DataError(
                f"dataset.target has {len(self.classes)} values ({self._shown()}), so the positive class is not "
                "clear: set `positive`"
            )
        wanted = self.classes[-1] if positive is None else self.text_of(positive)
        if len(self.classes) < BINARY:
            (only,) = self.classes
            other = OPPOSITES.get(only, f"not {only}") if wanted == only else wanted
            self.classes = [only, other]
        if wanted not in self.classes:
            raise DataError(f"dataset.positive: the target never is {wanted!r}{did_you_mean(wanted, self.classes)}")
        return self.classes.index(wanted)

    def _shown(self) -> str:
        return ", ".join(self.classes[:4])

    def text_of(self, value: object) -> str:
        """Return a label as text, as target labels are written."""
        if isinstance(value, (bool, np.bool_)):
            return (
                str(bool(value))
                if self.target_is_bool
                else str(int(value))
                if self.binary_target_is_number
                else str(value)
            )
        if isinstance(value, (int, float)) and self.target_is_bool and value in (0, 1):
            return str(bool(value))
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value)

    def codes(self, column: Column, texts: np.ndarray) -> np.ndarray:
        """Return codes of a column of labels; labels that are new get codes after the known ones."""
        if column.kind == "bool" and self.binary_target_is_number:
            texts = np.where(column.values, "1", "0")
        elif column.kind == "number" and self.target_is_bool:
            names = {"1": "True", "0": "False"}
            texts = np.array([names.get(text, text) for text in texts.tolist()], dtype=object)
        known = set(self.classes)
        self.classes += sorted(set(texts.tolist()) - known)
        return self.codes_of_target(texts)

    def codes_of_target(self, texts: np.ndarray) -> np.ndarray:
        """Return the codes of labels that are known."""
        factors, distinct = factorize(np.asarray(texts, dtype=object))
        places = {text: code for code, text in enumerate(self.classes)}
        return np.array([places[text] for text in distinct], dtype=np.int64)[factors]


def _as_number(text: str) -> tuple[float, str]:
    named = {"True": 1.0, "False": 0.0}
    return (named[text] if text in named else float(text), text)


def make_outcome(  # noqa: PLR0913 - everything that targets and outputs consist of
    *,
    task: Task | None,
    size: int,
    target: tuple[Column, np.ndarray] | None,
    labels: Labels | None,
    predictions: Predictions,
    prediction: tuple[Column, np.ndarray] | None,
    positive: Scalar | None,
    model: ModelSpec,
    column: Callable[[str], Column],
    condition: Callable[[Expr], tuple[np.ndarray, np.ndarray]],
    frame: Callable[[], pd.DataFrame],
) -> Outcome:
    """Return targets and outputs as metrics see them; ``target`` and ``prediction`` are (column, label texts).

    ``labels`` are those of the whole dataset, of which these rows may be a part.
    """
    coded, predicted, score, positive_code = None, None, predictions.score, -1
    classes: tuple[str, ...] = ()
    known_classes = 0
    if target is not None and labels is not None and task in ("binary", "multiclass"):
        coder = Coder(labels, positive, task)
        coded, positive_code, known_classes = coder.codes_of_target(target[1]), coder.positive, len(coder.classes)
        score, predicted = class_outputs(coder, predictions, prediction, model, task)
        classes = tuple(coder.classes)
    elif task == "regression" and target is not None:
        coded = target[0].values.astype(np.float64)
        predicted = _numbers(prediction, score, model)
    elif task == "text" and target is not None:
        coded = target[1]
        predicted = prediction[1] if prediction else None
    elif prediction is not None:
        predicted = prediction[1]
    return Outcome(
        task=task,
        size=size,
        target=coded,
        predicted=predicted,
        score=score,
        proba=predictions.proba,
        classes=classes,
        target_classes=known_classes,
        positive=positive_code,
        column=column,
        condition=condition,
        frame=frame,
        threshold=model.threshold,
        is_probability=score is not None and bool(((score >= 0) & (score <= 1)).all()),
    )


def class_outputs(
    coder: Coder,
    predictions: Predictions,
    prediction: tuple[Column, np.ndarray] | None,
    model: ModelSpec,
    task: Task,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return scores and class codes; bare numbers between 0 and 1 that are no labels are scores."""
    score = predictions.score
    if prediction is not None and score is None and _are_scores(coder, prediction, task):
        score, prediction = prediction[0].values.astype(np.float64), None
    if score is None and task == "binary" and predictions.proba:
        score = predictions.proba.get(coder.classes[coder.positive])
    if prediction is not None:
        return score, coder.codes(*prediction)
    if task == "binary" and score is not None:
        negative = 1 - coder.positive
        return score, np.where(score >= model.threshold, coder.positive, negative)
    if predictions.proba:
        names = list(predictions.proba)
        best = np.argmax(np.column_stack(list(predictions.proba.values())), axis=1)
        texts = np.array(names, dtype=object)[best]
        return score, coder.codes(Column("text", texts, np.zeros(len(texts), dtype=bool)), texts)
    raise ModelError(f"model {model.name!r} gives scores only, but the task has more than two classes: give labels too")


def _are_scores(coder: Coder, prediction: tuple[Column, np.ndarray], task: Task) -> bool:
    """Tell a callable's bare array of probabilities from one of labels."""
    column, texts = prediction
    if task != "binary" or column.kind != "number" or column.values.dtype.kind != "f":
        return False
    return not set(texts.tolist()) <= set(coder.classes) and bool(((column.values >= 0) & (column.values <= 1)).all())


def _numbers(prediction: tuple[Column, np.ndarray] | None, score: np.ndarray | None, model: ModelSpec) -> np.ndarray:
    if prediction is None:
        if score is None:
            raise ModelError(f"model {model.name!r} gives no prediction")
        return score
    if prediction[0].kind not in ("number", "bool"):
        raise ModelError(f"model {model.name!r} gives {prediction[0].kind}, but the task is regression")
    return prediction[0].values.astype(np.float64)
