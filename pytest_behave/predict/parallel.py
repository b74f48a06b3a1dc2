"""Several calls at a time, each result handed on as soon as it is there."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
SECONDS_TO_WATCH = 1.0


class StoppedError(Exception):
    """A task was not begun, or not tried again, because another has failed."""


def in_parallel(
    tasks: Iterable[Task],
    work: Callable[[Task], Result],
    workers: int,
    stop: threading.Event,
    watch: Callable[[], object] = bool,
) -> Iterator[Result]:
    """Yield the results of tasks as they finish, in any order; raises the first failure.

    ``watch`` is called every second while there is no result; what it raises ends the wait for all tasks.

    A failure, an interrupt and closing the iterator set ``stop``: no task is begun after that. After a failure the
    results of tasks under way are still yielded, so that nothing which was paid for is lost.
    """
    todo: SimpleQueue[Task | None] = SimpleQueue()
    done: SimpleQueue[Any] = SimpleQueue()
    remaining = iter(tasks)
    ahead = list(itertools.islice(remaining, 2 * workers))
    for task in ahead:
        todo.put(task)
    for _ in range(min(workers, len(ahead))):
        # daemons: an interrupted run does not wait for requests that nobody will read
        threading.Thread(target=_serve, args=(todo, done, work, stop), daemon=True).start()
    failure: BaseException | None = None
    pending = len(ahead)
    try:
        while pending:
            try:
                result, error = done.get(timeout=SECONDS_TO_WATCH)
            except Empty:
                watch()
                continue
            pending -= 1
            if error is not None:
                failure = error if failure is None or isinstance(failure, StoppedError) else failure
                continue
            for task in itertools.islice(remaining, 0 if stop.is_set() else 1):
                todo.put(task)
                pending += 1
            yield result
    finally:
        stop.set()
        for _ in range(workers):
            todo.put(None)
    if failure is not None:
        raise failure


def _serve(
    todo: SimpleQueue[Task | None],
    done: SimpleQueue[Any],
    work: Callable[[Task], Result],
    stop: threading.Event,
) -> None:
    while (task := todo.get()) is not None:
        done.put(_outcome(task, work, stop))


def _outcome(
    task: Task, work: Callable[[Task], Result], stop: threading.Event
) -> tuple[Result | None, BaseException | None]:
    if stop.is_set():
        return None, StoppedError()
    try:
        return work(task), None
    except BaseException as error:  # noqa: BLE001 - raised again by the reader
        stop.set()
        return None, error
