"""What a comparison needs of its rows, as sums that add up over parts of a dataset: no larger for more rows.

Oriented by ``worse`` like everything that is compared: +1 where a rise of the metric is a loss, -1 where a fall is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add

import numpy as np

from pytest_behave.compare.joint import JointCounts, joint_counts
from pytest_behave.records.pairs import PairedStates, PairedValues


@dataclass(frozen=True, slots=True)
class UnitSums:
    """Losses summed up by the unit that is flipped as one (see ``multiplicity``), and how many rows each unit has."""

    units: np.ndarray
    loss: np.ndarray
    rows: np.ndarray

    def __add__(self, other: UnitSums) -> UnitSums:
        return unit_sums(
            np.concatenate([self.units, other.units]),
            np.concatenate([self.loss, other.loss]),
            np.concatenate([self.rows, other.rows]),
        )


def unit_sums(units: np.ndarray, loss: np.ndarray, rows: np.ndarray | None = None) -> UnitSums:
    """Return the sums of losses by unit; ``rows`` says how many rows each loss is of, one if it is left out."""
    count = int(units.max()) + 1 if len(units) else 0
    present = np.bincount(units, rows, minlength=count).astype(np.int64)
    found = np.flatnonzero(present)
    return UnitSums(found, np.bincount(units, loss, minlength=count)[found], present[found])


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean, and sums of squared and cubed distances from the mean.

    They are added as in Pébay 2008, Sandia report SAND2008-6212, which keeps the digits where means are large.
    """

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """Return the moments of values."""
        if len(values) == 0:
            return cls()
        mean = float(values.mean())
        distance = values - mean
        squares = distance * distance
        return cls(len(values), mean, float(squares.sum()), float((squares * distance).sum()))

    def __add__(self, other: Moments) -> Moments:
        n = self.n + other.n
        if self.n == 0 or other.n == 0:
            return other if self.n == 0 else self
        apart = other.mean - self.mean
        return Moments(
            n,
            self.mean + apart * other.n / n,
            self.squares + other.squares + apart**2 * self.n * other.n / n,
            self.cubes
            + other.cubes
            + apart**3 * self.n * other.n * (self.n - other.n) / n**2
            + 3 * apart * (self.n * other.squares - other.n * self.squares) / n,
        )

    @property
    def skewness(self) -> float:
        """Skewness, 0 where nothing varies."""
        return float(np.sqrt(self.n) * self.cubes / self.squares**1.5) if self.squares > 0 else 0.0


@dataclass(frozen=True, slots=True)
class BinarySums:
    """Rows of one slice by what both models got: neither, the candidate, the baseline, both; and losses by unit."""

    cells: np.ndarray
    units: UnitSums

    def __add__(self, other: BinarySums) -> BinarySums:
        return BinarySums(self.cells + other.cells, self.units + other.units)


@dataclass(frozen=True, slots=True)
class MeanSums:
    """Values of both models on the rows of one slice, what was lost, on how many rows anything was, and by unit."""

    before: Moments
    after: Moments
    loss: Moments
    differing: int
    units: UnitSums

    def __add__(self, other: MeanSums) -> MeanSums:
        return MeanSums(
            self.before + other.before,
            self.after + other.after,
            self.loss + other.loss,
            self.differing + other.differing,
            self.units + other.units,
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """A metric that is the share of rows with a 1, on each slice."""

    slices: tuple[BinarySums, ...]

    def __add__(self, other: Shares) -> Shares:
        return Shares(tuple(map(add, self.slices, other.slices)))

    def of_slices(self, places: np.ndarray) -> Shares:
        """Return the sums of some of the slices, in the order of their places."""
        return Shares(tuple(self.slices[place] for place in places.tolist()))


@dataclass(frozen=True, slots=True)
class Means:
    """A mean, on each slice; ``all_rows`` are the losses of the rows of all slices together."""

    slices: tuple[MeanSums, ...]
    all_rows: Moments

    def __add__(self, other: Means) -> Means:
        return Means(tuple(map(add, self.slices, other.slices)), self.all_rows + other.all_rows)

    def of_slices(self, places: np.ndarray) -> Means:
        """Return the sums of some of the slices, in the order of their places."""
        return Means(tuple(self.slices[place] for place in places.tolist()), self.all_rows)


@dataclass(frozen=True, slots=True)
class Counts:
    """A metric that is a function of the counts of states, on each slice.

    Where states are pairs of a target class and a predicted one, ``classes`` names these, the ``known`` ones of the
    target first: what only a model says may differ between parts.
    """

    slices: tuple[JointCounts, ...]
    classes: tuple[str, ...] = ()
    known: int = 0

    def __add__(self, other: Counts) -> Counts:
        more = sorted({*self.classes[self.known :], *other.classes[self.known :]})
        classes = (*self.classes[: self.known], *more)
        one, rest = self._of(classes), other._of(classes)
        return Counts(tuple(map(_added, one.slices, rest.slices)), classes, self.known)

    def _of(self, classes: tuple[str, ...]) -> Counts:
        if classes == self.classes:
            return self
        places = np.array([classes.index(name) for name in self.classes])
        size, width = self.known * len(classes), len(self.classes)

        def moved(states: np.ndarray) -> np.ndarray:
            return np.asarray(states // width * len(classes) + places[states % width])

        tables = (
            JointCounts(moved(table.baseline), moved(table.candidate), table.counts, size) for table in self.slices
        )
        return Counts(tuple(tables), classes, self.known)

    def of_slices(self, places: np.ndarray) -> Counts:
        """Return the counts of some of the slices, in the order of their places."""
        return Counts(tuple(self.slices[place] for place in places.tolist()), self.classes, self.known)


@dataclass(frozen=True, slots=True)
class HitSums:
    """Rows of one slice by what they are for both models (irrelevant 0 or 2, a miss 1, a hit 3), and losses by unit.

    Losses are those of rows that are relevant for both, which is all that matters where the same rows are.
    """

    cells: np.ndarray
    units: UnitSums

    def __add__(self, other: HitSums) -> HitSums:
        return HitSums(self.cells + other.cells, self.units + other.units)


@dataclass(frozen=True, slots=True)
class Hits:
    """A share of hits among relevant rows, on each slice, before it is known which of the forms above it has."""

    slices: tuple[HitSums, ...]

    def __add__(self, other: Hits) -> Hits:
        return Hits(tuple(map(add, self.slices, other.slices)))

    def of_slices(self, places: np.ndarray) -> Hits:
        """Return the sums of some of the slices, in the order of their places."""
        return Hits(tuple(self.slices[place] for place in places.tolist()))

    @property
    def occurring(self) -> np.ndarray:
        """The cells that occur in any slice: 4 times what a row is for the baseline, plus what it is for the candidate."""
        return np.flatnonzero(sum(found.cells for found in self.slices))

    def as_form(self, pairs: PairedValues | PairedStates) -> Shares | Counts:
        """Return the sums in a form, of which ``pairs`` has one row per occurring cell."""
        cells = self.occurring
        if isinstance(pairs, PairedValues):
            codes = np.where(np.isnan(pairs.baseline), 4, 2 * pairs.baseline + pairs.candidate).astype(np.int64)
            return Shares(
                tuple(
                    BinarySums(np.bincount(codes, found.cells[cells], minlength=5)[:4].astype(np.int64), found.units)
                    for found in self.slices
                )
            )
        codes = pairs.baseline * pairs.size + pairs.candidate
        kept, places = np.unique(codes, return_inverse=True)
        tables = []
        for found in self.slices:
            counts = np.bincount(places, found.cells[cells], minlength=len(kept)).astype(np.int64)
            some = counts > 0
            tables.append(JointCounts(kept[some] // pairs.size, kept[some] % pairs.size, counts[some], pairs.size))
        return Counts(tuple(tables))


Sums = Shares | Means | Counts


def hits_of(states: tuple[np.ndarray, np.ndarray], slices: Sequence[np.ndarray], worse: int, units: np.ndarray) -> Hits:
    """Return the sums of a share of hits from what each row is for baseline and candidate."""
    before, after = states
    codes = 4 * before + after
    loss = np.where((before & 1) & (after & 1), worse * ((after >> 1) - (before >> 1)), 0)
    found = []
    for rows in slices:
        differing = rows[loss[rows] != 0]
        sums = unit_sums(units[differing], loss[differing])
        found.append(HitSums(np.bincount(codes[rows], minlength=16), sums))
    return Hits(tuple(found))


def sums_of(pairs: PairedValues | PairedStates, slices: Sequence[np.ndarray], worse: int, units: np.ndarray) -> Sums:
    """Return the sums of a metric on each slice (row numbers); ``units`` gives each row's."""
    if isinstance(pairs, PairedStates):
        return Counts(tuple(joint_counts(pairs, rows) for rows in slices), pairs.classes, pairs.known)
    loss = worse * (pairs.candidate - pairs.baseline)
    if pairs.binary:
        return Shares(tuple(_binary_sums(pairs, loss, slices, units)))
    counted = ~np.isnan(pairs.baseline)
    where = [rows[counted[rows]] for rows in slices]
    everywhere = np.zeros(len(loss), dtype=bool)
    for rows in where:
        everywhere[rows] = True
    return Means(tuple(_mean_sums(pairs, loss, rows, units) for rows in where), Moments.of(loss[everywhere]))


def _binary_sums(
    pairs: PairedValues, loss: np.ndarray, slices: Sequence[np.ndarray], units: np.ndarray
) -> list[BinarySums]:
    counted = ~np.isnan(pairs.baseline)
    codes = np.where(counted, 2 * (pairs.baseline == 1) + (pairs.candidate == 1), 4)
    differs = counted & (pairs.baseline != pairs.candidate)
    result = []
    for rows in slices:
        differing = rows[differs[rows]]
        cells = np.bincount(codes[rows], minlength=5)[:4]
        result.append(BinarySums(cells, unit_sums(units[differing], loss[differing])))
    return result


def _mean_sums(pairs: PairedValues, loss: np.ndarray, rows: np.ndarray, units: np.ndarray) -> MeanSums:
    lost = loss[rows]
    return MeanSums(
        Moments.of(pairs.baseline[rows]),
        Moments.of(pairs.candidate[rows]),
        Moments.of(lost),
        int(np.count_nonzero(lost)),
        unit_sums(units[rows], lost),
    )


def _added(one: JointCounts, other: JointCounts) -> JointCounts:
    codes = np.concatenate([table.baseline * table.size + table.candidate for table in (one, other)])
    cells, places = np.unique(codes, return_inverse=True)
    counts = np.bincount(places, np.concatenate([one.counts, other.counts]), minlength=len(cells)).astype(np.int64)
    return JointCounts(cells // one.size, cells % one.size, counts, one.size)
