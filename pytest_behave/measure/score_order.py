"""Putting the rows of many slices in order: scores are sorted once, then only places among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
            ends = np.append(np.flatnonzero(is_higher) + 1, len(scores))
            starts = np.append(0, ends[:-1])
            self._is_counted = len(ends) <= len(scores) / ROWS_PER_LEVEL
            # one that several rows share, of which the last is positive as any is
            matters = self._is_counted | ((ends - starts > 1) & self._positive.take(ends - 1))
            self._scores = _Runs(starts[matters], ends[matters])

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
        rows, positives = (self._scores.counts(some) for some in (words, words & self._positive_words))
        if self._is_counted:
            return Tied(positives, rows - positives)
        some = np.flatnonzero((rows > 1) & (positives > 0))
        rows_below, positives_below = self._scores.below(some, [words, words & self._positive_words])
        here = (counts.take(some).astype(np.int64) for counts in (rows, positives))
        ties = Ties(rows_below, positives_below, *here)
        return Listed(self._positive.take(np.flatnonzero(mask)), ties)


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

    def counts(self, words: np.ndarray) -> np.ndarray:
        """Return how many bits of each run are set: shape (runs,)."""
        counts = np.bitwise_count(words.take(self._words) & self._inside).astype(np.int32)
        if len(self._long):
            before = _before(words)
            (start,) = self.below(self._long, [words])
            ends = np.bitwise_count(words.take(self._last_words) & self._bits_below_end)
            counts[self._long] = before.take(self._last_words) + ends - start
        return np.asarray(counts)

    def below(self, runs: np.ndarray, planes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return how many bits of some planes of words are set before some of the runs: shape (runs,) each."""
        at, bits = self._words.take(runs), self._bits_below.take(runs)
        return [_before(words).take(at) + np.bitwise_count(words.take(at) & bits) for words in planes]


def _before(words: np.ndarray) -> np.ndarray:
    """Return how many bits are set before each word: shape (words,)."""
    counts = np.bitwise_count(words)
    return np.asarray(np.cumsum(counts, dtype=np.int64) - counts)


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
    same = np.zeros(len(levels) + 1, dtype=np.bool_)  # as the row before; none at either end
    np.equal(levels[1:], levels[:-1], out=same[1:-1])
    starts, ends = np.flatnonzero(same[1:] & ~same[:-1]), np.flatnonzero(same[:-1] & ~same[1:]) + 1
    if not len(starts):
        return None
    below = np.append(0, np.cumsum(positive))
    positives = below[ends] - below[starts]
    some = np.flatnonzero(positives > 0)
    return Ties(*(part.take(some) for part in (starts, below[starts], ends - starts, positives)))


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
