"""One process at a time: the others wait, and say for whom."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

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
    from filelock import FileLock, Timeout

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


class Wait:
    """A wait for another process, of which is told as soon as it lasts two seconds, and when it is over."""

    def __init__(self, audience: Audience, what: str) -> None:
        self._audience = audience
        self._what = what
        self._started = time.monotonic()
        self._is_told = False

    def goes_on(self, owner: str) -> None:
        """Tell of the wait, once it is worth it."""
        if not self._is_told and time.monotonic() - self._started >= PATIENCE_IN_SECONDS:
            self._is_told = True
            self._audience.show(f"{self._audience.name} waits for {owner}, which computes {self._what}")

    def ends(self, owner: str) -> None:
        """Say how long it took, if it was told of."""
        if self._is_told:
            seconds = time.monotonic() - self._started
            self._audience.say(f"{self._audience.name} waited {seconds:.1f} s for {owner}, which computed {self._what}")


def _wait(lock: FileLock, owner: Path, audience: Audience, what: str) -> None:
    from filelock import Timeout

    wait = Wait(audience, what)
    try:
        lock.acquire(timeout=PATIENCE_IN_SECONDS)
    except Timeout:
        other = _content(owner)
        wait.goes_on(other)
        lock.acquire()
        wait.ends(other)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return "another process"
