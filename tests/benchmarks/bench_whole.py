"""Whole processes side by side: a large suite against a script, workers, many slices, a comparison with a baseline.

    python tests/benchmarks/bench_whole.py [--part NAME ...] [--rounds N] [--rows N]

    script   1,000,000 rows from parquet with scores as float32, 100 overlapping slices, 8 binary metrics: `pytest
             --behave` against a script of ``DataFrame.query`` and scikit-learn (required: 20 times faster) and against
             importing pandas and reading the file (required: at most 3.5 times as long). Values must agree to 1e-8.
    ties     ROC AUC with its interval on those slices, in one process: scores that tie against scores that do not
             (required: at most 1.3 times as long).
    suites   ten suites of 50,000 rows, each with a model of its own that takes about as long as the rest of a suite:
             `-n 2` against `-n 0` (required: at most 0.75).
    suite    one suite of 2,000 rows: `-n 2` against `-n 0` (required: at most 1.25).
    collect  a suite of 20,000 slices against one of 2,000, `--collect-only` (required: under 6 times as long).
    flips    200,000 rows, 51 slices, against a baseline: the size of the JSON record (required: under 3 MB), and the share
             of the CPU time that goes to finding, showing and writing flipped instances (required: under 5 %). The
             random signs of the test of all losses, also called flips, are none of them.

Processes take turns, medians are compared, other plugins than ours and xdist stay out. The exit code is 1 if a figure is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_kernel import (
    Slice_,
    bits_of,
    chosen_of,
    machine,
    make_frame,
    make_slices,
    outcome_of,
    say,
    timed,
    version_of,
)

from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.registry import measure

PACKAGES = ("pytest", "pytest-xdist", "numpy", "pandas", "pyarrow", "scikit-learn", "pytest-behave")
METRICS = ("accuracy", "precision", "recall", "fpr", "f1", "mcc", "roc_auc", "log_loss")
PLUGINS = ("-p", "xdist.plugin", "-p", "pytest_behave.plugin", "-p", "no:cacheprovider")
BEHAVE = (*PLUGINS, "-q", "--behave", "--behave-cache=off")
TOLERANCE = 1e-8
SCRIPT = """\
import json, sys
import pandas as pd
from sklearn import metrics as sk

def fpr(target, predicted):
    (tn, fp), _ = sk.confusion_matrix(target, predicted, labels=[0, 1])
    return fp / (fp + tn)

of_labels = (sk.accuracy_score, sk.precision_score, sk.recall_score, fpr, sk.f1_score, sk.matthews_corrcoef)
of_scores = (sk.roc_auc_score, sk.log_loss)
rows = pd.read_parquet("rows.parquet")
rows["predicted"] = (rows["score"] >= 0.5).astype(int)
values = []
for query in json.load(open("slices.json")):
    part = rows.query(query)
    values.append([metric(part["target"], part["predicted"]) for metric in of_labels])
    values[-1] += [metric(part["target"], part["score"].astype(float)) for metric in of_scores]
print(json.dumps(values))
"""
READ = "import pandas; pandas.read_parquet('rows.parquet')"
MODEL = """\
import numpy as np

def predict(rows):
    x = rows[["a", "b"]].to_numpy()
    for _ in range({steps}):
        x = np.tanh(x * 0.999)
    return 1 / (1 + np.exp(-x.sum(axis=1)))
"""


def run(folder: Path, *arguments: str) -> str:
    """Return what a Python process prints; it must end well, or with failed items."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else nothing of this checkout is ever compiled before
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{arguments} failed:\n{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}")
    return done.stdout


def compared(folder: Path, rounds: int, *commands: Sequence[str]) -> list[float]:
    """Return the median seconds of each command, taking turns; the first turn, which compiles and reads, is left out."""
    turns = [
        [timed(lambda command=command: run(folder, *command))[0] for command in commands] for _ in range(rounds + 1)
    ]
    return [statistics.median(seconds) for seconds in zip(*turns[1:], strict=True)]


def shown(name: str, value: float, required: float, *, least: bool = False, unit: str = "x") -> bool:
    """Print a figure, what is required of it, and whether it is met."""
    met = value >= required if least else value <= required
    say(
        f"{name:72}{value:>9.2f}{unit}  {'at least' if least else 'at most'} {required:g}{unit}  {'met' if met else 'MISSED'}"
    )
    return met


def plain_slices(count: int) -> list[Slice_]:
    """Return slices that no search is part of."""
    slices = make_slices(count + count // 10)
    return [slice_ for slice_ in slices if not any(one.symbol == "contains" for one in slice_)][:count]


def suite_text(dataset: str, model: str, slices: dict[str, str], metrics: Sequence[str], expect: str) -> str:
    """Return a suite in YAML."""
    return json.dumps(
        {
            "dataset": {"path": dataset, "target": "target"},
            "model": model if ":" in model else {"column": model, "as": "score", "threshold": 0.5},
            "slices": slices,
            "metrics": list(metrics),
            "expect": {"*": {"accuracy": {expect: 0.01}}},
        }
    )


def against_script(folder: Path, rounds: int, rows: int) -> bool:
    """Compare a run with a script, and with reading the file."""
    frame = make_frame(rows).drop(columns=["note", "group", "predicted"]).astype({"score": np.float32})
    frame.to_parquet(folder / "rows.parquet")
    queries = [" and ".join(one.ours() for one in slice_) for slice_ in plain_slices(100)]
    (folder / "slices.json").write_text(json.dumps(queries), encoding="utf-8")
    named = {f"slice {number:03}": query for number, query in enumerate(queries)}
    suite = suite_text("rows.parquet", "score", named, METRICS, "min")
    (folder / "large.behave.yaml").write_text(suite, encoding="utf-8")
    ours, floor = compared(folder, rounds, ("-m", "pytest", *BEHAVE, "large.behave.yaml"), ("-c", READ))
    script, output = timed(lambda: run(folder, "-c", SCRIPT))
    run(folder, "-m", "pytest", *BEHAVE, "--behave-report=json:record.json", "large.behave.yaml")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))["suites"][0]
    found = {(one["slice"], one["metric"]): one["value"] for one in (*record["behaviors"], *record["observed"])}
    gap = np.abs(np.array([[found[name, metric] for metric in METRICS] for name in named]) - json.loads(output)).max()
    say(f"run {ours:.2f} s, script {script:.2f} s, pandas and reading {floor:.2f} s; largest difference {gap:.0e}")
    faster = shown("script of query and scikit-learn / run, 100 slices x 8 metrics", script / ours, 20, least=True)
    return shown("run / importing pandas and reading the file", ours / floor, 3.5) and faster and gap <= TOLERANCE


def with_ties(_folder: Path, rounds: int, rows: int) -> bool:
    """Compare scores that tie with scores that do not."""
    frame, slices = make_frame(rows), plain_slices(100)
    outcome, bits = outcome_of(frame), bits_of(frame, slices)
    score = (np.argsort(np.argsort(frame["score"].to_numpy())) + 0.5) / rows
    single = np.float32(frame["score"]).astype(np.float64)
    kinds = {
        "one tie": np.where(score == score[0], score[1], score),
        "float32": single,
        "5 decimals": single.round(5),
        "100 values": single.round(2),
    }
    outcomes = [replace(outcome, score=scores) for scores in (score, *kinds.values())]

    def seconds() -> list[float]:
        return [timed(lambda one=one: measure(chosen_of(["roc_auc"]), one, Masks(bits, rows)))[0] for one in outcomes]

    seconds()
    apart, *tied = map(statistics.median, zip(*(seconds() for _ in range(3 * rounds)), strict=True))
    say(f"ROC AUC of scores that all differ: {apart:.3f} s")
    met = [shown(f"ROC AUC: {kind} / all differ", one / apart, 1.3) for kind, one in zip(kinds, tied, strict=True)]
    return all(met)


def write_small(folder: Path, count: int, rows: int, steps: int) -> None:
    """Write suites with a dataset and a model each."""
    random = np.random.default_rng(1)
    for number in range(count):
        a, b = random.normal(size=(2, rows)).round(4)
        target = (random.random(rows) < 1 / (1 + np.exp(-a - b))).astype(int)
        cells = zip(a.tolist(), b.tolist(), random.integers(0, 10, rows).tolist(), target.tolist(), strict=True)
        lines = ["a,b,group,target", *(",".join(map(str, row)) for row in cells)]
        (folder / f"rows{number}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        slices = {f"group {value}": f"group == {value}" for value in range(10)}
        slices |= {f"a above {value}": f"a > {value / 10}" for value in range(20)}
        suite = suite_text(f"rows{number}.csv", f"model{number}:predict", slices, METRICS, "min")
        (folder / f"small{number}.behave.yaml").write_text(suite, encoding="utf-8")
        (folder / f"model{number}.py").write_text(MODEL.format(steps=steps), encoding="utf-8")


def workers(count: int, rows: int, steps: int, most: float) -> Callable[[Path, int, int], bool]:
    """Return what compares two workers with none."""

    def work(folder: Path, rounds: int, _rows: int) -> bool:
        write_small(folder, count, rows, steps)
        two, none = compared(folder, rounds, *(("-m", "pytest", *BEHAVE, "-n", number, ".") for number in "20"))
        return shown(
            f"{count} suite{'s' * (count > 1)} of {rows:,} rows: -n 2 {two:.2f} s / -n 0 {none:.2f} s", two / none, most
        )

    return work


def collected(folder: Path, rounds: int, _rows: int) -> bool:
    """Compare collecting ten times the slices."""
    (folder / "rows.csv").write_text("a,target\n" + "".join(f"{n},{n % 2}\n" for n in range(1_000)), encoding="utf-8")
    (folder / "model.py").write_text("def predict(rows):\n    return rows['a'] % 2\n", encoding="utf-8")
    commands = []
    for count in (20_000, 2_000):
        slices = {f"slice {number}": f"a > {number / count}" for number in range(count)}
        suite = suite_text("rows.csv", "model:predict", slices, ["accuracy"], "min")
        (folder / f"many{count}.behave.yaml").write_text(suite, encoding="utf-8")
        commands.append(("-m", "pytest", *BEHAVE, "--collect-only", f"many{count}.behave.yaml"))
    many, few = compared(folder, max(rounds // 3, 1), *commands)
    return shown(f"collecting 20,000 slices {many:.2f} s / 2,000 slices {few:.2f} s", many / few, 6)


def flipped(folder: Path, rounds: int, _rows: int) -> bool:  # noqa: ARG001 - a part like the others
    """Measure the record of a comparison, and what flips take of it."""
    random, size = np.random.default_rng(1), 200_000
    frame = make_frame(size).drop(columns=["note", "group", "predicted"])
    frame["old"] = np.clip(frame["score"] + random.normal(0, 0.1, size), 0, 1)
    frame.to_parquet(folder / "rows.parquet")
    slices = {f"slice {n}": " and ".join(one.ours() for one in slice_) for n, slice_ in enumerate(plain_slices(50))}
    suite = json.loads(suite_text("rows.parquet", "score", slices, ["accuracy", "recall", "fpr"], "max_regression"))
    suite["baseline"] = {"column": "old", "as": "score", "threshold": 0.5}
    (folder / "flips.behave.yaml").write_text(json.dumps(suite), encoding="utf-8")
    profiled = ("-m", "cProfile", "-o", "profile", "-m", "pytest", *BEHAVE, "--behave-report=json:record.json")
    run(folder, *profiled, "flips.behave.yaml")
    calls = pstats.Stats(str(folder / "profile"))
    megabytes = (folder / "record.json").stat().st_size / 1e6
    small = shown("JSON record of 200,000 rows x 51 slices against a baseline", megabytes, 3, unit=" MB")
    share = 100 * _seconds_for_flips(calls) / calls.total_tt  # type: ignore[attr-defined]
    return shown("flips' share of the CPU time", share, 5, unit=" %") and small


def _seconds_for_flips(calls: pstats.Stats) -> float:
    """Return the seconds in functions of ours that find, show or write instances, and in all that they call."""

    def is_named(function: tuple[str, int, str]) -> bool:
        path, _, name = function
        of_flips = Path(path).stem in ("flips", "instances") or name == "flipped" or name.startswith("instance_")
        return "pytest_behave" in path and of_flips and name != "<module>"

    return sum(
        seconds
        for function, (*_, callers) in calls.stats.items()  # type: ignore[attr-defined]
        if is_named(function)
        for caller, (*_, seconds) in callers.items()
        if not is_named(caller)
    )


PARTS: dict[str, Callable[[Path, int, int], bool]] = {
    "script": against_script,
    "ties": with_ties,
    "suites": workers(10, 50_000, 150, 0.75),
    "suite": workers(1, 2_000, 1, 1.25),
    "collect": collected,
    "flips": flipped,
}


def main() -> int:
    """Run the parts that were asked for; 1 if a figure is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS), help="all unless some are named")
    options.add_argument("--rounds", type=int, default=5, help="turns of each command; the script runs once")
    options.add_argument("--rows", type=int, default=1_000_000, help="fewer rows, to try the command out")
    chosen = options.parse_args()
    say(f"{machine()}, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    say(", ".join(map(version_of, PACKAGES)) + f"; {chosen.rounds} rounds, medians")
    met = []
    for name in chosen.part:
        say(f"\n{name}")
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            met.append(PARTS[name](Path(folder), chosen.rounds, chosen.rows))
            say(f"{'':60}({time.perf_counter() - start:.0f} s)")
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
