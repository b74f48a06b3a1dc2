"""Every engine gives the sum over all parts, whatever happens to its workers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import warnings

import pytest

from pytest_behave.engines import open_engine
from pytest_behave.engines.local import Local
from pytest_behave.engines.testing import Shuffled
from pytest_behave.errors import DataError, EngineError

PARTS = tuple(range(1, 31))


class Measure:
    """Returns a tuple with the part, as a state that adds up in any order; may do something on the way."""

    def __init__(self, folder=None, die_at=None, fail_at=None):
        self.folder, self.die_at, self.fail_at = folder, die_at, fail_at

    def __call__(self, part):
        if part == self.fail_at:
            raise DataError(f"part {part} is broken")
        if part == self.die_at and (self.folder is None or not (self.folder / "died").exists()):
            if self.folder is not None:
                (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Parts([part], {os.getpid()})


class Parts:
    def __init__(self, numbers, processes):
        self.numbers, self.processes = sorted(numbers), processes

    def __add__(self, other):
        return Parts(self.numbers + other.numbers, self.processes | other.processes)


@pytest.fixture(scope="module")
def dask():
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    engine = open_engine("dask")
    with another_dashboard(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        engine.start()
    engine.said = [str(warning.message) for warning in said]
    yield engine
    engine.stop()


@contextlib.contextmanager
def another_dashboard():
    """Hold the port on which Dask shows what it does, if nobody does already."""
    with socket.socket() as taken:
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        yield


@pytest.fixture(params=["local", "shuffled", "dask"])
def engine(request):
    if request.param == "dask":
        return request.getfixturevalue("dask")
    return Local() if request.param == "local" else Shuffled(3)


@pytest.mark.parametrize("count", [1, 2, 9, 30])
def test_every_part_counts_once(engine, count):
    finished = []
    found = engine.total(Measure(), PARTS[:count], finished.append)
    assert found.numbers == sorted(finished) == list(PARTS[:count])


def test_what_goes_wrong_with_a_part_is_told_as_it_is(engine):
    with pytest.raises(DataError, match="part 7 is broken"):
        engine.total(Measure(fail_at=7), PARTS, lambda _part: None)


def test_parts_are_measured_by_other_processes_and_this_one_sees_the_sum(dask):
    found = dask.total(Measure(), PARTS, lambda _part: None)
    assert os.getpid() not in found.processes


def test_a_worker_that_dies_loses_only_its_parts_and_these_are_measured_again(dask, tmp_path):
    found = dask.total(Measure(tmp_path, die_at=11), PARTS, lambda _part: None)
    assert (tmp_path / "died").exists()
    assert found.numbers == list(PARTS)


def test_a_part_that_kills_every_worker_is_an_error(dask):
    with pytest.raises(EngineError, match=r"workers died again and again over the same part.*\(last: tcp://[\d.:]+\)$"):
        dask.total(Measure(die_at=3), PARTS, lambda _part: None)
    assert dask.total(Measure(), PARTS, lambda _part: None).numbers == list(PARTS)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("loacl", "there is no engine 'loacl' - did you mean 'local'?"),
        ("ray", r"there is no engine 'ray' \(known: dask, local\)"),
    ],
)
def test_an_unknown_engine_is_refused(name, sentence):
    with pytest.raises(EngineError, match=sentence):
        open_engine(name)


def test_a_plugin_may_bring_an_engine():
    engine = Shuffled()
    assert open_engine("ray", {"ray": engine}.get) is engine


def test_an_address_where_nobody_answers_is_an_error(monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    monkeypatch.setattr("pytest_behave.engines.dask.PATIENCE_IN_SECONDS", 1)
    engine = open_engine("dask:tcp://127.0.0.1:1")
    with pytest.raises(EngineError, match=r"dask:tcp://127\.0\.0\.1:1: the scheduler cannot be reached within 1 s$"):
        engine.start()
    engine.stop()


def test_an_address_that_is_none_is_an_error():
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    engine = open_engine("dask:carrier://pigeon")
    with pytest.raises(EngineError, match=r"dask:carrier://pigeon: there is no scheduler \(.+\)$"):
        engine.start()


def test_processes_on_this_machine_show_nothing_on_the_port_of_a_dashboard(dask):
    assert [text for text in dask.said if "8787" in text] == []
