"""What the order of scores says of a large slice, from packed words: no row of it is ever listed.

Rows stand in the order of their scores, 64 to a word, eight to a byte. Within a byte a table knows how many negatives
are below each positive; within a word the counts of bytes, beyond it the counts of words say the rest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pytest_behave.records.bits import WORD, words_for

BYTES = WORD // 8
DIRECT = 1_024  # times the rows in a word: so many with the highest scores have their precisions computed one by one


def planar(order: np.ndarray) -> np.ndarray:
    """Return an order of rows such that byte ``i`` of all words come together: packed, shape (8, words).

    The places after the last row are of the row ``len(order)``, which is to be in no slice.
    """
    words = words_for(len(order))
    padded = np.pad(order, (0, WORD * words - len(order)), constant_values=len(order))
    return padded.reshape(words, BYTES, 8).swapaxes(0, 1).ravel()


def packed_planar(rows: np.ndarray) -> np.ndarray:
    """Return rows in planar order, those that are not 0 as bits: shape (8, words)."""
    return np.packbits(rows, bitorder="little").reshape(BYTES, -1)


class InWords:
    """The rows of a slice in rising order of score, no two of which have the same; ``bits`` and ``classes`` are planar."""

    def __init__(self, bits: np.ndarray, classes: np.ndarray) -> None:
        positives = bits & classes
        negatives = bits ^ positives
        self._bits, self._positives = bits, positives
        here, rest = np.bitwise_count(positives), np.bitwise_count(negatives)
        keys = negatives.astype(np.uint16)
        keys <<= 8
        keys |= positives
        indices = keys.astype(np.intp)
        pairs, squares, of_negatives = (table.take(indices, mode="clip") for table in _tables())
        # of each byte: rows below it in its word; all sums of a word stay below 2**16
        below, hits = _before(rest), _before(here)
        self._pairs = _sum(here * below, pairs)
        self._squares = _sum(below * (np.multiply(here, below, dtype=np.uint16) + 2 * pairs), squares)
        mixed = np.multiply(here, rest, dtype=np.uint16) - pairs
        self._of_negatives = _sum(hits * (np.multiply(rest, hits, dtype=np.uint16) + 2 * mixed), of_negatives)
        self._here, self._rest = (_sum(counts).astype(np.float64) for counts in (here, rest))
        self._hits, self._below = (np.cumsum(counts) - counts for counts in (self._here, self._rest))
        self.m = int(self._here.sum())
        self.n = self.m + int(self._rest.sum())
        self._total = int(np.einsum("i,i", self._here, self._below)) + int(self._pairs.sum(dtype=np.int64))

    def area(self) -> float:
        """Return the area under the ROC curve; both classes occur."""
        return self._total / (self.m * (self.n - self.m))

    def squares(self) -> tuple[float, float]:
        """Return the sums of squared distances of DeLong's placement values of both classes from their mean."""
        m, rest = self.m, self.n - self.m
        positives = self._below - self._total / m
        negatives = self._hits - (m * rest - self._total) / rest
        mixed = self._here * self._rest - self._pairs
        return (
            float((positives * (positives * self._here + 2 * self._pairs) + self._squares).sum()) / rest**2,
            float((negatives * (negatives * self._rest + 2 * mixed) + self._of_negatives).sum()) / m**2,
        )

    def precision(self) -> float:
        """Return the average precision; positives occur. It is off by less than 1e-9, and mostly by less than 1e-13.

        The precision at a positive is (m - k) / (n - a), with k positives and a rows below it. Of the rows of a word a
        differs little, by u from their middle: a series of 1 / (y - u) up to the square of u / y, at most 1 / 2,048: twice its cube is left out.
        """
        counts = self._here + self._rest
        start = self.n - self._hits - self._below  # rows from each word on
        last = int(np.searchsorted(-start, -DIRECT * counts.max()))
        below = slice(max(last - 1, 0))
        return (
            self._by_word(below, start[below] - np.maximum(counts[below] - 1, 0) / 2) + self._direct(below.stop)
        ) / self.m

    def _by_word(self, words: slice, y: np.ndarray) -> float:
        """Return the sum of precisions, ``y`` being the rows from the middle of each word on."""
        p, n, pairs = self._here[words], self._rest[words], self._pairs[words]
        middle = np.maximum(p + n - 1, 0) / 2
        # sums over the positives of a word, k and a counted within it: of k, k squared, k times the negatives below
        places = p * (p - 1) / 2
        of_squares = places * (2 * p - 1) / 3
        by_place = (n * p * p - pairs - self._of_negatives[words]) / 2
        # then of u, k u, and u squared
        u = places + pairs - middle * p
        by_u = of_squares + by_place - middle * places
        u_squared = of_squares + 2 * by_place + self._squares[words] - middle * (2 * u + middle * p)
        hits = self.m - self._hits[words]
        mean_hits = hits - np.maximum(p - 1, 0) / 2
        return float((((mean_hits * u_squared / y + (hits * u - by_u)) / y + (hits * p - places)) / y).sum())

    def _direct(self, first: int) -> float:
        """Return the sum of precisions from a word on."""
        rows, positive = (
            np.unpackbits(part[:, first:].T.ravel(), bitorder="little").view(np.bool_)
            for part in (self._bits, self._positives)
        )
        at = np.flatnonzero(positive.take(np.flatnonzero(rows)))
        return float((np.arange(len(at), 0, -1.0) / (np.count_nonzero(rows) - at)).sum())


def _before(counts: np.ndarray) -> np.ndarray:
    """Return the sums of the bytes before each, at most 56."""
    result = np.zeros(counts.shape, dtype=np.uint16)
    for byte in range(1, len(counts)):
        np.add(result[byte - 1], counts[byte - 1], out=result[byte])
    return result


def _sum(*counts: np.ndarray) -> np.ndarray:
    return np.asarray(sum(part.sum(axis=0, dtype=np.uint16) for part in counts))


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums over the rows of a byte, by its positives and 256 times its negatives.

    Over positives the negatives below and their square, over negatives the square of the positives below.
    """
    keys = np.arange(1 << 16)
    result = np.zeros((3, len(keys)), dtype=np.uint8)
    hits, below = np.zeros((2, len(keys)), dtype=np.uint8)
    for row in range(8):
        positive, negative = ((keys >> row + shift & 1).astype(np.uint8) for shift in (0, 8))
        result += np.array([positive * below, positive * below**2, negative * hits**2])
        hits += positive
        below += negative
    return result[0], result[1], result[2]
