"""Running a prepared suite: predict, measure, judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_behave.compare.predictions import predictions_bytes
from pytest_behave.data.table import Table
from pytest_behave.errors import BehaveError, DataError, ModelError, did_you_mean
from pytest_behave.evaluate.baseline import Against, against_model, against_stored, predictions_to_store
from pytest_behave.evaluate.golden import result_of, run_cases, tag_behaviors, tag_items, with_counted
from pytest_behave.evaluate.judged import Judged, behavior_of
from pytest_behave.evaluate.measured import Measured, Predictor, Share, alone
from pytest_behave.evaluate.prepare import Prepared
from pytest_behave.evaluate.repeats import with_repeats
from pytest_behave.evaluate.streamed import judged_in_parts
from pytest_behave.guard import any_place, guarded
from pytest_behave.records import Behavior, Key, ModelSpec, SuiteRun, Verdict

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache

MOST_NAMED = 5


def run_suite(  # noqa: PLR0913 - what a run may be told
    prepared: Prepared,
    *,
    model: str | None = None,
    ref: str | None = None,
    share: Share = alone,
    keep: Path | None = None,
    today: str | None = None,
    terminal: TextIO | None = None,
    cache: Cache | None = None,
) -> SuiteRun:
    """Run a model over a prepared suite and return everything measured and judged.

    ``model`` picks one of several by name (default: the last declared), ``ref`` the git commit whose baseline is compared
    with (default: the working tree's), ``share`` lets processes share predictions, ``keep`` is where
    the file of outputs is written that accepting the run would store,
    ``today`` (ISO date) decides about known failures, ``terminal`` is where long work shows its progress, ``cache`` where
    outputs are kept from run to run. Never raises for what the model does: its failure is the
    verdict ``error`` of every behavior and case.
    """
    chosen = pick_model(prepared, model)
    prepared = with_repeats(prepared, chosen.repeats)
    today = today or dt.date.today().isoformat()  # noqa: DTZ011 - the user's own calendar
    try:
        with guarded(ModelError, f"model {chosen.name!r} cannot be opened:", any_place):
            predictor = Predictor(prepared, chosen, share, terminal, cache)
    except BehaveError as error:
        return _failed(prepared, chosen, "", str(error))
    try:
        with guarded(BehaveError, "measuring failed:", any_place):
            judged, against = _judged(prepared, chosen, predictor, today, ref, share, keep, terminal, cache)
            behaviors = judged.behaviors() if judged is not None else []
            cases = run_cases(prepared, chosen, predictor)
    except BehaveError as error:
        return _failed(prepared, chosen, predictor.fingerprint, str(error))
    behaviors += tag_behaviors(prepared, cases, today)
    run = replace(
        empty_run(prepared, chosen, predictor.fingerprint),
        behaviors=tuple(behaviors),
        cases=tuple(with_counted(prepared, cases)),
    )
    if judged is None:
        return run
    return replace(
        run,
        notes=(
            *judged.measured.notes(),
            *_self_notes(prepared, chosen),
            *(against.notes if against else ()),
            *_contradiction_notes(judged),
            *_orphan_notes(judged, behaviors),
        ),
        baseline=None if against is None else replace(against.use, tests=judged.tests),
        agreement=judged.measured.agreement(),
        observed=tuple(judged.observed({(item.slice, item.metric) for item in behaviors})),
        flips=judged.flips(),
    )


def _judged(  # noqa: PLR0913, PLR0917 - what a run may be told
    prepared: Prepared,
    model: ModelSpec,
    predictor: Predictor,
    today: str,
    ref: str | None,
    share: Share,
    keep: Path | None,
    terminal: TextIO | None,
    cache: Cache | None,
) -> tuple[Judged | None, Against | None]:
    """Return what was measured, with the means to judge it, and what it is compared with."""
    if prepared.table is None:
        return None, None
    if prepared.parts is not None:
        return judged_in_parts(
            prepared,
            prepared.parts,
            model,
            today=today,
            ref=ref,
            keep=keep,
            fingerprint=predictor.fingerprint,
            terminal=terminal,
            cache=cache,
        )
    against = find_baseline(prepared, prepared.table.fork(), ref, share, terminal, cache)
    measured = Measured(prepared, model, predictor, {} if against is None else against.columns)
    if keep is not None:
        keep.write_bytes(predictions_bytes(predictions_to_store(measured, predictor.fingerprint)))
    return Judged(measured, today, against, terminal), against


def find_baseline(  # noqa: PLR0913, PLR0917 - as run_suite
    prepared: Prepared,
    table: Table | None,
    ref: str | None = None,
    share: Share = alone,
    terminal: TextIO | None = None,
    cache: Cache | None = None,
) -> Against | None:
    """Return what to compare with, None if there is nothing.

    ``table`` takes the baseline's outputs: a fork of the suite's own, made before the candidate's are known.
    """
    if table is None:
        return None
    if prepared.baseline is not None:
        predictor = Predictor(prepared, prepared.baseline, share, terminal, cache)
        return against_model(prepared, table, prepared.baseline, predictor, ref)
    return against_stored(prepared, table, ref)


def _self_notes(prepared: Prepared, model: ModelSpec) -> list[str]:
    if prepared.baseline is None or prepared.baseline.name != model.name:
        return []
    return [
        f"the baseline is the candidate {model.name!r} itself, so nothing can differ: pick another with --behave-model"
    ]


def _contradiction_notes(judged: Judged) -> list[str]:
    found = [] if judged.comparisons is None else judged.comparisons.contradicted
    if not found:
        return []
    said = f"the baseline's predictions do not give its value of {_named(found)}: compared with what they give"
    return [f"{said}; accept the baseline again"]


def _named(keys: Sequence[Key]) -> str:
    names = ", ".join(f"{name} {metric}" for name, metric in keys[:MOST_NAMED])
    return names + (f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else "")


def _orphan_notes(judged: Judged, behaviors: Sequence[Behavior]) -> list[str]:
    orphans = judged.orphans(behaviors)
    if not orphans:
        return []
    if judged.comparisons is not None and judged.comparisons.against.use.kind == "commit":
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
