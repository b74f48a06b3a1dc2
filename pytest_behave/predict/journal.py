"""Finished batches in the order in which they finished: appended to a file at once, so that no kill loses one.

A frame is a mark, the length and the checksum of its content, and the content. Whatever is not a whole frame is passed
over: the batch in flight when the power failed, or bytes that a disk lost.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
import time
from pathlib import Path
from typing import NamedTuple

from filelock import BaseFileLock, FileLock, Timeout

MARK = b"\x93behave\n"
HEADER = struct.Struct("<8sQ16s")  # the mark, the length in bytes, the checksum
ENDING = ".journal"
SECONDS_BETWEEN_SYNCS = 1  # what a power failure may cost; a kill costs nothing that was written


class Frames(NamedTuple):
    """The whole frames of a journal, and whether something else stands before the last of them."""

    contents: list[bytes]
    damaged: bool


class Journal:
    """One process's own file; its lock tells others that the process lives."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{time.time_ns():x}-{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
        self._lock = lock_of(self.path)
        self._lock.acquire(timeout=0)
        self._file = os.open(
            self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666
        )
        self._end = 0
        self._synced = time.monotonic()

    def append(self, content: bytes) -> None:
        """Write a frame; raises OSError with the file as it was before."""
        frame = memoryview(HEADER.pack(MARK, len(content), _checksum(content)) + content)
        try:
            written = 0
            while written < len(frame):
                written += os.write(self._file, frame[written:])
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(frame)
        if time.monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Close the file and let others have it."""
        os.close(self._file)
        self._lock.release()


def lock_of(path: Path) -> BaseFileLock:
    """Return the lock that the owner of a journal holds."""
    return FileLock(path.with_suffix(".lock"))


def adopted(path: Path) -> BaseFileLock | None:
    """Return the lock of a journal whose process is gone, held from now on; None if it lives."""
    lock = lock_of(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def frames_of(path: Path) -> Frames:
    """Return what a journal holds, also while its process goes on writing."""
    data = path.read_bytes()
    contents, position, damaged = [], 0, False
    while position < len(data):
        content = _frame_at(data, position)
        if content is None:
            found = data.find(MARK, position + 1)
            damaged = damaged or found >= 0
            position = found if found >= 0 else len(data)
            continue
        contents.append(content)
        position += HEADER.size + len(content)
    return Frames(contents, damaged)


def _frame_at(data: bytes, position: int) -> bytes | None:
    if position + HEADER.size > len(data):
        return None
    mark, length, checksum = HEADER.unpack_from(data, position)
    content = data[position + HEADER.size : position + HEADER.size + length]
    return content if mark == MARK and len(content) == length and _checksum(content) == checksum else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:16]
