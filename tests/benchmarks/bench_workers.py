"""What workers and very many slices cost: `python tests/benchmarks/bench_workers.py [--rounds N]`.

    ten     ten small suites (20,000 rows, 20 slices, a model in plain Python), `-n 2` against `-n 0`. Required: at
            most 0.75 times.
    one     one such suite. Required: at most 1.25 times.
    empty   a test that does nothing, both ways: what pytest-xdist itself costs, in seconds.
    slices  collecting a suite of 20,000 slices against one of 2,000. Required: under 6 times.

The commands take turns; medians are compared. All run without other plugins (PYTEST_DISABLE_PLUGIN_AUTOLOAD). The exit
code is 1 if a ratio is missed.
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

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "xdist", "-p", "pytest_behave.plugin")
BEHAVE = (*PYTEST, "--behave", "--behave-cache=off")
REQUIRED = {"ten": 0.75, "one": 1.25, "slices": 6.0}
ROWS = 20_000
MODEL = """\
def predict(rows):
    return [sum(n * k % 7 for k in range(60)) % 2 for n in rows["number"]]
"""
SUITE = """\
dataset: {path: ../rows.csv, id: id, target: even}
model: "model:predict"
slices: {group: {by: group}, start: {by: number, quantiles: 10}}
metrics: [accuracy, recall, fpr]
expect: {"*": {accuracy: {min: 0}, recall: {min: 0}, fpr: {max: 1}}}
"""


def write_project(folder: Path) -> None:
    """Write the suites and their data, each kind in a folder of its own."""
    rows = "".join(f"{n},{n},{'abcdefghij'[n % 10]},{n % 2}\n" for n in range(ROWS))
    (folder / "rows.csv").write_text(f"id,number,group,even\n{rows}", encoding="utf-8")
    for name, count in (("ten", 10), ("one", 1)):
        (folder / name).mkdir()
        (folder / name / "model.py").write_text(MODEL, encoding="utf-8")
        for number in range(count):
            (folder / name / f"s{number}.behave.yaml").write_text(SUITE, encoding="utf-8")
    (folder / "empty").mkdir()
    (folder / "empty" / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
    for count in (2_000, 20_000):
        slices = "".join(f"  s{n}: number >= {n % 900}\n" for n in range(count))
        bounds = "".join(f"  s{n}: {{accuracy: {{min: 0}}}}\n" for n in range(count))
        head = "dataset: {path: rows.csv, target: even}\nmodel: {column: even}\nmetrics: [accuracy]\n"
        (folder / str(count)).mkdir()
        few = "".join(f"{n},{n % 2}\n" for n in range(1_000))
        (folder / str(count) / "rows.csv").write_text(f"number,even\n{few}", encoding="utf-8")
        (folder / str(count) / "s.behave.yaml").write_text(
            f"{head}slices:\n{slices}expect:\n{bounds}", encoding="utf-8"
        )


def seconds(folder: Path, *command: str) -> float:
    """Return the wall time of one process."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    """Measure, print, and return 1 if a ratio is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        for number in range(rounds + 1):
            for name in ("ten", "one", "empty"):
                for workers in ("0", "2"):
                    found = seconds(Path(folder, name), *BEHAVE, "-n", workers)
                    taken.setdefault(f"{name} -n {workers}", []).extend([found] if number else [])
            for count in ("2000", "20000"):
                found = seconds(Path(folder, count), *BEHAVE, "--collect-only")
                taken.setdefault(f"slices {count}", []).extend([found] if number else [])
    medians = {name: statistics.median(found) for name, found in taken.items()}
    packages = ", ".join(f"{name} {version(name)}" for name in ("pytest", "pytest-xdist", "pandas"))
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{packages}; {rounds} rounds, medians")
    for name, median in medians.items():
        print(f"{name:14} {median:7.2f} s")
    ratios = {name: medians[f"{name} -n 2"] / medians[f"{name} -n 0"] for name in ("ten", "one")}
    ratios["slices"] = medians["slices 20000"] / medians["slices 2000"]
    for name, ratio in ratios.items():
        print(f"{name:14} {ratio:7.2f} (required: at most {REQUIRED[name]})")
    return int(any(ratio > REQUIRED[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
