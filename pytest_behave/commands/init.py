"""A first suite from a dataset: id, target, task, output, three useful slices, sensible metrics, bounds that hold."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_behave.codes import factorize
from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.readers import read_table
from pytest_behave.declare.load import suite_of_data
from pytest_behave.errors import DataError, did_you_mean
from pytest_behave.evaluate.run import run_suite
from pytest_behave.measure.outcome import Labels, infer_task
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.metrics import known_metric_names
from pytest_behave.prepare.preparation import prepare
from pytest_behave.records import Better, Column, DatasetSpec, Task

TARGET_NAMES = (
    "target",
    "label",
    "labels",
    "y",
    "y_true",
    "class",
    "gold",
    "truth",
    "ground_truth",
    "expected",
    "answer",
)
OUTPUT_NAMES = ("prediction", "predicted", "pred", "y_pred", "output", "model", "new", "candidate", "yhat", "preds")
SCORE_NAMES = ("score", "probability", "proba", "prob", "p", "y_score", "confidence")
ID_NAMES = ("id", "uid", "uuid", "key", "instance", "row_id", "sample_id", "example_id")
METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "fpr", "fnr"),
    "multiclass": ("accuracy", "macro_f1"),
    "regression": ("mae", "bias"),
    "text": ("exact_match", "length"),
}
FIRST_METRIC: dict[Task, str] = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "mae",
    "text": "exact_match",
}
MOST_MEMBERS, LEAST_SIZE, SLICES = 12, 30, 3
LONG_TEXT = 25
DECIMALS = 2


def first_suite(data: Path, output: Path, *, target: str | None = None, prediction: str | None = None) -> str:
    """Return the text of a suite for a dataset; raises DataError if no target can be guessed or a name is wrong."""
    frame = read_table(data, DatasetSpec(source=str(data)))
    columns = {str(name): column_of(frame[name]) for name in frame.columns}
    for name in (target, prediction):
        if name is not None and name not in columns:
            raise DataError(f"{data} has no column {name!r}{did_you_mean(name, columns)}")
    guess = _Guess(columns, target, prediction)
    relative = os.path.relpath(data.resolve(), output.resolve().parent)
    return _with_bounds(guess.declaration(relative), output)


class _Guess:
    def __init__(self, columns: dict[str, Column], target: str | None, prediction: str | None) -> None:
        self.columns = columns
        self.id = _named(columns, ID_NAMES, _is_unique) or next(
            (n for n in columns if n.lower().endswith("id") and _is_unique(columns[n])), None
        )
        output = prediction or _named(columns, OUTPUT_NAMES)
        score = None if prediction else _named(columns, SCORE_NAMES, _is_probability)
        self.target = target or _named(columns, TARGET_NAMES) or self._pair_of(output) or self._last(output, score)
        column = columns[self.target]
        self.task = infer_task(Labels.of(column, canonical_text(column), np.arange(len(column.values))))
        self.output = output if output != self.target else None
        self.score = score if self.task == "binary" and self.output is None else None
        if self.task is None:
            raise DataError(f"the target {self.target!r} has no values: name another with --target")

    def _pair_of(self, output: str | None) -> str | None:
        """Return the column with just the values of the output: the likeliest truth."""
        if output is None:
            return None
        values = set(canonical_text(self.columns[output]).tolist())
        same = [
            n
            for n, c in self.columns.items()
            if n not in (output, self.id) and set(canonical_text(c).tolist()) == values
        ]
        return same[0] if same else None

    def _last(self, *others: str | None) -> str:
        candidates = [n for n, c in self.columns.items() if n not in (self.id, *others) and not c.missing.any()]
        if not candidates:
            raise DataError("no column looks like a target: name it with --target")
        return candidates[-1]

    def declaration(self, path: str) -> dict[str, Any]:
        """Return the suite as plain values, without expectations."""
        dataset: dict[str, Any] = {"path": path, "id": self.id, "target": self.target}
        model: Any = {"column": self.output or self.score or self.target, "as": "score" if self.score else "prediction"}
        task: Task = self.task or "text"
        missing = self.columns[self.target].missing.any()
        if missing:
            dataset["where"] = f"not isnull({_quoted(self.target)})"
        return {
            "dataset": {key: value for key, value in dataset.items() if value is not None},
            "task": task,
            "model": model,
            "slices": self._slices(),
            "metrics": list(METRICS[task]),
            "is_placeholder": self.output is None and self.score is None,
        }

    def _slices(self) -> dict[str, Any]:
        """Return up to three slices: families of categories first, then bins of numbers, then wording."""
        rows = len(next(iter(self.columns.values())).missing)
        usable = {n: c for n, c in self.columns.items() if n not in (self.id, self.target, self.output, self.score)}
        found: dict[str, Any] = {}
        for name, column in usable.items():
            if column.kind in ("text", "bool") and 1 < _distinct(column) <= MOST_MEMBERS:
                found[_slice_name(name)] = {"by": name, "min_size": LEAST_SIZE}
        for name, column in usable.items():
            if column.kind == "number" and _distinct(column) > MOST_MEMBERS and not _is_unique(column):
                found[_slice_name(name)] = {"by": name, "quantiles": 4, "min_size": LEAST_SIZE}
        for name, column in usable.items():
            if column.kind == "text" and _distinct(column) > MOST_MEMBERS:
                words = np.array([len(text.split()) for text in column.values[~column.missing].tolist()])
                if (words > LONG_TEXT).any() and (words <= LONG_TEXT).any():
                    found[f"long {_slice_name(name)}"] = f"words({_quoted(name)}) > {LONG_TEXT}"
        for name, column in usable.items():
            share = column.missing.sum() / rows
            if 0 < share < 1:
                found[f"no {_slice_name(name)}"] = f"isnull({_quoted(name)})"
        return dict(list(found.items())[:SLICES])


def _with_bounds(declaration: dict[str, Any], output: Path) -> str:
    """Measure once, then write bounds that hold with some room: what to tighten is for the team to say."""
    task: Task = declaration["task"]
    placeholder = declaration.pop("is_placeholder")
    path = output.resolve()
    extensions = Extensions()
    suite = suite_of_data(declaration, path, known_metric_names(extensions, path.parent))
    run = run_suite(prepare(replace(suite, path=path), extensions))
    first = FIRST_METRIC[task]
    values = {item.slice: item for item in run.observed if item.metric == first and item.value is not None}
    failed = [item.reason for item in run.behaviors if item.verdict == "error"]
    if failed or "overall" not in values:
        raise DataError(
            f"no first suite can be written: {failed[0] if failed else f'{first} is undefined on all rows'}"
        )
    better = values["overall"].better
    expect = {"overall": {first: _bound(values["overall"].value, better)}}
    for name in declaration["slices"]:
        members = [item for item in values.values() if name in (item.slice, item.family) and item.size >= LEAST_SIZE]
        if members:
            worst = (min if better == "higher" else max)(float(item.value or 0.0) for item in members)
            expect[name] = {first: _bound(worst, better)}
    return _text(declaration, expect, placeholder=placeholder)


def _bound(value: float | None, better: Better) -> dict[str, float]:
    """Return a bound a little worse than the value, on a round figure."""
    step = 10.0**-DECIMALS if abs(value or 0.0) <= 1 else 10.0 ** (math.floor(math.log10(abs(value or 1.0))) - 1)
    if better == "higher":
        return {"min": round(math.floor((value or 0.0) / step - 1) * step, 10)}
    return {"max": round(math.ceil((value or 0.0) / step + 1) * step, 10)}


def _text(declaration: dict[str, Any], expect: dict[str, Any], *, placeholder: bool) -> str:
    note = (
        "# The model is a placeholder that repeats the target: put yours here, for example `model: my_module:predict`\n"
        "# (a function from DataFrame to outputs) or `model: {predictions: outputs.csv, prediction: label}`.\n"
        if placeholder
        else ""
    )
    slices = "".join(f"  {_yaml(name)}: {_yaml(value)}\n" for name, value in declaration["slices"].items())
    expected = "".join(f"  {_yaml(name)}: {_yaml(bounds)}\n" for name, bounds in expect.items())
    return (
        "# A first suite. `pytest-behave lint` says what it runs; the bounds hold today: tighten what matters.\n"
        f"dataset: {_yaml(declaration['dataset'])}\n"
        f"task: {declaration['task']}\n\n"
        f"{note}model: {_yaml(declaration['model'])}\n\n"
        + (f"slices:\n{slices}\n" if slices else "")
        + f"metrics: {_yaml(declaration['metrics'])}\n\nexpect:\n{expected}"
    )


PLAIN = re.compile(r"^[A-Za-z_][\w ./()<>=-]*$")
WORDS_OF_YAML = {"true", "false", "null", "~"}


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml(key)}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    if isinstance(value, str) and (not PLAIN.match(value) or value.strip() != value or value.lower() in WORDS_OF_YAML):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _named(columns: dict[str, Column], names: tuple[str, ...], fits: Any = lambda _column: True) -> str | None:
    by_lower = {name.lower(): name for name in columns}
    return next((by_lower[name] for name in names if name in by_lower and fits(columns[by_lower[name]])), None)


def _is_unique(column: Column) -> bool:
    return not column.missing.any() and _distinct(column) == len(column.missing)


def _is_probability(column: Column) -> bool:
    present = column.values[~column.missing] if column.kind == "number" else np.array([2.0])
    return bool(len(present)) and bool(((present >= 0) & (present <= 1)).all())


def _distinct(column: Column) -> int:
    return len(factorize(canonical_text(column)[~column.missing])[1])


def _slice_name(name: str) -> str:
    cleaned = re.sub(r"\[|\]|::|[\r\n]", " ", name).strip()
    return f"{cleaned} group" if cleaned in ("overall", "cases", "*", "") else cleaned


def _quoted(name: str) -> str:
    return name if name.isidentifier() and name not in ("target", "output", "score") else f"`{name}`"
