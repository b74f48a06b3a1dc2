"""Running a prepared suite: predict, measure, judge."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TextIO

from pytest_behave.errors import BehaveError, did_you_mean
from pytest_behave.evaluate.golden import result_of, run_cases, tag_behaviors, tag_items, with_counted
from pytest_behave.evaluate.judged import Judged, behavior_of
from pytest_behave.evaluate.measured import Measured, Predictor, Share, alone
from pytest_behave.evaluate.prepare import Prepared
from pytest_behave.records import ModelSpec, SuiteRun, Verdict


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
    try:
        predictor = Predictor(prepared, chosen, share, terminal)
    except BehaveError as error:
        return _failed(prepared, chosen, "", str(error))
    try:
        measured = Measured(prepared, chosen, predictor) if prepared.table is not None else None
        judged = Judged(measured, today) if measured is not None else None
        behaviors = judged.behaviors() if judged is not None else []
    except BehaveError as error:
        return _failed(prepared, chosen, predictor.fingerprint, str(error))
    cases = run_cases(prepared, chosen, predictor)
    observed = judged.observed({(item.slice, item.metric) for item in behaviors}) if judged is not None else []
    return replace(
        _empty_run(prepared, chosen, predictor.fingerprint),
        notes=tuple(measured.notes()) if measured is not None else (),
        behaviors=(*behaviors, *tag_behaviors(prepared, cases, today)),
        observed=tuple(observed),
        cases=tuple(with_counted(prepared, cases)),
    )


def pick_model(prepared: Prepared, name: str | None) -> ModelSpec:
    """Return the candidate: the model with a name, or the last; a suite with a single model has no choice."""
    models = {spec.name: spec for spec in prepared.models}
    if name is None or len(models) == 1:
        return prepared.models[-1]
    if name not in models:
        raise BehaveError(f"{prepared.suite.path}: there is no model {name!r}{did_you_mean(name, models)}")
    return models[name]


def _failed(prepared: Prepared, model: ModelSpec, fingerprint: str, reason: str) -> SuiteRun:
    """Return everything as an error: a model that fails never reports green."""
    better = {item.spec.name: item.better for item in prepared.chosen}
    sizes = {slice_.name: int(slice_.mask.sum()) for slice_ in prepared.slices}
    reason = reason.replace(f"{prepared.suite.path.parent}/", "")  # the record reads the same on every machine
    verdict = Verdict("error", reason)
    behaviors = [
        behavior_of(
            item,
            "lower" if item.kind == "gap" else better.get(item.metric, "higher"),
            sizes.get(item.slice, 0),
            None,
            verdict,
        )
        for item in (*prepared.items, *tag_items(prepared))
    ]
    cases = [result_of(case, "error", reason=reason) for case in prepared.suite.cases]
    return replace(_empty_run(prepared, model, fingerprint), behaviors=tuple(behaviors), cases=tuple(cases))


def _empty_run(prepared: Prepared, model: ModelSpec, fingerprint: str) -> SuiteRun:
    table, suite = prepared.table, prepared.suite
    return SuiteRun(
        suite=suite.name,
        path=str(suite.path),
        rows=0 if table is None else len(table),
        task=prepared.task,
        model=model.name,
        model_fingerprint=fingerprint,
        dataset_fingerprint=None if table is None else table.fingerprint,
        description=suite.description,
        owner=suite.owner,
    )
