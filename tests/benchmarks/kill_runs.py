"""Kill a run with SIGKILL, again and again at random moments, and look at what is lost.

A suite of many batches is run until it ends; each attempt before is killed: some while pytest starts, most while the
model predicts. The model notes each batch that it is given. A batch is finished when the next one is begun, so of every
killed attempt all batches but the last must never be given to the model again. At the end the report must be that of a
run without a cache, byte for byte, a further run must call no model, and every file of the cache must be whole.

    python tests/benchmarks/kill_runs.py [--kills 200] [--batches 2000]

Attempts are forked from a process that has imported everything, so that 200 of them take minutes. Not for Windows.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet  # imported before the forks
import pytest

import pytest_behave.evaluate
import pytest_behave.predict.cache  # noqa: F401
from pytest_behave.predict.identity import identity_of  # noqa: F401
from pytest_behave.predict.segments import is_whole, rows_in, segments_in
from pytest_behave.predict.store import journals_in

ROWS_OF_A_BATCH = 10
EARLY = 0.2  # share of kills before the model is called
LATEST = 0.06  # seconds after the first batch of an attempt, at most
SUITE = """\
dataset: {path: rows.csv, id: id, target: y}
model: {python: "model:predict", batch_size: 10}
slices: {third: {by: third}}
metrics: [accuracy, roc_auc, brier]
expect: {overall: {accuracy: {min: 0.1}}, third: {accuracy: {min: 0.1}}}
"""
MODEL = """\
import os
import time

import pandas as pd


def predict(rows):
    file = os.open("calls.txt", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, f"{rows['id'].iloc[0]}\\n".encode())
    os.close(file)
    time.sleep(0.002)
    return pd.DataFrame({"prediction": rows["x"] % 3 == 0, "score": rows["x"] % 7 / 7, "why": rows["id"] + "!"})
"""


def main() -> int:
    """Run, print the figures, and return 0 if nothing was lost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--batches", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=4)
    parsed = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_suite(parsed.batches)
        figures = kill_and_resume(parsed.kills, parsed.batches, random.Random(parsed.seed))
    print(
        f"python {platform.python_version()}, pandas {pd.__version__}, pyarrow {pyarrow.__version__}, {os.cpu_count()} cpus"
    )
    for name, value in figures.items():
        print(f"{name:48} {value:>8,}")
    print(f"took {time.monotonic() - began:.0f} s")
    failed = [name for name in figures if name.endswith("(must be 0)") and figures[name]]
    return 1 if failed else 0


def write_suite(batches: int) -> None:
    """Write suite, model and rows into the working directory."""
    count = batches * ROWS_OF_A_BATCH
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(count)], "x": range(count)})
    rows.assign(y=rows["x"] % 2, third=rows["x"] % 3).to_csv("rows.csv", index=False)
    Path("s.behave.yaml").write_text(SUITE)
    Path("model.py").write_text(MODEL)


def kill_and_resume(kills: int, batches: int, chance: random.Random) -> dict[str, int]:
    """Kill attempts until there were enough kills, starting a new run whenever one ends; return the figures."""
    figures: Counter[str] = Counter()
    expected = report_of(start("--behave-cache=off", "--behave-report=json:out.json"))
    while figures["kills"] < kills:
        cache = Path(f"cache-{figures['runs']}")
        figures["runs"] += 1
        finished: set[str] = set()
        attempts = 0
        while figures["kills"] < kills and (killed := killed_attempt(cache, chance)) is not None:
            attempts += 1
            figures["kills"] += 1
            figures["kills while the model was predicting"] += bool(killed)
            figures["finished batches predicted again (must be 0)"] += len(finished & set(killed))
            finished |= set(killed[:-1])
        figures["kills of one run, at most"] = max(figures["kills of one run, at most"], attempts)
        rest = called(start(f"--behave-cache={cache}", "--behave-report=json:out.json"))
        figures["finished batches predicted again (must be 0)"] += len(finished & set(rest))
        figures["finished batches kept"] += len(finished - set(rest))
        figures["reports that differ (must be 0)"] += Path("out.json").read_bytes() != expected
        figures["batches predicted by a further run (must be 0)"] += len(called(start(f"--behave-cache={cache}")))
        figures["files that are not whole (must be 0)"] += unsound(cache, batches)
    return {**dict(sorted(figures.items())), "batches of a run": batches}


def start(*options: str) -> int:
    """Fork a process that runs pytest; return its number."""
    Path("calls.txt").write_text("")
    child = os.fork()
    if child:
        return child
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    code = 70
    with contextlib.suppress(BaseException):
        plain = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--behave", "-p", "no:faulthandler"]
        code = pytest.main([*plain, *options])
    os._exit(code)


def called(child: int) -> list[str]:
    """Wait for a run to end well and return the batches that its model was given."""
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"a run that nobody killed ended with {os.waitstatus_to_exitcode(status)}")
    return calls()


def calls() -> list[str]:
    """Return the batches that were begun since the last start."""
    return Path("calls.txt").read_text().split()


def report_of(child: int) -> bytes:
    """Return the report of a run."""
    called(child)
    return Path("out.json").read_bytes()


def killed_attempt(cache: Path, chance: random.Random) -> list[str] | None:
    """Start a run and kill it at a random moment; return the batches that it began, None if it ended before."""
    child = start(f"--behave-cache={cache}")
    if chance.random() < EARLY:
        time.sleep(chance.uniform(0, 0.3))
    else:
        while not calls() and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.001)
        time.sleep(chance.uniform(0, LATEST))
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return calls() if os.WIFSIGNALED(status) else None
    return None


def unsound(cache: Path, batches: int) -> int:
    """Return how many files of a cache are damaged or left over; rows that are missing count as one."""
    folders = [path for path in cache.iterdir() if path.is_dir()]
    segments = [path for folder in folders for path in segments_in(folder)]
    left = [path for folder in folders for path in journals_in(folder)]
    missing = sum(map(rows_in, segments)) != batches * ROWS_OF_A_BATCH
    return sum(not is_whole(path) for path in segments) + len(left) + missing


if __name__ == "__main__":
    sys.exit(main())
