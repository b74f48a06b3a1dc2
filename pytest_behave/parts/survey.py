"""A dataset in parts, before a model runs: everything that can be known only of all rows, and no row itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_behave.codes import hashes_of
from pytest_behave.data.columns import canonical_text
from pytest_behave.data.fingerprints import Content
from pytest_behave.data.parts import Dtypes, Part, blocks, dtypes_of, together
from pytest_behave.data.slices import NOTHING, OVERALL, make_slices
from pytest_behave.data.table import Table
from pytest_behave.errors import DataError
from pytest_behave.measure.outcome import Labels
from pytest_behave.prepare.dataset import metadata_of
from pytest_behave.prepare.references import References
from pytest_behave.records import DatasetSpec, Name, Slice, SliceSpec, Suite
from pytest_behave.records.bits import Tally

MOST_IDS = 8_000_000  # hashes, 64 MB


@dataclass(frozen=True)
class Seen:
    """A slice as far as parts of a dataset show it: where it stands among the others, and how many rows it has."""

    slice: Slice
    size: int

    def __add__(self, other: Seen) -> Seen:
        problem = self.slice.problem or other.slice.problem
        return Seen(replace(self.slice, problem=problem), self.size + other.size)


def seen_of(slices: Sequence[Slice]) -> dict[str, Seen]:
    """Return slices by name, without the rows of the part that they are of."""
    return {item.name: Seen(replace(item, bits=Tally(item.size, item.bits.size)), item.size) for item in slices}


def both_seen(one: dict[str, Seen], other: dict[str, Seen]) -> dict[str, Seen]:
    """Return the slices of two parts together."""
    names = dict.fromkeys((*one, *other))
    return {
        name: one[name] + other[name] if name in one and name in other else one.get(name) or other[name]
        for name in names
    }


def slices_of(seen: dict[str, Seen], specs: Sequence[SliceSpec], rows: int) -> tuple[Slice, ...]:
    """Return the slices of all parts together, in their order; one that selects nothing has that as its problem."""
    order = {spec.name: number for number, spec in enumerate(specs)}
    found = sorted(
        seen.values(), key=lambda item: (order.get(item.slice.family or item.slice.name, -1), item.slice.rank)
    )
    slices = [replace(item.slice, bits=Tally(item.size, rows)) for item in found]
    families = {item.slice.family for item in found if item.size}
    result = []
    for slice_ in slices:
        alone = slice_.family is None and slice_.name != OVERALL
        nothing = not slice_.size and (alone or slice_.family not in families)
        result.append(replace(slice_, problem=NOTHING) if nothing and not slice_.problem else slice_)
    empty = [spec for spec in specs if spec.by and not any(spec.name in (item.family, item.name) for item in slices)]
    result += [Slice(spec.name, spec.name, spec.min_size, Tally(0, rows), spec.place, NOTHING) for spec in empty]
    return tuple(result)


@dataclass(frozen=True)
class Ids:
    """Hashes of ids, to find those that two parts share; of very many ids only every ``step``-th hash, by its value."""

    hashes: np.ndarray
    step: int = 1
    twice: bool = False

    @classmethod
    def of(cls, ids: np.ndarray) -> Ids:
        """Return the hashes of the ids of one part."""
        return cls(np.sort(hashes_of(ids)))

    def __add__(self, other: Ids) -> Ids:
        step = max(self.step, other.step)
        hashes = np.concatenate([self._at(step), other._at(step)])
        while len(hashes) > MOST_IDS:
            step *= 2
            hashes = hashes[hashes % np.uint64(step) == 0]
        hashes.sort()
        return Ids(hashes, step, self.twice or other.twice or bool((hashes[1:] == hashes[:-1]).any()))

    def _at(self, step: int) -> np.ndarray:
        return self.hashes if step == self.step else self.hashes[self.hashes % np.uint64(step) == 0]


@dataclass(frozen=True)
class Survey:
    """What parts of a dataset hold: kept rows by part, content, labels of the target, ids, slices."""

    rows: dict[int, int]
    content: Content
    labels: Labels | None
    ids: Ids | None
    slices: dict[str, Seen]

    def __add__(self, other: Survey) -> Survey:
        return Survey(
            {number: self.rows.get(number, 0) + other.rows.get(number, 0) for number in {**self.rows, **other.rows}},
            self.content + other.content,
            None if self.labels is None or other.labels is None else self.labels + other.labels,
            None if self.ids is None or other.ids is None else self.ids + other.ids,
            both_seen(self.slices, other.slices),
        )


@dataclass(frozen=True)
class Reading:
    """How a worker reads parts: what the suite says of them, and the types of the columns of text files."""

    suite: Suite
    dtypes: Dtypes
    modules: tuple[Any, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the modules of conftest files, which only the process that collected them has."""
        return {"suite": self.suite, "dtypes": self.dtypes, "modules": ()}

    @property
    def dataset(self) -> DatasetSpec:
        """The dataset's declaration."""
        if self.suite.dataset is None:
            raise TypeError("only a dataset has parts")
        return self.suite.dataset

    def references(self) -> References:
        """Return what the suite names in Python."""
        return References(self.suite.path.parent, self.modules).with_module(self.suite.python)

    def tables(self, part: Part, references: References, rows_before: int = 0) -> Iterator[Table]:
        """Yield the rows of a part, some at a time."""
        metadata = metadata_of(self.suite, references)
        for frame in blocks(part, self.dataset, self.dtypes):
            table = Table(
                frame, self.dataset, metadata, references.load, self.suite.path.parent, rows_before=rows_before
            )
            rows_before += len(table)
            yield table


@dataclass(frozen=True)
class LookAtTypes:
    """Finds the types of the columns of text files."""

    spec: DatasetSpec

    def __call__(self, part: Part) -> TypesSeen:
        """Return those of one part."""
        found: Dtypes = {}
        for frame in blocks(part, self.spec, {}):
            found = together(found, dtypes_of(frame)) if found else dtypes_of(frame)
        return TypesSeen(found)


@dataclass(frozen=True)
class TypesSeen:
    """What columns look like; that of parts adds up."""

    dtypes: Dtypes

    def __add__(self, other: TypesSeen) -> TypesSeen:
        return TypesSeen(together(self.dtypes, other.dtypes))


@dataclass(frozen=True)
class LookAtRows:
    """Surveys parts; ``slices`` are those that need no model."""

    reading: Reading
    slices: tuple[SliceSpec, ...]

    def __call__(self, part: Part) -> Survey:
        """Return the survey of one part."""
        references = self.reading.references()
        total: Survey | None = None
        for table in self.reading.tables(part, references):
            found = self._of(table, part)
            total = found if total is None else total + found
        if total is None:
            raise DataError(f"{part.path} holds no rows")
        return total

    def _of(self, table: Table, part: Part) -> Survey:
        spec = self.reading.dataset
        labels = None
        if spec.target is not None:
            column = table.lookup(Name(spec.target, quoted=True))
            labels = Labels.of(column, canonical_text(column), table.ids)
        return Survey(
            {part.number: len(table)},
            Content.of(table.frame),
            labels,
            Ids.of(table.ids) if spec.id else None,
            seen_of(make_slices(table, self.slices, is_part=True)),
        )
