"""Counting and summing over many slices at once: popcounts of packed words, joint codes, blocked matrix products.

Rows are taken in blocks that stay in a processor's cache. Slices that are the members of one family are counted by
their codes, whose cost hardly depends on how many members there are; all others by their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pytest_behave.records import Outcome
from pytest_behave.records.bits import WORD, Bits, Everything, Member, packed, words_for

WORDS_AT_ONCE = 1_000  # 64,000 rows: what a block counts fits 16 bits, which are added up in a quarter of the time
CHUNK = 64_000  # words of several slices, 0.5 MB
# 1,024 rows of 128 masks as doubles stay within a processor's cache, and are few enough for BLAS to keep to one thread,
# where two took up to 90 ms
ROWS_OF_PRODUCT = 1_024
MASKS_OF_PRODUCT = 128
FEWEST_MEMBERS = 16  # fewer are counted faster by their bits
MOST_PATTERNS = 6  # planes whose patterns are counted together by codes
MOST_PLANES = 16  # classes of codes up to which popcounts of one plane per class win over gathering rows
FEWEST_ROWS_TO_SHARE = 500_000  # from there on a second thread pays

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Columns = Callable[[int, int], np.ndarray]


class Family(NamedTuple):
    """Members of one family: ``codes`` shaped (rows,), and per member its place among the masks and its code.

    A row has one code, -1 where it is in no member, so members never overlap.
    """

    codes: np.ndarray
    places: np.ndarray
    members: np.ndarray

    def of_members(self, table: np.ndarray) -> np.ndarray:
        """Return the rows of a table per code, shifted by one (the first is of rows in no member), for the members."""
        found = table[self.members + 1]
        found[self.members < 0] = 0
        return np.asarray(found)

    def sorted_rows(self, order: np.ndarray | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each member's place and its rows, rising; of rows in the order that is given, their places in it."""
        codes = self.codes if order is None else self.codes.take(order)
        by_code = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes.astype(np.intp) + 1, minlength=int(self.members.max(initial=-1)) + 2))
        for place, code in zip(self.places.tolist(), self.members.tolist(), strict=True):
            yield place, by_code[ends[code] : ends[code + 1]] if code >= 0 else by_code[:0]


class Masks:
    """The masks of all slices over the same rows, as bits or bool arrays, and what is counted of them once for all.

    Every row is in exactly one of ``_cells`` (words each), which only ever get finer; ``_counts`` are the rows of each
    slice in each of them.
    """

    def __init__(self, masks: Sequence[Bits | np.ndarray], size: int) -> None:
        self.size = size
        self.bits = [mask if isinstance(mask, Bits) else packed(mask) for mask in masks]
        self.families, self.others = _families(self.bits)
        self._cells = [Everything(size).words()]
        self._counts: list[np.ndarray] = []
        self._shared: dict[Callable[..., Any], tuple[Outcome, Any]] = {}

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def sizes(self) -> np.ndarray:
        """Number of rows of each slice: shape (slices,)."""
        if not self._counts:
            self._counts = [self._tallied([])[:, 0]]
        return self._counts[0] if len(self._counts) == 1 else np.sum(self._counts, axis=0)

    def bools(self, index: int) -> np.ndarray:
        """Return one mask as a bool array: shape (rows,)."""
        return self.bits[index].bools()

    def rows(self, index: int) -> np.ndarray:
        """Return the row numbers of one slice, rising."""
        return self.bits[index].rows()

    def rows_of(self, indices: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield some slices with their row numbers: those of a family come from one sort of its codes."""
        left = np.zeros(len(self), dtype=bool)
        left[indices] = True
        for family in self.families:
            if left[family.places].sum() >= FEWEST_MEMBERS:
                for place, rows in family.sorted_rows():
                    if left[place]:
                        yield place, rows
                left[family.places] = False
        for index in np.flatnonzero(left).tolist():
            yield index, self.rows(index)

    def count(self, planes: Sequence[Bits | np.ndarray]) -> np.ndarray:
        """Return how many rows of each slice are True in each plane: shape (slices, planes).

        Planes cut the rows into cells, the same for many planes: those of binary labels and outputs into four. Cells
        are counted, each once for all calls, and added up.
        """
        wanted = [(plane if isinstance(plane, Bits) else packed(plane)).words() for plane in planes]
        cells, cuts = self._refined(wanted)
        if len(cuts) > len(wanted):
            return self._tallied(wanted)[:, 1:]
        self._cut(cells, cuts)
        result = np.zeros((len(self), len(wanted)), dtype=np.int64)
        for column, plane in enumerate(wanted):
            for cell, counts in zip(self._cells, self._counts, strict=True):
                if (cell & plane).any():  # then all of the cell is in the plane
                    result[:, column] += counts
        return result

    def _refined(self, planes: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[tuple[int, np.ndarray]]]:
        """Return cells that are each within a plane or outside, and the cuts that lead there: (cell, its part)."""
        cells, cuts = list(self._cells), []
        for plane in planes:
            for index, cell in enumerate(list(cells)):
                inside = cell & plane
                if inside.any() and not np.array_equal(inside, cell):
                    cuts.append((index, inside))
                    cells[index] = cell ^ inside
                    cells.append(inside)
            if len(cuts) > len(planes):
                break
        return cells, cuts

    def _cut(self, cells: list[np.ndarray], cuts: list[tuple[int, np.ndarray]]) -> None:
        if not cuts and self._counts:
            return
        tallied = self._tallied([part for _, part in cuts])
        counts = self._counts or [tallied[:, 0]]
        for (index, _), part in zip(cuts, tallied[:, 1:].T, strict=True):
            counts[index] = counts[index] - part
            counts.append(part)
        self._cells, self._counts = cells, counts

    def _tallied(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        """Return the sizes and the counts within each plane (words): shape (slices, 1 + planes)."""
        result = np.zeros((len(self), 1 + len(planes)), dtype=np.int64)
        if len(self.others):
            result[self.others] = self._popcounts(planes)
        for family in self.families:
            for first in range(0, max(len(planes), 1), MOST_PATTERNS):
                some = planes[first : first + MOST_PATTERNS]
                table = family.of_members(_patterns(family.codes, some))
                result[family.places, 0] = table[:, 0]
                result[family.places[:, None], 1 + first + np.arange(len(some))] = table[:, 1:]
        return result

    def _popcounts(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        def work(first: int, last: int) -> np.ndarray:
            total = np.zeros((len(self.others), 1 + len(planes)), dtype=np.int64)
            for start, end in _blocks(first, last, WORDS_AT_ONCE):
                parts = [plane[start:end] for plane in planes]
                for place, words in self._words(start, end):
                    rows = slice(place, place + len(words))
                    total[rows, 0] += np.bitwise_count(words).sum(axis=1, dtype=np.uint16)
                    both, ones = np.empty_like(words), np.empty(words.shape, dtype=np.uint8)
                    for column, part in enumerate(parts, 1):
                        np.bitwise_count(np.bitwise_and(words, part, out=both), out=ones)
                        total[rows, column] += ones.sum(axis=1, dtype=np.uint16)
            return total

        return self._added(work)

    def _words(self, start: int, end: int, most: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the words of the slices outside of families, some slices at a time, with the place of the first."""
        at_once = min(max(CHUNK // max(end - start, 1), 1), most or CHUNK)
        for place in range(0, len(self.others), at_once):
            some = self.others[place : place + at_once]
            words = np.empty((len(some), end - start), dtype=np.uint64)
            for row, index in zip(words, some.tolist(), strict=True):
                row[:] = self.bits[index].words(start, end)
            yield place, words

    def sums(self, columns: Columns, width: int) -> np.ndarray:
        """Return the sums of ``width`` columns over each slice: shape (slices, columns).

        ``columns(first, last)`` gives the rows from ``first`` to before ``last``: shape (columns, rows), no NaN.
        """
        result = np.zeros((len(self), width))
        if len(self.others):
            result[self.others] = self._products(columns, width)
        for family in self.families:
            table = np.zeros((int(family.codes.max(initial=-1)) + 2, width))
            for first, last in _blocks(0, self.size, WORD * WORDS_AT_ONCE):
                codes, block = family.codes[first:last].astype(np.intp) + 1, columns(first, last)
                for column in range(width):
                    table[:, column] += np.bincount(codes, block[column], minlength=len(table))
            result[family.places] = family.of_members(table)
        return result

    def _products(self, columns: Columns, width: int) -> np.ndarray:
        step = ROWS_OF_PRODUCT // 8  # bytes

        def work(first: int, last: int) -> np.ndarray:
            total = np.zeros((len(self.others), width))
            doubles = np.empty((MASKS_OF_PRODUCT, ROWS_OF_PRODUCT))
            for start, end in _blocks(first, last, WORDS_AT_ONCE // 16 * 16):
                block = columns(WORD * start, min(WORD * end, self.size))
                for place, words in self._words(start, end, MASKS_OF_PRODUCT):
                    as_bytes = words.view(np.uint8)
                    for at in range(0, as_bytes.shape[1], step):
                        values = block[:, 8 * at : 8 * (at + step)].T
                        bits = doubles[: len(words), : len(values)]
                        bits[:] = np.unpackbits(as_bytes[:, at : at + step], axis=1, count=len(values))
                        total[place : place + len(words)] += bits @ values
            return total

        return self._added(work)

    def _added(self, work: Callable[[int, int], np.ndarray]) -> np.ndarray:
        """Return the sum of what both halves of the words give, each in a thread of its own where it pays."""
        end = words_for(self.size)
        middle = end // 2 // WORDS_AT_ONCE * WORDS_AT_ONCE
        halves = [(0, middle), (middle, end)] if middle else [(0, end)]
        return np.asarray(sum(in_threads(lambda half: work(*half), halves, self.size)))

    def tabulate(self, codes: np.ndarray, size: int) -> np.ndarray:
        """Return how many rows of each slice have each code below ``size``: shape (slices, size)."""
        if size <= MOST_PLANES:
            return self.count([packed(codes == code) for code in range(size)])
        result = np.zeros((len(self), size), dtype=np.int64)
        for index in self.others.tolist():
            result[index] = np.bincount(codes[self.rows(index)], minlength=size)
        for family in self.families:
            result[family.places] = family.of_members(_joint(family.codes, codes, size))
        return result

    def once(self, outcome: Outcome, compute: Callable[[Outcome, Masks], Shared]) -> Shared:
        """Return ``compute(outcome, self)``, computed once: metrics of the same slices share an order, or counts."""
        if compute not in self._shared or self._shared[compute][0] is not outcome:
            self._shared[compute] = outcome, compute(outcome, self)
        shared: Shared = self._shared[compute][1]
        return shared


def in_threads(work: Callable[[Item], Shared], items: Sequence[Item], size: int) -> Iterable[Shared]:
    """Return what is made of each item, in their order; in two threads where there are rows enough."""
    if size < FEWEST_ROWS_TO_SHARE:
        return map(work, items)
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(work, items))


def _families(bits: Sequence[Bits]) -> tuple[list[Family], np.ndarray]:
    """Return the families that are large enough, and the places of all other masks."""
    places: dict[int, list[int]] = {}
    for place, one in enumerate(bits):
        places.setdefault(id(one.codes) if isinstance(one, Member) else 0, []).append(place)
    found, others = [], places.pop(0, [])
    for some in places.values():
        members = [one for one in (bits[place] for place in some) if isinstance(one, Member)]
        if len(members) < FEWEST_MEMBERS:
            others += some
        else:
            codes = np.array([member.code for member in members])
            # a code that no row has may be beyond the largest
            largest = int(members[0].codes.max(initial=-1))
            found.append(Family(members[0].codes, np.array(some), np.where(codes > largest, -1, codes)))
    return found, np.array(sorted(others), dtype=np.intp)


def _blocks(first: int, last: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + step, last)) for start in range(first, last, step))


def _patterns(codes: np.ndarray, planes: Sequence[np.ndarray]) -> np.ndarray:
    """Return per code, shifted by one, how many rows there are, and in each plane of words: (codes + 1, 1 + planes)."""
    codes_and_none = int(codes.max(initial=-1)) + 2
    patterns = 1 << len(planes)
    total = np.zeros(codes_and_none * patterns, dtype=np.int64)
    for start, end in _blocks(0, words_for(len(codes)), WORDS_AT_ONCE):
        keys = codes[WORD * start : WORD * end].astype(np.intp)
        keys += 1
        keys <<= len(planes)
        for shift, plane in enumerate(planes):
            keys += np.unpackbits(plane[start:end].view(np.uint8), count=len(keys)) << shift
        total += np.bincount(keys, minlength=len(total))
    table = total.reshape(codes_and_none, patterns)
    inside = (np.arange(patterns)[:, None] >> np.arange(len(planes))) & 1
    return np.column_stack([table.sum(axis=1), table @ inside])


def _joint(codes: np.ndarray, others: np.ndarray, size: int) -> np.ndarray:
    """Return how many rows have each pair of codes, the first shifted by one: shape (codes + 1, size)."""
    count = int(codes.max(initial=-1)) + 2
    at_once = max(WORD * WORDS_AT_ONCE, count * size)
    total = np.zeros(count * size, dtype=np.int64)
    for start, end in _blocks(0, len(codes), at_once):
        keys = (codes[start:end].astype(np.intp) + 1) * size + others[start:end]
        total += np.bincount(keys, minlength=len(total))
    return total.reshape(count, size)
