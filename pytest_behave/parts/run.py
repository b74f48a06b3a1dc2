"""Running a model over a dataset in parts: an engine adds up what each hands over, and that becomes evidence."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from pytest_behave.data.parts import Part
from pytest_behave.errors import EngineError
from pytest_behave.evidence.baseline import (
    NOTHING_COMMON,
    Against,
    against_values,
    baseline_use,
    coverage_notes,
    lost_notes,
    of_another_run,
    repeats_notes,
    stored_values,
    values_alone,
)
from pytest_behave.evidence.predictor import Asked
from pytest_behave.evidence.protocol import Evidence
from pytest_behave.evidence.rows import About, RowEvidence
from pytest_behave.outputs.spills import merge_spills
from pytest_behave.parts.cache import Role, say_known, shared_cache
from pytest_behave.parts.joined import StoredRows, stored_rows
from pytest_behave.parts.rows import HandedOver, HandOver, ReadInputs, beside_together, rows_together
from pytest_behave.parts.sums import SumEvidence
from pytest_behave.parts.survey import Reading, slices_of
from pytest_behave.parts.totals import SumUp
from pytest_behave.parts.work import Common, Measured, MeasurePart, Order, Spill, Summary
from pytest_behave.predict.progress import progress_bar
from pytest_behave.prepare.dataset import InParts
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import ModelSpec

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache

MOST_ROWS = 131_072  # whose outputs and slices, some 50 MB of them, are brought together to be judged row by row
EVERYWHERE = np.zeros(0, dtype=bool)  # the rows to compare, before any is known


@dataclass(frozen=True)
class PartedRun:
    """A model to be run over the parts of a prepared suite.

    ``ref`` is the commit whose baseline is compared with, None for the working tree's. The outputs of the model with this
    ``fingerprint`` are kept in the file ``keep``.
    """

    prepared: Prepared
    parts: InParts
    model: ModelSpec
    ref: str | None
    keep: Path | None
    fingerprint: str
    terminal: TextIO | None
    cache: Cache | None

    def evidence(self) -> Evidence:
        """Return what was measured of all parts, beside the baseline; raises what measuring a part raises."""
        with tempfile.TemporaryDirectory(prefix="pytest-behave-", ignore_cleanup_errors=True) as shared:
            folder = Path(shared)
            against, stored = self._against(folder)
            spill = None if self.keep is None else Spill(folder / "spill", self.fingerprint)
            if spill is not None:
                spill.folder.mkdir()
            measured = self._measured(stored, spill)
            self._store(spill, measured.rows)
        if against is not None and measured.common is not None and stored is not None:
            against = self._with_common(against, stored, measured.common)
        return self._evidence(measured, against)

    def _store(self, spill: Spill | None, rows: int) -> None:
        if self.keep is not None and spill is not None and merge_spills(spill.folder, self.keep) < rows:
            raise EngineError(
                f"what workers kept in {spill.folder} did not arrive there: set TMPDIR, where pytest runs, to a folder "
                "that all workers share"
            )

    @property
    def _reading(self) -> Reading:
        return Reading(self.prepared.suite, self.parts.dtypes, self.prepared.references.modules)

    def _total(self, measure: Callable[[Part], Any], parts: Sequence[Part]) -> Any:
        label = f"{self.prepared.suite.name}: {self.model.name}"
        with progress_bar(self.terminal, len(parts), label, "part") as progress:
            return self.parts.engine.total(measure, parts, lambda _part: progress(1))

    def _measured(self, stored: StoredRows | None, spill: Spill | None) -> Measured:
        prepared = self.prepared
        models: dict[Role, Asked] = {"candidate": self._asked(self.model)}
        if prepared.baseline is not None:
            models["baseline"] = self._asked(prepared.baseline)
        shared = shared_cache(models, self.cache)
        explained = frozenset((item.slice, item.metric) for item in prepared.items)
        summary: Summary = HandOver() if self.parts.rows <= MOST_ROWS else SumUp(explained)
        order = Order(
            reading=self._reading,
            model=self.model,
            baseline=prepared.baseline,
            coding=prepared.coding,
            rows_before=self.parts.rows_before,
            summary=summary,
            stored=stored,
            spill=spill,
            shared=shared,
            extensions=prepared.extensions,
        )
        measured: Measured = self._total(MeasurePart(order), self.parts.parts)
        if shared is not None and self.cache is not None:
            say_known(models, shared, self.cache, measured.known)
        return measured

    def _asked(self, spec: ModelSpec) -> Asked:
        return Asked(self.prepared.suite, spec, self.prepared.references, self.prepared.extensions, in_parts=True)

    def _evidence(self, measured: Measured, against: Against | None) -> Evidence:
        prepared = self.prepared
        late = set(prepared.deferred)
        in_order = sorted(prepared.suite.slices, key=lambda spec: spec in late)
        slices = slices_of(measured.slices, in_order, measured.rows)
        if not isinstance(measured.summary, HandedOver):
            return SumEvidence(prepared, slices, measured.rows, measured.summary, against)
        inputs = ReadInputs(self._reading, self.parts.rows_before, self.parts.parts, self._total)
        rows = rows_together(measured.summary, prepared.coding, self.model, slices, inputs)
        if against is not None:
            against = beside_together(measured.summary, prepared.coding, prepared.baseline, against)
        return RowEvidence(About.of(prepared, self.model), rows, against, self.terminal)

    def _against(self, folder: Path) -> tuple[Against | None, StoredRows | None]:
        """Return what to compare with, None if there is nothing, and stored outputs if there are any of use."""
        prepared = self.prepared
        if prepared.baseline is not None:
            use = baseline_use(prepared.suite, "model", prepared.baseline.name, self.parts.rows)
            return Against(use, None, EVERYWHERE), None
        known = stored_values(prepared, self.ref)
        if known is None:
            return None, None
        against, found = against_values(prepared, known, self.ref), stored_rows(prepared.suite, known, folder)
        reason = found if isinstance(found, str) else of_another_run(prepared, known.values, found.about.model)
        if isinstance(found, str) or reason:
            everywhere = np.ones(self.parts.rows, dtype=bool) if self.parts.rows <= MOST_ROWS else EVERYWHERE
            alone = values_alone(against, reason, self.parts.rows, self.parts.fingerprint)
            return replace(alone, common=everywhere), None
        return against, found

    def _with_common(self, against: Against, stored: StoredRows, common: Common) -> Against:
        """Return stored values to compare with, now that it is known which rows are in both."""
        if self.prepared.table is None:
            raise TypeError("only a dataset has parts")
        removed = stored.rows - common.rows - common.changed
        use = replace(against.use, common=common.rows, added=common.added, changed=common.changed, removed=removed)
        repeats = stored.about.repeats
        lost = lost_notes(self.prepared.suite, self.prepared.table, stored.about.columns)
        notes = [*repeats_notes(repeats, 1), *lost]
        reason = "" if common.rows else NOTHING_COMMON
        return replace(
            against, use=use, notes=(*notes, *coverage_notes(use)), reason=reason, other_repeats=repeats != 1
        )
