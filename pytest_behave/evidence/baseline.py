"""What a run is compared with: another model, or the stored baseline of the working tree or of a commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from pytest_behave.compare.store import Commit, WorkingTree, baseline_paths, differences, read_baseline
from pytest_behave.compare.tails import SEED
from pytest_behave.data.table import Table
from pytest_behave.evidence.outcome import Answered, answered
from pytest_behave.evidence.predictor import Predictor
from pytest_behave.outputs.predictions import read_predictions
from pytest_behave.prepare.preparation import Coding, Prepared
from pytest_behave.prepare.repeats import rows_of, with_agreement
from pytest_behave.records import (
    Accepted,
    BaselineUse,
    ModelSpec,
    Outcome,
    Predictions,
    StoredBaseline,
    StoredPredictions,
    Suite,
)

OTHER_DATASET = "the dataset is not the one that the baseline was accepted on"
NOTHING_COMMON = "no row is in both, unchanged"
STORED = ModelSpec("baseline", "predictions", "")  # how errors call the model behind stored outputs
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
        return coverage_of(self.use)


def coverage_of(use: BaselineUse) -> float:
    """Return the share of all rows, of the dataset or the baseline, that both have unchanged."""
    everything = use.common + use.added + use.removed + use.changed
    return use.common / everything if everything else 0.0


def against_model(prepared: Prepared, table: Table, predictor: Predictor, ref: str | None = None) -> Against:
    """Return another model as the baseline, run over the rows of a table; a commit ``ref`` has no part in that."""
    model, repeats = prepared.baseline, table.repeats
    if model is None:
        raise TypeError("the suite compares with no model")
    found = answered(prepared.coding, table, model, predictor.of_table(table).predictions)
    predictor.check()
    outcome = with_agreement(found.outcome, repeats) if model.repeats >= repeats else found.outcome
    use = baseline_use(prepared.suite, "model", model.name, len(table.once))
    notes = [f"--behave-against={ref} is not used: the suite compares with the model {model.name}"] if ref else []
    notes += repeats_notes(min(model.repeats, repeats), repeats)
    return Against(
        use, outcome, np.ones(len(table), dtype=bool), notes=tuple(notes), columns=named_columns(found.table)
    )


def repeats_notes(given: int, repeats: int) -> list[str]:
    """Return which answers are compared where the baseline has more or fewer per instance."""
    if given == repeats:
        return []
    first = "the first is" if repeats == 1 else f"the first {repeats} are"
    again = f"{'they are' if given > 1 else 'it is'} used again"
    used = f"{first} compared" if given > repeats else again
    return [f"the baseline has {given} answer{'s' * (given > 1)} per instance, the model gives {repeats}: {used}"]


def _losses_first(prepared: Prepared, changed: Sequence[Accepted]) -> tuple[Accepted, ...]:
    better = {chosen.spec.name: chosen.better for chosen in prepared.chosen}  # of gaps, which are not in it, lower is

    def loss(item: Accepted) -> float:
        change = 0.0 if item.before is None or item.after is None else item.after - item.before
        return -change if better.get(item.metric) == "higher" else change

    return tuple(sorted(changed, key=lambda item: -loss(item)))


class StoredValues(NamedTuple):
    """Stored values, those of the working tree if a commit's are compared with, what differs, and where all is read."""

    values: StoredBaseline
    accepted: StoredBaseline | None
    changed: tuple[Accepted, ...]
    place: WorkingTree | Commit


def stored_values(prepared: Prepared, ref: str | None) -> StoredValues | None:
    """Return the stored values, None if nothing is stored; raises BaselineError if they cannot be read."""
    place = WorkingTree() if ref is None else Commit(ref)
    values, _ = baseline_paths(prepared.suite.path, prepared.suite.name)
    stored = read_baseline(place, values, prepared.suite.name)
    accepted = None if ref is None else read_baseline(WorkingTree(), values, prepared.suite.name)
    changed = () if ref is None else _losses_first(prepared, differences(stored, accepted))
    if stored is None and accepted is not None:  # a first baseline, new in this change
        return StoredValues(accepted, accepted, changed, WorkingTree())
    return None if stored is None else StoredValues(stored, accepted, changed, place)


def against_stored(prepared: Prepared, table: Table, ref: str | None) -> Against | None:
    """Return the stored baseline, None if there is none; raises BaselineError if it cannot be read."""
    known = stored_values(prepared, ref)
    if known is None:
        return None
    _, outputs = baseline_paths(prepared.suite.path, prepared.suite.name)
    found = read_predictions(known.place.read(outputs), f"{outputs.parent.name}/{outputs.name}")
    reason = found if isinstance(found, str) else of_another_run(prepared, known.values, found.model)
    against = against_values(prepared, known, ref)
    if isinstance(found, str) or reason:
        against = replace(against, common=np.ones(len(table), dtype=bool))
        return values_alone(against, reason, len(table.once), table.fingerprint)
    said, against = aligned(prepared.suite, table, found, against)
    against, _ = with_outputs(prepared.coding, table, said, against)
    notes = [*repeats_notes(found.repeats, table.repeats), *lost_notes(prepared.suite, table, found.columns)]
    return replace(against, notes=(*notes, *coverage_notes(against.use)))


def against_values(prepared: Prepared, known: StoredValues, ref: str | None) -> Against:
    """Return stored values to compare with, before anything is known of the outputs behind them."""
    use = baseline_use(prepared.suite, "stored" if ref is None else "commit", known.values.model, 0)
    use = replace(use, ref=ref or "", accepted=known.changed)
    return Against(use, None, np.zeros(0, dtype=bool), known.values, known.accepted)


def of_another_run(prepared: Prepared, stored: StoredBaseline, model: str) -> str:
    """Return that values and outputs are not of one run, nothing if they are."""
    values, outputs = baseline_paths(prepared.suite.path, prepared.suite.name)
    if model == stored.model:
        return ""
    return f"{outputs.name} and {values.name} are of two accepted runs; accept the baseline again"


def values_alone(against: Against, reason: str, rows: int, fingerprint: str) -> Against:
    """Return stored values to compare with where the outputs behind them are of no use."""
    notes = [f"comparing with values alone, which sees far less: {reason}"]
    if against.stored is not None and against.stored.dataset not in (None, fingerprint):
        notes.append(OTHER_DATASET)
    use = replace(against.use, common=rows)
    return replace(against, use=use, reason=reason, notes=tuple(notes))


def baseline_use(suite: Suite, kind: str, name: str, common: int) -> BaselineUse:
    """Return what is said of a baseline before anything is compared."""
    return BaselineUse(kind, name, suite.comparison.alpha, tests=0, seed=SEED, common=common)  # type: ignore[arg-type]


def aligned(
    suite: Suite, table: Table, found: StoredPredictions, against: Against
) -> tuple[StoredPredictions, Against]:
    """Bring stored outputs into the order of a table; rows that they lack get any row's, and are not common.

    The outputs have a row per answer, as the table has.
    """
    once, repeats = table.once, table.repeats
    size = len(found.ids) // found.repeats
    rows = pd.Index(found.ids[:size]).get_indexer(pd.Index(once.ids.tolist()))
    known = rows >= 0
    lost = _lost(suite, table, found.columns)
    content = table.hashes(name for name in found.columns if name not in lost)
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
    filled = np.where(common, rows, rows[common][0] if common.any() else 0)
    answers = (np.arange(repeats)[:, None] % found.repeats * size + filled).ravel()
    said = replace(found, ids=table.ids, predictions=rows_of(found.predictions, answers))
    against = replace(against, use=use, common=np.tile(common, repeats), other_repeats=found.repeats != repeats)
    return said, against if common.any() else replace(against, reason=NOTHING_COMMON)


def with_outputs(
    coding: Coding, table: Table, said: StoredPredictions, against: Against
) -> tuple[Against, Answered | None]:
    """Return the baseline with the outcome of its outputs on the rows of a table, valid on the common ones, and those."""
    if against.reason:
        return replace(against, columns=_nothing_said(said.predictions, len(table))), None
    found = answered(coding, table, STORED, said.predictions)
    outcome = with_agreement(found.outcome, table.repeats) if said.repeats >= table.repeats else found.outcome
    outside = {name: series.where(against.common) for name, series in named_columns(found.table).items()}
    return replace(against, outcome=outcome, columns=outside), found


def _lost(suite: Suite, table: Table, columns: Iterable[str]) -> list[str]:
    outputs = output_columns_of(suite)
    return [name for name in columns if name not in table.frame.columns or name in outputs]


def lost_notes(suite: Suite, table: Table, columns: Iterable[str]) -> list[str]:
    """Return what keeps rows with other content from being told."""
    lost = _lost(suite, table, columns)
    if not lost:
        return []
    why = "now holds a model's output" if lost[0] in table.frame.columns else "is gone"
    said = f"column {lost[0]!r} of the baseline's dataset {why}, so rows with other content cannot be told"
    return [f"{said}; accept the baseline again"]


def _nothing_said(predictions: Predictions, size: int) -> dict[str, pd.Series]:
    names = {"baseline.output": predictions.prediction, "baseline.score": predictions.score}
    return {name: pd.Series([None] * size, dtype=object) for name, said in names.items() if said is not None}


def named_columns(table: Table) -> dict[str, pd.Series]:
    """Return the outputs that predicates may call ``baseline.output`` and ``baseline.score``."""
    return {f"baseline.{name}": series for name, series in table.outputs.items() if name in ("output", "score")}


def content_columns(suite: Suite, table: Table) -> list[str]:
    """Return the columns that an instance consists of: not its id, not its target, not what a model said of it."""
    left_out = {*table.spec.id, table.spec.target, *output_columns_of(suite)}
    return sorted(str(name) for name in table.frame.columns if name not in left_out)


def output_columns_of(suite: Suite) -> set[str]:
    """Return the columns of the dataset that hold what a model of the suite said."""
    models = [*suite.models, *([suite.baseline] if suite.baseline else [])]
    return {spec.location for spec in models if spec.kind == "column"}


def target_hashes(table: Table) -> np.ndarray:
    """Return a hash of each row's right answer."""
    return table.hashes([] if table.spec.target is None else [table.spec.target])


def coverage_notes(use: BaselineUse) -> list[str]:
    """Return what is not in both, the dataset and the baseline."""
    parts = [
        f"{count:,} {word}"
        for count, word in ((use.added, "added"), (use.removed, "removed"), (use.changed, "changed"))
        if count
    ]
    if not parts:
        return []
    few = f"; only {coverage_of(use):.0%} of the rows are comparable" if coverage_of(use) < ENOUGH else ""
    return [f"rows since the baseline: {', '.join(parts)}; compared on the {use.common:,} in common{few}"]


def predictions_to_store(suite: Suite, said: Answered, fingerprint: str) -> StoredPredictions:
    """Return what a model said, to be accepted as the baseline."""
    table = said.table
    columns = content_columns(suite, table)
    return StoredPredictions(
        ids=np.tile(table.once.ids, table.repeats),
        content=np.tile(table.hashes(columns), table.repeats),
        target=np.tile(target_hashes(table), table.repeats),
        columns=tuple(columns),
        model=fingerprint,
        predictions=Predictions(
            prediction=table.outputs.get("output"),
            score=said.outcome.score,
            proba=said.predictions.proba,
            extra=said.predictions.extra,
        ),
        repeats=table.repeats,
    )
