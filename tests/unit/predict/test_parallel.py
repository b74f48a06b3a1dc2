"""Tasks run side by side, and stop when one fails."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.predict.parallel import in_parallel


@settings(max_examples=50)
@given(tasks=st.lists(st.integers(), max_size=30), workers=st.integers(1, 8))
def test_every_task_is_done_once(tasks, workers):
    found = list(in_parallel(tasks, lambda task: [task], workers, threading.Event()))
    assert sorted(found) == sorted([task] for task in tasks)


@settings(max_examples=50)
@given(size=st.integers(1, 30), workers=st.integers(1, 8), data=st.data())
def test_after_a_failure_nothing_is_begun_and_everything_finished_is_handed_on(size, workers, data):
    wrong = data.draw(st.integers(0, size - 1))
    begun, finished = [], []
    stop = threading.Event()

    def work(task):
        begun.append(task)
        if task == wrong:
            raise KeyError(task)
        finished.append(task)
        return task + 1

    found = []
    with pytest.raises(KeyError, match=str(wrong)):
        found.extend(in_parallel(range(size), work, workers, stop))
    assert stop.is_set()
    assert len(begun) <= min(size, wrong + 3 * workers)
    assert len(set(begun)) == len(begun)


def test_what_was_under_way_at_a_failure_is_still_yielded():
    def work(task):
        if task == 1:
            raise KeyError
        time.sleep(0.1)
        return task + 1

    found = []
    results = in_parallel(range(10), work, 2, threading.Event())
    with pytest.raises(KeyError):  # noqa: PT012 - what came before it is the point
        for result in results:
            found.append(result)  # noqa: PERF402
    assert found == [1]


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for task in range(1000):
            taken.append(task)
            yield task

    results = in_parallel(tasks(), lambda task: task + 1, 2, threading.Event())
    next(results)
    assert len(taken) <= 6
    results.close()
