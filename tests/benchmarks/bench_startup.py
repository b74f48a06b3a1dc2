"""What a whole process takes: `python tests/benchmarks/bench_startup.py [--rounds N]`.

    warm   `pytest --behave` on a suite of 10,000 rows whose outputs are cached, against importing pandas and
           sklearn.metrics, which any script around a model does. Required: under 1.6 times.
    left   the same with --behave-changed, of which nothing changed: what leaving a suite out costs.
    cases  10,000 golden cases from YAML with a trivial model, against 10,000 trivial parametrized tests. Required: at
           most 1.3 times.
    called the same with the prediction cache off, so that the model is called for every case. Required: as before.

The commands take turns; medians are compared. Both sides of a ratio run without other plugins
(PYTEST_DISABLE_PLUGIN_AUTOLOAD). The exit code is 1 if a ratio is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

COUNT = 10_000
MOST_WARM, MOST_CASES = 1.6, 1.3
PACKAGES = ("pytest", "numpy", "pandas", "scikit-learn", "pydantic", "pyyaml")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
BEHAVE = (*PYTEST, "-p", "pytest_behave.plugin", "--behave")
COMMANDS = {
    "import pandas, sklearn.metrics": (sys.executable, "-c", "import pandas, sklearn.metrics"),
    "suite, outputs cached": (*BEHAVE, "rows.behave.yaml"),
    "suite left out": (*BEHAVE, "--behave-changed", "rows.behave.yaml"),
    "parametrized tests": (*PYTEST, "test_bare.py"),
    "golden cases, outputs cached": (*BEHAVE, "cases.behave.yaml"),
    "golden cases, model called": (*BEHAVE, "--behave-cache=off", "cases.behave.yaml"),
}
ROWS = """\
dataset: {path: rows.csv, id: id, target: even}
model: "model:predict"
slices:
  group: {by: group}
  early: number < 5000
metrics: [accuracy, recall]
expect:
  "*": {accuracy: {min: 0.5}, recall: {min: 0.5}}
"""
MODEL = "def predict(rows):\n    return rows['text'] if 'text' in rows else rows['number'] % 2 == 0\n"
BARE = f"import pytest\n\n@pytest.mark.parametrize('n', range({COUNT}))\ndef test_it(n):\n    assert n >= 0\n"


def write_project(folder: Path) -> None:
    """Write the suites, their data and the bare tests."""
    lines = [f"{n},{n},{'abcde'[n % 5]},{n % 2 == 0}" for n in range(COUNT)]
    cases = [
        f'  - id: case-{n}\n    input: {{text: "question number {n}"}}\n    expect: {{contains: "{n}"}}\n'
        for n in range(COUNT)
    ]
    files = {
        "rows.csv": "\n".join(["id,number,group,even", *lines]) + "\n",
        "rows.behave.yaml": ROWS,
        "cases.behave.yaml": 'model: "model:predict"\ncases:\n' + "".join(cases),
        "model.py": MODEL,
        "test_bare.py": BARE,
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def seconds(folder: str, command: tuple[str, ...]) -> float:
    """Return the wall time of one process."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else nothing of this checkout is ever compiled before
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    """Measure, print, and return 1 if a ratio is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        for command in COMMANDS.values():
            seconds(folder, command)  # fills the cache, and compiles what is not compiled yet
        taken = [{name: seconds(folder, command) for name, command in COMMANDS.items()} for _ in range(rounds)]
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{packages}; {rounds} rounds, medians")
    medians = {name: statistics.median(found[name] for found in taken) for name in COMMANDS}
    for name, median in medians.items():
        print(f"{name:32} {median:7.2f} s")
    floor, warm, left, bare, cases, called = medians.values()
    print(f"suite / imports       {warm / floor:5.2f} (required: under {MOST_WARM})")
    print(f"left out / imports    {left / floor:5.2f}")
    print(f"cases / bare          {cases / bare:5.2f} (required: at most {MOST_CASES})")
    print(f"called / bare         {called / bare:5.2f} (required: at most {MOST_CASES})")
    return int(warm / floor >= MOST_WARM or max(cases, called) / bare > MOST_CASES)


if __name__ == "__main__":
    sys.exit(main())
