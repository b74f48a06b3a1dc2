"""Running a prepared suite: predict, measure, judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TextIO

from pytest_behave.errors import BehaveError, did_you_mean
from pytest_behave.evaluate.golden import result_of, run_cases, tag_behaviors, tag_items, with_counted
from pytest_behave.evaluate.judged import Judged, behavior_of
from pytest_behave.evaluate.measured import Measured, Predictor, Share, alone
from pytest_behave.evaluate.prepare import Prepared
from pytest_behave.records import Behavior, CaseResult, ModelSpec, SuiteRun, Verdict


def run_suite(
    prepared: Prepared,
    *,
    model: str | None = None,
    share: Share = alone,
    today: str | None = None,
    terminal: TextIO | None = None,
) -> SuiteRun:
    """Run a model over a prepared suite and return everything measured and judged.

    ``model`` picks one of several by name (default: the last declared), ``share`` lets processes share predictions,
    ``today`` (ISO date) decides about known failures, ``terminal`` is where long work shows its progress. Never raises for what the model does: its failure is the
    verdict ``error`` of every behavior and case.
    """
    chosen = pick_model(prepared, model)
    today = today or dt.date.today().isoformat()  # noqa: DTZ011 - the user's own calendar
    fingerprint, notes = "", []
    behaviors: list[Behavior] = []
    observed: list[Behavior] = []
    try:
        predictor = Predictor(prepared, chosen, share, terminal)
        fingerprint = predictor.fingerprint
        if prepared.table is not None:
            measured = Measured(prepared, chosen, predictor)
            judged = Judged(measured, today)
            behaviors, notes = judged.behaviors(), measured.notes()
            observed = judged.observed({(behavior.slice, behavior.metric) for behavior in behaviors})
        cases = run_cases(prepared, chosen, predictor)
        behaviors += tag_behaviors(prepared, cases, today)
        cases = with_counted(prepared, cases)
    except BehaveError as error:
        behaviors, observed = _all_errors(prepared, str(error)), []
        cases = [result_of(case, "error", reason=str(error)) for case in prepared.suite.cases]
    return _suite_run(prepared, chosen.name, fingerprint, notes, behaviors, observed, cases)


def pick_model(prepared: Prepared, name: str | None) -> ModelSpec:
    """Return the candidate: the model with a name, or the last; a suite with a single model has no choice."""
    models = {spec.name: spec for spec in prepared.models}
    if name is None or len(models) == 1:
        return prepared.models[-1]
    if name not in models:
        raise BehaveError(f"{prepared.suite.path}: there is no model {name!r}{did_you_mean(name, models)}")
    return models[name]


def _all_errors(prepared: Prepared, reason: str) -> list[Behavior]:
    """Return everything as an error: a model that fails never reports green."""
    better = {item.spec.name: item.better for item in prepared.chosen}
    sizes = {slice_.name: int(slice_.mask.sum()) for slice_ in prepared.slices}
    verdict = Verdict("error", reason)
    return [
        behavior_of(item, better.get(item.metric, "higher"), sizes.get(item.slice, 0), None, verdict)
        for item in (*prepared.items, *tag_items(prepared))
    ]


def _suite_run(  # noqa: PLR0913, PLR0917 - a run is made of all of these
    prepared: Prepared,
    model: str,
    fingerprint: str,
    notes: Sequence[str],
    behaviors: Sequence[Behavior],
    observed: Sequence[Behavior],
    cases: Sequence[CaseResult],
) -> SuiteRun:
    table, suite = prepared.table, prepared.suite
    return SuiteRun(
        suite=suite.name,
        path=str(suite.path),
        rows=0 if table is None else len(table),
        task=prepared.task,
        model=model,
        model_fingerprint=fingerprint,
        dataset_fingerprint=None if table is None else table.fingerprint,
        description=suite.description,
        owner=suite.owner,
        notes=tuple(notes),
        behaviors=tuple(behaviors),
        observed=tuple(observed),
        cases=tuple(cases),
    )
