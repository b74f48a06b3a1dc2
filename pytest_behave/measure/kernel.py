"""Counting and summing over many slices at once: masks as packed bits, counts by popcount, sums by matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BLOCK_OF_BYTES = 512  # 4,096 rows: masks of 100 slices as doubles stay within a processor's cache
WORD = 8


class Masks:
    """The masks of all slices over the same rows, one packed row of bits per slice."""

    def __init__(self, masks: Sequence[np.ndarray], size: int) -> None:
        self.size = size
        self.packed = _pack(masks, size)
        self.sizes = np.bitwise_count(self.packed).sum(axis=1, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.packed)

    def bools(self, index: int) -> np.ndarray:
        """Return one mask as a bool array."""
        bits = np.unpackbits(self.packed[index].view(np.uint8), count=self.size)
        return bits.view(np.bool_)

    def rows(self, index: int) -> np.ndarray:
        """Return the row numbers of one slice, rising."""
        return np.flatnonzero(self.bools(index))

    def count(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        """Return how many rows of each slice are True in each plane: shape (slices, planes)."""
        packed = _pack(planes, self.size)
        counts = np.empty((len(self.packed), len(packed)), dtype=np.int64)
        for index, mask in enumerate(self.packed):
            counts[index] = np.bitwise_count(packed & mask).sum(axis=1, dtype=np.int64)
        return counts

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Return the sum of each column (rows x columns, no NaN) over each slice: shape (slices, columns)."""
        total = np.zeros((len(self.packed), columns.shape[1]))
        as_bytes = self.packed.view(np.uint8)
        for start in range(0, (self.size + 7) // 8, BLOCK_OF_BYTES):
            first = start * 8
            block = columns[first : first + BLOCK_OF_BYTES * 8]
            bits = np.unpackbits(as_bytes[:, start : start + BLOCK_OF_BYTES], axis=1, count=len(block))
            total += bits.astype(np.float64) @ block
        return total


def _pack(masks: Sequence[np.ndarray], size: int) -> np.ndarray:
    words = (size + 8 * WORD - 1) // (8 * WORD)
    packed = np.zeros((len(masks), words * WORD), dtype=np.uint8)
    for row, mask in zip(packed, masks, strict=True):
        bits = np.packbits(mask)
        row[: len(bits)] = bits
    return packed.view(np.uint64)
