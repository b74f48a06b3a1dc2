"""One process at a time: the others wait, and say for whom."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

PATIENCE_IN_SECONDS = 2


def _nothing(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Audience:
    """Who follows a run: ``show`` puts a line on the terminal now, ``say`` into the summary; ``name`` is this process."""

    name: str = f"process {os.getpid()}"
    show: Callable[[str], object] = _nothing
    say: Callable[[str], object] = _nothing


@contextlib.contextmanager
def held(path: Path, audience: Audience, what: str) -> Iterator[None]:
    """Hold the lock of a path; after two seconds of waiting say whose ``what`` is waited for. Raises OSError."""
    lock, owner = FileLock(path), path.with_suffix(".owner")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _wait(lock, owner, audience, what)
    try:
        with contextlib.suppress(OSError):
            owner.write_text(audience.name, encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
            path.unlink(missing_ok=True)  # those who wait hold on to it
        lock.release()


def _wait(lock: FileLock, owner: Path, audience: Audience, what: str) -> None:
    started = time.monotonic()
    try:
        lock.acquire(timeout=PATIENCE_IN_SECONDS)
    except Timeout:
        other = _content(owner)
        audience.show(f"{audience.name} waits for {other}, which computes {what}")
        lock.acquire()
        audience.say(f"{audience.name} waited {time.monotonic() - started:.1f} s for {other}, which computed {what}")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return "another process"
