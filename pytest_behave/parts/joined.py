"""The outputs of a stored baseline beside a dataset in parts: every worker finds those of its rows by id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pytest_behave.compare.store import baseline_paths
from pytest_behave.data.table import Table
from pytest_behave.errors import EngineError
from pytest_behave.evidence.baseline import StoredValues
from pytest_behave.outputs.predictions import About, copy_predictions, stored_of
from pytest_behave.predict.lookup import Lookup, write_lookup
from pytest_behave.records import StoredPredictions, Suite


@dataclass(frozen=True)
class StoredRows:
    """A folder with the stored outputs in a form whose rows are found by id, and what their file says of itself."""

    folder: Path
    about: About
    rows: int


def stored_rows(suite: Suite, known: StoredValues, folder: Path) -> StoredRows | str:
    """Copy the outputs behind stored values into a folder; returns a clause that says why if they are of no use."""
    _, outputs = baseline_paths(suite.path, suite.name)
    path = known.place.file(outputs, folder)
    about = copy_predictions(
        path, f"{outputs.parent.name}/{outputs.name}", lambda blocks: write_lookup(folder, outputs.name, blocks)
    )
    return about if isinstance(about, str) else StoredRows(folder, about, len(Lookup(folder)))


class Joined:
    """Stored outputs, in a worker. Threads may share it: it only reads."""

    def __init__(self, stored: StoredRows) -> None:
        self.about = replace(stored.about, repeats=1)  # of which the first answers were copied
        try:
            self._lookup = Lookup(stored.folder)
        except FileNotFoundError:
            raise EngineError(
                f"a worker has no folder {stored.folder}, which holds what the baseline's model said: set TMPDIR, where "
                "pytest runs, to a folder that all workers share"
            ) from None

    def of(self, table: Table) -> StoredPredictions:
        """Return what is stored of the rows of a table, in any order; of a table without any, one row of another."""
        rows = self._lookup.rows_of(table.ids.tolist())
        some = rows[rows >= 0] if (rows >= 0).any() else np.zeros(1, dtype=np.int64)
        return stored_of(self._lookup.take(some), self.about)
