"""How often is a loss on one slice found, among 200 that overlap?

    python tests/benchmarks/simulate_power.py [--runs 400]

The worlds are those of `simulate_false_alarms.py`: 5,000 rows, 200 slices that are ranges of five columns, two models
that disagree on a tenth of the rows. On one slice the candidate breaks some more. It is found if the slice is flagged by

    max-T     the package: it is `regressed`
    Holm      the same paired tests, corrected by Holm
    oracle    the paired test of this slice alone, at 0.05: nothing that tests the others, too, can find more

The exit code is 1 if max-T finds less than Holm, by more than two standard errors of their difference.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from typing import NamedTuple

import numpy as np
from simulate_false_alarms import (
    ALPHA,
    DISAGREEMENT,
    ROWS,
    SEED,
    Compared,
    Slices,
    by_holm,
    chosen_of,
    compare,
    draw_slices,
    from_flips,
    pairs_of,
)

RUNS = 400
SIZES = (100, 300, 1_000)
LOSSES = (0.03, 0.05, 0.1)
SLICES, SMALLEST, LARGEST = 200, 40, 2_500


class Found(NamedTuple):
    """Whether each method finds the loss in one run."""

    max_t: bool
    holm: bool
    oracle: bool


def drawn(random: np.random.Generator, size: int) -> Slices:
    """Return slices of which the first is a range of that size."""
    slices = draw_slices(random, SLICES, SMALLEST, LARGEST)
    start = random.integers(0, ROWS - size + 1)
    slices.rows[0] = np.flatnonzero((start <= slices.place) & (slices.place < start + size))
    return slices


def run_once(size: int, loss: float, run: int) -> Found:
    """Plant a loss on the first slice and look for it."""
    random = np.random.default_rng([SEED, 3, run])
    slices = drawn(random, size)
    share = np.full(ROWS, DISAGREEMENT / 2)
    broken = share.copy()
    broken[slices.rows[0]] += loss
    item = chosen_of("accuracy")
    compared = compare(item, pairs_of(item, from_flips(random, broken, share)), slices, 0.0)
    return found_by(compared)


def found_by(compared: Compared) -> Found:
    """Return which methods flag the first slice."""
    lost = bool(compared.beyond[0] > 0)
    return Found(
        max_t=compared.verdicts()[0] == "regressed",
        holm=lost and bool(by_holm(compared)[0] <= ALPHA),
        oracle=lost and bool(compared.p[0] <= ALPHA),
    )


def main() -> int:
    """Print the table; 1 if Holm finds more."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=RUNS)
    runs = options.parse_args().runs
    start = time.process_time()
    print(f"share of {runs} runs in which the loss is found; standard errors at most {0.5 / math.sqrt(runs):.3f}\n")
    print(f"{'rows':>6}{'loss':>7}{'max-T':>9}{'Holm':>8}{'oracle':>8}{'max-T - Holm':>21}")
    behind = 0
    for size in SIZES:
        for loss in LOSSES:
            found = np.array([run_once(size, loss, run) for run in range(runs)])
            print(f"{size} rows, {loss}: {time.process_time() - start:.0f} s", file=sys.stderr, flush=True)
            max_t, holm, oracle = found.mean(axis=0)
            gains = found[:, 0].astype(np.float64) - found[:, 1]
            error = float(gains.std(ddof=1)) / math.sqrt(runs)
            is_behind = gains.mean() < -2 * error or (error == 0 and gains.mean() < 0)
            behind += is_behind
            shown = f"{gains.mean():>+12.3f} +-{error:.3f}{' BEHIND' if is_behind else ''}"
            print(f"{size:>6,}{loss:>7.0%}{max_t:>9.3f}{holm:>8.3f}{oracle:>8.3f}{shown}", flush=True)
    print(
        f"\nmax-T behind Holm in {behind} of {len(SIZES) * len(LOSSES)}; {time.process_time() - start:.0f} s of processor time"
    )
    return int(behind > 0)


if __name__ == "__main__":
    sys.exit(main())
