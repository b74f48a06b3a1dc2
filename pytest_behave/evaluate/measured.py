"""A prepared suite with the outputs of one model: outcome, slices, estimates, instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd

from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.fingerprints import file_fingerprint
from pytest_behave.data.parts import file_blocks
from pytest_behave.data.readers import read_table
from pytest_behave.data.slices import make_slices
from pytest_behave.data.table import Table
from pytest_behave.errors import BehaveError, ModelError
from pytest_behave.evaluate.clustered import clustered
from pytest_behave.evaluate.prepare import Prepared
from pytest_behave.evaluate.repeats import agreement_note, agreement_of, answers_again, answers_to, with_agreement
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.outcome import Labels, make_outcome
from pytest_behave.measure.registry import Chosen, measure, worst_rows
from pytest_behave.predict.normalize import Batch, check_complete, encodable, joined
from pytest_behave.predict.progress import progress_bar
from pytest_behave.predict.sources import Source, answers, open_source
from pytest_behave.records import (
    Agreement,
    DatasetSpec,
    Estimate,
    Instance,
    ModelSpec,
    Name,
    Outcome,
    Predictions,
    Slice,
)
from pytest_behave.records.bits import AnyOf
from pytest_behave.text import written

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache, ModelCache
    from pytest_behave.predict.identity import Identity

Share = Callable[[str, Callable[[], Predictions]], Predictions]
Estimates = dict[tuple[str, str], "Estimate | BehaveError"]
MOST_INSTANCES = 10
MOST_CHARACTERS = 200
CODED = ("binary", "multiclass")


def alone(_key: str, compute: Callable[[], Predictions]) -> Predictions:
    """Share predictions with nobody."""
    return compute()


class Predictor:
    """One model of a suite, opened when it is needed: with all outputs in the cache it never is."""

    def __init__(  # noqa: PLR0913 - what a run may be told
        self,
        prepared: Prepared,
        model: ModelSpec,
        share: Share = alone,
        terminal: TextIO | None = None,
        cache: Cache | None = None,
        *,
        in_parts: bool = False,
    ) -> None:
        self._terminal = terminal
        self.name = model.name
        self._spec = model
        self._prepared = prepared
        self._suite = prepared.suite.name
        self._tools = Tools(prepared, in_parts=in_parts)
        self._share = share
        self._kept = None if cache is None else self._kept_by(cache)
        if self._kept is not None and self._kept.fingerprint is None:
            self._kept.opened(self._source)
        self.fingerprint: str = self._source.fingerprint if self._kept is None else str(self._kept.fingerprint)

    def _kept_by(self, cache: Cache) -> ModelCache | None:
        identity = self.identity()
        if not identity.key:
            self._source  # noqa: B018 - a model that cannot be opened says so, and nothing else
        return cache.of_model(identity, self._spec, self._suite)

    @cached_property
    def _source(self) -> Source:
        return open_source(self._spec, self._tools, self._prepared.extensions.model)

    def identity(self) -> Identity:
        """Return which model it is, as its code and files are now."""
        return identity_in(self._prepared, self._spec, lambda: self._source)

    def _batches(self, frame: pd.DataFrame, ids: list[str], repeats: int) -> Iterator[Batch]:
        if self._kept is None:
            return answers(self._source, frame, ids, np.arange(repeats * len(frame)))
        suite = self._prepared.suite
        folders = [suite.path.parent, *([Path(suite.dataset.source).parent] if suite.dataset else []), Path.cwd()]
        return self._kept.batches(lambda: self._source, frame, ids, list(dict.fromkeys(folders)), repeats)

    def over(self, prepared: Prepared) -> Predictor:
        """Return the model looking at another part of its dataset, without opening it again."""
        self._tools.prepared = prepared
        return self

    def predict(self, what: str, frame: pd.DataFrame, ids: list[str], repeats: int = 1) -> Predictions:
        """Return ``repeats`` outputs for each row of a frame, all first ones before the second ones.

        A model that is declared to answer less often is asked no more often: its answers are used again. ``what`` tells
        rows from golden cases among sharing processes.
        """
        asked = min(repeats, self._spec.repeats)

        def compute() -> Predictions:
            with progress_bar(self._terminal, asked * len(frame), f"{self._suite}: {self.name}") as progress:
                batches = []
                for batch in self._batches(frame, ids, asked):
                    batches.append(batch)
                    progress(len(batch.rows))
            self._check()
            return encodable(joined(batches))

        said = self._share(f"{what}-{self.name}", compute)
        return said if asked == repeats else answers_again(said, asked, repeats)

    def _check(self) -> None:
        if self._kept is not None and self._kept.predicted and self._spec.function is None:
            self._kept.check(self.identity())


def identity_in(prepared: Prepared, spec: ModelSpec, source: Callable[[], Source]) -> Identity:
    """Return which model a suite means; ``source`` opens it, which few need."""
    from pytest_behave.predict.identity import identity_of

    function = spec.function
    if spec.kind == "plugin" and spec.fingerprint is None:
        function = getattr(source(), "function", None)
    return identity_of(spec, prepared.suite.path.parent, function)


class Measured:
    """Everything that can be measured of one model on one dataset; ``more`` are further columns for predicates."""

    def __init__(
        self,
        prepared: Prepared,
        model: ModelSpec,
        predictor: Predictor | None = None,
        more: Mapping[str, pd.Series] | None = None,
    ) -> None:
        if prepared.table is None:
            raise BehaveError(f"{prepared.suite.path}: measuring needs a `dataset`")
        self.prepared = prepared
        self.model = model
        self.table: Table = prepared.table
        predictor = predictor or Predictor(prepared, model)
        once, repeats = self.table.once, self.table.repeats
        self.predictions = predictor.predict("rows", once.frame, once.ids.tolist(), repeats)
        self.outcome = with_agreement(outcome_of(prepared, self.table, model, self.predictions, more or {}), repeats)
        self.clusters = self.table.clusters()
        self.slices = self._slices()

    def _slices(self) -> list[Slice]:
        slices = list(self.prepared.slices)
        if self.prepared.deferred:
            known = {slice_.name for slice_ in slices}
            slices += [item for item in make_slices(self.table, self.prepared.suite.slices) if item.name not in known]
        return slices

    def notes(self) -> list[str]:
        """Return what a reader should know of the outputs: how alike answers are, classes that the target never has."""
        outcome = self.outcome
        alike = self.agreement()
        notes = [] if alike is None else [agreement_note(self.model.name, alike)]
        new = outcome.classes[outcome.target_classes :]
        if not new or outcome.predicted is None:
            return notes
        count = int((outcome.predicted >= outcome.target_classes).sum())
        return [*notes, *new_class_notes(new, count, outcome.size)]

    def agreement(self) -> Agreement | None:
        """Return how alike the answers to an instance are, None for a model that is asked once."""
        return agreement_of(self.outcome, self.table.once.ids)

    def estimates(self, wanted: set[tuple[str, str]]) -> Estimates:
        """Measure every metric on every slice; callables only where ``wanted`` asks, as each costs many calls."""
        made = [slice_ for slice_ in self.slices if slice_.problem is None]
        results = self._measure([item for item in self.prepared.chosen if item.metric.name != "python"], made)
        for item in self.prepared.chosen:
            if item.metric.name == "python":
                asked = [s for s in made if {(s.name, item.spec.name), (s.family, item.spec.name)} & wanted]
                results |= self._measure([item], asked)
        return results

    def estimate(self, chosen: Chosen, slice_: Slice) -> Estimate:
        """Measure one metric on one slice; raises the error that keeps it from being measured."""
        found = self._measure([chosen], [slice_])[slice_.name, chosen.spec.name]
        if isinstance(found, BehaveError):
            raise found
        return found

    def _measure(self, chosen: Sequence[Chosen], slices: Sequence[Slice]) -> Estimates:
        masks = Masks([slice_.bits for slice_ in slices], self.outcome.size)
        measured = measure(chosen, self.outcome, masks)
        if self.clusters is not None:
            by_name = {item.spec.name: item for item in chosen}
            measured = {
                metric: found
                if isinstance(found, BehaveError)
                else clustered(by_name[metric], self.outcome, self.clusters, slices, found)
                for metric, found in measured.items()
            }
        return {
            (slice_.name, metric): estimates if isinstance(estimates, BehaveError) else estimates[index]
            for metric, estimates in measured.items()
            for index, slice_ in enumerate(slices)
        }

    def size_together(self, slices: Sequence[Slice]) -> int:
        """Return how many instances are in any of some slices."""
        return replace(slices[0], bits=AnyOf([slice_.bits for slice_ in slices])).size if slices else 0

    def overlap(self, one: Slice, other: Slice) -> bool:
        """Tell whether two slices have rows in common."""
        return (one.bits & other.bits).count > 0

    def worst_instances(self, chosen: Chosen, slice_: Slice) -> tuple[Instance, ...]:
        """Return the instances of a slice that count most against a metric."""
        try:
            rows = worst_rows(chosen, self.outcome, slice_.mask, MOST_INSTANCES)
        except BehaveError:
            return ()
        return tuple(self.instance(int(row)) for row in rows)

    def instance(self, row: int, baseline: Outcome | None = None) -> Instance:
        """Return an instance as reports show it, with what the baseline said of it."""
        table, spec = self.table, self.table.spec
        hidden = {*spec.id, spec.target}
        inputs = {
            str(name): shortened(value)
            for name, value in table.frame.iloc[row].items()
            if name not in hidden and not (isinstance(value, float) and np.isnan(value))
        }
        outcome = self.outcome
        target = None if outcome.target is None else outcome.target[row]
        if target is not None:
            target = outcome.classes[target] if outcome.task in CODED else shortened(target)
        return Instance(
            id=str(table.ids[row]),
            target=target,
            output=_output_text(outcome, row),
            score=_score(outcome, row),
            input=inputs,
            baseline_output=None if baseline is None else _output_text(baseline, row),
            baseline_score=None if baseline is None else _score(baseline, row),
            answers={shortened(answer): count for answer, count in answers_to(outcome, row).items()},
        )


def new_class_notes(names: Sequence[str], count: int, size: int) -> list[str]:
    """Return a note on ``count`` of ``size`` outputs that are classes which the target never has, if there are any."""
    shown = ", ".join(repr(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")  # noqa: PLR2004 - a hint
    said = f"{count:,} of {size:,} outputs are {shown}, which the target never is: counted as wrong answers"
    return [said] if names else []


def _output_text(outcome: Outcome, row: int) -> str | None:
    if outcome.predicted is None:
        return None
    output = outcome.predicted[row]
    return outcome.classes[output] if outcome.task in CODED else shortened(output)


def _score(outcome: Outcome, row: int) -> float | None:
    if outcome.score is None or not np.isfinite(outcome.score[row]):
        return None
    return float(outcome.score[row])


class Tools:
    """What model sources need from the other stages."""

    def __init__(self, prepared: Prepared, *, in_parts: bool = False) -> None:
        self.prepared = prepared
        self.in_parts = in_parts

    def load(self, reference: str) -> Any:
        """Return what a reference stands for."""
        return self.prepared.references.load(reference)

    def read_table(self, path: Path) -> pd.DataFrame:
        """Return a file of predictions."""
        spec = self.prepared.suite.dataset or DatasetSpec(source=str(path))
        return read_table(path, replace(spec, delimiter=None))

    def blocks(self, path: Path) -> Iterator[pd.DataFrame] | None:
        """Return a file of predictions some rows at a time, None where the dataset itself is in memory."""
        if not self.in_parts:
            return None
        spec = self.prepared.suite.dataset or DatasetSpec(source=str(path))
        return file_blocks(path, replace(spec, delimiter=None))

    def id_texts(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the ids of a table by the columns that the dataset declares."""
        spec = self.prepared.suite.dataset
        names = spec.id if spec is not None and spec.id else ("id",)
        absent = [name for name in names if name not in frame.columns]
        if absent:
            raise ModelError(f"the predictions file has no id column {absent[0]!r}")
        parts = [canonical_text(column_of(frame[name])).astype(str) for name in names]
        return parts[0] if len(parts) == 1 else np.array(["/".join(row) for row in zip(*parts, strict=True)])

    def file_fingerprint(self, path: Path) -> str:
        """Return the fingerprint of a file."""
        return file_fingerprint(path)

    def column(self, name: str) -> pd.Series:
        """Return a column of the dataset, metadata included."""
        table = self.prepared.table
        if table is None:
            raise ModelError(f"the golden cases have no {name!r} in their input")
        column = table.lookup(Name(name, quoted=True))
        return pd.Series(column.values, dtype=object).where(~column.missing)

    def withheld(self) -> frozenset[str]:
        """Return the columns that are no inputs of a model: ids, the target, and outputs of other models."""
        suite = self.prepared.suite
        own = () if suite.dataset is None else (*suite.dataset.id, suite.dataset.target)
        models = suite.models if suite.baseline is None else (*suite.models, suite.baseline)
        return frozenset(name for name in own if name) | {spec.location for spec in models if spec.kind == "column"}


def outcome_of(
    prepared: Prepared, table: Table, model: ModelSpec, predictions: Predictions, more: Mapping[str, pd.Series]
) -> Outcome:
    """Return targets and outputs as metrics see them, the outputs known to the table from now on."""
    prediction = None
    if predictions.prediction is not None:
        series = predictions.prediction
        if prepared.task == "text":
            series = series.astype(object).fillna("")  # an empty transcript is an answer
        check_complete(series, table.ids.tolist(), f"model {model.name!r}")
        column = column_of(series)
        prediction = column, canonical_text(column)
    outcome = make_outcome(
        task=prepared.task,
        size=len(table),
        target=prepared.target,
        labels=prepared.labels,
        predictions=predictions,
        prediction=prediction,
        positive=table.spec.positive,
        model=model,
        column=lambda name: table.lookup(_name_of(name)),
        condition=lambda expression: tuple(table.evaluator.truth(expression)),  # type: ignore[arg-type,return-value]
        frame=table.full_frame,
    )
    table.add_outputs({**output_columns(outcome, predictions, prepared.labels), **more})
    return outcome


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
    if outcome.task not in ("binary", "multiclass") or labels is None:
        return outcome.predicted
    if predictions.prediction is not None and not were_scores:
        return predictions.prediction
    return labels.as_written(np.array(outcome.classes, dtype=object)[outcome.predicted])


def _name_of(text: str) -> Name:
    """Return a column as a metric names it: in backticks it is the dataset's own, as in expressions."""
    return Name(text.strip("`"), quoted=text.startswith("`"))


def shortened(value: Any) -> str:
    """Return a value as text of bounded length."""
    text = written(value)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
