"""The rows of a suite before a model runs, in memory or in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pytest_behave.data.parts import Dtypes, Part
from pytest_behave.data.readers import read_dataset
from pytest_behave.data.slices import make_slices
from pytest_behave.data.table import Table
from pytest_behave.decorators import marks_in
from pytest_behave.engines import Engine
from pytest_behave.measure.outcome import Labels
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.references import References
from pytest_behave.records import MetadataSpec, Slice, SliceSpec, Suite


@dataclass(frozen=True)
class InParts:
    """A dataset that is not in memory: its parts, kept rows before each, types of columns of text files, content.

    ``engine`` is where its parts are measured.
    """

    parts: tuple[Part, ...]
    rows_before: tuple[int, ...]
    rows: int
    dtypes: Dtypes
    fingerprint: str
    engine: Engine


class Data(Protocol):
    """The rows of a dataset before a model runs. ``table`` holds all of them or, of a dataset in ``parts``, the first."""

    @property
    def table(self) -> Table:
        """The rows in memory."""

    @property
    def parts(self) -> InParts | None:
        """How the dataset is read in parts, None if it is not."""

    def labels(self) -> Labels | None:
        """Return what the target holds in all rows, None without a target."""

    def slices(self, specs: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        """Return ``overall`` and the declared slices that need no model."""


@dataclass(frozen=True)
class WholeData:
    """A dataset in memory."""

    table: Table
    parts: None = None

    def labels(self) -> Labels | None:
        """Return what the target holds, None without a target."""
        target = self.table.target
        return None if target is None else Labels.of(*target, self.table.ids)

    def slices(self, specs: tuple[SliceSpec, ...]) -> tuple[Slice, ...]:
        """Return ``overall`` and the declared slices that need no model."""
        return make_slices(self.table, specs)


Reader = Callable[[Suite, References, Extensions], Data]


def whole_data(suite: Suite, references: References, extensions: Extensions) -> Data:
    """Read a suite's dataset into memory; raises DataError or PredicateError."""
    if suite.dataset is None:
        raise TypeError("the suite has no dataset")
    frame = read_dataset(suite.dataset, references.load, extensions.read)
    metadata = metadata_of(suite, references)
    return WholeData(Table(frame, suite.dataset, metadata, references.load, suite.path.parent))


def metadata_of(suite: Suite, references: References) -> tuple[MetadataSpec, ...]:
    """Return the declared metadata, and that of marked functions."""
    marked = marks_in(references.modules, "metadata").values()
    return (*suite.metadata, *(MetadataSpec(mark.name, function=mark.function, stage=mark.stage) for mark in marked))
