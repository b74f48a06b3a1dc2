"""Running a model over a dataset in memory: what it says becomes evidence, beside the baseline if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from pytest_behave.data.slices import make_slices
from pytest_behave.data.table import Table
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against, against_model, against_stored
from pytest_behave.evidence.outcome import Answered, answered
from pytest_behave.evidence.predictor import Asked, Keep, Predictor, keep_nothing
from pytest_behave.evidence.rows import About, RowEvidence, Rows
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.prepare.repeats import with_agreement
from pytest_behave.records import ModelSpec, Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_behave.predict.cache import Cache, ModelCache
    from pytest_behave.predict.sources import Source


def predictor_of(
    prepared: Prepared, model: ModelSpec, terminal: TextIO | None = None, cache: Cache | None = None
) -> Predictor:
    """Return what asks a model of a suite; its outputs are kept where there is a cache."""
    asked = Asked(prepared.suite, model, prepared.references, prepared.extensions)
    return Predictor(asked, terminal, keep_nothing if cache is None else keep_in(cache))


def keep_in(cache: Cache) -> Keep:
    """Return what keeps the outputs of a model as the one that its code and files are now."""

    def keep(asked: Asked, source: Callable[[], Source]) -> ModelCache | None:
        identity = asked.identity(source)
        if not identity.key:
            source()  # a model that cannot be opened says so, and nothing else
        return cache.of_model(identity, asked.spec, asked.suite.name)

    return keep


def find_baseline(
    prepared: Prepared, ref: str | None = None, terminal: TextIO | None = None, cache: Cache | None = None
) -> Against | None:
    """Return what to compare with, None if there is nothing: another model, or what is stored here or in a commit."""
    if prepared.table is None:
        return None
    if prepared.baseline is None:
        return against_stored(prepared, prepared.table, ref)
    return against_model(prepared, prepared.table, predictor_of(prepared, prepared.baseline, terminal, cache), ref)


@dataclass(frozen=True)
class WholeRun:
    """What a model said of a dataset in memory, and the evidence that this is."""

    said: Answered
    evidence: RowEvidence

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        model: ModelSpec,
        predictor: Predictor,
        against: Against | None = None,
        terminal: TextIO | None = None,
    ) -> WholeRun:
        """Ask the model for all rows; raises what asking raises."""
        table = prepared.table
        if table is None:
            raise BehaveError(f"{prepared.suite.path}: measuring needs a `dataset`")
        predictions = predictor.of_table(table).predictions
        predictor.check()
        columns = {} if against is None else against.columns
        said = answered(prepared.coding, table, model, predictions, columns)
        said = Answered(said.table, with_agreement(said.outcome, table.repeats), said.predictions)
        rows = Rows.of(said, _slices(prepared, said.table))
        return cls(said, RowEvidence(About.of(prepared, model), rows, against, terminal))


def _slices(prepared: Prepared, table: Table) -> list[Slice]:
    slices = list(prepared.slices)
    if prepared.deferred:
        known = {slice_.name for slice_ in slices}
        slices += [item for item in make_slices(table, prepared.suite.slices) if item.name not in known]
    return slices
