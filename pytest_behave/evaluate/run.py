"""Running a prepared suite: predict, measure, judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_behave.errors import BehaveError, DataError, did_you_mean
from pytest_behave.evaluate.golden import result_of, run_cases, tag_behaviors, tag_items, with_counted
from pytest_behave.evidence.baseline import predictions_to_store
from pytest_behave.evidence.predictor import Predictor
from pytest_behave.evidence.protocol import Evidence
from pytest_behave.evidence.whole import WholeRun, find_baseline, predictor_of
from pytest_behave.guard import any_place, guarded
from pytest_behave.judge.judgement import Judgement, behavior_of
from pytest_behave.outputs.predictions import predictions_bytes
from pytest_behave.parts.run import PartedRun
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.prepare.repeats import with_repeats
from pytest_behave.records import Key, ModelSpec, SuiteRun, Verdict

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache

MOST_NAMED = 5


def run_suite(  # noqa: PLR0913 - what a run may be told
    prepared: Prepared,
    *,
    model: str | None = None,
    ref: str | None = None,
    keep: Path | None = None,
    today: str | None = None,
    terminal: TextIO | None = None,
    cache: Cache | None = None,
) -> SuiteRun:
    """Run a model over a prepared suite and return everything measured and judged.

    ``model`` picks one of several by name (default: the last declared), ``ref`` the git commit whose baseline is compared
    with (default: the working tree's), ``keep`` is where the file of outputs is written that accepting the run would
    store, ``today`` (ISO date) decides about known failures, ``terminal`` is where long work shows its progress, ``cache``
    where outputs are kept from run to run. Never raises for what the model does: its failure is the verdict ``error`` of
    every behavior and case.
    """
    chosen = pick_model(prepared, model)
    prepared = with_repeats(prepared, chosen.repeats)
    today = today or dt.date.today().isoformat()  # noqa: DTZ011 - the user's own calendar
    fingerprint = ""
    try:
        with guarded(BehaveError, "measuring failed:", any_place):
            predictor = predictor_of(prepared, chosen, terminal, cache)
            fingerprint = predictor.fingerprint
            evidence = _evidence(prepared, chosen, predictor, ref, keep, terminal, cache)
            run = empty_run(prepared, chosen, fingerprint)
            run = run if evidence is None else _judged(run, prepared, chosen, evidence, today)
            cases = run_cases(prepared, chosen, predictor)
    except BehaveError as error:
        return _failed(prepared, chosen, fingerprint, str(error))
    behaviors = (*run.behaviors, *tag_behaviors(prepared, cases, today))
    return replace(run, behaviors=behaviors, cases=tuple(with_counted(prepared, cases)))


def _evidence(  # noqa: PLR0913, PLR0917 - what a run may be told
    prepared: Prepared,
    model: ModelSpec,
    predictor: Predictor,
    ref: str | None,
    keep: Path | None,
    terminal: TextIO | None,
    cache: Cache | None,
) -> Evidence | None:
    """Return what was measured, beside the baseline; None of a suite of golden cases alone."""
    if prepared.table is None:
        return None
    if prepared.parts is not None:
        run = PartedRun(prepared, prepared.parts, model, ref, keep, predictor.fingerprint, terminal, cache)
        return run.evidence()
    against = find_baseline(prepared, ref, terminal, cache)
    whole = WholeRun.of(prepared, model, predictor, against, terminal)
    if keep is not None:
        stored = predictions_to_store(prepared.suite, whole.said, predictor.fingerprint)
        keep.write_bytes(predictions_bytes(stored))
    return whole.evidence


def _judged(run: SuiteRun, prepared: Prepared, model: ModelSpec, evidence: Evidence, today: str) -> SuiteRun:
    judgement = Judgement(prepared, evidence, today)
    behaviors, flips = judgement.results()
    against = evidence.against
    held = {(item.slice, item.metric) for item in behaviors} | {
        (item.slice, item.metric) for item in tag_items(prepared)
    }
    return replace(
        run,
        behaviors=tuple(behaviors),
        notes=(
            *evidence.notes(),
            *_self_notes(prepared, model),
            *(against.notes if against else ()),
            *_contradiction_notes(judgement),
            *_orphan_notes(judgement, held),
        ),
        baseline=None if against is None else replace(against.use, tests=judgement.tests),
        agreement=evidence.agreement(),
        observed=tuple(judgement.observed(held)),
        flips=flips,
    )


def _self_notes(prepared: Prepared, model: ModelSpec) -> list[str]:
    if prepared.baseline is None or prepared.baseline.name != model.name:
        return []
    return [
        f"the baseline is the candidate {model.name!r} itself, so nothing can differ: pick another with --behave-model"
    ]


def _contradiction_notes(judgement: Judgement) -> list[str]:
    found = [] if judgement.comparisons is None else judgement.comparisons.contradicted
    if not found:
        return []
    said = f"the baseline's predictions do not give its value of {_named(found)}: compared with what they give"
    return [f"{said}; accept the baseline again"]


def _named(keys: Sequence[Key]) -> str:
    names = ", ".join(f"{name} {metric}" for name, metric in keys[:MOST_NAMED])
    return names + (f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else "")


def _orphan_notes(judgement: Judgement, held: set[Key]) -> list[str]:
    orphans = judgement.orphans(held)
    if not orphans:
        return []
    if judgement.comparisons is not None and judgement.comparisons.against.use.kind == "commit":
        return [f"no longer checked in this change: {_named(orphans)}"]
    said = f"the baseline has {len(orphans)} entr{'ies' if len(orphans) > 1 else 'y'} that the suite no longer declares"
    return [f"{said} ({_named(orphans)}): remove them with --behave-baseline=prune"]


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
    sizes = {slice_.name: slice_.size for slice_ in prepared.slices}
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
    return replace(empty_run(prepared, model, fingerprint), behaviors=tuple(behaviors), cases=tuple(cases))


def _dataset_fingerprint(prepared: Prepared) -> str | None:
    if prepared.parts is not None:
        return prepared.parts.fingerprint
    if prepared.table is None:
        return None
    try:
        with guarded(DataError, "the content of the dataset cannot be told:"):
            return prepared.table.fingerprint
    except DataError:  # of values of the user's own classes
        return None


def empty_run(prepared: Prepared, model: ModelSpec, fingerprint: str) -> SuiteRun:
    """Return what is known of a run before anything is measured."""
    table, suite = prepared.table, prepared.suite
    return SuiteRun(
        suite=suite.name,
        path=str(suite.path),
        rows=0 if table is None else len(table.once) if prepared.parts is None else prepared.parts.rows,
        task=prepared.task,
        model=model.name,
        model_fingerprint=fingerprint,
        dataset_fingerprint=_dataset_fingerprint(prepared),
        description=suite.description,
        owner=suite.owner,
    )
