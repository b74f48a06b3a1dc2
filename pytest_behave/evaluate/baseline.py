"""What a run is compared with: another model, or the stored baseline of the working tree or of a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pytest_behave.compare.predictions import predictions_bytes, read_predictions
from pytest_behave.compare.store import Commit, WorkingTree, baseline_paths, differences, read_baseline
from pytest_behave.compare.tails import SEED
from pytest_behave.data.table import Table
from pytest_behave.evaluate.measured import Measured, Predictor, outcome_of
from pytest_behave.evaluate.prepare import Prepared
from pytest_behave.evaluate.repeats import rows_of, with_agreement
from pytest_behave.records import (
    Accepted,
    BaselineUse,
    ModelSpec,
    Outcome,
    Predictions,
    StoredBaseline,
    StoredPredictions,
)

OTHER_DATASET = "the dataset is not the one that the baseline was accepted on"
ENOUGH = 0.9  # of all rows that either has, both should have so many unchanged


@dataclass(frozen=True)
class Against:
    """The baseline's side of a comparison.

    ``outcome`` are its outputs in the order of the dataset, valid on the ``common`` rows; None, with a ``reason``, where
    only values are known. ``stored`` are those values, None where the baseline is a model. ``accepted`` is the working
    tree's baseline where a commit's is compared with. ``other_repeats`` says that the candidate answers more or less often.
    """

    use: BaselineUse
    outcome: Outcome | None
    common: np.ndarray
    stored: StoredBaseline | None = None
    accepted: StoredBaseline | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    columns: Mapping[str, pd.Series] = field(default_factory=dict)
    other_repeats: bool = False

    @property
    def coverage(self) -> float:
        """Share of all rows, of the dataset or the baseline, that both have unchanged."""
        everything = self.use.common + self.use.added + self.use.removed + self.use.changed
        return self.use.common / everything if everything else 0.0


def against_model(
    prepared: Prepared, table: Table, model: ModelSpec, predictor: Predictor, ref: str | None = None
) -> Against:
    """Return another model as the baseline, run over the same rows; a commit ``ref`` has no part in that."""
    once, repeats = table.once, table.repeats
    predictions = predictor.predict("rows", once.frame, once.ids.tolist(), repeats)
    outcome = outcome_of(prepared, table, model, predictions, {})
    if model.repeats >= repeats:
        outcome = with_agreement(outcome, repeats)
    use = baseline_use(prepared, "model", model.name, len(once))
    notes = [f"--behave-against={ref} is not used: the suite compares with the model {model.name}"] if ref else []
    notes += _repeats_notes(min(model.repeats, repeats), repeats)
    return Against(use, outcome, np.ones(len(table), dtype=bool), notes=tuple(notes), columns=_named(table))


def _repeats_notes(given: int, repeats: int) -> list[str]:
    if given == repeats:
        return []
    used = (
        f"the first {repeats} are compared" if given > repeats else f"{'they are' if given > 1 else 'it is'} used again"
    )
    return [f"the baseline has {given} answer{'s' * (given > 1)} per instance, the model gives {repeats}: {used}"]


def _losses_first(prepared: Prepared, changed: Sequence[Accepted]) -> tuple[Accepted, ...]:
    better = {chosen.spec.name: chosen.better for chosen in prepared.chosen}  # of gaps, which are not in it, lower is

    def loss(item: Accepted) -> float:
        change = 0.0 if item.before is None or item.after is None else item.after - item.before
        return -change if better.get(item.metric) == "higher" else change

    return tuple(sorted(changed, key=lambda item: -loss(item)))


def stored_values(
    prepared: Prepared, ref: str | None
) -> tuple[StoredBaseline, StoredBaseline | None, tuple[Accepted, ...], WorkingTree | Commit] | None:
    """Return the stored values, those of the working tree if a commit's are compared with, what differs, and where from.

    None if nothing is stored; raises BaselineError if it cannot be read.
    """
    place = WorkingTree() if ref is None else Commit(ref)
    values, _ = baseline_paths(prepared.suite.path, prepared.suite.name)
    stored = read_baseline(place, values, prepared.suite.name)
    accepted = None if ref is None else read_baseline(WorkingTree(), values, prepared.suite.name)
    changed = () if ref is None else _losses_first(prepared, differences(stored, accepted))
    if stored is None and accepted is not None:  # a first baseline, new in this change
        return accepted, accepted, changed, WorkingTree()
    return None if stored is None else (stored, accepted, changed, place)


def against_stored(prepared: Prepared, table: Table, ref: str | None) -> Against | None:
    """Return the stored baseline, None if there is none; raises BaselineError if it cannot be read."""
    known = stored_values(prepared, ref)
    if known is None:
        return None
    stored, accepted, changed, place = known
    values, outputs = baseline_paths(prepared.suite.path, prepared.suite.name)
    use = baseline_use(prepared, "stored" if ref is None else "commit", stored.model, 0)
    use = replace(use, ref=ref or "", accepted=changed)
    found = read_predictions(place.read(outputs), outputs.name)
    if not isinstance(found, str) and found.model != stored.model:
        found = f"{outputs.name} and {values.name} are of two accepted runs; accept the baseline again"
    nowhere = np.zeros(len(table), dtype=bool)
    if isinstance(found, str):
        notes = [f"comparing with values alone, which sees far less: {found}"]
        if stored.dataset not in (None, table.fingerprint):
            notes.append(OTHER_DATASET)
        use = replace(use, common=len(table.once))
        return Against(use, None, ~nowhere, stored, accepted, found, tuple(notes))
    against = _aligned(prepared, table, found, Against(use, None, nowhere, stored, accepted))
    return replace(against, notes=(*against.notes, *_coverage_notes(against)))


def baseline_use(prepared: Prepared, kind: str, name: str, common: int) -> BaselineUse:
    """Return what is said of a baseline before anything is compared."""
    alpha = prepared.suite.comparison.alpha
    return BaselineUse(kind, name, alpha, tests=0, seed=SEED, common=common)  # type: ignore[arg-type]


def _aligned(prepared: Prepared, table: Table, found: StoredPredictions, against: Against) -> Against:
    """Bring the stored outputs into the order of the dataset; rows that it lacks get any row's, and are not common."""
    once, repeats = table.once, table.repeats
    size = len(found.ids) // found.repeats
    rows = pd.Index(found.ids[:size]).get_indexer(pd.Index(once.ids.tolist()))
    known = rows >= 0
    notes = _repeats_notes(found.repeats, repeats)
    outputs = output_columns_of(prepared)
    lost = [name for name in found.columns if name not in table.frame.columns or name in outputs]
    content = table.hashes(name for name in found.columns if name not in lost)
    if lost:
        why = "now holds a model's output" if lost[0] in table.frame.columns else "is gone"
        notes.append(
            f"column {lost[0]!r} of the baseline's dataset {why}, so rows with other content cannot be told; "
            "accept the baseline again"
        )
    same_content = np.ones(len(once), dtype=bool) if lost else content == found.content[rows]
    same_target = target_hashes(table) == found.target[rows]
    common = known & same_content & same_target
    use = replace(
        against.use,
        common=int(common.sum()),
        added=int((~known).sum()),
        removed=size - int(known.sum()),
        changed=int((known & ~common).sum()),
    )
    if not common.any():
        return replace(against, use=use, reason="no row is in both, unchanged", notes=tuple(notes))
    filled = np.where(common, rows, rows[common][0])
    answers = (np.arange(repeats)[:, None] % found.repeats * size + filled).ravel()
    said = rows_of(found.predictions, answers)
    outcome = outcome_of(prepared, table, ModelSpec("baseline", "predictions", ""), said, {})
    if found.repeats >= repeats:
        outcome = with_agreement(outcome, repeats)
    common = np.tile(common, repeats)
    outside = {name: series.where(common) for name, series in _named(table).items()}
    return replace(
        against,
        use=use,
        outcome=outcome,
        common=common,
        notes=tuple(notes),
        columns=outside,
        other_repeats=found.repeats != repeats,
    )


def _named(table: Table) -> dict[str, pd.Series]:
    """Return the outputs that predicates may call ``baseline.output`` and ``baseline.score``."""
    return {f"baseline.{name}": series for name, series in table.outputs.items() if name in ("output", "score")}


def content_columns(prepared: Prepared, table: Table) -> list[str]:
    """Return the columns that an instance consists of: not its id, not its target, not what a model said of it."""
    left_out = {*table.spec.id, table.spec.target, *output_columns_of(prepared)}
    return sorted(str(name) for name in table.frame.columns if name not in left_out)


def output_columns_of(prepared: Prepared) -> set[str]:
    """Return the columns of the dataset that hold what a model of the suite said."""
    suite = prepared.suite
    models = [*suite.models, *([suite.baseline] if suite.baseline else [])]
    return {spec.location for spec in models if spec.kind == "column"}


def target_hashes(table: Table) -> np.ndarray:
    """Return a hash of each row's right answer."""
    return table.hashes([] if table.spec.target is None else [table.spec.target])


def _coverage_notes(against: Against) -> list[str]:
    use = against.use
    parts = [
        f"{count:,} {word}"
        for count, word in ((use.added, "added"), (use.removed, "removed"), (use.changed, "changed"))
        if count
    ]
    if not parts:
        return []
    few = f"; only {against.coverage:.0%} of the rows are comparable" if against.coverage < ENOUGH else ""
    return [f"rows since the baseline: {', '.join(parts)}; compared on the {use.common:,} in common{few}"]


def predictions_to_store(measured: Measured, fingerprint: str) -> bytes:
    """Return the parquet file of what a model said, to be accepted as the baseline."""
    prepared, table, outcome = measured.prepared, measured.table, measured.outcome
    columns = content_columns(prepared, table)
    return predictions_bytes(
        StoredPredictions(
            ids=np.tile(table.once.ids, table.repeats),
            content=np.tile(table.hashes(columns), table.repeats),
            target=np.tile(target_hashes(table), table.repeats),
            columns=tuple(columns),
            model=fingerprint,
            predictions=Predictions(
                prediction=table.outputs.get("output"),
                score=outcome.score,
                proba=measured.predictions.proba,
                extra=measured.predictions.extra,
            ),
            repeats=table.repeats,
        )
    )
