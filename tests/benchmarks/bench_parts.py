"""Datasets in parts: within a memory limit, on two Dask workers, and what a larger cluster may be expected to do.

    python tests/benchmarks/bench_parts.py [memory] [dask] [part] [cost]

memory  a parquet dataset four times as large as what the process may take (RLIMIT_DATA) gives the figures of a run
        without a limit, and so does the comparison with a baseline that was accepted within the limit.
dask    a LocalCluster of two workers against this process, on the same parts and with a model that takes most of the
        time; and a worker that is killed in mid-run.
part    what a part costs besides its rows: the same rows, hardly any, in few parts and in many.
cost    seconds = fixed + parts x per part + rows x per row / workers, fitted to runs with one and two workers; then
        EXTRAPOLATED to 10^9 rows. An extrapolation is no measurement.

Each contest runs in one go on one machine, so that ratios count and not seconds. The exit code is 1 if a figure falls
short: 1.6 times as fast with two workers, the same counts, the same record.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

LIMIT = 740 * 2**20
ROWS_OF_A_PART = 50_000
WORK = 6_000  # steps of the model per batch, so that it takes most of the time
ROUNDS = 2
FEW_AND_MANY = (16, 160)
SUITE = """\
dataset: {{path: "data*.parquet", id: id, target: y}}
models: {{old: model:old, new: model:new}}
baseline: old
slices:
  young: age < 30
  region: {{by: region}}
  age: {{by: age, edges: [30, 50, 70]}}
metrics: [accuracy, fpr, f1, brier, log_loss{more}]
expect:
  overall: {{accuracy: {{min: 0.5, max_regression: 0.01}}, f1: {{max_regression: 0.01}}}}
  region: {{accuracy: {{max_regression: 0.01}}}}
  "*": {{brier: {{max: 0.5}}}}
"""
MODEL = """\
import numpy as np

WORK = {work}

def _score(frame, weight):
    x = frame[["x0", "x1", "x2"]].to_numpy()
    for _ in range(WORK):
        x = np.tanh(x * 0.999)
    return 1 / (1 + np.exp(-weight * (frame["y"].to_numpy() - 0.5) - x.sum(axis=1) / 2))

def old(frame):
    return _score(frame, 1.0)

def new(frame):
    return _score(frame, 1.02)
"""
LIMITED = """\
import resource, sys

if __name__ == "__main__":  # and not where LocalCluster starts a worker
    limit = int(sys.argv.pop(1))
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    import pytest
    code = pytest.main(sys.argv[1:])
    print("peak", int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024)
    sys.exit(code)
"""


def make_data(folder: Path, rows: int, columns: int, parts: int = 4) -> int:
    """Write parquet files and return how many bytes their columns take."""
    random = np.random.default_rng(1)
    size = 0
    for number in range(parts):
        count = rows // parts
        frame = pd.DataFrame(
            {
                "id": np.arange(number * count, (number + 1) * count),
                "region": random.choice(["east", "north", "south", "west"], count),
                "age": random.integers(18, 90, count),
                "y": random.integers(0, 2, count),
                **{f"x{column}": random.normal(size=count) for column in range(columns)},
            }
        )
        frame.to_parquet(folder / f"data{number}.parquet", row_group_size=ROWS_OF_A_PART)
        size += int(frame.memory_usage(deep=True).sum())
    return size


def make_suite(folder: Path, work: int, more: str = "") -> None:
    """Write the suite and its model, which takes ``work`` steps per batch."""
    (folder / "big.behave.yaml").write_text(SUITE.format(more=more), encoding="utf-8")
    (folder / "model.py").write_text(MODEL.format(work=work), encoding="utf-8")
    (folder / "limited.py").write_text(LIMITED, encoding="utf-8")


def run(folder: Path, *options: str, limit: int = 0) -> tuple[float, dict, int]:
    """Run the suite in a process of its own; return seconds, the suite's record and the peak of its memory in MB."""
    command = [
        sys.executable,
        "limited.py",
        str(limit),
        "--behave",
        "-q",
        "-p",
        "no:cacheprovider",
        "--behave-cache=off",
    ]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--behave-report=json:record.json", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_IO_THREADS": "2"},
    )
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))["suites"][0]
    return seconds, record, int(done.stdout.split()[-1])


def figures(record: dict) -> dict[tuple[str, str], tuple]:
    """Return what a record says of each behavior, its instances apart."""
    found = {}
    for behavior in (*record["behaviors"], *record["observed"]):
        change = behavior["baseline"] or {}
        found[behavior["slice"], behavior["metric"]] = (
            *(behavior[name] for name in ("n", "size", "verdict", "value", "low", "high")),
            *(change.get(name) for name in ("broken", "fixed", "value", "change", "low", "high", "p")),
        )
    return found


def largest_difference(one: dict, other: dict, *, ranks: bool = False) -> float:
    """Return the largest difference of two records' figures; infinity where counts or verdicts differ at all.

    ``ranks`` picks ROC AUC, which comes from bins where there are more than 4,096 scores, else all other metrics count.
    """
    largest = 0.0
    for key, values in figures(one).items():
        if (key[1] == "roc_auc") != ranks:
            continue
        for a, b in zip(values, figures(other)[key], strict=True):
            if isinstance(a, float) and isinstance(b, (int, float)):
                largest = max(largest, abs(a - b) / max(1.0, abs(a)))
            elif a != b:
                return np.inf
    return largest


def memory(folder: Path) -> bool:
    """Compare a run within a limit with one without."""
    size = make_data(folder, 2_000_000, 198, parts=8)
    make_suite(folder, 1, ", roc_auc")
    (folder / "big.behave.yaml").write_text(
        (folder / "big.behave.yaml").read_text(encoding="utf-8").replace("baseline: old\n", ""), encoding="utf-8"
    )
    accepted = run(folder, "--behave-baseline=accept", "--behave-model=old", limit=LIMIT)
    whole = run(folder, "--behave-memory=100GB")
    split = run(folder, limit=LIMIT)
    difference = largest_difference(whole[1], split[1])
    print(f"columns {size / 2**20:,.0f} MB, limit {LIMIT / 2**20:,.0f} MB: {size / LIMIT:.1f} times as large")
    print(
        f"accept  {accepted[0]:6.1f} s, peak {accepted[2]:,} MB: predictions of 2,000,000 rows stored within the limit"
    )
    print(f"whole   {whole[0]:6.1f} s, peak {whole[2]:,} MB")
    print(f"limited {split[0]:6.1f} s, peak {split[2]:,} MB; figures differ by at most {difference:.1e}", end="")
    print(f" (AUC, from bins: {largest_difference(whole[1], split[1], ranks=True):.1e})")
    return difference < 1e-8 and size >= 4 * LIMIT


def dask(folder: Path) -> bool:
    """Compare two workers with this process."""
    make_data(folder, 800_000, 3, parts=4)
    make_suite(folder, WORK)
    local, two = [], []
    for _ in range(ROUNDS):
        local.append(run(folder, "--behave-memory=1KB"))
        two.append(run(folder, "--behave-engine=dask"))
    ratio = float(np.median([one[0] for one in local]) / np.median([one[0] for one in two]))
    difference = largest_difference(local[0][1], two[0][1])
    print(f"16 parts of 50,000 rows, local {np.median([one[0] for one in local]):.1f} s, two workers ", end="")
    print(f"{np.median([one[0] for one in two]):.1f} s: {ratio:.2f}x; figures differ by at most {difference:.1e}")
    killed = kill_a_worker(folder, local[0][1])
    return ratio >= 1.6 and difference < 1e-9 and killed


def kill_a_worker(folder: Path, expected: dict) -> bool:
    """Kill a worker in mid-run."""
    marker = folder / "killed"
    text = MODEL.format(work=WORK)
    text += f"""
import os, pathlib, signal
_new = new
def new(frame):
    marker = pathlib.Path({str(marker)!r})
    if int(frame["id"].iloc[0]) >= 400_000 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _new(frame)
"""
    (folder / "model.py").write_text(text, encoding="utf-8")
    seconds, record, _ = run(folder, "--behave-engine=dask")
    difference = largest_difference(expected, record)
    print(f"a worker killed in mid-run: {marker.exists()}, {seconds:.1f} s, figures differ by at most {difference:.1e}")
    return marker.exists() and difference < 1e-9


def part(folder: Path) -> bool:
    """Measure what a part costs besides its rows."""
    from distributed import LocalCluster

    seconds: dict[tuple[str, int], float] = {}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        engines = {"here": "--behave-memory=1KB", "two workers": f"--behave-engine=dask:{cluster.scheduler_address}"}
        for count in FEW_AND_MANY:
            for path in folder.glob("data*.parquet"):
                path.unlink()
            make_data(folder, 16_000, 3, parts=count)
            make_suite(folder, 0)
            for name, option in engines.items():
                seconds[name, count] = min(run(folder, option)[0] for _ in range(ROUNDS))
    few, many = FEW_AND_MANY
    for name in engines:
        each = (seconds[name, many] - seconds[name, few]) / (many - few)
        print(f"{name}: {few} parts {seconds[name, few]:.2f} s, {many} parts {seconds[name, many]:.2f} s: ", end="")
        print(f"{1000 * each:.0f} ms a part, in both of its readings")
    return True


def cost(folder: Path) -> bool:
    """Fit the costs of rows and parts, and extrapolate."""
    from distributed import LocalCluster

    rows, measured = [], []
    for count, work in ((200_000, 20), (800_000, 20)):
        for path in folder.glob("data*.parquet"):
            path.unlink()
        make_data(folder, count, 3, parts=4)
        make_suite(folder, work)
        parts = 4 * -(-count // 4 // ROWS_OF_A_PART)
        for workers in (1, 2):
            with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
                run(folder, f"--behave-engine=dask:{cluster.scheduler_address}")  # workers import what they need
                seconds, *_ = run(folder, f"--behave-engine=dask:{cluster.scheduler_address}")
            rows.append([1, parts / workers, count / workers])
            measured.append(seconds)
            print(f"{count:>9,} rows, {parts:>2} parts, {workers} worker(s): {seconds:.1f} s")
    (fixed, per_row), *_ = np.linalg.lstsq(np.array(rows)[:, [0, 2]], np.array(measured), rcond=None)
    print(f"fitted: {fixed:.1f} s + {1e6 * per_row:.2f} s per million rows and worker (this model, these slices)")
    print("EXTRAPOLATED, not measured, to 10^9 rows of this kind:")
    for workers in (2, 16, 64):
        print(f"  {workers:>3} workers: {(fixed + per_row * 1e9 / workers) / 3600:.2f} h")
    return True


def main() -> int:
    """Run the contests that were asked for."""
    import distributed
    import pyarrow as pa

    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()},")
    print(f"numpy {np.__version__}, pandas {pd.__version__}, pyarrow {pa.__version__}, dask {distributed.__version__}")
    contests = {"memory": memory, "dask": dask, "part": part, "cost": cost}
    met = True
    for name in sys.argv[1:] or contests:
        print(f"\n{name}")
        with tempfile.TemporaryDirectory() as folder:
            met &= contests[name](Path(folder))
    print("\nmet" if met else "\nNOT MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
