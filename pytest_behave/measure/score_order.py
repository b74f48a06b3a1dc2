"""Putting the rows of many slices in order: scores are sorted once, then only places among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pytest_behave.measure.ordered import Listed, Ordered, Tied, Ties
from pytest_behave.records.bits import WORD

ROWS_PER_LEVEL = 8  # from so many rows per distinct score on, counting score by score takes less than listing rows


class ScoreOrder:
    """All rows in rising order of score, of those with the same score the negatives first; NaN comes last.

    ``order`` are row numbers, their places number them in that order: shape (rows,). Nothing changes once it is built,
    so that threads may share it.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self.order, is_higher = _sorted(scores, positive)
        self._positive = positive.take(self.order)
        self._place = np.empty(len(scores), dtype=np.int32 if len(scores) < 2**31 else np.int64)
        self._place[self.order] = np.arange(len(scores))
        self._level: np.ndarray | None = None  # numbers the distinct scores: shape (rows,); None where no two are equal
        self._positive_words = _words(self._positive)
        self._scores: _Runs | None = None  # of all distinct scores, or of those that rows share
        self._is_counted = False  # by score, and not by row
        if not is_higher.all():
            self._level = np.zeros(len(scores), dtype=self._place.dtype)
            np.cumsum(is_higher, out=self._level[1:])
            levels = int(np.count_nonzero(is_higher)) + 1
            self._is_counted = levels <= len(scores) / ROWS_PER_LEVEL
            if self._is_counted:
                ends = np.append(np.flatnonzero(is_higher) + 1, len(scores))
                self._scores = _Runs(np.append(0, ends[:-1]), ends)
            else:
                starts, ends = _runs(~is_higher)
                has_positive = self._positive.take(ends - 1)  # positives come last
                self._scores = _Runs(starts[has_positive], ends[has_positive])

    def of_rows(self, rows: np.ndarray) -> Ordered:
        """Return some rows in order."""
        places = self._place.take(rows)
        places.sort()
        return self.of_places(places)

    def of_places(self, places: np.ndarray) -> Ordered:
        """Return the rows at some places, rising."""
        positive = self._positive.take(places)
        return Listed(positive, None if self._level is None else _ties_of(self._level.take(places), positive))

    def of_masks(self, masks: Sequence[np.ndarray]) -> Iterator[Ordered]:
        """Yield the rows of up to eight masks in order, a bit for each mask: eight are put in order at once."""
        bits = np.zeros(len(self.order), dtype=np.uint8)
        for shift, mask in enumerate(masks):
            bits |= mask.view(np.uint8) * np.uint8(1 << shift)  # a shift takes five times as long
        bits = bits.take(self.order)
        for shift in range(len(masks)):
            yield self._of_mask((bits & (1 << shift)).astype(np.bool_))

    def _of_mask(self, mask: np.ndarray) -> Ordered:
        """Return the rows of a mask that is in order itself."""
        if self._scores is None:
            return Listed(self._positive.take(np.flatnonzero(mask)))
        words = _words(mask)
        planes = _Plane(words), _Plane(words & self._positive_words)
        rows, positives = map(self._scores.counts, planes)
        if self._is_counted:
            return Tied(positives, rows - positives)
        some = np.flatnonzero((rows > 1) & (positives > 0))
        below = self._scores.below(some, planes)
        here = (counts.take(some).astype(np.int64) for counts in (rows, positives))
        return Listed(self._positive.take(np.flatnonzero(mask)), Ties(*below, *here))


class _Plane:
    """Words as ``_words`` packs them, and how many bits are set before each: shape (words,)."""

    def __init__(self, words: np.ndarray) -> None:
        self.words = words
        counts = np.bitwise_count(words)
        self.before = np.cumsum(counts, dtype=np.int64) - counts


class _Runs:
    """Places next to each other in packed words: where each run starts, and its bits if they are in one word.

    The few that go beyond a word are counted by what is below both ends.
    """

    def __init__(self, starts: np.ndarray, ends: np.ndarray) -> None:
        self._words, last = starts // WORD, (ends - 1) // WORD
        self._bits_below = _bits_below(starts % WORD)
        self._inside = _bits_below(ends - WORD * self._words) ^ self._bits_below
        self._long = np.flatnonzero(self._words != last)
        self._last_words = last[self._long]
        self._bits_below_end = _bits_below(ends[self._long] - WORD * self._last_words)

    def counts(self, plane: _Plane) -> np.ndarray:
        """Return how many bits of each run are set: shape (runs,)."""
        counts = np.bitwise_count(plane.words.take(self._words) & self._inside).astype(np.int32)
        if len(self._long):
            (start,) = self.below(self._long, [plane])
            ends = np.bitwise_count(plane.words.take(self._last_words) & self._bits_below_end)
            counts[self._long] = plane.before.take(self._last_words) + ends - start
        return np.asarray(counts)

    def below(self, runs: np.ndarray, planes: Iterable[_Plane]) -> tuple[np.ndarray, ...]:
        """Return how many bits of some planes are set before some of the runs: shape (runs,) each."""
        at, bits = self._words.take(runs), self._bits_below.take(runs)
        return tuple(plane.before.take(at) + np.bitwise_count(plane.words.take(at) & bits) for plane in planes)


def _bits_below(places: np.ndarray) -> np.ndarray:
    """Return words in which the bits below a place are set, all of them from the last place on."""
    bits = (np.uint64(1) << (places % WORD).astype(np.uint64)) - np.uint64(1)
    return np.where(places < WORD, bits, ~np.uint64(0))


def _words(mask: np.ndarray) -> np.ndarray:
    """Return a bool array as words, the first row in the lowest bit; one word more, for the place after the last row."""
    result = np.zeros((len(mask) // WORD + 1) * (WORD // 8), dtype=np.uint8)
    packed = np.packbits(mask, bitorder="little")
    result[: len(packed)] = packed
    return result.view(np.dtype(np.uint64).newbyteorder("<"))


def _ties_of(levels: np.ndarray, positive: np.ndarray) -> Ties | None:
    """Return the ties of rows in order, by the numbers of their scores."""
    starts, ends = _runs(levels[1:] == levels[:-1])
    if not len(starts):
        return None
    at = np.flatnonzero(positive)
    below = np.searchsorted(at, starts)
    positives = np.searchsorted(at, ends) - below
    some = np.flatnonzero(positives > 0)
    return Ties(*(part.take(some) for part in (starts, below, ends - starts, positives)))


def _runs(same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where runs of equal rows start and end, from whether each row but the first is as the one before."""
    padded = np.zeros(len(same) + 2, dtype=np.bool_)
    padded[1:-1] = same
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    return changes[::2], changes[1::2] + 1


def _sorted(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers by score and class, and whether each but the first has a higher score than the one before.

    One integer holds as much of a score as there is room for, the class and the row: sorting those takes a tenth of
    the time of sorting rows by scores. The rows of the few scores that differ in the rest only are sorted again.
    """
    values = scores + 0.0  # a copy, in which 0.0 and -0.0 are one
    values[np.isnan(values)] = np.nan  # and all NaN are the same
    room = max(len(values) - 1, 1).bit_length()
    keys = values.view(np.int64)
    keys = keys ^ ((keys >> 63) & np.int64(2**63 - 1))  # negative doubles rise where their bits fall
    keys = (keys >> (room + 1) << 1 | positive) << room | np.arange(len(keys))
    keys.sort()
    order = keys & ((1 << room) - 1)
    alike = (keys[1:] ^ keys[:-1]) >> (room + 1) == 0
    ranked = values.take(order)
    is_higher = _differ(ranked)
    if (alike & is_higher).any():
        run = np.append(0, np.cumsum(~alike))
        is_mixed = np.zeros(run[-1] + 1, dtype=np.bool_)
        is_mixed[run[1:][alike & is_higher]] = True
        again = np.flatnonzero(is_mixed.take(run))
        rows = order.take(again)
        order[again] = rows.take(np.lexsort((positive.take(rows), values.take(rows))))
        is_higher = _differ(values.take(order))
    return order, is_higher


def _differ(ranked: np.ndarray) -> np.ndarray:
    result = ranked[1:] != ranked[:-1]
    if len(ranked) and np.isnan(ranked[-1]):
        result &= ~np.isnan(ranked[:-1])
    return np.asarray(result)
