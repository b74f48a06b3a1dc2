"""Our measuring against scikit-learn slice by slice and against Fairlearn group by group.

    python tests/benchmarks/bench_measure.py [--full] [--rounds N]

100,000 rows, 10 binary metrics, twice:

    slices    100 predicates. Ours: parse and evaluate the predicates, then ``measure``. Peer: ``DataFrame.query`` and
              scikit-learn's metric functions, slice after slice.
    groups    one column of 100 values. Ours: the family's masks, then ``measure``. Peer: Fairlearn's ``MetricFrame``.

Ours includes a 95 % interval per value, the peers' figures do not. Both sides start from a data frame and from coded
targets, predictions and scores. Repetitions take turns within one process and medians are compared; values must agree
to 1e-9. The exit code is 1 if a ratio is below 100 or a value disagrees.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from sklearn import metrics as sk

from pytest_behave.data.columns import column_of
from pytest_behave.data.partitions import by_values
from pytest_behave.data.predicates import Evaluator
from pytest_behave.declare.predicate import parse_predicate
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.registry import find_metric, measure
from pytest_behave.records import Estimate, MetricSpec, Outcome

ROWS = 100_000
GROUPS = 100
REQUIRED = 100
TOLERANCE = 1e-9
PEER_SECONDS = 60  # where the peer would take longer over all slices, it takes each tenth one, and its time is scaled
SUBSET = 10
OURS_PER_ROUND = 5
SEED = 20_270_101


def fpr(target: pd.Series, predicted: pd.Series) -> float:
    """Return the false positive rate, which scikit-learn has no function for."""
    (tn, fp), _ = sk.confusion_matrix(target, predicted, labels=[0, 1])
    return fp / (fp + tn)


OF_LABELS: dict[str, Callable[..., float]] = {
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "fpr": fpr,
    "f1": sk.f1_score,
    "mcc": sk.matthews_corrcoef,
}
OF_SCORES: dict[str, Callable[..., float]] = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}
METRICS = (*OF_LABELS, *OF_SCORES)
CHOSEN = [find_metric(MetricSpec(name, name), "binary", {}) for name in METRICS]


# --- data ---------------------------------------------------------------------------------------------------------


def make_frame() -> pd.DataFrame:
    """Return ten columns of metadata, the column of groups, and a target with a model's score and prediction."""
    random = np.random.default_rng(SEED)
    text = "the order was late and we want our money back please send another one to this address"
    words = np.array(text.split())
    frame = pd.DataFrame(
        {
            "region": random.choice(["north", "south", "east", "west"], ROWS),
            "plan": random.choice(["free", "basic", "pro"], ROWS),
            "device": random.choice(["phone", "tablet", "desktop", "watch", "tv"], ROWS),
            "language": random.choice(["en", "de", "fr", "es", "it", "pl", "nl", "pt"], ROWS),
            "channel": random.choice([f"channel {number}" for number in range(12)], ROWS),
            "age": random.integers(16, 90, ROWS),
            "visits": random.poisson(6, ROWS),
            "income": random.lognormal(10, 0.6, ROWS),
            "distance": random.exponential(20, ROWS),
            "note": [" ".join(row) for row in words[random.integers(0, len(words), size=(ROWS, 10))].tolist()],
            "group": random.choice([f"group {number:02d}" for number in range(GROUPS)], ROWS),
        }
    )
    logit = 0.9 * (frame["plan"] == "pro") + 0.02 * (frame["age"] - 50) + random.normal(0, 1, ROWS)
    frame["target"] = (random.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    frame["score"] = 1 / (1 + np.exp(-logit - random.normal(0, 0.8, ROWS)))
    frame["predicted"] = (frame["score"] >= 0.5).astype(np.int64)
    return frame


class Predicate(NamedTuple):
    """One slice in both languages."""

    ours: str
    pandas: str


def make_predicates(frame: pd.DataFrame) -> list[Predicate]:
    """Return 100 conditions: 32 equalities, 20 ranges, 46 conjunctions of two or three, 2 that search a text."""
    names = ("region", "plan", "device", "language", "channel")
    equalities = [f'{name} == "{value}"' for name in names for value in sorted(frame[name].unique())]
    regions, plans = equalities[:4], equalities[4:7]
    ranges = [
        *(f"{low} <= age < {low + 8}" for low in range(18, 82, 8)),
        *(f"visits > {low}" for low in range(2, 8)),
        *(f"income < {high}" for high in range(15_000, 40_000, 9_000)),
        *(f"distance >= {low}" for low in range(5, 29, 8)),
    ]
    pairs = islice(product(regions, ranges), 0, 69, 3)
    triples = islice(product(regions, plans, ranges), 0, 230, 10)
    conditions = [*equalities, *ranges, *(" and ".join(parts) for parts in (*pairs, *triples))]
    searches = [
        Predicate('contains(note, "money")', 'note.str.contains("money", regex=False)'),
        Predicate(
            'region == "north" and contains(note, "late and")',
            'region == "north" and note.str.contains("late and", regex=False)',
        ),
    ]
    return [*(Predicate(text, text) for text in conditions), *searches]


# --- ours ---------------------------------------------------------------------------------------------------------


def outcome_of(frame: pd.DataFrame) -> Outcome:
    """Return targets and outputs as ``measure`` takes them."""
    return Outcome(
        task="binary",
        size=len(frame),
        target=frame["target"].to_numpy(),
        predicted=frame["predicted"].to_numpy(),
        score=frame["score"].to_numpy(),
        proba={},
        classes=("0", "1"),
        target_classes=2,
        positive=1,
        column=lambda name: column_of(frame[name]),
        condition=lambda _: (np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)),
        frame=lambda: frame,
    )


def our_slices(frame: pd.DataFrame, outcome: Outcome, predicates: Sequence[Predicate]) -> np.ndarray:
    """Return our values, one row per predicate."""
    evaluator = Evaluator.of_frame(frame)
    return our_values(outcome, [evaluator.mask(parse_predicate(predicate.ours)) for predicate in predicates])


def our_groups(frame: pd.DataFrame, outcome: Outcome) -> np.ndarray:
    """Return our values, one row per group in the order of their names."""
    groups = by_values("group", column_of(frame["group"]))
    return our_values(outcome, [groups.codes == code for code in range(len(groups.names))])


def our_values(outcome: Outcome, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the values of all metrics, one row per mask; every one must have its interval."""
    measured = measure(CHOSEN, outcome, Masks(masks, outcome.size))
    return np.array([[with_interval(estimate) for estimate in measured[name]] for name in METRICS]).T


def with_interval(estimate: Estimate) -> float:
    """Return the value of an estimate that has both ends of its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        raise SystemExit(f"an estimate is incomplete: {estimate}")
    return estimate.value


# --- peers --------------------------------------------------------------------------------------------------------


def peer_slices(frame: pd.DataFrame, predicates: Sequence[Predicate]) -> np.ndarray:
    """Return scikit-learn's values, one row per predicate."""
    rows = []
    for predicate in predicates:
        part = frame.query(predicate.pandas)
        labels = [metric(part["target"], part["predicted"]) for metric in OF_LABELS.values()]
        scores = [metric(part["target"], part["score"]) for metric in OF_SCORES.values()]
        rows.append([*labels, *scores])
    return np.array(rows)


def peer_groups(frame: pd.DataFrame) -> np.ndarray:
    """Return Fairlearn's values, one row per group in the order of their names.

    Two frames, so that scores go where predictions go: as `sample_params` of one frame they make it slower.
    """
    frames = [
        MetricFrame(metrics=metrics, y_true=frame["target"], y_pred=frame[output], sensitive_features=frame["group"])
        for metrics, output in ((OF_LABELS, "predicted"), (OF_SCORES, "score"))
    ]
    return pd.concat([result.by_group for result in frames], axis=1)[list(METRICS)].to_numpy(dtype=np.float64)


# --- the contest --------------------------------------------------------------------------------------------------


class Contest(NamedTuple):
    """Two ways to the same values; the peer's time is for a share of them, ``scale`` brings it to all."""

    name: str
    ours: Callable[[], np.ndarray]
    peer: Callable[[], np.ndarray]
    scale: float = 1.0
    step: int = 1


class Timing(NamedTuple):
    """Median seconds of both sides and the widest gap between their values."""

    ours: float
    peer: float
    gap: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer / self.ours


def slice_contest(frame: pd.DataFrame, outcome: Outcome, *, full: bool) -> Contest:
    """Return the contest over predicates, in which the peer takes a subset if all would take too long."""
    predicates = make_predicates(frame)
    few = predicates[::SUBSET]
    ours = partial(our_slices, frame, outcome, predicates)
    seconds = timed(partial(peer_slices, frame, few))[0] * len(predicates) / len(few)
    if full or seconds < PEER_SECONDS:
        return Contest(f"slices, sklearn on all {len(predicates)}", ours, partial(peer_slices, frame, predicates))
    name = f"slices, sklearn on {len(few)} of {len(predicates)}, scaled"
    return Contest(name, ours, partial(peer_slices, frame, few), len(predicates) / len(few), SUBSET)


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the seconds and the result of one call."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def run(contest: Contest, rounds: int) -> Timing:
    """Return the medians over rounds of several calls of ours and one of the peer."""
    ours, peer = [], []
    values = contest.ours()  # lazy imports are not part of it; the peer's are done by now
    for _ in range(rounds):
        ours += [timed(contest.ours)[0] for _ in range(OURS_PER_ROUND)]
        seconds, expected = timed(contest.peer)
        peer.append(seconds * contest.scale)
    gap = float(np.abs(values[:: contest.step] - expected).max())
    return Timing(statistics.median(ours), statistics.median(peer), gap)


# --- report -------------------------------------------------------------------------------------------------------


def machine() -> str:
    """Return the processor, the number of CPUs and the system."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names) or '?'} CPUs, {platform.system()}"


def version_of(package: str) -> str:
    """Return ``package version``, or that it is not there."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def table(timings: dict[str, Timing]) -> list[str]:
    """Return the lines of the result."""
    lines = [f"{'':44}{'ours s':>10}{'peer s':>10}{'ratio':>9}  {'largest difference':<20}"]
    for name, timing in timings.items():
        figures = f"{timing.ours:>10.4f}{timing.peer:>10.2f}{timing.ratio:>8.0f}x  {timing.gap:.1e}"
        lines.append(f"{name:44}{figures}")
    return [*lines, f"required >= {REQUIRED}x, differences <= {TOLERANCE:.0e}"]


def say(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def main() -> int:
    """Run both contests and print them; 1 if one is lost."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--full", action="store_true", help="scikit-learn takes all slices, however long it takes")
    options.add_argument("--rounds", type=int, default=2, help=f"{OURS_PER_ROUND} calls of ours and 1 of the peer each")
    chosen = options.parse_args()
    packages = ("numpy", "pandas", "numexpr", "scikit-learn", "fairlearn", "pytest-behave")
    say(machine())
    say(f"Python {platform.python_version()}, {', '.join(map(version_of, packages))}")
    say(f"{ROWS:,} rows, {len(METRICS)} metrics; ours with a 95 % interval per value, the peers without\n")
    frame = make_frame()
    outcome = outcome_of(frame)
    contests = [
        slice_contest(frame, outcome, full=chosen.full),
        Contest(f"groups, fairlearn on all {GROUPS}", partial(our_groups, frame, outcome), partial(peer_groups, frame)),
    ]
    timings = {contest.name: run(contest, chosen.rounds) for contest in contests}
    for line in table(timings):
        say(line)
    return int(any(timing.ratio < REQUIRED or not timing.gap <= TOLERANCE for timing in timings.values()))


if __name__ == "__main__":
    sys.exit(main())
