"""Which texts contain a part: all bytes of pyarrow's texts compared at once, in half the time of its own search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

ROWS_AT_ONCE = 1 << 15
BYTES_AT_ONCE = 1 << 17  # stays in a processor's cache
SAMPLE = 1 << 12  # bytes that tell which are rare
WORD = 64
LONGEST = 16  # bytes; a longer part would be compared too often


def found_in(texts: Any, part: str, kind: str) -> np.ndarray:
    """Return a bool per text of a pyarrow ChunkedArray, of no meaning where it is null.

    ``kind`` is contains, startswith or endswith.
    """
    from pyarrow import compute

    bytes_of_part = np.frombuffer(part.encode(), dtype=np.uint8)
    searches = {"contains": compute.match_substring, "startswith": compute.starts_with, "endswith": compute.ends_with}

    def search(piece: Any) -> np.ndarray:
        if kind == "contains" and 0 < len(bytes_of_part) <= LONGEST and _is_plain(piece):
            return _contains(piece, bytes_of_part)
        return np.asarray(searches[kind](piece, part).fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)

    pieces = [piece for chunk in texts.chunks for piece in _pieces(chunk)]
    # not in two threads: numpy's calls are so short here that they would wait for each other
    found = list(map(search, pieces))
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def _pieces(chunk: Any) -> Iterator[Any]:
    return (chunk.slice(first, ROWS_AT_ONCE) for first in range(0, len(chunk), ROWS_AT_ONCE))


def _is_plain(piece: Any) -> bool:
    return str(piece.type) in ("string", "large_string")


def _contains(piece: Any, part: np.ndarray) -> np.ndarray:
    """Count the places where the part starts before each end of a text: a text with more at its end contains it."""
    _, ends, content = piece.buffers()
    dtype = np.int64 if str(piece.type) == "large_string" else np.int32
    offsets = np.frombuffer(ends, dtype=dtype)[piece.offset : piece.offset + len(piece) + 1].astype(np.int64)
    if content is None or offsets[-1] - offsets[0] < len(part):
        return np.zeros(len(piece), dtype=bool)
    text = np.frombuffer(content, dtype=np.uint8)[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    starts = _starts(text, part)
    before = np.zeros(len(starts) + 1, dtype=np.int64)
    np.cumsum(np.bitwise_count(starts), out=before[1:])

    def count_before(places: np.ndarray) -> np.ndarray:
        words, bits = places >> 6, (places & (WORD - 1)).view(np.uint64)
        inside = starts[words] & ((np.uint64(1) << bits) - np.uint64(1))
        return np.asarray(before[words] + np.bitwise_count(inside))

    last = np.maximum(offsets[1:] - len(part) + 1, offsets[:-1])  # a part may not reach into the next text
    return np.asarray(count_before(last) > count_before(offsets[:-1]))


def _starts(text: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return a bit per byte: whether the part starts there; the rarest bytes are compared first."""
    bits = np.zeros((len(text) // WORD + 1) * (WORD // 8), dtype=np.uint8)
    often = np.bincount(text[:SAMPLE], minlength=256)
    order = np.argsort(often[part], kind="stable").tolist()
    last = len(text) - len(part) + 1
    for first in range(0, last, BYTES_AT_ONCE):
        end = min(first + BYTES_AT_ONCE, last)
        here = text[first + order[0] : end + order[0]] == part[order[0]]
        equal = np.empty_like(here)
        for place in order[1:]:
            here &= np.equal(text[first + place : end + place], part[place], out=equal)
        packed = np.packbits(here, bitorder="little")
        bits[first // 8 : first // 8 + len(packed)] = packed
    return bits.view(np.dtype(np.uint64).newbyteorder("<")).astype(np.uint64, copy=False)
