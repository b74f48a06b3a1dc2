"""How often does each interval of the package hold the truth, and how wide is it?

    python tests/benchmarks/simulate_coverage.py [--only NAME] [--simulations 2000]

Every sample is a slice that the package itself measures. The truth is exact where a formula gives it, else the figure
of samples of ten million rows in all. Coverage is the share of the intervals that hold the truth. A sample on which the
metric or its interval is undefined is left out of it, and counted in the column "none". Cells under 93.7 % are
drawn again with five times as many samples, whose share then counts. The exit code is 1 if a cell is under 93 %.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri
from scipy.stats import norm

from pytest_behave.data.columns import column_of
from pytest_behave.errors import BehaveError
from pytest_behave.measure.general import RESAMPLES_OF_CALLABLES
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.means import Mean
from pytest_behave.measure.registry import find_metric, measure
from pytest_behave.measure.statistics import bootstrap_rows
from pytest_behave.records import Estimate, MetricSpec, Outcome, Task

SEED = 20_270_101
SIZES = (20, 30, 100, 1_000, 5_000)
RATES = (0.02, 0.1, 0.5)
LEAST = 0.93
DOUBTFUL, MORE = 0.937, 5  # a share under the first is taken again from that many times the samples
ROWS_AT_ONCE, SLICES_AT_ONCE = 100_000, 100
ROWS_FOR_THE_TRUTH, PARTS = 1_000_000, 10

Draw = Callable[[np.random.Generator, int, float], Outcome]


class Cell(NamedTuple):
    """What came of all samples of one size and rate."""

    coverage: float
    width: float
    none: float


@dataclass(frozen=True)
class Study:
    """Metrics measured on outcomes that ``draw`` makes; ``rate`` says what the rate is there."""

    name: str
    rate: str
    draw: Draw
    metrics: tuple[str, ...]
    truths: Callable[[float], Mapping[str, float]] | None = None
    estimates: Callable[[Outcome, Masks, Sequence[str]], Mapping[str, Sequence[Estimate]]] | None = None

    def measured(self, outcome: Outcome, masks: Masks) -> Mapping[str, Sequence[Estimate]]:
        """Return the estimates of the package for each mask."""
        return (self.estimates or by_registry)(outcome, masks, self.metrics)


def by_registry(outcome: Outcome, masks: Masks, metrics: Sequence[str]) -> Mapping[str, Sequence[Estimate]]:
    """Measure metrics as a suite that lists them does."""
    specs = [
        MetricSpec(name, "mean", {"mean": "latency"}) if name == "mean" else MetricSpec(name, name) for name in metrics
    ]
    found = measure([find_metric(spec, outcome.task, {}) for spec in specs], outcome, masks)
    for result in found.values():
        if isinstance(result, BehaveError):
            raise result
    return found  # type: ignore[return-value]


# --- data ---------------------------------------------------------------------------------------------------------


def outcome_of(task: Task | None, target: np.ndarray, predicted: np.ndarray, **more: object) -> Outcome:
    """Return an outcome of codes, numbers, or neither."""
    classes = int(more.pop("classes", 2))  # type: ignore[call-overload]
    score, frame = more.get("score"), pd.DataFrame(more.get("columns") or {})
    return Outcome(
        task=task,
        size=len(target),
        target=target,
        predicted=predicted,
        score=score,
        proba={},
        classes=tuple(map(str, range(classes))),
        target_classes=classes,
        positive=1,
        column=lambda name: column_of(frame[name]),
        condition=lambda _: (np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)),
        frame=lambda: frame,
        is_probability=score is not None,
    )


def scored(random: np.random.Generator, target: np.ndarray, distance: float, prevalence: float) -> Outcome:
    """Return calibrated scores: normal evidence, ``distance`` standard deviations apart, and the prior."""
    evidence = random.normal(distance * (target - 0.5), 1)
    score = expit(distance * evidence + np.log(prevalence / (1 - prevalence)))
    return outcome_of("binary", target, (score >= 0.5).astype(np.int64), score=score)


def of_error_rate(random: np.random.Generator, size: int, rate: float) -> Outcome:
    """Draw a balanced binary task and a calibrated model with that error rate; at 0.5 it guesses, and is too sure."""
    target = random.integers(0, 2, size)
    if rate == 0.5:
        score = expit(random.normal(0, 1, size))
        return outcome_of("binary", target, (score >= 0.5).astype(np.int64), score=score)
    return scored(random, target, -2 * float(ndtri(rate)), 0.5)


def of_prevalence(random: np.random.Generator, size: int, rate: float) -> Outcome:
    """Draw a binary task with that share of positives, and a calibrated model with an area of 0.9 under the curve."""
    return scored(random, (random.random(size) < rate).astype(np.int64), 1.812, rate)


SHARES = {2: np.array([0.7, 0.3]), 5: np.array([0.35, 0.25, 0.2, 0.12, 0.08])}


@cache
def confusion(classes: int, rate: float) -> np.ndarray:
    """Return the chance of each (target, prediction): each class is missed at that rate, for another by its share."""
    shares = SHARES[classes]
    table = np.tile(shares, (classes, 1))
    np.fill_diagonal(table, 0)
    table *= rate / table.sum(axis=1, keepdims=True)
    np.fill_diagonal(table, 1 - rate)
    return np.asarray(table * shares[:, None])


def of_classes(classes: int, random: np.random.Generator, size: int, rate: float) -> Outcome:
    """Draw targets and predictions of several classes, their shares uneven."""
    cells = random.choice(classes * classes, size, p=confusion(classes, rate).ravel())
    return outcome_of("multiclass", cells // classes, cells % classes, classes=classes)


def of_hard_rows(random: np.random.Generator, size: int, rate: float) -> Outcome:
    """Draw a regression in which that share of the rows is hard: errors three times as large."""
    target = random.normal(10, 2, size)
    error = random.normal(0, 1, size) * np.where(random.random(size) < rate, 3, 1)
    return outcome_of("regression", target, target + error)


def of_latencies(random: np.random.Generator, size: int, rate: float) -> Outcome:
    """Draw log-normal latencies of which that share takes three times as long."""
    values = random.lognormal(0, 0.5, size) * np.where(random.random(size) < rate, 3, 1)
    return outcome_of(None, np.zeros(size), np.zeros(size), columns={"latency": values})


def of_words(random: np.random.Generator, size: int, rate: float) -> Outcome:
    """Draw sentences of 12 words on average, of which each has its own chance of errors: most none, a few many."""
    words = 1 + random.poisson(11, size)
    wrong = random.binomial(words, random.beta(0.5, 0.5 * (1 - rate) / rate, size))
    return outcome_of("text", words.astype(np.float64), wrong.astype(np.float64))


def word_error_rates(outcome: Outcome, masks: Masks, _: Sequence[str]) -> Mapping[str, Sequence[Estimate]]:
    """Measure the mean of error rates per row, as `wer` does once it has compared the texts."""
    rates = Mean(lambda o: np.asarray(o.predicted) / np.asarray(o.target), floor=0.0)
    return {"wer": rates.estimates(outcome, masks)}


def of_ones_own(outcome: Outcome, masks: Masks, metrics: Sequence[str]) -> Mapping[str, Sequence[Estimate]]:
    """Bootstrap the rows of two metrics such as users write; the DataFrame is left out to save time."""
    words, wrong = np.asarray(outcome.target), np.asarray(outcome.predicted)
    functions: dict[str, Callable[[np.ndarray], float]] = {
        "own: errors / words": lambda rows: float(wrong[rows].sum() / words[rows].sum()),
        "own: share with an error": lambda rows: float((wrong[rows] > 0).mean()),
    }
    result = {}
    for name in metrics:
        function, found = functions[name], []
        for index in range(len(masks)):
            rows = masks.rows(index)
            low, high = bootstrap_rows(function, rows, RESAMPLES_OF_CALLABLES)
            ends = (None, None) if np.isnan(low) or low == high else (low, high)
            found.append(Estimate(function(rows), *ends, len(rows)))
        result[name] = found
    return result


# --- truths -------------------------------------------------------------------------------------------------------


def regression_truths(rate: float) -> dict[str, float]:
    """Return the figures of a mixture of two normal errors."""
    mse, scale = 1 - rate + 9 * rate, np.sqrt(2 / np.pi)

    def below(error: float) -> float:
        return float((1 - rate) * (2 * norm.cdf(error) - 1) + rate * (2 * norm.cdf(error / 3) - 1))

    from scipy.optimize import brentq

    return {
        "mae": scale * (1 - rate + 3 * rate),
        "mse": mse,
        "rmse": np.sqrt(mse),
        "bias": 0.0,
        "r2": 1 - mse / 4,
        "median_ae": brentq(lambda e: below(e) - 0.5, 0, 20),
        "absolute_error_quantile": brentq(lambda e: below(e) - 0.9, 0, 20),
    }


def class_truths(classes: int, metrics: Sequence[str], rate: float) -> dict[str, float]:
    """Return figures of the confusion table itself, by giving the package its exact multiple."""
    counts = np.round(confusion(classes, rate) * 10_000_000).astype(np.int64)
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    outcome = outcome_of("multiclass", cells // classes, cells % classes, classes=classes)
    found = by_registry(outcome, Masks([np.ones(len(cells), dtype=bool)], len(cells)), metrics)
    return {name: float(estimates[0].value or 0) for name, estimates in found.items()}


def truths_of(study: Study, rate: float) -> Mapping[str, float]:
    """Return the true figures, from huge samples where there is no formula."""
    exact = dict(study.truths(rate)) if study.truths else {}
    missing = [name for name in study.metrics if name not in exact]
    if missing:
        random = np.random.default_rng([SEED, 1])
        everything = Masks([np.ones(ROWS_FOR_THE_TRUTH, dtype=bool)], ROWS_FOR_THE_TRUTH)
        parts = [
            study.measured(study.draw(random, ROWS_FOR_THE_TRUTH, rate), everything)
            if study.estimates is not of_ones_own
            else own_truths(study.draw(random, ROWS_FOR_THE_TRUTH, rate))
            for _ in range(PARTS)
        ]
        exact |= {name: float(np.mean([part[name][0].value for part in parts])) for name in missing}
    return exact


def own_truths(outcome: Outcome) -> Mapping[str, Sequence[Estimate]]:
    """Return the user's metrics of all rows, without a bootstrap of a million of them."""
    words, wrong = np.asarray(outcome.target), np.asarray(outcome.predicted)
    figures = {"own: errors / words": wrong.sum() / words.sum(), "own: share with an error": (wrong > 0).mean()}
    return {name: [Estimate(float(value), None, None, len(words))] for name, value in figures.items()}


BINARY = ("accuracy", "f1", "balanced_accuracy", "mcc", "log_loss", "brier", "ece")
RARE = (
    "f1",
    "balanced_accuracy",
    "mcc",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
)
MULTICLASS = ("macro_precision", "macro_f1", "weighted_f1", "balanced_accuracy", "mcc")  # others are alike
REGRESSION = ("mae", "mse", "rmse", "bias", "r2", "median_ae", "absolute_error_quantile")

STUDIES = (
    Study("binary, by error rate", "errors of a calibrated model, classes even", of_error_rate, BINARY),
    Study("binary, by prevalence", "positives; the model is calibrated, AUC 0.9", of_prevalence, RARE),
    *(
        Study(
            f"{classes} classes",
            f"misses of every class; shares {', '.join(map(str, SHARES[classes]))}",
            partial(of_classes, classes),
            MULTICLASS,
            partial(class_truths, classes, MULTICLASS),
        )
        for classes in SHARES
    ),
    Study("regression", "hard rows, errors three times as large", of_hard_rows, REGRESSION, regression_truths),
    Study("latency", "slow rows, three times as long, log-normal", of_latencies, ("mean",)),
    Study("text", "wrong words, unevenly spread over rows", of_words, ("wer",), estimates=word_error_rates),
    Study(
        "your own",
        "wrong words, unevenly spread over rows",
        of_words,
        ("own: errors / words", "own: share with an error"),
        estimates=of_ones_own,
    ),
)


# --- simulation ---------------------------------------------------------------------------------------------------


def samples(
    study: Study, random: np.random.Generator, n: int, rate: float, count: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the metric and the (low, high) of its samples, NaN where there is no interval."""
    at_once = max(1, min(SLICES_AT_ONCE, ROWS_AT_ONCE // n))
    masks = Masks([np.arange(at_once * n) // n == index for index in range(at_once)], at_once * n)
    for _ in range(-(-count // at_once)):
        masks._shared.clear()  # counts of the outcome before
        for name, estimates in study.measured(study.draw(random, at_once * n, rate), masks).items():
            yield name, np.array([[e.low, e.high] for e in estimates], dtype=np.float64)


def cells_of(study: Study, n: int, rate: float, truths: Mapping[str, float], count: int) -> dict[str, Cell]:
    """Return a cell per metric."""
    random = np.random.default_rng([SEED, n, round(1000 * rate), count])
    ends: dict[str, list[np.ndarray]] = {name: [] for name in study.metrics}
    for name, found in samples(study, random, n, rate, count):
        ends[name].append(found)
    return {name: cell_of(np.concatenate(found), truths[name]) for name, found in ends.items()}


def cell_of(ends: np.ndarray, truth: float) -> Cell:
    """Return coverage and mean width of the intervals that there are."""
    given = ends[~np.isnan(ends[:, 0])]
    none = 1 - len(given) / len(ends)
    if len(given) == 0:
        return Cell(np.nan, np.nan, none)
    held = (given[:, 0] <= truth + 1e-12) & (truth - 1e-12 <= given[:, 1])
    return Cell(float(held.mean()), float((given[:, 1] - given[:, 0]).mean()), none)


def studied(study: Study, rate: float, n: int, truths: Mapping[str, float], count: int) -> dict[str, Cell]:
    """Return a cell per metric, the doubtful ones from more samples."""
    cells = cells_of(study, n, rate, truths, count)
    doubtful = tuple(name for name, cell in cells.items() if cell.coverage < DOUBTFUL)
    if doubtful:
        smaller = Study(study.name, study.rate, study.draw, doubtful, study.truths, study.estimates)
        cells |= {
            name: cell for name, cell in cells_of(smaller, n, rate, truths, MORE * count).items() if name in doubtful
        }
    return cells


def text_of(cell: Cell) -> str:
    """Return coverage, width and the share without an interval in 19 characters; a star where it is short."""
    if np.isnan(cell.coverage):
        return f"{'-':>5}{'':9}{cell.none:>4.0%} "
    short = "*" if cell.coverage < LEAST else " "
    return f"{cell.coverage:.3f}{short}{cell.width:>7.3g} {f'{cell.none:.0%}' if cell.none else '':>4} "


def run(study: Study, count: int) -> list[tuple[float, int, str, Cell]]:
    """Print the table of one study and return its cells."""
    print(f"\n{study.name}; rate: {study.rate}")
    print(f"{'coverage, width, none':30}" + "".join(f"{f'n = {n:,}':<19}" for n in SIZES))
    found = []
    for rate in RATES:
        truths = truths_of(study, rate)
        cells = {n: studied(study, rate, n, truths, count) for n in SIZES}
        for name in study.metrics:
            print(f"{name:24} {rate:<5}" + "".join(text_of(cells[n][name]) for n in SIZES), flush=True)
            found += [(rate, n, name, cells[n][name]) for n in SIZES]
    return found


def main() -> int:
    """Print all tables; 1 if a cell is short."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="studies whose name contains this")
    options.add_argument("--simulations", type=int, default=2_000)
    chosen = options.parse_args()
    start = time.perf_counter()
    print(__doc__)
    cells = [cell for study in STUDIES if chosen.only in study.name for cell in run(study, chosen.simulations)]
    short = [
        (f"{name} at n = {n:,}, rate {rate}: {cell.coverage:.3f}")
        for rate, n, name, cell in cells
        if cell.coverage < LEAST
    ]
    print(f"\n{len(cells)} cells, {len(short)} under {LEAST:.0%}, {time.perf_counter() - start:.0f} s")
    print("\n".join(short))
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
