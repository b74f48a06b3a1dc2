"""Conditions as packed bits: 64 rows to a word, conjunctions and the like put together only where they are read.

A slice of ten million rows takes 1.25 MB, and none of its own if it is made of atoms that other slices share. Only
stages import this module: it is the one record that computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, reduce

import numpy as np

WORD = 64  # rows
BLOCK = 1 << 16  # rows


def words_for(size: int) -> int:
    """Return how many words hold a bit per row."""
    return -(-size // WORD)


class Bits(ABC):
    """True or False for each of ``size`` rows; bits beyond the last row are 0."""

    def __init__(self, size: int) -> None:
        self.size = size

    @abstractmethod
    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return uint64 words from ``first`` to before ``last``, not to be written to."""

    def bools(self) -> np.ndarray:
        """Return a bool per row."""
        return np.unpackbits(self.words().view(np.uint8), count=self.size).view(np.bool_)

    def rows(self) -> np.ndarray:
        """Return the numbers of the rows that are True, rising: of few, from the bytes that have any, in half the time."""
        as_bytes = self.words().view(np.uint8)
        some = np.flatnonzero(as_bytes != 0)
        if len(some) > len(as_bytes) / 2:
            return np.flatnonzero(self.bools())
        places = np.flatnonzero(np.unpackbits(as_bytes.take(some)).view(np.bool_))
        return some.take(places >> 3) * 8 + (places & 7)

    @cached_property
    def count(self) -> int:
        """How many rows are True."""
        return int(np.bitwise_count(self.words()).sum(dtype=np.int64))

    def __and__(self, other: Bits) -> Bits:
        return AllOf((self, other))

    def __or__(self, other: Bits) -> Bits:
        return AnyOf((self, other))

    def __invert__(self) -> Bits:
        return Except(Everything(self.size), self)


class Packed(Bits):
    """Bits that are held as they are."""

    def __init__(self, array: np.ndarray, size: int) -> None:
        super().__init__(size)
        self._array = array

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: D102 - as in Bits
        return self._array[first:last]


class Tally(Bits):
    """How many rows are True, of rows that are elsewhere."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__(size)
        self.count = count

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: ARG002 - as in Bits
        """Raise TypeError: the rows are elsewhere."""
        raise TypeError("the rows of this slice are not in memory")


class Everything(Bits):
    """Every row."""

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: D102 - as in Bits
        end = words_for(self.size)
        last = end if last is None else min(last, end)
        result = np.full(max(last - first, 0), -1, dtype=np.int64).view(np.uint64)
        if last == end and self.size % WORD and len(result):
            result[-1:] = packed(np.ones(self.size % WORD, dtype=bool)).words()
        return result


class AllOf(Bits):
    """Rows that are True in every part; parts of parts are taken over."""

    def __init__(self, parts: Sequence[Bits]) -> None:
        super().__init__(parts[0].size)
        inner = [part.parts if isinstance(part, AllOf) else (part,) for part in parts]
        self.parts: tuple[Bits, ...] = tuple(dict.fromkeys(part for group in inner for part in group))

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: D102 - as in Bits
        return reduce(np.bitwise_and, [part.words(first, last) for part in self.parts])


class AnyOf(Bits):
    """Rows that are True in a part."""

    def __init__(self, parts: Sequence[Bits]) -> None:
        super().__init__(parts[0].size)
        self.parts = tuple(parts)

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: D102 - as in Bits
        return reduce(np.bitwise_or, [part.words(first, last) for part in self.parts])


class Except(Bits):
    """Rows that are True in ``one`` and False in ``other``."""

    def __init__(self, one: Bits, other: Bits) -> None:
        super().__init__(one.size)
        self.one, self.other = one, other

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: D102 - as in Bits
        return self.one.words(first, last) & ~self.other.words(first, last)


class Member(Bits):
    """Rows with one ``code``; the members of a family share the array of codes (-1: in none)."""

    def __init__(self, codes: np.ndarray, code: int) -> None:
        super().__init__(len(codes))
        self.codes, self.code = codes, code

    def words(self, first: int = 0, last: int | None = None) -> np.ndarray:  # noqa: D102 - as in Bits
        end = None if last is None else WORD * last
        return packed(self.codes[WORD * first : end] == self.code).words()


def packed(mask: np.ndarray) -> Packed:
    """Return a bool array as bits."""
    result = np.zeros(words_for(len(mask)) * (WORD // 8), dtype=np.uint8)
    bits = np.packbits(mask)
    result[: len(bits)] = bits
    return Packed(result.view(np.uint64), len(mask))


def packed_blocks(size: int, block: Callable[[int, int], np.ndarray]) -> Packed:
    """Return as bits what ``block(first, last)`` gives of the rows: bools that stay in a processor's cache."""
    result = np.zeros(words_for(size) * (WORD // 8), dtype=np.uint8)
    for first in range(0, size, BLOCK):
        bits = np.packbits(block(first, min(first + BLOCK, size)))
        result[first // 8 : first // 8 + len(bits)] = bits
    return Packed(result.view(np.uint64), size)


def members(codes: np.ndarray, count: int) -> list[Member]:
    """Return the rows of each code below ``count``, their numbers counted at once."""
    found = [Member(codes, code) for code in range(count)]
    sizes = np.bincount(codes[codes >= 0], minlength=count)
    for member, size in zip(found, sizes.tolist(), strict=True):
        member.count = size
    return found


def smallest(codes: np.ndarray) -> np.ndarray:
    """Return codes as the smallest integers that hold them: comparing those takes an eighth of the time."""
    largest = int(codes.max(initial=0))
    dtype = next(dtype for dtype in (np.int8, np.int16, np.int32, np.int64) if largest <= np.iinfo(dtype).max)
    return codes.astype(dtype, copy=False)
