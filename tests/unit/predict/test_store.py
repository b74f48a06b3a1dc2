"""What is stored is found again or predicted again: never lost by a kill, never wrong after damage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from pytest_behave.predict import journal
from pytest_behave.predict.journal import Journal, frames_of
from pytest_behave.predict.keys import row_keys
from pytest_behave.predict.segments import segments_in
from pytest_behave.predict.store import MANY, Store, journals_in
from pytest_behave.records import Predictions

ROWS = pd.DataFrame({"x": range(40)})
KEYS = row_keys(ROWS)


def outputs(rows):
    texts = pd.Series([f"answer {row}" for row in rows], dtype=object)
    return Predictions(prediction=texts, score=np.array(rows) / 7, extra={"n": pd.Series(rows)})


def stored(folder, *parts, close=True):
    """Store some rows, part by part, and return what was said."""
    said = []
    store = Store(folder, said.append)
    for rows in parts:
        store.add(KEYS[rows], outputs(rows))
    if close:
        store.close()
    return said


def found(folder, said=None):
    """Return the rows that are found, after checking that each has its own outputs."""
    store = Store(folder, (said if said is not None else []).append)
    rows = []
    for batch in store.find(KEYS):
        expected = outputs(batch.rows.tolist())
        assert batch.predictions.prediction.tolist() == expected.prediction.tolist()
        assert batch.predictions.score.tolist() == expected.score.tolist()
        assert batch.predictions.extra["n"].tolist() == expected.extra["n"].tolist()
        rows += batch.rows.tolist()
    return sorted(rows)


def test_what_is_stored_is_found_and_nothing_else(tmp_path):
    assert found(tmp_path / "none") == []
    stored(tmp_path, [3, 1], [7])
    assert found(tmp_path) == [1, 3, 7]
    assert len(segments_in(tmp_path)) == 1
    assert journals_in(tmp_path) == []


def test_what_a_process_at_work_has_finished_is_found_by_others(tmp_path):
    stored(tmp_path, [1], [2, 3], close=False)
    assert found(tmp_path) == [1, 2, 3]


def test_small_segments_are_merged(tmp_path):
    for row in range(2 * MANY):
        stored(tmp_path, [row])
        assert len(segments_in(tmp_path)) <= MANY
    assert found(tmp_path) == list(range(2 * MANY))


def test_outputs_of_other_types_do_not_mix(tmp_path):
    store = Store(tmp_path, print)
    store.add(KEYS[[0]], Predictions(prediction=pd.Series([1])))
    store.add(KEYS[[1]], Predictions(prediction=pd.Series([1.5])))
    store.add(KEYS[[2]], Predictions(prediction=pd.Series(["a"], dtype=object)))
    store.close()
    values = {int(batch.rows[0]): batch.predictions.prediction[0] for batch in Store(tmp_path, print).find(KEYS)}
    assert {row: (value, type(value)) for row, value in values.items()} == {
        0: (1, np.int64),
        1: (1.5, np.float64),
        2: ("a", str),
    }


def damages(data):
    """Yield damaged versions of a file: each byte flipped in turn (one in seven of a long file), cut, zeroed."""
    for place in range(0, len(data), 1 + 6 * (len(data) > 2000)):
        yield data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]
        if place % 5 == 0:
            yield data[:place]
            yield data[:place] + bytes(len(data) - place)
    yield b"PAR1" * 10


def test_a_damaged_segment_is_removed_and_said(tmp_path):
    stored(tmp_path, [1, 2])
    (path,) = segments_in(tmp_path)
    data = path.read_bytes()
    for damaged in damages(data):
        path.write_bytes(damaged)
        said = []
        assert found(tmp_path, said) == []
        assert said == ["a corrupt segment of 2 rows was removed, and they are predicted again"]
        assert not path.exists()
    path.write_bytes(data)
    assert found(tmp_path) == [1, 2]


def test_of_a_damaged_journal_the_whole_frames_are_used(tmp_path):
    stored(tmp_path, [1], [2], [3], close=False)
    (path,) = journals_in(tmp_path)
    data = path.read_bytes()
    length = len(data) // 3
    for damaged in damages(data):
        path.write_bytes(damaged)
        said = []
        rows = found(tmp_path, said)
        assert set(rows) <= {1, 2, 3}
        if len(damaged) == len(data) and sum(map(int.__ne__, damaged, data)) == 1:
            assert len(rows) == 2
        if len(damaged) < length:
            assert rows == []
    path.write_bytes(data[: 2 * length] + b"x" + data[2 * length + 1 :])
    assert found(tmp_path) == [1, 2]


def test_a_wrong_byte_in_the_middle_of_a_journal_is_said(tmp_path):
    stored(tmp_path, [1], [2], close=False)
    (path,) = journals_in(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\0" + data[101:])
    said = []
    assert found(tmp_path, said) == [2]
    assert said == ["a corrupt part of a journal is passed over, and its rows are predicted again"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.predict.test_store import stored
stored(Path(sys.argv[1]), [1], [2, 3], close=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_journal_of_a_killed_process_is_made_a_segment(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert found(tmp_path) == [1, 2, 3]
    assert len(journals_in(tmp_path)) == 1
    stored(tmp_path, [4])
    assert journals_in(tmp_path) == []
    assert found(tmp_path) == [1, 2, 3, 4]
    assert sorted(path.suffix for path in tmp_path.iterdir()) in (["", ".parquet"], [".parquet"])


def test_the_journal_of_a_living_process_is_left_alone(tmp_path):
    own = Journal(tmp_path)
    own.append(b"")
    stored(tmp_path, [4])
    assert journals_in(tmp_path) == [own.path]
    own.close()


def test_a_frame_that_cannot_be_written_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    own = Journal(tmp_path)
    own.append(b"one")
    write, calls = os.write, []

    def full(number, data):
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(number, data[:5])

    monkeypatch.setattr(journal.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        own.append(b"two")
    monkeypatch.undo()
    own.append(b"three")
    own.close()
    assert frames_of(own.path) == ([b"one", b"three"], False)


def test_what_is_remembered_of_a_model_survives_damage(tmp_path):
    store = Store(tmp_path, print)
    store.remember({"a": 1})
    store.remember({"b": [2]})
    assert store.about() == {"a": 1, "b": [2]}
    for text in ("", "{", "[]", "\udcff"):
        (tmp_path / "model.json").write_text(text, errors="surrogateescape")
        assert store.about() == {}
    store.remember({"c": 3})
    assert json.loads((tmp_path / "model.json").read_text()) == {"c": 3}


def test_what_is_finished_is_found_while_others_merge(tmp_path):
    finished = []

    def write():
        for row in range(len(KEYS)):
            stored(tmp_path, [row])
            finished.append(row)

    writer = threading.Thread(target=write)
    writer.start()
    said = []
    reader = Store(tmp_path, said.append)
    while writer.is_alive():
        wanted = KEYS[list(finished)]
        assert sum(len(batch.rows) for batch in reader.find(wanted)) == len(wanted)
    writer.join()
    assert said == []
    assert found(tmp_path) == list(range(len(KEYS)))


def test_threads_write_journals_of_their_own(tmp_path):
    store = Store(tmp_path, print)
    store.add(KEYS[[0]], outputs([0]))
    others = threading.Thread(target=lambda: (store.add(KEYS[[1]], outputs([1])), store.close()))
    others.start()
    others.join()
    assert len(journals_in(tmp_path)) == 1
    store.add(KEYS[[2]], outputs([2]))
    assert found(tmp_path) == [0, 1, 2]
    store.close()
    assert found(tmp_path) == [0, 1, 2]
