"""Measuring many slices: ours against other ways to the same figures, its growth, its memory, and its intervals.

    python tests/benchmarks/bench_kernel.py [--part NAME ...] [--rounds N] [--million N]

    naive      1,000,000 rows, 100 overlapping slices, 10 binary metrics: ``DataFrame.query`` and scikit-learn slice by
               slice, on each twelfth slice, its time scaled up.
    polars     the same: one lazy query, masks as expressions, areas from rows sorted by score.
    duckdb     the same without the two metrics of ranks (its time is without them, ours with): one query per slice on a
               table of atoms.
    groups     one column of 100 values: Fairlearn's MetricFrame, 100,000 and 1,000,000 rows.
    masks      10,000,000 rows, 1,000 slices, 8 metrics of counts: numpy's bool masks from shared atoms, one by one. Memory.
    growth     seconds over rows and slices, and the ratio to reading each column in use once.
    intervals  with an interval per value against without.

The data: ten columns of metadata (five of few texts, four of numbers, one text of about 50 characters), target,
prediction, score. Slices are equalities, ranges, conjunctions of two and three; 2 % search the text. Each side starts
from its own data frame (pandas, polars, a DuckDB table) and works out the conditions itself; ours gives a 95 % interval
per value, the others none. Repetitions take turns within one process, medians are compared, values must agree to 1e-8.
The exit code is 1 if a ratio is missed or a value differs.
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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import metrics as sk

from pytest_behave.data.columns import column_of
from pytest_behave.data.partitions import by_values
from pytest_behave.data.predicates import Evaluator
from pytest_behave.declare.predicate import parse_predicate
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.registry import Chosen, find_metric, measure, measure_figures
from pytest_behave.records import Estimate, MetricSpec, Outcome
from pytest_behave.records.bits import Bits, members, smallest

TOLERANCE = 1e-8
SEED = 20_270_101
NAIVE_STEP = 12
EXACT = (
    "accuracy",
    "precision",
    "recall",
    "fpr",
    "f1",
    "mcc",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
)
OF_COUNTS = ("accuracy", "precision", "recall", "specificity", "fpr", "f1", "mcc", "selection_rate")
TEXTS = {
    "region": ["north", "south", "east", "west"],
    "plan": ["free", "basic", "pro"],
    "device": ["phone", "tablet", "desktop", "watch", "tv"],
    "language": ["en", "de", "fr", "es", "it", "pl", "nl", "pt"],
    "channel": [f"channel {number}" for number in range(12)],
}
WORDS = [
    "the",
    "order",
    "was",
    "late",
    "and",
    "we",
    "want",
    "our",
    "money",
    "back",
    "please",
    "send",
    "another",
    "one",
    "to",
    "this",
    "address",
]


def say(line: str = "") -> None:
    """Print one line at once."""
    print(line, flush=True)


# --- data ---------------------------------------------------------------------------------------------------------


def make_frame(rows: int) -> pd.DataFrame:
    """Return ten columns of metadata, a column of groups, and a target with a model's score and prediction."""
    random = np.random.default_rng(SEED)

    def drawn(options: Sequence[str]) -> pa.Array:
        return pa.array(options, pa.large_string()).take(pa.array(random.integers(0, len(options), rows)))

    pool = [" ".join(row) for row in np.array(WORDS)[random.integers(0, len(WORDS), size=(100_000, 10))].tolist()]
    texts = {name: drawn(options) for name, options in TEXTS.items()}
    texts |= {"note": drawn(pool), "group": drawn([f"group {number:02d}" for number in range(100)])}
    frame = pa.table(texts).to_pandas()
    frame["age"] = random.integers(16, 90, rows)
    frame["visits"] = random.poisson(6, rows)
    frame["income"] = random.lognormal(10, 0.6, rows)
    frame["distance"] = random.exponential(20, rows)
    logit = 0.9 * (frame["plan"] == "pro").to_numpy() + 0.02 * (frame["age"].to_numpy() - 50)
    logit = logit + random.normal(0, 1, rows)
    frame["target"] = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    frame["score"] = 1 / (1 + np.exp(-logit - random.normal(0, 0.8, rows)))
    frame["predicted"] = (frame["score"] >= 0.5).astype(np.int64)
    return frame


class Condition(NamedTuple):
    """``column symbol value``, or a search where the symbol is ``contains``."""

    column: str
    symbol: str
    value: Any

    def ours(self) -> str:
        """Return the condition as a suite writes it."""
        value = f'"{self.value}"' if isinstance(self.value, str) else self.value
        return (
            f"contains({self.column}, {value})" if self.symbol == "contains" else f"{self.column} {self.symbol} {value}"
        )

    def pandas(self) -> str:
        """Return the condition as ``DataFrame.query`` takes it."""
        searched = f'{self.column}.str.contains("{self.value}", regex=False)'
        return searched if self.symbol == "contains" else self.ours()


Slice_ = tuple[Condition, ...]


def make_slices(count: int) -> list[Slice_]:
    """Return slices: a third equalities or ranges, the rest conjunctions of two or three, each fiftieth a search."""
    random = np.random.default_rng(SEED)
    equalities = [Condition(name, "==", value) for name, options in TEXTS.items() for value in options]
    ranges = [
        *(Condition("age", symbol, value) for value in range(20, 88, 4) for symbol in (">=", "<")),
        *(Condition("visits", ">", value) for value in range(2, 11)),
        *(Condition("income", symbol, value) for value in range(12_000, 44_000, 1_000) for symbol in (">=", "<")),
        *(Condition("distance", ">=", value) for value in range(4, 40, 2)),
    ]
    searches = [Condition("note", "contains", word) for word in ("money", "late and", "please", "address", "another")]
    slices: list[Slice_] = [
        (one,) for one in random.permutation(np.array([*equalities, *ranges], dtype=object)).tolist()
    ]
    slices = [(Condition(*one),) for (one,) in slices][: max(count // 3, 1)]

    def one_of(conditions: list[Condition]) -> Condition:
        return conditions[random.integers(len(conditions))]

    while len(slices) < count:
        one, other = one_of(equalities), one_of(equalities)
        few = (one_of(ranges), one) if len(slices) % 2 or one.column == other.column else (one_of(ranges), one, other)
        slices.append((*few[:2], one_of(searches)) if len(slices) % 50 == 49 else few)
    return slices


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


# --- ours ---------------------------------------------------------------------------------------------------------


def chosen_of(names: Sequence[str], task: Any = "binary") -> list[Chosen]:
    """Return metrics by name."""
    return [find_metric(MetricSpec(name, name), task, {}) for name in names]


def bits_of(frame: pd.DataFrame, slices: Sequence[Slice_]) -> list[Bits]:
    """Return our slices from the text of their predicates."""
    evaluator = Evaluator.of_frame(frame)
    return [evaluator.bits(parse_predicate(" and ".join(one.ours() for one in slice_))) for slice_ in slices]


def our_slices(frame: pd.DataFrame, slices: Sequence[Slice_], names: Sequence[str]) -> np.ndarray:
    """Return our values, one row per slice."""
    return our_values(outcome_of(frame), bits_of(frame, slices), names)


def our_groups(frame: pd.DataFrame) -> np.ndarray:
    """Return our values, one row per group in the order of their names."""
    groups = by_values("group", column_of(frame["group"]))
    return our_values(outcome_of(frame), members(smallest(groups.codes), len(groups.names)), EXACT)


def our_values(outcome: Outcome, bits: Sequence[Bits], names: Sequence[str]) -> np.ndarray:
    """Return the values of all metrics, one row per mask; every one must have its interval."""
    measured = measure(chosen_of(names), outcome, Masks(bits, outcome.size))
    return np.array([[with_interval(estimate) for estimate in measured[name]] for name in names]).T


def with_interval(estimate: Estimate) -> float:
    """Return the value of an estimate that has both ends of its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        raise SystemExit(f"an estimate is incomplete: {estimate}")
    return estimate.value


# --- peers --------------------------------------------------------------------------------------------------------


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


def naive(frame: pd.DataFrame, slices: Sequence[Slice_]) -> np.ndarray:
    """Return scikit-learn's values, one row per slice."""
    rows = []
    for slice_ in slices:
        part = frame.query(" and ".join(one.pandas() for one in slice_))
        labels = [metric(part["target"], part["predicted"]) for metric in OF_LABELS.values()]
        scores = [metric(part["target"], part["score"]) for metric in OF_SCORES.values()]
        rows.append([*labels, *scores])
    return np.array(rows)


def by_fairlearn(frame: pd.DataFrame) -> np.ndarray:
    """Return Fairlearn's values, one row per group in the order of their names.

    Two frames, so that scores go where predictions go: as `sample_params` of one frame they make it slower.
    """
    from fairlearn.metrics import MetricFrame

    frames = [
        MetricFrame(metrics=metrics, y_true=frame["target"], y_pred=frame[output], sensitive_features=frame["group"])
        for metrics, output in ((OF_LABELS, "predicted"), (OF_SCORES, "score"))
    ]
    return pd.concat([result.by_group for result in frames], axis=1)[list(EXACT)].to_numpy(dtype=np.float64)


def by_polars(frame: Any, slices: Sequence[Slice_]) -> np.ndarray:
    """Return values from one lazy query over rows sorted by score; ties would need more, and there are none."""
    import polars as pl

    def atom(one: Condition) -> Any:
        column = pl.col(one.column)
        if one.symbol == "contains":
            return column.str.contains(one.value, literal=True)
        compare = {"==": column.eq, ">=": column.ge, ">": column.gt, "<": column.lt}
        return compare[one.symbol](one.value)

    atoms = {one: f"atom {number}" for number, one in enumerate(dict.fromkeys(one for some in slices for one in some))}
    probability = pl.when(pl.col("target") == 1).then(pl.col("score")).otherwise(1 - pl.col("score"))
    rows = (
        frame.lazy()
        .sort("score")
        .select(
            *(atom(one).alias(name) for one, name in atoms.items()),
            p=pl.col("target") == 1,
            s=pl.col("predicted") == 1,
            ll=-probability.clip(np.finfo(float).eps, 1 - np.finfo(float).eps).log(),
            br=(pl.col("score") - pl.col("target")) ** 2,
        )
    )
    figures = []
    for number, slice_ in enumerate(slices):
        mask = pl.all_horizontal([pl.col(atoms[one]) for one in slice_])
        ranked = pl.col("p").filter(mask)
        falling = ranked.reverse().cast(pl.Int64)
        places = pl.int_range(0, pl.len(), dtype=pl.Int64)
        figures += [
            mask.sum().alias(f"n{number}"),
            (mask & pl.col("p")).sum().alias(f"p{number}"),
            (mask & pl.col("s")).sum().alias(f"s{number}"),
            (mask & pl.col("p") & pl.col("s")).sum().alias(f"tp{number}"),
            pl.col("ll").filter(mask).mean().alias(f"ll{number}"),
            pl.col("br").filter(mask).mean().alias(f"br{number}"),
            ranked.arg_true().cast(pl.Int64).sum().alias(f"rank{number}"),
            (falling.cum_sum() / (falling.cum_count()) * falling).sum().alias(f"ap{number}"),
        ]
        del places
    table = rows.select(figures).collect().row(0)
    n, p, s, tp, ll, br, rank, ap = np.array(table, dtype=np.float64).reshape(-1, 8).T
    area = (rank - p * (p - 1) / 2) / (p * (n - p))
    return np.column_stack([*of_cells(n, p, s, tp), area, ap / p, ll, br])


def of_cells(n: np.ndarray, p: np.ndarray, s: np.ndarray, tp: np.ndarray) -> list[np.ndarray]:
    """Return accuracy, precision, recall, fpr, f1 and mcc from counts of rows, positives, outputs and hits."""
    fp, fn, tn = s - tp, p - tp, n - p - s + tp
    mcc = (tp * tn - fp * fn) / np.sqrt(s * p * (tn + fp) * (tn + fn))
    return [(tp + tn) / n, tp / s, tp / p, fp / (n - p), 2 * tp / (p + s), mcc]


def by_duckdb(connection: Any, slices: Sequence[Slice_]) -> np.ndarray:
    """Return values from a table of atoms and one query per slice; NaN for the metrics of ranks."""
    distinct = list(dict.fromkeys(one for some in slices for one in some))
    atoms = {one: f"a{number}" for number, one in enumerate(distinct)}

    def sql(one: Condition) -> str:
        value = f"'{one.value}'" if isinstance(one.value, str) else one.value
        return f"contains({one.column}, {value})" if one.symbol == "contains" else f"{one.column} {one.symbol} {value}"

    eps = float(np.finfo(float).eps)
    columns = ", ".join(f"{sql(one).replace('==', '=')} AS {name}" for one, name in atoms.items())
    connection.execute(  # every part of it is written above
        f"CREATE OR REPLACE TEMP TABLE atoms AS SELECT {columns}, target AS p, predicted AS s, target * predicted AS tp, "
        f"-ln(greatest(least(CASE WHEN target = 1 THEN score ELSE 1 - score END, 1 - {eps}), {eps})) AS ll, "
        "(score - target) * (score - target) AS br FROM data"
    )
    found = [
        connection.execute(
            "SELECT count(*), sum(p), sum(s), sum(tp), avg(ll), avg(br) FROM atoms WHERE "
            + " AND ".join(atoms[one] for one in slice_)
        ).fetchone()
        for slice_ in slices
    ]
    n, p, s, tp, ll, br = np.array(found, dtype=np.float64).T
    nothing = np.full(len(n), np.nan)
    return np.column_stack([*of_cells(n, p, s, tp), nothing, nothing, ll, br])


def by_masks(frame: pd.DataFrame, codes: dict[str, np.ndarray], slices: Sequence[Slice_]) -> np.ndarray:
    """Return the metrics of counts from numpy's bool masks; texts of few values are coded beforehand."""

    def atom(one: Condition) -> np.ndarray:
        if one.symbol == "contains":
            return frame[one.column].str.contains(one.value, regex=False).to_numpy(dtype=bool)
        if one.column in codes:
            return codes[one.column] == TEXTS[one.column].index(one.value)
        values = frame[one.column].to_numpy()
        return {">=": np.greater_equal, ">": np.greater, "<": np.less}[one.symbol](values, one.value)

    atoms = {one: atom(one) for one in dict.fromkeys(one for some in slices for one in some)}
    p, s = frame["target"].to_numpy() == 1, frame["predicted"].to_numpy() == 1
    tp = p & s
    counts = []
    for slice_ in slices:
        mask = atoms[slice_[0]]
        for one in slice_[1:]:
            mask = mask & atoms[one]
        counts.append([np.count_nonzero(mask), *(np.count_nonzero(mask & plane) for plane in (p, s, tp))])
    cells = np.array(counts, dtype=np.float64).T
    accuracy, precision, recall, false, f1, mcc = of_cells(*cells)
    return np.column_stack([accuracy, precision, recall, 1 - false, false, f1, mcc, cells[2] / cells[0]])


# --- the contest --------------------------------------------------------------------------------------------------


class Contest(NamedTuple):
    """Two ways to the same values; the peer's time is for a share of them, ``scale`` brings it to all."""

    name: str
    required: float
    ours: Callable[[], np.ndarray]
    peer: Callable[[], np.ndarray]
    scale: float = 1.0
    step: int = 1


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds and the result of one call."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def held(contest: Contest, rounds: int) -> bool:
    """Print the medians of both sides, taking turns, and tell whether the ratio is reached and values agree."""
    values = contest.ours()  # lazy imports are not part of it
    ours, peer = [], []
    for _ in range(rounds):
        ours += [timed(contest.ours)[0] for _ in range(3)]
        seconds, expected = timed(contest.peer)
        peer.append(seconds * contest.scale)
    known = ~np.isnan(expected)
    gap = float(np.abs(values[:: contest.step] - expected)[known].max())
    ratio = statistics.median(peer) / statistics.median(ours)
    met = ratio >= contest.required and gap <= TOLERANCE
    say(
        f"{contest.name:58}{statistics.median(ours):>9.3f}{statistics.median(peer):>9.2f}{ratio:>8.1f}x"
        f"{contest.required:>7.1f}x  {gap:.0e}  {'met' if met else 'MISSED'}"
    )
    return met


def against_naive(million: int, rounds: int) -> bool:
    """Compare with ``DataFrame.query`` and scikit-learn."""
    frame, slices = make_frame(million), make_slices(100)
    few = slices[::NAIVE_STEP]
    name = f"naive: query + scikit-learn, {len(few)} of 100 slices, scaled"
    ours, peer = partial(our_slices, frame, slices, EXACT), partial(naive, frame, few)
    return held(Contest(name, 100, ours, peer, 100 / len(few), NAIVE_STEP), max(rounds // 3, 1))


def against_polars(million: int, rounds: int) -> bool:
    """Compare with one lazy query."""
    import polars as pl

    frame, slices = make_frame(million), make_slices(100)
    table = pl.from_pandas(frame)
    ours, peer = partial(our_slices, frame, slices, EXACT), partial(by_polars, table, slices)
    return held(Contest("polars: one lazy query", 1.8, ours, peer), rounds)


def against_duckdb(million: int, rounds: int) -> bool:
    """Compare with one query per slice."""
    import duckdb

    frame, slices = make_frame(million), make_slices(100)
    connection = duckdb.connect()
    connection.register("frame", pa.Table.from_pandas(frame))
    connection.execute("CREATE TABLE data AS SELECT * FROM frame")
    ours, peer = partial(our_slices, frame, slices, EXACT), partial(by_duckdb, connection, slices)
    return held(Contest("duckdb: a query per slice, without the metrics of ranks", 4, ours, peer), rounds)


def against_groups(million: int, rounds: int) -> bool:
    """Compare with MetricFrame."""
    met = True
    for rows in (million // 10, million):
        frame = make_frame(rows)
        ours, peer = partial(our_groups, frame), partial(by_fairlearn, frame)
        met &= held(Contest(f"fairlearn: 100 groups, {rows:,} rows", 400, ours, peer), max(rounds // 3, 1))
    return met


def against_masks(million: int, rounds: int) -> bool:
    """Compare with numpy's bool masks, and print what memory ours takes above the data frame.

    Texts of few values are categories, so that both sides start from codes.
    """
    frame, slices = make_frame(10 * million), make_slices(1_000)
    frame = frame.astype({name: pd.CategoricalDtype(options) for name, options in TEXTS.items()})
    met = True
    for names, most in ((OF_COUNTS, 300), (EXACT, 1_000)):
        seconds, (_, megabytes) = timed(partial(with_memory, partial(our_slices, frame, slices, names)))
        fits = megabytes < most
        shown = f"memory above the frame, {len(names)} metrics, {10 * million:,} rows x 1,000"
        say(f"{shown:58}{seconds:>9.3f}{megabytes:>12,.0f} MB, below {most:,}  {'met' if fits else 'MISSED'}")
        met &= fits
    codes = {name: frame[name].cat.codes.to_numpy() for name in TEXTS}
    ours, peer = partial(our_slices, frame, slices, OF_COUNTS), partial(by_masks, frame, codes, slices)
    return (
        held(Contest("numpy bool masks: 1,000 slices, 8 metrics of counts", 5, ours, peer), max(rounds // 3, 1)) and met
    )


def with_memory(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and by how many megabytes the process grew at most (Linux; NaN elsewhere)."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not reset.exists():
        return work(), float("nan")
    reset.write_text("5")
    before = _kilobytes(status, "VmRSS")
    result = work()
    return result, (_kilobytes(status, "VmHWM") - before) / 1024


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


def growth(million: int, rounds: int) -> bool:
    """Print seconds over rows and slices."""
    say(
        f"\n{'seconds (times the floor of reading each column once)':58}"
        + "".join(f"{n:>18,}" for n in (10, 100, 1_000))
    )
    for rows in (million // 10, million, 10 * million):
        frame = make_frame(rows)
        floor = min(timed(partial(read_once, frame))[0] for _ in range(3))
        for names, label in ((OF_COUNTS, "8 metrics of counts"), (EXACT, "all ten")):
            line = f"{f'{rows:,} rows, {label}, slices:':58}"
            for count in (10, 100, 1_000):
                slices = make_slices(count)
                times = 1 if rows * count > 1e9 else rounds
                work = partial(our_slices, frame, slices, names)
                seconds = statistics.median(timed(work)[0] for _ in range(times))
                line += f"{seconds:>10.3f} ({seconds / floor:>4.0f}x)"
            say(line)
    return True


def read_once(frame: pd.DataFrame) -> int:
    """Read every byte of every column but the groups."""
    total = 0
    for name in frame.columns.drop("group"):
        values = frame[name].array
        buffers = (
            [buffer for chunk in values.__arrow_array__().chunks for buffer in chunk.buffers() if buffer is not None]
            if isinstance(frame[name].dtype, pd.StringDtype)
            else [frame[name].to_numpy().data]
        )
        for buffer in buffers:
            raw = np.frombuffer(buffer, dtype=np.uint8)
            total += int(np.bitwise_or.reduce(raw[: len(raw) // 8 * 8].view(np.uint64)))
    return total


def with_intervals(million: int, rounds: int) -> bool:
    """Compare measuring with intervals and without, conditions worked out beforehand."""
    met = True
    for rows, count in ((million, 100), (million // 10, 1_000)):
        frame, slices = make_frame(rows), make_slices(count)
        met &= _intervals(
            f"binary, ten metrics, {rows:,} rows x {count:,}", EXACT, outcome_of(frame), bits_of(frame, slices), rounds
        )
        for task, names in OTHERS.items():
            met &= _intervals(
                f"{task}, {len(names)} metrics, {rows:,} rows x {count:,}",
                names,
                other_outcome(frame, task),
                bits_of(frame, slices),
                rounds,
            )
    return met


OTHERS = {
    "multiclass": ("accuracy", "macro_f1", "weighted_f1", "macro_recall", "mcc", "balanced_accuracy"),
    "regression": ("mae", "rmse", "bias", "mape", "r2", "median_ae"),
}


def other_outcome(frame: pd.DataFrame, task: Any) -> Outcome:
    """Return an outcome of another task on the same rows."""
    random = np.random.default_rng(SEED)
    size = len(frame)
    target = random.integers(0, 5, size) if task == "multiclass" else random.lognormal(2, 1, size)
    wrong = random.random(size) < 0.3
    predicted = (
        np.where(wrong, random.integers(0, 5, size), target)
        if task == "multiclass"
        else target * random.lognormal(0, 0.3, size)
    )
    plain = outcome_of(frame)
    values = {name: getattr(plain, name) for name in ("size", "column", "condition", "frame")}
    classes = tuple("abcde") if task == "multiclass" else ()
    return Outcome(
        task=task,
        target=target,
        predicted=predicted,
        score=None,
        proba={},
        classes=classes,
        target_classes=len(classes),
        positive=-1,
        **values,
    )


def _intervals(name: str, names: Sequence[str], outcome: Outcome, bits: Sequence[Bits], rounds: int) -> bool:
    chosen = chosen_of(names, outcome.task)
    times: dict[Callable[..., Any], list[float]] = {measure: [], measure_figures: []}
    measure(chosen, outcome, Masks(bits, outcome.size))
    for _ in range(rounds):
        for work, seconds in times.items():
            seconds.append(timed(lambda work=work: work(chosen, outcome, Masks(bits, outcome.size)))[0])
    on, off = (statistics.median(seconds) for seconds in times.values())
    met = on / off <= 1.5
    say(
        f"{'intervals: ' + name:58}{on:>9.3f}{off:>9.3f}{on / off:>8.2f}x{'<= 1.5x':>8}         {'met' if met else 'MISSED'}"
    )
    return met


PARTS: dict[str, Callable[[int, int], bool]] = {
    "naive": against_naive,
    "polars": against_polars,
    "duckdb": against_duckdb,
    "groups": against_groups,
    "masks": against_masks,
    "intervals": with_intervals,
    "growth": growth,
}


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


def main() -> int:
    """Run the parts that were asked for; 1 if a figure is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--part", choices=PARTS, nargs="+", default=list(PARTS), help="all parts unless some are named"
    )
    options.add_argument(
        "--rounds", type=int, default=3, help="3 calls of ours and 1 of the peer each; slow peers get a third"
    )
    options.add_argument("--million", type=int, default=1_000_000, help="fewer rows, to try the command out")
    chosen = options.parse_args()
    packages = ("numpy", "pandas", "numexpr", "scikit-learn", "fairlearn", "polars", "duckdb", "pytest-behave")
    say(machine())
    say(f"Python {platform.python_version()}, {', '.join(map(version_of, packages))}\n")
    say(f"{'':58}{'ours s':>9}{'peer s':>9}{'ratio':>9}{'wanted':>8}  largest difference")
    met = [PARTS[name](chosen.million, chosen.rounds) for name in chosen.part]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
