"""One process of a test run does the work on a suite, the others take what it found: through files in a shared folder.

Of each suite there may be a *claim* (the name of the process that works on it), an *outline*, a *result*, and the mark
*begun* while its model runs. A process holds the lock of its own name as long as it lives, so that a claim without
a result tells whether to wait for it: a process that died is found out by its free lock.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from pytest_behave.predict.waiting import Audience, Wait

Stage = Literal["outline", "result"]
POLL_IN_SECONDS = 0.005
LIFE_IN_SECONDS = 0.2  # between looks at whether a process is alive, which cost more


class Share(Protocol):
    """What is known of suites to all processes of a test run."""

    def claim(self, suite: Path) -> bool:
        """Tell whether this process is the one that works on a suite, as it is from now on if no other is."""

    def wait_for_claim(self, suite: Path, seconds: float) -> None:
        """Leave a suite to other processes, for so long."""

    def begin(self, suite: Path) -> None:
        """Mark that the suite's model is about to be started."""

    def end(self, suite: Path) -> None:
        """Take the mark away: this process outlived the model."""

    def publish(self, suite: Path, stage: Stage, text: str) -> None:
        """Let all processes know what was found."""

    def read(self, suite: Path, stage: Stage) -> str | None:
        """Return what was found, None if nothing was yet."""

    def wait(self, suite: Path, stage: Stage, audience: Audience, what: str) -> str | None:
        """Return what the process that works on a suite finds; None if it died without."""

    def give_up(self, suite: Path, stage: Stage, text: Callable[[], str]) -> None:
        """Let all know what became of a suite whose process died; or let others have it, if it had not begun."""

    def close(self) -> None:
        """Leave: what this process claimed and did not finish is free."""


class Alone:
    """There is no other process that works on suites; the controller of some reads what they found in their folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def claim(self, suite: Path) -> bool:  # noqa: ARG002 - as Share
        """Return True."""
        return True

    def wait_for_claim(self, suite: Path, seconds: float) -> None:
        """Do nothing."""

    def begin(self, suite: Path) -> None:
        """Do nothing."""

    def end(self, suite: Path) -> None:
        """Do nothing."""

    def publish(self, suite: Path, stage: Stage, text: str) -> None:
        """Do nothing."""

    def read(self, suite: Path, stage: Stage) -> str | None:
        """Return what an xdist worker found, None in any other run."""
        return read_shared(self.folder, suite, stage)

    def wait(self, suite: Path, stage: Stage, audience: Audience, what: str) -> str | None:  # noqa: ARG002
        """Return None."""
        return None

    def give_up(self, suite: Path, stage: Stage, text: Callable[[], str]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class SharedFolder:
    """What processes leave for each other in a folder; every change of a claim is made under one lock."""

    def __init__(self, folder: Path, name: str) -> None:
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self._changes = FileLock(folder / "claims.lock")
        self._life = FileLock(folder / f"{name}.lock")
        self._life.acquire()

    def claim(self, suite: Path) -> bool:
        """Tell whether this process is the one that works on a suite, as it is from now on if no other is."""
        with self._changes.acquire(poll_interval=POLL_IN_SECONDS):
            owner = self._owner(suite)
            if not owner:
                self._file(suite, "claim").write_text(self.name, encoding="utf-8")
            return owner in ("", self.name)

    def wait_for_claim(self, suite: Path, seconds: float) -> None:
        """Leave a suite to other processes, for so long."""
        until = time.monotonic() + seconds
        while not self._owner(suite) and time.monotonic() < until:
            time.sleep(POLL_IN_SECONDS)

    def begin(self, suite: Path) -> None:
        """Mark that the suite's model is about to be started."""
        self._file(suite, "begun").write_text(f"{self.name}\n{suite}", encoding="utf-8")

    def end(self, suite: Path) -> None:
        """Take the mark away: this process outlived the model."""
        self._file(suite, "begun").unlink()

    def publish(self, suite: Path, stage: Stage, text: str) -> None:
        """Let all processes know what was found; as a whole or not at all."""
        unfinished = self._file(suite, f"{stage}-{self.name}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self._file(suite, stage))

    def read(self, suite: Path, stage: Stage) -> str | None:
        """Return what was found, None if nothing was yet."""
        return read_shared(self.folder, suite, stage)

    def wait(self, suite: Path, stage: Stage, audience: Audience, what: str) -> str | None:
        """Return what the process that works on a suite finds; None if it died without."""
        owner, wait, look_at = self._owner(suite), Wait(audience, what), 0.0
        while (text := self.read(suite, stage)) is None:
            if time.monotonic() >= look_at:
                if not self._is_alive(owner):
                    return self.read(suite, stage)  # which it may have left at the last moment
                look_at = time.monotonic() + LIFE_IN_SECONDS
            wait.goes_on(owner)
            time.sleep(POLL_IN_SECONDS)
        wait.ends(owner)
        return text

    def give_up(self, suite: Path, stage: Stage, text: Callable[[], str]) -> None:
        """Let all know what became of a suite whose process died; or let others have it, if it had not begun."""
        with self._changes.acquire(poll_interval=POLL_IN_SECONDS):
            owner = self._owner(suite)
            if not owner or self.read(suite, stage) is not None or self._is_alive(owner):
                return  # another process was faster
            if stage == "result" and not self._file(suite, "begun").exists():
                self._file(suite, "claim").unlink()
                return
            self.publish(suite, stage, text())

    def close(self) -> None:
        """Leave: what this process claimed and did not finish is free."""
        self._life.release()

    def _owner(self, suite: Path) -> str:
        with suppress(FileNotFoundError):
            return self._file(suite, "claim").read_text(encoding="utf-8")
        return ""

    def _is_alive(self, name: str) -> bool:
        from filelock import FileLock, Timeout

        if name == self.name:
            return True
        try:
            with FileLock(self.folder / f"{name}.lock").acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _file(self, suite: Path, kind: str) -> Path:
        return _file(self.folder, suite, kind)


def read_shared(folder: Path, suite: Path, stage: Stage) -> str | None:
    """Return what a process left of a suite, None if there is nothing."""
    try:
        return _file(folder, suite, stage).read_text(encoding="utf-8")
    except OSError:
        return None


def begun_and_not_ended(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the suites whose model is running, or ended its process, and the name of that process."""
    for path in sorted(folder.glob("*.begun")):
        owner, _, suite = path.read_text(encoding="utf-8").partition("\n")
        yield Path(suite), owner


def _file(folder: Path, suite: Path, kind: str) -> Path:
    return folder / f"{hashlib.sha256(os.fsencode(suite)).hexdigest()[:32]}.{kind}"
