"""Models behind a command: real processes, well-behaved and not."""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest

from pytest_behave.data.fingerprints import file_fingerprint
from pytest_behave.errors import ModelError
from pytest_behave.predict.command import Command
from pytest_behave.predict.normalize import joined
from pytest_behave.records import ModelSpec, ServiceSpec

FRAME = pd.DataFrame(
    {"key": [f"r{n}" for n in range(10)], "age": range(10), "text": ["a"] * 10, "target": [n % 2 for n in range(10)]}
)
IDS = FRAME["key"].tolist()
GOOD = """\
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"prediction": row["age"] * 2, "score": row["age"] / 10}))
"""
LINE = f"{shlex.quote(sys.executable)} score.py"
HEAD = "import json, sys, time, os\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    return tmp_path


def command(folder, program, line=LINE, timeout=10.0, **options):
    (folder / "score.py").write_text(textwrap.dedent(program), encoding="utf-8")
    service = ServiceSpec(None, folder, timeout=timeout)
    spec = ModelSpec("m", "command", line, service=service, **{"batch_size": 4, **options})
    return Command(spec, service, frozenset({"key", "target"}), file_fingerprint)


def failure(model, frame=FRAME):
    """Return the sentence with which a model fails, and the rows that came before."""
    rows = []
    try:
        for batch in model.batches(frame, IDS):
            rows += batch.rows.tolist()
    except ModelError as error:
        return str(error), rows
    raise AssertionError("it does not fail")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a zombie has ended
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_line_goes_in_for_each_row_and_one_comes_out(folder):
    found = joined(list(command(folder, GOOD).batches(FRAME, IDS)))
    assert found.prediction.tolist() == [2 * n for n in range(10)]
    assert found.score.tolist() == [n / 10 for n in range(10)]


def test_the_lines_hold_the_id_and_the_columns_but_not_the_target(folder):
    echo = HEAD + "for line in sys.stdin: print(json.dumps({'prediction': line.strip()}))"
    found = joined(list(command(folder, echo).batches(FRAME, IDS)))
    assert json.loads(found.prediction[3]) == {"age": 3, "text": "a", "id": "r3"}
    found = joined(list(command(folder, echo, features=("target",)).batches(FRAME, IDS)))
    assert json.loads(found.prediction[3]) == {"target": 1, "id": "r3"}


def test_one_process_serves_all_calls_and_ends_with_the_source(folder):
    model = command(folder, HEAD + "for line in sys.stdin: print(json.dumps({'prediction': os.getpid()}))")
    pids = {*joined(list(model.batches(FRAME, IDS))).prediction, *joined(list(model.batches(FRAME, IDS))).prediction}
    (pid,) = pids
    assert is_alive(pid)
    began = time.monotonic()
    del model
    assert not is_alive(pid)
    assert time.monotonic() - began < 1.5, "it ends by itself when its input does"


def test_what_a_command_has_started_ends_with_it(folder):
    (folder / "run.sh").write_text("#!/bin/sh\necho $$ > pid\nsleep 100 &\necho $! > child\ncat > /dev/null\n")
    (folder / "run.sh").chmod(0o755)
    sentence, _ = failure(command(folder, GOOD, line="./run.sh", timeout=0.5))
    assert "wrote no line within 0.5 s (`timeout`)" in sentence
    for name in ("pid", "child"):
        pid = int((folder / name).read_text())
        deadline = time.monotonic() + 3
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_alive(pid), name


def test_many_long_lines_do_not_block(folder):
    frame = pd.DataFrame({"text": ["x" * 20_000] * 400})
    echo = HEAD + "for line in sys.stdin: print(json.dumps({'prediction': json.loads(line)['text'] * 2}))"
    found = joined(list(command(folder, echo, batch_size=400).batches(frame, [str(n) for n in range(400)])))
    assert found.prediction.str.len().tolist() == [40_000] * 400


ANSWER = "for n, line in enumerate(sys.stdin):\n    "
FAULTS = {
    "not there": (None, "the command './nothing' cannot be started: No such file or directory"),
    "dies at once": ("sys.exit(3)", "at instance 'r0', ended (exit code 3) before it answered"),
    "last words": ("print('no model', file=sys.stderr); sys.exit('give up')", "its last words: no model / give up"),
    "dies in the middle": (
        f"{ANSWER}print(json.dumps({{'prediction': n}}))\n    if n == 5: os.kill(os.getpid(), 9)",
        "batch 2 of 3, at instance 'r6', ended (signal 9) before it answered",
    ),
    "too few": (
        f"{ANSWER}print(json.dumps({{'prediction': n}}))\n    if n == 6: break",
        "at instance 'r7', ended (exit code 0) before it answered",
    ),
    "garbage": ("sys.stdin.readline(); print('loading ...')", "wrote a line that is not JSON: 'loading ...'"),
    "bytes": ("sys.stdin.readline(); sys.stdout.buffer.write(b'\\xff\\xfe\\n')", "wrote a line that is not JSON: "),
    "a list": ("sys.stdin.readline(); print('[1]')", "wrote '[1]', not a mapping with `prediction` or `score`"),
    "nothing in it": ("sys.stdin.readline(); print('{}')", "wrote '{}', without `prediction` or `score`"),
    "no value": (f"{ANSWER}print('{{\"prediction\": null}}')", "returned no prediction (NaN or None) for 4 instances"),
    "text for a score": (f'{ANSWER}print(\'{{"score": "high"}}\')', "returned a `score` that is not a number"),
    "another order": (
        "for line in sys.stdin.readlines()[::-1]: print(json.dumps({'id': json.loads(line)['id'], 'prediction': 1}))",
        "it must answer each line at once and flush its output, or it reads its input in blocks",
    ),
    "another id": (
        f"{ANSWER}print(json.dumps({{'id': 'r9', 'prediction': 1}}))",
        "at instance 'r0', answered for 'r9': answers come in the order of the lines",
    ),
    "too many": (
        f"{ANSWER}print(json.dumps({{'prediction': n}})); print(json.dumps({{'prediction': n}}))\n    time.sleep(0.01)",
        "of 3, wrote more lines than it read",
    ),
    "stalls": (f"{ANSWER}time.sleep(60)", "wrote no line within 1 s (`timeout`)"),
    "closes its output": ("os.close(1); time.sleep(60)", "ended (its output is closed) before it answered"),
}


@pytest.mark.parametrize(("program", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_program_that_fails_is_one_sentence(folder, program, sentence):
    line = {"line": "./nothing"} if program is None else {}
    model = command(folder, HEAD + (program or ""), timeout=1.0, **line)
    found, _ = failure(model)
    assert sentence in found
    assert found.startswith("model 'm'")
    assert "\n" not in found
    assert model._process is None or model._process._process.poll() is not None


def test_batches_before_the_failure_are_kept(folder):
    _, rows = failure(command(folder, HEAD + FAULTS["dies in the middle"][0]))
    assert rows == [0, 1, 2, 3]


def test_a_failed_process_is_started_again_by_the_next_call(folder):
    program = HEAD + "first = not os.path.exists('x'); open('x', 'w').close()\nif first: sys.exit(1)\n" + GOOD
    model = command(folder, program)
    failure(model)
    assert len(joined(list(model.batches(FRAME, IDS))).prediction) == 10


def test_closing_the_iterator_ends_the_process(folder):
    model = command(folder, HEAD + "for line in sys.stdin: print(json.dumps({'prediction': os.getpid()}))")
    batches = model.batches(FRAME, IDS)
    pid = int(next(batches).predictions.prediction[0])
    batches.close()
    assert not is_alive(pid)


def test_a_column_called_id_that_is_not_the_id_is_refused(folder):
    sentence, _ = failure(command(folder, GOOD), FRAME.assign(id=7))
    assert "is sent the instance's id as `id`, and a column has that name: choose others by `features`" in sentence


def test_python_is_the_interpreter_that_runs_the_tests(folder):
    model = command(folder, "import sys\nfor _ in sys.stdin: print('{\"prediction\": 1}')", line="python score.py")
    assert len(joined(list(model.batches(FRAME, IDS))).prediction) == 10


def test_the_line_is_words_and_no_shell(folder):
    program = "import json, sys\nfor _ in sys.stdin: print(json.dumps({'prediction': ' '.join(sys.argv[1:])}))"
    model = command(folder, program, line="python score.py 'a b' $HOME; *")
    assert set(joined(list(model.batches(FRAME, IDS))).prediction) == {"a b $HOME; *"}


def test_the_fingerprint_changes_with_the_program_and_with_what_is_said_of_it(folder):
    first = command(folder, GOOD).fingerprint
    assert command(folder, GOOD, timeout=1.0).fingerprint == first
    assert command(folder, GOOD, fingerprint="2").fingerprint != first
    assert command(folder, GOOD, features=("age",)).fingerprint != first
    assert command(folder, GOOD + "\n").fingerprint != first
