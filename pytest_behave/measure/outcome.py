"""Targets and outputs side by side, coded as metrics want them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.errors import DataError, ModelError, did_you_mean
from pytest_behave.records import Column, Expr, ModelSpec, Outcome, Predictions, Scalar, Task

MOST_CLASSES_OF_NUMBERS = 20
MOST_CLASSES_OF_TEXTS = 50
BINARY = 2
OPPOSITES = {"0": "1", "1": "0", "True": "False", "False": "True"}


def infer_task(target: Column | None, texts: np.ndarray) -> Task | None:
    """Guess the task from the target: two values binary, few values multiclass, many texts text, else regression."""
    if target is None or target.missing.all():
        return None
    distinct = len(set(texts[~target.missing].tolist()))
    if target.kind == "bool" or distinct == BINARY:
        return "binary"
    if target.kind == "number":
        whole = target.values.dtype.kind == "i"
        return "multiclass" if whole and distinct <= MOST_CLASSES_OF_NUMBERS else "regression"
    few = distinct <= max(MOST_CLASSES_OF_TEXTS, len(texts) // 100) and distinct <= len(texts) / 2
    return "multiclass" if few or distinct == 1 else "text"


def check_target(name: str, target: Column, task: Task, ids: np.ndarray) -> None:
    """Raise DataError if targets are missing or not what the task needs."""
    if target.missing.any():
        rows = np.flatnonzero(target.missing)
        examples = ", ".join(str(ids[row]) for row in rows[:3])
        raise DataError(
            f"dataset.target: {name!r} is missing for {len(rows):,} instance{'s' * (len(rows) != 1)} (for example {examples}): "
            f"leave them out with `where: not isnull({name})`"
        )
    if task == "regression" and target.kind not in ("number", "bool"):
        raise DataError(f"dataset.target: {name!r} is {target.kind}, but the task is regression")


class Coder:
    """Codes of class labels: target classes first, then classes that only a model says."""

    def __init__(self, target: Column, texts: np.ndarray, positive: Scalar | None, task: Task) -> None:
        self.binary_target_is_number = target.kind == "number"
        self.target_is_bool = target.kind == "bool"
        values = list(dict.fromkeys(texts.tolist()))
        as_numbers = target.kind in ("number", "bool")
        self.classes = sorted(values, key=_as_number if as_numbers else str)
        self.target_classes = len(self.classes)
        self.positive = self._positive(positive) if task == "binary" else -1
        self.target = self._codes(texts)

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
        return self._codes(texts)

    def _codes(self, texts: np.ndarray) -> np.ndarray:
        factors, distinct = pd.factorize(np.asarray(texts, dtype=object))
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
    predictions: Predictions,
    prediction: tuple[Column, np.ndarray] | None,
    positive: Scalar | None,
    model: ModelSpec,
    column: Callable[[str], Column],
    condition: Callable[[Expr], tuple[np.ndarray, np.ndarray]],
    frame: Callable[[], pd.DataFrame],
) -> Outcome:
    """Return targets and outputs as metrics see them; ``target`` and ``prediction`` are (column, label texts)."""
    coded, predicted, score, classes, positive_code = None, None, predictions.score, (), -1
    known_classes = 0
    if target is not None and task in ("binary", "multiclass"):
        coder = Coder(*target, positive, task)
        coded, positive_code, known_classes = coder.target, coder.positive, len(coder.classes)
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


def own_labels(target: tuple[Column, np.ndarray], labels: Iterable[str]) -> list[Any]:
    """Return labels as the target writes them (numbers, truths or texts); one that it never has stays a text."""
    column, texts = target
    values = dict(zip(texts.tolist(), column.values.tolist(), strict=True))
    return [values.get(label, label) for label in labels]


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
