"""One model of a suite, asked for outputs: opened when it is needed, its answers kept in the cache where there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np
import pandas as pd

from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.fingerprints import file_fingerprint
from pytest_behave.data.parts import file_blocks
from pytest_behave.data.readers import read_table
from pytest_behave.data.table import Table
from pytest_behave.errors import ModelError
from pytest_behave.predict.normalize import Batch, encodable, joined
from pytest_behave.predict.progress import progress_bar
from pytest_behave.predict.sources import Source, answers, open_source
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.references import References
from pytest_behave.prepare.repeats import answers_again
from pytest_behave.records import DatasetSpec, ModelSpec, Name, Predictions, Suite

if TYPE_CHECKING:
    from pytest_behave.predict.cache import ModelCache
    from pytest_behave.predict.identity import Identity


@dataclass(frozen=True)
class Asked:
    """A model as a suite declares it, with the code and the plugins it may come from; no row of the dataset."""

    suite: Suite
    spec: ModelSpec
    references: References
    extensions: Extensions
    in_parts: bool = False

    def open(self) -> Source:
        """Return the source of its outputs; raises ModelError if it cannot be opened."""
        return open_source(self.spec, Tools(self.suite, self.references, self.in_parts), self.extensions.model)

    def identity(self, source: Callable[[], Source]) -> Identity:
        """Return which model it is, as its code and files are now; ``source`` opens it, which few need."""
        from pytest_behave.predict.identity import identity_of

        function = self.spec.function
        if self.spec.kind == "plugin" and self.spec.fingerprint is None:
            function = getattr(source(), "function", None)
        return identity_of(self.spec, self.suite.path.parent, function)


Keep = Callable[["Asked", "Callable[[], Source]"], "ModelCache | None"]


def keep_nothing(_asked: Asked, _source: Callable[[], Source]) -> None:
    """Keep no outputs from run to run."""


class Answers(NamedTuple):
    """What a model said of some rows, how many answers the cache was asked for, and how many of them it knew."""

    predictions: Predictions
    asked: int
    known: int


class Predictor:
    """Asks one model. Several threads may share it: it is opened once, and holds nothing of the rows it is asked for."""

    def __init__(self, asked: Asked, terminal: TextIO | None = None, keep: Keep = keep_nothing) -> None:
        self._asked = asked
        self._terminal = terminal
        self._opening = threading.Lock()
        self._opened: Source | None = None
        self._kept = keep(asked, self._source)
        if self._kept is not None and self._kept.fingerprint is None:
            self._kept.opened(self._source())
        self.fingerprint: str = self._source().fingerprint if self._kept is None else str(self._kept.fingerprint)

    def _source(self) -> Source:
        with self._opening:
            if self._opened is None:
                self._opened = self._asked.open()
            return self._opened

    def of_table(self, table: Table) -> Answers:
        """Return as many outputs for each instance of a table as it has rows for it, all first ones before the second."""
        once, name = table.once, self._asked.spec.location
        frame = once.frame
        if self._asked.spec.kind == "column" and name not in frame.columns:
            column = once.lookup(Name(name, quoted=True))
            frame = frame.assign(**{name: pd.Series(column.values, dtype=object).where(~column.missing)})
        return self.predict(frame, once.ids.tolist(), table.repeats)

    def predict(self, frame: pd.DataFrame, ids: list[str], repeats: int = 1) -> Answers:
        """Return ``repeats`` outputs for each row of a frame, all first ones before the second ones.

        A model that is declared to answer less often is asked no more often: its answers are used again.
        """
        spec, asked = self._asked.spec, min(repeats, self._asked.spec.repeats)
        label = f"{self._asked.suite.name}: {spec.name}"
        with progress_bar(self._terminal, asked * len(frame), label) as progress:
            batches = []
            for batch in self._batches(frame, ids, asked):
                batches.append(batch)
                progress(len(batch.rows))
        said = encodable(joined(batches))
        known = sum(len(batch.rows) for batch in batches if batch.is_known)
        looked_up = 0 if self._kept is None else asked * len(frame)
        return Answers(said if asked == repeats else answers_again(said, asked, repeats), looked_up, known)

    def _batches(self, frame: pd.DataFrame, ids: list[str], repeats: int) -> Iterator[Batch]:
        if self._kept is None:
            return answers(self._source(), frame, ids, np.arange(repeats * len(frame)))
        suite = self._asked.suite
        folders = [suite.path.parent, *([Path(suite.dataset.source).parent] if suite.dataset else []), Path.cwd()]
        return self._kept.batches(self._source, frame, ids, list(dict.fromkeys(folders)), repeats)

    def check(self) -> None:
        """Say so where the model is another one after it ran: what was kept of it will not be found again."""
        if self._kept is not None and self._kept.predicted and self._asked.spec.function is None:
            self._kept.check(self._asked.identity(self._source))


@dataclass(frozen=True)
class Tools:
    """What sources need from the other stages."""

    suite: Suite
    references: References
    in_parts: bool = False

    def load(self, reference: str) -> Any:
        """Return what a reference stands for."""
        return self.references.load(reference)

    def read_table(self, path: Path) -> pd.DataFrame:
        """Return a file of predictions."""
        return read_table(path, self._as_read(path))

    def blocks(self, path: Path) -> Iterator[pd.DataFrame] | None:
        """Return a file of predictions some rows at a time, None where the dataset itself is in memory."""
        return file_blocks(path, self._as_read(path)) if self.in_parts else None

    def _as_read(self, path: Path) -> DatasetSpec:
        return replace(self.suite.dataset or DatasetSpec(source=str(path)), delimiter=None)

    def id_texts(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the ids of a table by the columns that the dataset declares."""
        spec = self.suite.dataset
        names = spec.id if spec is not None and spec.id else ("id",)
        absent = [name for name in names if name not in frame.columns]
        if absent:
            raise ModelError(f"the predictions file has no id column {absent[0]!r}")
        parts = [canonical_text(column_of(frame[name])).astype(str) for name in names]
        return parts[0] if len(parts) == 1 else np.array(["/".join(row) for row in zip(*parts, strict=True)])

    def file_fingerprint(self, path: Path) -> str:
        """Return the fingerprint of a file."""
        return file_fingerprint(path)

    def withheld(self) -> frozenset[str]:
        """Return the columns that are no inputs of a model: ids, the target, and outputs of other models."""
        suite = self.suite
        own = () if suite.dataset is None else (*suite.dataset.id, suite.dataset.target)
        models = suite.models if suite.baseline is None else (*suite.models, suite.baseline)
        return frozenset(name for name in own if name) | {spec.location for spec in models if spec.kind == "column"}
