"""Our comparison of two models against resampling the rows of every slice.

    python tests/benchmarks/bench_compare.py [--rounds N]

100,000 rows, 200 slices that overlap (ranges of five columns), 5 metrics: 1,000 bounds on changes.

    ours      a suite file with a second model as its `baseline`, prepared and measured. Timed is the comparison: the
              change of every metric on every slice, its interval, its p-value, all p-values adjusted by max-T (Holm for
              ROC AUC and F1), and which rows broke and were fixed.
    sklearn   the change and its percentile interval from 1,000 resamples of the rows per slice and metric, the same rows
              for both models, with scikit-learn's metrics. No p-values, nothing adjusted.
    numpy     the same with formulas of our own writing: the rows are drawn once for all metrics, which are computed from
              codes and losses prepared beforehand.

The peers would take hours and minutes. They are timed on each tenth slice by size and on a few of the resamples, and
their times are scaled to all. One slice is resampled in full, to see that both sides say the same. Rounds take turns in
one process, medians of processor time are compared. Memory is the highest resident size of a process that does nothing but ours, from
reading the file to the verdicts.

The exit code is 1 if scikit-learn takes less than 100 times as long, if memory reaches 1.5 GB, or if values disagree.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy.special import expit
from scipy.stats import rankdata

from pytest_behave.evaluate import evaluate_suite, prepare_file
from pytest_behave.evidence.whole import WholeRun, find_baseline, predictor_of
from pytest_behave.judge.comparisons import Comparisons
from pytest_behave.judge.judgement import Judgement

ROWS = 100_000
SLICES, SMALLEST, LARGEST = 200, 100, 50_000
COLUMNS = 5
METRICS = ("accuracy", "fnr", "f1", "roc_auc", "log_loss")
RESAMPLES = 1_000
STEP = 10  # of the slices by size, those that the peers take
OF_SKLEARN, OF_NUMPY = 1, 20  # resamples per slice and round
REQUIRED = 100
MOST_BYTES = 1.5e9
TOLERANCE = 1e-9
SEED = 20_270_101
CHECKED = 1_000  # rows of the slice that is resampled in full: the next larger one


# --- data ---------------------------------------------------------------------------------------------------------


def write_suite(folder: Path) -> Path:
    """Write rows with the scores of two models, and a suite that bounds the regression of everything."""
    random = np.random.default_rng(SEED)
    target = (random.random(ROWS) < 0.3).astype(np.int64)
    evidence = random.normal(2 * target - 1, 1)
    columns = {f"u{index}": random.permutation(ROWS) for index in range(COLUMNS)}
    seen = evidence + random.normal(0, 0.45, (2, ROWS))
    old, new = expit(2 * seen / 1.2 + np.log(0.3 / 0.7))
    frame = pd.DataFrame({"id": np.arange(ROWS), "target": target, **columns, "old": old, "new": new})
    frame.to_parquet(folder / "rows.parquet")
    sizes = np.geomspace(SMALLEST, LARGEST, SLICES).round().astype(np.int64)
    starts = random.integers(0, ROWS - sizes + 1)
    slices = {
        f"s{index}": f"{start} <= u{index % COLUMNS} < {start + size}"
        for index, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True))
    }
    suite = {
        "suite": "compare",
        "dataset": {"path": "rows.parquet", "id": "id", "target": "target", "positive": 1},
        "models": {name: {"column": name, "as": "score"} for name in ("old", "new")},
        "baseline": "old",
        "slices": slices,
        "metrics": list(METRICS),
        "expect": {name: {metric: {"max_regression": 0.0} for metric in METRICS} for name in slices},
    }
    path = folder / "compare.behave.yaml"
    path.write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")
    return path


# --- ours ---------------------------------------------------------------------------------------------------------


class Ours:
    """A suite with everything that comes before the comparison."""

    def __init__(self, path: Path) -> None:
        prepared = prepare_file(path)
        model = prepared.models[-1]
        self.prepared, self.against = prepared, find_baseline(prepared)
        self.evidence = WholeRun.of(prepared, model, predictor_of(prepared, model), self.against).evidence
        self.judgement = Judgement(prepared, self.evidence, "2027-01-01")
        self.keys = [(item.slice, item.name) for item in self.judgement.items]
        self.rows = {item.name: np.flatnonzero(item.mask) for item in self.evidence.slices}

    def compare(self) -> Comparisons:
        """Return all comparisons, their p-values adjusted."""
        judgement = self.judgement
        comparisons = Comparisons(self.prepared, self.evidence, self.against, judgement.estimates, judgement.items)
        comparisons.adjust(self.keys)
        return comparisons


# --- peers --------------------------------------------------------------------------------------------------------


class Outputs(NamedTuple):
    """Targets, and both models' scores and predictions."""

    target: np.ndarray
    scores: tuple[np.ndarray, np.ndarray]
    predicted: tuple[np.ndarray, np.ndarray]


def outputs_of(ours: Ours) -> Outputs:
    """Return what the peers compare."""
    before, after = ours.against.outcome, ours.evidence.rows.outcome
    return Outputs(np.asarray(after.target), (before.score, after.score), (before.predicted, after.predicted))


def by_sklearn(outputs: Outputs, rows: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Return the changes of all metrics on resamples of the rows, drawn anew for each metric."""
    from sklearn import metrics as sk

    functions: dict[str, tuple[Callable[..., float], tuple[np.ndarray, np.ndarray]]] = {
        "accuracy": (sk.accuracy_score, outputs.predicted),
        "fnr": (lambda target, predicted: 1 - sk.recall_score(target, predicted), outputs.predicted),
        "f1": (sk.f1_score, outputs.predicted),
        "roc_auc": (sk.roc_auc_score, outputs.scores),
        "log_loss": (sk.log_loss, outputs.scores),
    }
    changes = np.empty((len(METRICS), resamples))
    for row, name in zip(changes, METRICS, strict=True):
        metric, (before, after) = functions[name]
        for index in range(resamples):
            drawn = rows[random.integers(0, len(rows), len(rows))]
            target = outputs.target[drawn]
            row[index] = metric(target, after[drawn]) - metric(target, before[drawn])
    return changes


def prepared_for_numpy(outputs: Outputs) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Return which rows are positive, and per model: codes of target and prediction, ranks of scores, losses."""
    positive = outputs.target == 1
    codes = [2 * outputs.target + predicted for predicted in outputs.predicted]
    places = [rankdata(score, method="dense") for score in outputs.scores]
    losses = [-np.log(np.where(positive, score, 1 - score)) for score in outputs.scores]
    return positive, codes, places, losses


def by_numpy(outputs: Outputs, rows: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Return the changes of all metrics on resamples of the rows, drawn once for all of them."""
    positive, *models = prepared_for_numpy(
        Outputs(outputs.target[rows], *(tuple(values[rows] for values in part) for part in outputs[1:]))
    )
    changes = np.empty((len(METRICS), resamples))
    for index in range(resamples):
        drawn = random.integers(0, len(rows), len(rows))
        is_positive = positive[drawn]
        before, after = (
            figures(is_positive, *(values[drawn] for values in model)) for model in zip(*models, strict=True)
        )
        changes[:, index] = np.subtract(after, before)
    return changes


def figures(positive: np.ndarray, codes: np.ndarray, places: np.ndarray, losses: np.ndarray) -> tuple[float, ...]:
    """Return the metrics of one model on one resample, in the order of METRICS."""
    right, false, missed, hits = np.bincount(codes, minlength=4).tolist()
    m, rest = missed + hits, right + false
    # ties of a resample are the same rows drawn again, and rows with equal scores: counted per place, one half
    highest = int(places.max()) + 1
    positives = np.bincount(places[positive], minlength=highest)
    negatives = np.bincount(places[~positive], minlength=highest)
    area = float((positives * (np.cumsum(negatives) - negatives / 2)).sum()) / (m * rest)
    return (right + hits) / len(codes), missed / m, 2 * hits / (2 * hits + false + missed), area, float(losses.mean())


def on_all(outputs: Outputs, rows: np.ndarray) -> np.ndarray:
    """Return scikit-learn's changes on the rows themselves."""
    from sklearn import metrics as sk

    target = outputs.target[rows]
    before, after = (
        (
            sk.accuracy_score(target, predicted[rows]),
            1 - sk.recall_score(target, predicted[rows]),
            sk.f1_score(target, predicted[rows]),
            sk.roc_auc_score(target, score[rows]),
            sk.log_loss(target, score[rows]),
        )
        for score, predicted in zip(outputs.scores, outputs.predicted, strict=True)
    )
    return np.subtract(after, before)


# --- the contest --------------------------------------------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def resampled(
    peer: Callable[..., np.ndarray], outputs: Outputs, slices: list[np.ndarray], resamples: int
) -> Callable[[], None]:
    """Return the peer's work on some slices."""

    def work() -> None:
        random = np.random.default_rng(SEED)
        for rows in slices:
            peer(outputs, rows, resamples, random)

    return work


class Times(NamedTuple):
    """Median seconds of each side, those of the peers scaled to all slices and resamples."""

    ours: float
    sklearn: float
    numpy: float


def timed(ours: Ours, outputs: Outputs, rounds: int) -> Times:
    """Time all sides in turn."""
    by_size = sorted(ours.rows.values(), key=len)[:-1]  # without `overall`, which has all rows
    some = by_size[STEP // 2 :: STEP]
    share = len(some) / len(by_size)
    sklearn = resampled(by_sklearn, outputs, some, OF_SKLEARN)
    numpy = resampled(by_numpy, outputs, some, OF_NUMPY)
    resampled(by_sklearn, outputs, some[:1], 1)()  # lazy imports are not part of it
    found = []
    for index in range(rounds):
        found.append(
            (
                statistics.median(seconds(ours.compare) for _ in range(3)),
                seconds(sklearn) * RESAMPLES / OF_SKLEARN / share,
                seconds(numpy) * RESAMPLES / OF_NUMPY / share,
            )
        )
        print(f"round {index + 1} of {rounds}", file=sys.stderr, flush=True)
    return Times(*(statistics.median(column) for column in zip(*found, strict=True)))


class Agreement(NamedTuple):
    """The largest differences: of changes from scikit-learn's, and of ends of intervals, as shares of their widths."""

    change: float
    ends: float


def agreement(ours: Ours, outputs: Outputs) -> Agreement:
    """Hold our figures against the peers'."""
    comparisons = ours.compare()
    names = [name for name in ours.rows if name != "overall"]
    gaps = [
        float(np.abs(on_all(outputs, ours.rows[name]) - _changes(comparisons, name)).max()) for name in names[::STEP]
    ]
    name = next(name for name in names if len(ours.rows[name]) >= CHECKED)
    drawn = by_numpy(outputs, ours.rows[name], RESAMPLES, np.random.default_rng(SEED))
    ends = np.percentile(drawn, [2.5, 97.5], axis=1).T
    records = [comparisons.found[name, metric].change for metric in METRICS]
    own = np.array([[record.low, record.high] for record in records])
    return Agreement(max(gaps), float((np.abs(own - ends) / np.diff(ends, axis=1)).max()))


def _changes(comparisons: Comparisons, name: str) -> np.ndarray:
    return np.array([comparisons.found[name, metric].change.change for metric in METRICS])


def memory(path: Path) -> dict[str, float]:
    """Return bytes and seconds of a process that evaluates the suite and does nothing else."""
    command = [sys.executable, __file__, "--alone", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def alone(path: Path) -> None:
    """Evaluate the suite and print what it took, as JSON."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = seconds(lambda: evaluate_suite(path))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"imported": before * 1024, "bytes": after * 1024, "seconds": took}))


def main() -> int:
    """Print the contest; 1 if it is lost."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.alone:
        alone(chosen.alone)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = write_suite(Path(folder))
        whole = memory(path)  # first: Linux counts what the parent held when it started a child
        ours = Ours(path)
        outputs = outputs_of(ours)
        times, agree = timed(ours, outputs, chosen.rounds), agreement(ours, outputs)
    sizes = sorted(len(rows) for name, rows in ours.rows.items() if name != "overall")
    print(f"{ROWS:,} rows, {len(sizes)} slices of {sizes[0]:,} to {sizes[-1]:,} rows, {len(METRICS)} metrics\n")
    print(f"ours                                                  {times.ours:>10.2f} s")
    for name, took, resamples in (("sklearn", times.sklearn, OF_SKLEARN), ("numpy", times.numpy, OF_NUMPY)):
        basis = f"{name}, scaled from {len(sizes) // STEP} slices x {resamples} resamples"
        print(f"{basis:52}{took:>12.2f} s{took / times.ours:>9.0f}x")
    print(f"\nchanges differ from scikit-learn's by at most {agree.change:.1e} (required: {TOLERANCE:.0e})")
    print(f"ends of the intervals from those of 1,000 resamples by at most {agree.ends:.0%} of the width")
    print(f"peak memory {whole['bytes'] / 1e6:,.0f} MB, {whole['imported'] / 1e6:,.0f} of it imports", end="")
    print(f" (required: under {MOST_BYTES / 1e6:,.0f}); evaluate_suite in all {whole['seconds']:.1f} s")
    print(f"required of sklearn: at least {REQUIRED}x")
    lost = times.sklearn / times.ours < REQUIRED or whole["bytes"] >= MOST_BYTES or agree.change > TOLERANCE
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
