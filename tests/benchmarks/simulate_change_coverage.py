"""Coverage of the intervals of a change: 2,000 simulations per cell, nominal 95 %.

Run ``python tests/benchmarks/simulate_change_coverage.py [--runs 2000]``. Two binary classifiers, 40 % positives: the
baseline is wrong on a share ``rate`` of the rows, and the candidate says something else on as many, right in 60 % of
those. Scores are normal around the answer. Losses of the means are squared, of normal errors of which the candidate has
redrawn a share ``rate`` with 0.9 of the spread (at least one row in ten, as a mean of nearly nothing but zeros says
nothing of its spread). Unpaired intervals get two samples. The truth is measured on 4,000,000 rows. Exits with 1 if a
cell is below 93 %.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from pytest_behave.compare.multiplicity import units_of
from pytest_behave.compare.paired import Margin, Settings, compare_pairs
from pytest_behave.compare.unpaired import compare_values
from pytest_behave.measure import intervals
from pytest_behave.measure.confusion import averaged, matthews, per_class
from pytest_behave.measure.ranking import placements
from pytest_behave.records import BaselineEntry, Estimate
from pytest_behave.records.pairs import Influences, PairedInfluences, PairedStates, PairedValues

SIZES = (20, 30, 100, 1_000, 5_000)
RATES = (0.02, 0.1, 0.5)
LEAST = 0.93
HUGE = 4_000_000
GROUPS = np.array([0, 0, 1, 1])


def table(counts):
    return counts.reshape(*counts.shape[:-1], 2, 2)


def f1(counts):
    cells = table(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * cells[..., 1, 1] / (2 * cells[..., 1, 1] + cells[..., 0, 1] + cells[..., 1, 0])


def precision(counts):
    with np.errstate(invalid="ignore", divide="ignore"):
        return counts[..., 3] / (counts[..., 1] + counts[..., 3])


STATES = {
    "f1": f1,
    "precision": precision,
    "mcc": lambda counts: matthews(per_class(table(counts))),
    "macro_f1": lambda counts: averaged("f1", "macro")(per_class(table(counts))),
}


def classifiers(random, size, rate):
    """Return targets, and what both models say of them."""
    target = random.random(size) < 0.4
    baseline = target ^ (random.random(size) < rate)
    changed = random.random(size) < rate
    candidate = np.where(changed, target ^ (random.random(size) >= 0.6), baseline)
    return target, baseline, candidate


def scores(random, target, rate):
    """Return two scores per row, the second redrawn on a share of the rows."""
    one = random.normal(target * 1.5, 1.0)
    return one, np.where(random.random(len(one)) < rate, random.normal(target * 1.5, 1.0), one)


def losses(random, size, rate):
    """Return the losses of both models on each row."""
    before = random.normal(size=size)
    redrawn = random.random(size) < max(rate, 0.1)
    return before**2, np.where(redrawn, 0.9 * random.normal(size=size), before) ** 2


def area(score, target):
    order = np.argsort(score, kind="stable")
    below, _ = placements(target[order], None)
    return float(below.mean())


def influence(score, target):
    order = np.argsort(score, kind="stable")
    positive = target[order]
    of_positives, of_negatives = placements(positive, None)
    rows, value = np.empty(len(score)), float(of_positives.mean())
    m, rest = len(of_positives), len(of_negatives)
    rows[order[positive]] = (of_positives - value) / np.sqrt(m * max(m - 1, 1))
    rows[order[~positive]] = (of_negatives - value) / np.sqrt(rest * max(rest - 1, 1))
    return value, rows * np.sqrt((len(score) - 1) / len(score))


def sample_of(method, random, size, rate):
    """Return a metric of two models on so many rows, as it is compared."""
    if method == "mean":
        return PairedValues(*losses(random, size, rate), binary=False)
    target, baseline, candidate = classifiers(random, size, rate)
    if method == "accuracy":
        return PairedValues((target == baseline) * 1.0, (target == candidate) * 1.0, binary=True)
    if method == "roc_auc":
        one, other = scores(random, target, rate)

        def on(rows):
            if target[rows].all() or not target[rows].any():
                return Influences(np.nan, np.nan, one[rows], one[rows], 0)
            (before, before_rows), (after, after_rows) = (
                influence(one[rows], target[rows]),
                influence(other[rows], target[rows]),
            )
            few = min(target[rows].sum(), (~target[rows]).sum())
            return Influences(before, after, before_rows, after_rows, int(few) - 1)

        return PairedInfluences(on, "delong")
    states = [2 * target + said for said in (baseline, candidate)]
    return PairedStates(*states, size=4, value=STATES[method], groups=GROUPS)


def truth_of(method, random, rate):
    """Return the change on a huge sample."""
    pairs = sample_of(method, random, HUGE, rate)
    if isinstance(pairs, PairedValues):
        return float((pairs.candidate - pairs.baseline).mean())
    if isinstance(pairs, PairedInfluences):
        found = pairs.on(np.arange(HUGE))
        return found.candidate - found.baseline
    counts = [np.bincount(states, minlength=4)[None].astype(float) for states in (pairs.baseline, pairs.candidate)]
    return float(pairs.value(counts[1])[0] - pairs.value(counts[0])[0])


def paired_ends(method, random, rate, size, runs):
    pairs = sample_of(method, random, size * runs, rate)
    slices = list(np.arange(size * runs).reshape(runs, size))
    settings = Settings(units_of(np.arange(size * runs)))
    found = compare_pairs(pairs, slices, [Margin()] * runs, -1, settings)
    return np.array([[item.low, item.high] for item in found])


def unpaired_ends(random, rate, size, runs):
    """Return intervals of the difference of two samples of accuracies."""
    hits = random.binomial(size, 1 - rate, (2, runs))
    low, high = intervals.wilson(hits[1], size)
    ends = []
    for before, after, *span in zip(*hits.tolist(), low.tolist(), high.tolist(), strict=True):
        found = compare_values(
            BaselineEntry(before / size, size, size, hits=before),
            Estimate(after / size, *span, size, interval="wilson"),
            Margin(),
            -1,
        )
        ends.append([found.low, found.high])
    return np.array(ends)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals of a change.")
    parser.add_argument("--runs", type=int, default=2_000)
    runs = parser.parse_args().runs
    short = []
    print(f"coverage and mean width of 95 % intervals of a change, {runs:,} simulations per cell")
    print(f"{'interval':<28} {'rate':>5}" + "".join(f" {f'n = {size:,}':>15}" for size in SIZES))
    methods = {
        "accuracy": "Tango's score",
        **dict.fromkeys(STATES, "bootstrap of counts"),
        "mean": "Student's t",
        "roc_auc": "DeLong",
        "unpaired": "Newcombe",
    }
    for number, (method, name) in enumerate(methods.items()):
        for rate in RATES:
            random = np.random.default_rng([20270103, number, int(100 * rate)])
            truth = 0.0 if method == "unpaired" else truth_of(method, random, rate)
            shown = []
            for size in SIZES:
                if method == "unpaired":
                    ends = unpaired_ends(random, rate, size, runs)
                else:
                    ends = paired_ends(method, random, rate, size, runs)
                known = ~np.isnan(ends).any(axis=1)
                covered = (ends[known, 0] <= truth) & (truth <= ends[known, 1])
                share, width = covered.mean(), (ends[known, 1] - ends[known, 0]).mean()
                shown.append(f" {share:.3f} ({width:.3f})" + (" " if known.mean() > 0.99 else "*"))
                if share < LEAST:
                    short.append(f"{method}, rate {rate}, n {size}: {share:.3f}")
            print(f"{f'{method}: {name}':<28} {rate:>5}" + "".join(f"{cell:>16}" for cell in shown), flush=True)
    print("* undefined, or of a single positive or negative, in more than 1 % of the samples, which do not count")
    print(f"below {LEAST}: {'; '.join(short) or 'none'}")
    return bool(short)


if __name__ == "__main__":
    sys.exit(main())
