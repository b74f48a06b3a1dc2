"""Models in any language: a process that reads a JSON line per row and writes a JSON line per answer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError
from pytest_behave.predict.inputs import json_bytes, json_rows, sent_columns
from pytest_behave.predict.normalize import PROBA, Batch, predictions_of
from pytest_behave.predict.protocols import frame_of
from pytest_behave.records import ModelSpec, ServiceSpec

LAST_LINES = 5
MOST_SHOWN = 200
SECONDS_TO_END = 1.0
SECONDS_OF_GRACE = 0.1
LONGEST_LINE = 64 * 1024 * 1024


class Command:
    """A model behind a command. The process starts with the first batch and is kept until the source is dropped."""

    def __init__(
        self,
        spec: ModelSpec,
        service: ServiceSpec,
        withheld: frozenset[str],
        file_fingerprint: Callable[[Path], str],
    ) -> None:
        self.spec = spec
        self.service = service
        self._withheld = withheld
        self._process: Process | None = None
        # an absolute path differs from machine to machine
        files = [service.folder / word for word in shlex.split(spec.location) if not Path(word).is_absolute()]
        parts = (
            *("command", spec.location, spec.threshold, spec.features, spec.fingerprint),
            *(file_fingerprint(path) for path in files if path.is_file()),
        )
        self.fingerprint = "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()
        self.inputs = spec.features

    def batches(self, frame: pd.DataFrame, ids: Sequence[str], repeat: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Yield a batch when all its lines are answered; a failure or an interrupt ends the process."""
        names = sent_columns(self.spec, frame, self._withheld)
        if "id" in names and "id" not in self._withheld:
            raise ModelError(
                f"model {self.spec.name!r} is sent the instance's id as `id`, and a column has that name: choose others "
                "by `features`"
            )
        names = [name for name in names if name != "id"]
        columns = json_rows(frame, names)
        size = self.spec.batch_size
        starts = range(0, len(frame), size)
        is_finished = False
        try:
            for number, start in enumerate(starts, start=1):
                rows = range(start, min(start + size, len(frame)))
                where = f"model {self.spec.name!r}, batch {number:,} of {len(starts):,},"
                batch_ids = [ids[row] for row in rows]
                lines = [{**{name: columns[name][row] for name in names}, "id": ids[row]} for row in rows]
                outputs = self._answers(lines, batch_ids, where)
                predictions = predictions_of(outputs, batch_ids, where)
                if number == len(starts):
                    self._check_surplus(where, SECONDS_OF_GRACE)
                yield Batch(np.array(rows), predictions)
            is_finished = True
        finally:
            if not is_finished and self._process is not None:
                self._process.end()
                self._process = None

    def _answers(self, lines: Sequence[Mapping[str, Any]], ids: Sequence[str], where: str) -> pd.DataFrame:
        if self._process is None:
            self._process = Process(self.spec, self.service)
        self._check_surplus(where, 0)
        process = self._process
        process.write(b"".join(json_bytes(line, where) + b"\n" for line in lines))
        answers = [_answer(process, id_, where) for id_ in ids]
        names = list(dict.fromkeys(name for answer in answers for name in answer))
        return frame_of({name: [answer.get(name) for answer in answers] for name in names if name != "id"})

    def _check_surplus(self, where: str, seconds: float) -> None:
        """Raise ModelError if the process writes a line that nobody asked for."""
        if self._process is not None and self._process.has_more(seconds):
            raise ModelError(self._process.told(f"{where} wrote more lines than it read"))


def _answer(process: Process, id_: str, where: str) -> dict[str, Any]:
    """Return the answer to the line of an instance; raises ModelError if it is none."""
    found = f"{where} at instance {id_!r},"
    line = process.line(found)
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise ModelError(process.told(f"{found} wrote a line that is not JSON: {_shown(line)}")) from None
    if not isinstance(answer, dict):
        raise ModelError(process.told(f"{found} wrote {_shown(line)}, not a mapping with `prediction` or `score`"))
    if not any(name in ("prediction", "score") or name.startswith(PROBA) for name in answer):
        raise ModelError(process.told(f"{found} wrote {_shown(line)}, without `prediction` or `score`"))
    if "id" in answer and str(answer["id"]) != id_:
        raise ModelError(
            process.told(f"{found} answered for {str(answer['id'])!r}: answers come in the order of the lines")
        )
    return answer


def _shown(line: bytes) -> str:
    return repr(line[: MOST_SHOWN // 2].decode("utf-8", "replace").strip())


class Process:
    """A running command, its lines of output and the last ones that it wrote to standard error."""

    def __init__(self, spec: ModelSpec, service: ServiceSpec) -> None:
        self._timeout = service.timeout
        program, *arguments = shlex.split(spec.location)
        try:
            process = subprocess.Popen(  # noqa: S603 - the suite names the command
                [_program(program, service.folder), *arguments],
                cwd=service.folder,
                # Python keeps back what it prints to a pipe, unless it is told not to
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that whatever the command starts can be ended with it
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ModelError(f"model {spec.name!r}: the command {program!r} cannot be started: {reason}") from None
        self._process = process
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._todo: SimpleQueue[bytes | None] = SimpleQueue()
        self._errors: deque[bytes] = deque(maxlen=LAST_LINES)
        pipes = (process.stdin, process.stdout, process.stderr)
        self._threads = [
            threading.Thread(target=_feed, args=(process.stdin, self._todo), daemon=True),
            threading.Thread(target=_read, args=(process.stdout, self._lines), daemon=True),
            threading.Thread(target=_keep, args=(process.stderr, self._errors), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.end = weakref.finalize(self, _end, process, self._todo, self._threads, pipes)

    def write(self, lines: bytes) -> None:
        """Give the process lines to read, without waiting until it has."""
        self._todo.put(lines)

    def has_more(self, seconds: float) -> bool:
        """Tell whether there is another line, or will be soon."""
        try:
            line = self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
        except Empty:
            return False
        self._lines.put(line)
        return line is not None

    def line(self, where: str) -> bytes:
        """Return the next line; raises ModelError if the process ends, or takes too long."""
        try:
            line = self._lines.get(timeout=self._timeout)
        except Empty:
            raise ModelError(
                self.told(
                    f"{where} wrote no line within {self._timeout:g} s (`timeout`): it must answer each line at once and "
                    "flush its output, or it reads its input in blocks"
                )
            ) from None
        if line is None:
            self._lines.put(None)
            raise ModelError(self.told(f"{where} ended ({self._exit()}) before it answered"))
        return line

    def _exit(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(SECONDS_TO_END)
            return f"exit code {code}" if code >= 0 else f"signal {-code}"
        return "its output is closed"

    def told(self, sentence: str) -> str:
        """Return a sentence with the last lines of standard error."""
        if self._process.poll() is not None:
            self._threads[-1].join(SECONDS_TO_END)
        texts = [line.decode("utf-8", "replace") for line in self._errors]
        said = " / ".join(" ".join(text.split()) for text in texts if text.strip())
        return f"{sentence}; its last words: {said[-2 * MOST_SHOWN :]}" if said else sentence


def _program(program: str, folder: Path) -> str:
    """Return what to start: a path is the suite's own, and ``python`` the one that runs the tests."""
    if program == "python":
        return sys.executable
    return str(folder / program) if "/" in program else program


def _feed(pipe: Any, todo: SimpleQueue[bytes | None]) -> None:
    with contextlib.suppress(OSError, ValueError):  # the process has ended: its reader says so
        while (lines := todo.get()) is not None:
            pipe.write(lines)
            pipe.flush()
    with contextlib.suppress(OSError, ValueError):
        pipe.close()


def _read(pipe: Any, lines: SimpleQueue[bytes | None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(LONGEST_LINE):
            lines.put(line)
    lines.put(None)


def _keep(pipe: Any, errors: deque[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(LONGEST_LINE):
            errors.append(line)


def _end(
    process: subprocess.Popen[bytes],
    todo: SimpleQueue[bytes | None],
    threads: Sequence[threading.Thread],
    pipes: Sequence[Any],
) -> None:
    """End a process: close its input, and make it stop if it does not by itself."""
    todo.put(None)
    for name in ("SIGTERM", "SIGKILL"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
        _signal(process, name)  # also when it has ended: what it has started may not have
        if process.poll() is not None:
            break
    process.wait()
    for thread, pipe in zip(threads, pipes, strict=True):
        thread.join(SECONDS_TO_END)
        if not thread.is_alive():  # closing a pipe that a thread reads would wait for it
            with contextlib.suppress(OSError):
                pipe.close()


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    """Send a signal to a process and to whatever it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, getattr(signal, name))
        else:
            process.kill()
