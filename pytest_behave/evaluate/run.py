"""Running a prepared suite: predict, measure, judge."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.compare.verdicts import judge, judge_gap, with_known_failure
from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.fingerprints import file_fingerprint
from pytest_behave.data.readers import read_table
from pytest_behave.data.slices import make_slices
from pytest_behave.data.table import Table
from pytest_behave.errors import BehaveError, ModelError, did_you_mean
from pytest_behave.evaluate.prepare import Item, Prepared
from pytest_behave.measure.cases import failed_checks
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.outcome import make_outcome
from pytest_behave.measure.registry import Chosen, measure, worst_rows
from pytest_behave.measure.statistics import proportion_estimates
from pytest_behave.predict.normalize import check_complete
from pytest_behave.predict.progress import progress_bar
from pytest_behave.predict.sources import Source, cases_frame, open_source
from pytest_behave.records import (
    Behavior,
    Bounds,
    CaseResult,
    DatasetSpec,
    Estimate,
    Instance,
    ModelSpec,
    Name,
    Outcome,
    Predictions,
    Slice,
    SuiteRun,
    Verdict,
)

Share = Callable[[str, Callable[[], Predictions]], Predictions]
MOST_INSTANCES = 10
MOST_CHARACTERS = 200


def run_suite(
    prepared: Prepared, *, model: str | None = None, share: Share | None = None, today: str | None = None
) -> SuiteRun:
    """Run a model over a prepared suite and return everything measured and judged.

    ``model`` picks one of several by name (default: the last declared), ``share`` lets processes share predictions,
    ``today`` (ISO date) decides about known failures. Never raises for what the model does: its failure is the
    verdict ``error`` of every behavior and case.
    """
    running = _Running(prepared, _pick(prepared, model), share or (lambda _key, compute: compute()))
    return running.run(today or datetime.date.today().isoformat())  # noqa: DTZ011 - the user's own calendar


def _pick(prepared: Prepared, name: str | None) -> ModelSpec:
    models = {spec.name: spec for spec in prepared.models}
    if name is None:
        return prepared.models[-1]
    if name not in models:
        if len(models) == 1:
            return prepared.models[-1]
        raise BehaveError(f"{prepared.suite.path}: there is no model {name!r}{did_you_mean(name, models)}")
    return models[name]


class _Tools:
    """What model sources need from the other stages."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared

    def load(self, reference: str) -> Any:
        return self.prepared.references.load(reference)

    def read_table(self, path: Path) -> pd.DataFrame:
        spec = self.prepared.suite.dataset or DatasetSpec(source=str(path))
        return read_table(path, replace(spec, delimiter=None))

    def id_texts(self, frame: pd.DataFrame) -> np.ndarray:
        spec = self.prepared.suite.dataset
        names = spec.id if spec is not None and spec.id else ("id",)
        absent = [name for name in names if name not in frame.columns]
        if absent:
            raise ModelError(f"the predictions file has no id column {absent[0]!r}")
        parts = [canonical_text(column_of(frame[name])).astype(str) for name in names]
        return parts[0] if len(parts) == 1 else np.array(["/".join(row) for row in zip(*parts, strict=True)])

    def file_fingerprint(self, path: Path) -> str:
        return file_fingerprint(path)

    def column(self, name: str) -> pd.Series:
        table = self.prepared.table
        if table is None:
            raise ModelError(f"the golden cases have no {name!r} in their input")
        column = table.lookup(Name(name, quoted=True))
        return pd.Series(column.values, dtype=object).where(~column.missing)


class _Running:
    def __init__(self, prepared: Prepared, model: ModelSpec, share: Share) -> None:
        self.prepared = prepared
        self.suite = prepared.suite
        self.model = model
        self.share = share
        self.notes: list[str] = []
        self.fingerprint = ""

    def run(self, today: str) -> SuiteRun:
        try:
            source = open_source(self.model, _Tools(self.prepared), self.prepared.extensions.model)
            self.fingerprint = source.fingerprint
            behaviors, observed = self._behaviors(source, today)
            cases = self._cases(source)
        except BehaveError as error:
            return self._failed(str(error))
        tagged = self._tag_behaviors(cases, today)
        cases = self._counted(cases)
        return self._suite_run((*behaviors, *tagged), observed, cases)

    def _suite_run(
        self, behaviors: Sequence[Behavior], observed: Sequence[Behavior], cases: Sequence[CaseResult]
    ) -> SuiteRun:
        table = self.prepared.table
        return SuiteRun(
            suite=self.suite.name,
            path=str(self.suite.path),
            rows=0 if table is None else len(table),
            task=self.prepared.task,
            model=self.model.name,
            model_fingerprint=self.fingerprint,
            dataset_fingerprint=None if table is None else table.fingerprint,
            description=self.suite.description,
            owner=self.suite.owner,
            notes=tuple(self.notes),
            behaviors=tuple(behaviors),
            observed=tuple(observed),
            cases=tuple(cases),
        )

    def _failed(self, reason: str) -> SuiteRun:
        """Return a run in which everything is an error: a model that fails never reports green."""
        better = {item.spec.name: item.better for item in self.prepared.chosen}
        sizes = {slice_.name: int(slice_.mask.sum()) for slice_ in self.prepared.slices}
        failed = [
            _behavior(item, better.get(item.metric, "higher"), sizes.get(item.slice, 0), None, Verdict("error", reason))
            for item in (*self.prepared.items, *_tag_items(self.suite.tag_expectations))
        ]
        cases = [
            CaseResult(case.id, "error", case.input, None, (), case.tags, reason, *_line_of(case.place))
            for case in self.suite.cases
        ]
        return self._suite_run(failed, (), cases)

    # -- behaviors

    def _behaviors(self, source: Source, today: str) -> tuple[list[Behavior], list[Behavior]]:
        table = self.prepared.table
        if table is None:
            return [], []
        predictions = self._predict(source, "rows", table.frame, table.ids.tolist())
        outcome = self._outcome(table, predictions)
        slices = self._all_slices(table)
        made = [slice_ for slice_ in slices if slice_.problem is None]
        wanted = {(item.slice, item.metric) for item in self.prepared.items}
        estimates = self._measure(outcome, made, wanted)
        judged = _Judged(self, outcome, slices, estimates, today)
        behaviors = judged.behaviors()
        held = {(behavior.slice, behavior.metric) for behavior in behaviors}
        return behaviors, judged.observed(held)

    def _predict(self, source: Source, what: str, frame: pd.DataFrame, ids: list[str]) -> Predictions:
        def compute() -> Predictions:
            with progress_bar(len(frame), f"{self.suite.name}: {self.model.name}") as progress:
                return source.predict(frame, ids, progress)

        return self.share(f"{what}-{self.model.name}", compute)

    def _outcome(self, table: Table, predictions: Predictions) -> Outcome:
        prediction = None
        if predictions.prediction is not None:
            series = predictions.prediction
            if self.prepared.task == "text":
                series = series.astype(object).fillna("")  # an empty transcript is an answer
            check_complete(series, table.ids, f"model {self.model.name!r}")
            column = column_of(series)
            prediction = column, canonical_text(column)
        outcome = make_outcome(
            task=self.prepared.task,
            size=len(table),
            target=self.prepared.target,
            predictions=predictions,
            prediction=prediction,
            positive=table.spec.positive,
            model=self.model,
            column=lambda name: table.lookup(Name(name, quoted=name not in ("output", "score", "target"))),
            condition=lambda expression: tuple(table.evaluator.truth(expression)),  # type: ignore[arg-type,return-value]
            frame=table.full_frame,
        )
        table.add_outputs(_output_columns(outcome, predictions))
        self._note_new_classes(outcome)
        return outcome

    def _note_new_classes(self, outcome: Outcome) -> None:
        new = outcome.classes[outcome.target_classes :]
        if not new or outcome.predicted is None:
            return
        count = int((outcome.predicted >= outcome.target_classes).sum())
        shown = ", ".join(repr(name) for name in new[:3]) + (", ..." if len(new) > 3 else "")  # noqa: PLR2004 - a hint
        self.notes.append(
            f"{count:,} of {outcome.size:,} outputs are {shown}, which the target never is: counted as wrong answers"
        )

    def _all_slices(self, table: Table) -> list[Slice]:
        slices = list(self.prepared.slices)
        if self.prepared.deferred:
            known = {slice_.name for slice_ in slices}
            slices += [slice_ for slice_ in make_slices(table, self.suite.slices) if slice_.name not in known]
        return slices

    def _measure(
        self, outcome: Outcome, slices: list[Slice], wanted: set[tuple[str, str]]
    ) -> dict[tuple[str, str], Estimate | BehaveError]:
        """Measure every metric on every slice; callables only where an expectation asks, as each costs many calls."""
        plain = [item for item in self.prepared.chosen if item.metric.name != "python"]
        results = _by_slice(measure(plain, outcome, Masks([s.mask for s in slices], outcome.size)), slices)
        for item in self.prepared.chosen:
            if item.metric.name == "python":
                asked = [s for s in slices if {(s.name, item.spec.name), (s.family, item.spec.name)} & wanted]
                masks = Masks([s.mask for s in asked], outcome.size)
                results |= _by_slice(measure([item], outcome, masks), asked)
        return results

    # -- cases

    def _cases(self, source: Source) -> list[CaseResult]:
        cases = self.suite.cases
        if not cases:
            return []
        frame = cases_frame([case.input for case in cases])
        predictions = self._predict(source, "cases", frame, [case.id for case in cases])
        outputs = self._case_outputs(predictions, len(cases))
        results = []
        for case, output in zip(cases, outputs, strict=True):
            row = {**case.input, **output}
            shown = _plain(output.get("prediction"))
            try:
                failures = failed_checks(case.checks, row, self.prepared.references.load)
            except BehaveError as error:
                results.append(
                    CaseResult(case.id, "error", case.input, shown, (), case.tags, str(error), *_line_of(case.place))
                )
                continue
            verdict = "violated" if failures else "holds"
            results.append(
                CaseResult(
                    case.id, verdict, case.input, shown, failures, case.tags, "; ".join(failures), *_line_of(case.place)
                )
            )
        return results

    def _case_outputs(self, predictions: Predictions, count: int) -> list[dict[str, Any]]:
        columns: dict[str, Sequence[Any]] = {name: series.tolist() for name, series in predictions.extra.items()}
        columns |= {f"proba:{name}": values.tolist() for name, values in predictions.proba.items()}
        if predictions.score is not None:
            columns["score"] = predictions.score.tolist()
        if predictions.prediction is not None:
            columns["prediction"] = predictions.prediction.tolist()
        elif predictions.score is not None and self.prepared.task == "binary":
            columns["prediction"] = [self._label(score) for score in predictions.score]
        elif predictions.proba:
            names = list(predictions.proba)
            best = np.argmax(np.column_stack(list(predictions.proba.values())), axis=1)
            columns["prediction"] = [names[index] for index in best]
        return [{name: values[row] for name, values in columns.items()} for row in range(count)]

    def _label(self, score: float) -> str:
        outcome_classes = sorted(set(self.prepared.target[1].tolist())) if self.prepared.target else ["0", "1"]
        spec = self.prepared.table.spec if self.prepared.table else None
        positive = str(spec.positive) if spec is not None and spec.positive is not None else outcome_classes[-1]
        negative = next((name for name in outcome_classes if name != positive), f"not {positive}")
        return positive if score >= self.model.threshold else negative

    def _tag_behaviors(self, cases: Sequence[CaseResult], today: str) -> list[Behavior]:
        behaviors = []
        for item in _tag_items(self.suite.tag_expectations):
            tagged = [case for case in cases if item.slice.removeprefix("cases=") in case.tags]
            passed = sum(case.verdict == "holds" for case in tagged)
            estimate = proportion_estimates(np.array([passed]), np.array([len(tagged)]), "no case")[0]
            verdict = judge(estimate, item.bounds, size=len(tagged), min_size=1)
            verdict = with_known_failure(
                verdict, item.bounds.known_failure, today, any_fails=verdict.verdict == "violated"
            )
            behavior = _behavior(item, "higher", len(tagged), estimate, verdict)
            failed = [case for case in tagged if case.verdict != "holds"][:MOST_INSTANCES]
            behaviors.append(replace(behavior, instances=tuple(_instance_of_case(case) for case in failed)))
        return behaviors

    def _counted(self, cases: Sequence[CaseResult]) -> list[CaseResult]:
        """A failing case that a pass rate counts does not fail by itself."""
        rates = {item.slice.removeprefix("cases="): item for item in self.suite.tag_expectations}
        result = []
        for case in cases:
            tag = next((tag for tag in case.tags if tag in rates), None)
            if case.verdict == "violated" and tag is not None:
                case = replace(  # noqa: PLW2901 - the case as reported
                    case, verdict="known-failure", reason=f"{case.reason}; counted in the pass rate of cases={tag}"
                )
            result.append(case)
        return result


class _Judged:
    """Verdicts for one outcome."""

    def __init__(
        self,
        running: _Running,
        outcome: Outcome,
        slices: list[Slice],
        estimates: Mapping[tuple[str, str], Estimate | BehaveError],
        today: str,
    ) -> None:
        self.running = running
        self.prepared = running.prepared
        self.outcome = outcome
        self.slices = {slice_.name: slice_ for slice_ in slices}
        self.estimates = estimates
        self.today = today
        self.chosen = {item.spec.name: item for item in self.prepared.chosen}

    def behaviors(self) -> list[Behavior]:
        judged = [(item, *self._judge(item)) for item in self._expanded()]
        failing = {
            id(item.bounds.known_failure) for item, behavior, _ in judged if behavior.verdict == "violated"
        }
        result = []
        for item, behavior, verdict in judged:
            known = item.bounds.known_failure
            final = with_known_failure(verdict, known, self.today, any_fails=id(known) in failing)
            behavior = replace(behavior, verdict=final.verdict, reason=final.reason)  # noqa: PLW2901 - as judged
            result.append(self._with_instances(behavior))
        return result

    def _expanded(self) -> list[Item]:
        """Replace each deferred family by its members, now known, and its gap."""
        items: list[Item] = []
        for item in self.prepared.items:
            if item.kind != "family":
                items.append(item)
                continue
            members = [slice_ for slice_ in self.slices.values() if slice_.family == item.slice]
            if item.bounds.min is not None or item.bounds.max is not None or self._problem(item.slice):
                items += [replace(item, slice=member.name, kind="behavior") for member in members]
            if item.bounds.max_gap is not None and not self._problem(item.slice):
                items.append(replace(item, kind="gap"))
        return items

    def _problem(self, name: str) -> str | None:
        found = [s for s in self.slices.values() if name in (s.name, s.family)]
        return next((slice_.problem for slice_ in found if slice_.problem), None) if found else f"there is no slice {name!r}"

    def _judge(self, item: Item) -> tuple[Behavior, Verdict]:
        chosen = self.chosen.get(item.metric)
        better = chosen.better if chosen else "higher"
        if item.kind == "gap":
            return self._judge_gap(item, chosen)
        slice_ = self.slices.get(item.slice)
        if slice_ is None or slice_.problem:
            verdict = Verdict("error", f"slice {item.slice!r}: {self._problem(item.slice)}")
            return _behavior(item, better, 0, None, verdict), verdict
        size = int(slice_.mask.sum())
        estimate = self.estimates.get((item.slice, item.metric))
        if estimate is None or isinstance(estimate, BehaveError):
            verdict = Verdict("error", str(estimate or f"metric {item.metric!r} was not measured"))
            return _behavior(item, better, size, None, verdict, slice_.family), verdict
        verdict = judge(estimate, item.bounds, size=size, min_size=slice_.min_size)
        return _behavior(item, better, size, estimate, verdict, slice_.family), verdict

    def _judge_gap(self, item: Item, chosen: Chosen | None) -> tuple[Behavior, Verdict]:
        members = []
        better = chosen.better if chosen else "higher"
        family = [slice_ for slice_ in self.slices.values() if slice_.family == item.slice]
        for member in family:
            estimate = self.estimates.get((member.name, item.metric))
            if isinstance(estimate, BehaveError):
                verdict = Verdict("error", str(estimate))
                return _behavior(item, "lower", 0, None, verdict), verdict
            large = int(member.mask.sum()) >= member.min_size
            if estimate is not None and estimate.value is not None and large:
                members.append((member.name, estimate))
        verdict, gap, between = judge_gap(members, float(item.bounds.max_gap or 0.0), better)
        size = int(np.logical_or.reduce([slice_.mask for slice_ in family]).sum()) if family else 0
        behavior = _behavior(item, "lower", size, gap, verdict)
        return replace(behavior, between=between), verdict

    def _with_instances(self, behavior: Behavior) -> Behavior:
        chosen = self.chosen.get(behavior.metric)
        if behavior.verdict not in ("violated", "known-failure") or chosen is None or behavior.slice not in self.slices:
            return behavior
        try:
            rows = worst_rows(chosen, self.outcome, self.slices[behavior.slice].mask, MOST_INSTANCES)
        except BehaveError:
            return behavior
        return replace(behavior, instances=tuple(self._instance(int(row)) for row in rows))

    def _instance(self, row: int) -> Instance:
        table = self.prepared.table
        if table is None:
            raise TypeError("instances come from a table")
        spec = table.spec
        hidden = {*spec.id, spec.target}
        inputs = {
            str(name): _shortened(value)
            for name, value in table.frame.iloc[row].items()
            if name not in hidden and not (isinstance(value, float) and np.isnan(value))
        }
        outcome = self.outcome
        coded = outcome.task in ("binary", "multiclass")
        target = None if outcome.target is None else outcome.target[row]
        output = None if outcome.predicted is None else outcome.predicted[row]
        return Instance(
            id=str(table.ids[row]),
            target=None if target is None else outcome.classes[target] if coded else _shortened(target),
            output=None if output is None else outcome.classes[output] if coded else _shortened(output),
            score=None if outcome.score is None else float(outcome.score[row]),
            input=inputs,
        )

    def observed(self, held: set[tuple[str, str]]) -> list[Behavior]:
        """Return what was measured without an expectation."""
        result = []
        for (name, metric), estimate in self.estimates.items():
            if (name, metric) in held or isinstance(estimate, BehaveError):
                continue
            slice_, chosen = self.slices[name], self.chosen[metric]
            item = Item(name, metric, Bounds())
            verdict = Verdict("holds")
            behavior = _behavior(item, chosen.better, int(slice_.mask.sum()), estimate, verdict, slice_.family)
            result.append(replace(behavior, verdict=None, reason=estimate.reason))
        return result


def _by_slice(
    measured: Mapping[str, list[Estimate] | BehaveError], slices: Sequence[Slice]
) -> dict[tuple[str, str], Estimate | BehaveError]:
    result: dict[tuple[str, str], Estimate | BehaveError] = {}
    for metric, estimates in measured.items():
        for index, slice_ in enumerate(slices):
            result[slice_.name, metric] = estimates if isinstance(estimates, BehaveError) else estimates[index]
    return result


def _tag_items(expectations: Sequence[Any]) -> list[Item]:
    return [Item(expectation.slice, expectation.metric, expectation.bounds) for expectation in expectations]


def _behavior(  # noqa: PLR0913 - a behavior is made of all of these
    item: Item,
    better: Any,
    size: int,
    estimate: Estimate | None,
    verdict: Verdict,
    family: str | None = None,
) -> Behavior:
    line, file = _line_of(item.bounds.place)
    names = ("max_gap",) if item.kind == "gap" else ("min", "max")
    return Behavior(
        slice=item.slice,
        metric=item.name,
        better=better,
        size=size,
        n=0 if estimate is None else estimate.n,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        bounds={name: getattr(item.bounds, name) for name in names if getattr(item.bounds, name) is not None},
        decide=item.bounds.decide,
        verdict=verdict.verdict,
        reason=verdict.reason or ("" if estimate is None else estimate.reason),
        interval="" if estimate is None else estimate.interval,
        line=line,
        file=file,
        family=family,
    )


def _output_columns(outcome: Outcome, predictions: Predictions) -> dict[str, pd.Series]:
    columns = dict(predictions.extra)
    if outcome.predicted is not None:
        coded = outcome.task in ("binary", "multiclass")
        labels = np.array(outcome.classes, dtype=object)[outcome.predicted] if coded else outcome.predicted
        series = predictions.prediction
        same = series is not None and outcome.task != "text" and not (coded and _became_score(outcome, predictions))
        columns["output"] = series if same and series is not None else pd.Series(labels)
    if outcome.score is not None:
        columns["score"] = pd.Series(outcome.score)
    columns |= {f"proba:{name}": pd.Series(values) for name, values in predictions.proba.items()}
    return columns


def _became_score(outcome: Outcome, predictions: Predictions) -> bool:
    return predictions.score is None and outcome.score is not None and not predictions.proba


def _line_of(place: Any) -> tuple[int | None, str | None]:
    return (place.line, str(place.path)) if place is not None else (None, None)


def _instance_of_case(case: CaseResult) -> Instance:
    inputs = {name: _shortened(value) for name, value in case.input.items()}
    return Instance(case.id, None, _shortened(case.output), None, inputs)


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, (str, int, float, bool)):
        return None if isinstance(plain, float) and np.isnan(plain) else plain
    return str(plain)


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
