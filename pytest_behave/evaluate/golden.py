"""Golden cases: predicted in one go, checked one by one, counted by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_behave.compare.verdicts import judge, with_known_failure
from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.clustered import FEWEST_CLUSTERS, effective_wilson
from pytest_behave.evidence.instances import shortened
from pytest_behave.evidence.predictor import Predictor
from pytest_behave.evidence.protocol import MOST_INSTANCES
from pytest_behave.judge.judgement import behavior_of, line_of
from pytest_behave.measure.cases import failed_checks
from pytest_behave.measure.outcome import Coder, class_outputs
from pytest_behave.measure.statistics import proportion_estimates
from pytest_behave.predict.sources import cases_frame
from pytest_behave.prepare.items import Item
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import Behavior, Case, CaseResult, Estimate, Instance, ModelSpec, Predictions, Verdict
from pytest_behave.text import written

TAG = "cases="


def run_cases(prepared: Prepared, model: ModelSpec, predictor: Predictor) -> list[CaseResult]:
    """Return the result of every golden case; if the model fails, each is an error."""
    cases = prepared.suite.cases
    if not cases:
        return []
    frame = cases_frame([case.input for case in cases])
    try:
        predictions = predictor.predict(frame, [case.id for case in cases], model.repeats).predictions
        predictor.check()
        outputs = _outputs(prepared, model, predictions, len(cases) * model.repeats)
    except BehaveError as error:
        return [result_of(case, "error", reason=str(error)) for case in cases]
    return [
        _of_answers([_checked(prepared, case, output) for output in outputs[index :: len(cases)]])
        for index, case in enumerate(cases)
    ]


def _of_answers(results: Sequence[CaseResult]) -> CaseResult:
    """Return the result of a case from those of each answer: the first that is not good, of all answers."""
    if len(results) == 1:
        return results[0]
    passed = sum(result.passed for result in results)
    worst = next((result for result in results if result.verdict != "holds"), results[0])
    if worst.verdict == "violated":
        failed = sum(result.verdict == "violated" for result in results)
        worst = replace(worst, reason=f"in {failed} of {len(results)} answers, first: {worst.reason}")
    return replace(worst, answers=len(results), passed=passed)


def _checked(prepared: Prepared, case: Case, output: dict[str, Any]) -> CaseResult:
    answer = _plain(output.get("prediction"))
    try:
        failures = failed_checks(case.checks, {**case.input, **output}, prepared.references.load)
    except BehaveError as error:
        return result_of(case, "error", answer, str(error))
    if failures:
        return replace(result_of(case, "violated", answer, "; ".join(failures)), failures=failures)
    return result_of(case, "holds", answer)


def result_of(case: Case, verdict: Any, output: Any = None, reason: str = "") -> CaseResult:
    """Return the result of a case with its place."""
    line, file = line_of(case.place)
    passed = int(verdict == "holds")
    return CaseResult(case.id, verdict, case.input, output, (), case.tags, reason, line, file, passed=passed)


def _outputs(prepared: Prepared, model: ModelSpec, predictions: Predictions, count: int) -> list[dict[str, Any]]:
    columns: dict[str, Sequence[Any]] = {name: series.tolist() for name, series in predictions.extra.items()}
    columns |= {f"proba:{name}": values.tolist() for name, values in predictions.proba.items()}
    columns |= _answers(prepared, model, predictions)
    return [{name: values[row] for name, values in columns.items()} for row in range(count)]


def _answers(prepared: Prepared, model: ModelSpec, predictions: Predictions) -> dict[str, list[Any]]:
    """Return ``prediction`` and ``score`` of each case, read just as those of the dataset's rows."""
    series, score = predictions.prediction, predictions.score
    answers = {} if series is None else {"prediction": series.tolist()}
    labels = prepared.labels
    if labels is not None and prepared.table is not None and prepared.task in ("binary", "multiclass"):
        coder = Coder(labels, prepared.table.spec.positive, prepared.task)
        column = None if series is None else column_of(series)
        texts = None if column is None else (column, canonical_text(column))
        score, codes = class_outputs(coder, predictions, texts, model, prepared.task)
        if series is None or (score is not None and predictions.score is None and not predictions.proba):
            answers["prediction"] = labels.as_written([coder.classes[code] for code in codes])
    elif series is None and predictions.proba:
        names = list(predictions.proba)
        best = np.argmax(np.column_stack(list(predictions.proba.values())), axis=1)
        answers["prediction"] = [names[index] for index in best]
    return answers if score is None else {**answers, "score": score.tolist()}


def tag_items(prepared: Prepared) -> list[Item]:
    """Return what the suite expects of tags, as items."""
    return [Item(found.slice, found.metric, found.bounds) for found in prepared.suite.tag_expectations]


def tag_behaviors(prepared: Prepared, cases: Sequence[CaseResult], today: str) -> list[Behavior]:
    """Return the pass rate of each tag that an expectation names."""
    behaviors = []
    for item in tag_items(prepared):
        tagged = [case for case in cases if item.slice.removeprefix(TAG) in case.tags]
        errors = [case.reason for case in tagged if case.verdict == "error"]
        estimate = _pass_rate(tagged)
        verdict = judge(estimate, item.bounds, size=len(tagged), min_size=1)
        verdict = Verdict("error", errors[0]) if errors else verdict
        fails = verdict.verdict == "violated"
        verdict = with_known_failure(verdict, item.bounds.known_failure, today, any_fails=fails)
        failed = [case for case in tagged if case.verdict != "holds"][:MOST_INSTANCES]
        instances = tuple(_instance(case) for case in failed)
        behavior = behavior_of(item, "higher", len(tagged), estimate, verdict)
        behaviors.append(replace(behavior, instances=instances))
    return behaviors


def _pass_rate(cases: Sequence[CaseResult]) -> Estimate:
    """Return the share of answers that passed; those to one case are not independent."""
    passed = np.array([case.passed for case in cases])
    answers = sum(case.answers for case in cases)
    (estimate,) = proportion_estimates(np.array([passed.sum()]), np.array([answers]), "no case")
    if answers == len(cases) or len(cases) < FEWEST_CLUSTERS:
        return estimate
    error = float((passed / cases[0].answers).std(ddof=1) / np.sqrt(len(cases)))
    low, high = effective_wilson(float(estimate.value or 0.0), error, len(cases) - 1, len(cases))
    return replace(estimate, low=low, high=high, interval="wilson, effective size")


def with_counted(prepared: Prepared, cases: Sequence[CaseResult]) -> list[CaseResult]:
    """Return the cases with those excused that a pass rate counts: they do not fail by themselves."""
    rated = {item.slice.removeprefix(TAG) for item in tag_items(prepared)}
    return [_counted(case, next((tag for tag in case.tags if tag in rated), None)) for case in cases]


def _counted(case: CaseResult, tag: str | None) -> CaseResult:
    if case.verdict != "violated" or tag is None:
        return case
    return replace(case, verdict="known-failure", reason=f"{case.reason}; counted in the pass rate of {TAG}{tag}")


def _instance(case: CaseResult) -> Instance:
    inputs = {name: shortened(value) for name, value in case.input.items()}
    return Instance(case.id, None, shortened(case.output), None, inputs)


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, (str, int, float, bool)):
        return None if isinstance(plain, float) and not np.isfinite(plain) else plain
    return written(plain)
