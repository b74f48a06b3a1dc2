"""Metrics that are functions of counts, for two models: bootstrap and swaps of the joint counts of their states."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pytest_behave.compare.proportions import tango_interval
from pytest_behave.compare.tails import SEED, Z, upper_tail
from pytest_behave.records.pairs import PairedStates

RESAMPLES = 1_000
ROUNDING = 1e-12
ADDED = 4.0
MOST_STATES = 36  # of six classes
MOST_PAIRS = 400
MOST_COUNTS = 5_000_000  # 40 MB

Value = Callable[[np.ndarray], np.ndarray]


class JointCounts(NamedTuple):
    """The pairs of states that occur, and how often; ``size`` is the number of states."""

    baseline: np.ndarray
    candidate: np.ndarray
    counts: np.ndarray
    size: int


def joint_counts(pairs: PairedStates, rows: np.ndarray) -> JointCounts:
    """Count the pairs of states on some rows."""
    codes = pairs.baseline[rows] * pairs.size + pairs.candidate[rows]
    if pairs.size**2 <= 4 * len(rows):
        counts = np.bincount(codes, minlength=pairs.size**2)
        cells = np.flatnonzero(counts)
        counts = counts[cells]
    else:
        cells, counts = np.unique(codes, return_counts=True)
    return JointCounts(cells // pairs.size, cells % pairs.size, counts, pairs.size)


def values(table: JointCounts, value: Value) -> tuple[float, float]:
    """Return the baseline's and the candidate's value, NaN where undefined."""
    before, after = _marginals(table, table.counts[None])
    return float(value(before)[0]), float(value(after)[0])


def _changes(table: JointCounts, draws: np.ndarray, value: Value) -> np.ndarray:
    """Return the change of the metric on each draw, some at a time: of many classes, counts of states fill memories."""
    at_once = max(MOST_COUNTS // table.size, 1)
    parts = []
    for first in range(0, len(draws), at_once):
        before, after = _marginals(table, draws[first : first + at_once])
        parts.append(value(after) - value(before))
    return np.concatenate(parts)


def _marginals(table: JointCounts, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return counts of states of both models: (draws, states) each."""
    weights = draws.astype(np.float64)
    cells = np.arange(len(table.counts))
    result = []
    for states in (table.baseline, table.candidate):
        present, places = np.unique(states, return_inverse=True)
        indicator = np.zeros((len(cells), len(present)))
        indicator[cells, places] = 1
        counts = np.zeros((len(draws), table.size))
        counts[:, present] = weights @ indicator
        result.append(counts)
    return result[0], result[1]


def bootstrap(table: JointCounts, value: Value, groups: np.ndarray) -> tuple[float, float, float]:
    """Return the percentile interval of the change, and its standard error.

    Four pairs are added, spread over all pairs of different states that can occur: as Bonett & Price 2012 (Br. J. Math.
    Stat. Psychol. 65:151) do for proportions, so that a few rows on which both models agree are no certainty. Where there
    are too many such pairs and none was seen, the interval is that of as many agreeing pairs of a proportion.
    """
    n = int(table.counts.sum())
    smooth = _smoothed(table, groups)
    if smooth is None:
        low, high = tango_interval(0, 0, n)
        return float(low), float(high), 0.0
    total = smooth.counts.sum()
    draws = np.random.default_rng(SEED).multinomial(round(float(total)), smooth.counts / total, RESAMPLES)
    changes = _changes(smooth, draws, value)
    changes = changes[np.isfinite(changes)]
    if len(changes) < RESAMPLES / 2:
        return np.nan, np.nan, np.nan
    tail = 100 * upper_tail(Z)
    low, high = np.percentile(changes, [tail, 100 - tail])
    return float(low), float(high), float(changes.std(ddof=1))


def _smoothed(table: JointCounts, groups: np.ndarray) -> JointCounts | None:
    """Return the table with the added pairs: of all states of the groups that occur or, of many, of those seen."""
    seen = np.union1d(table.baseline, table.candidate)
    states = np.flatnonzero(np.isin(groups, groups[seen])) if table.size <= MOST_STATES else seen
    first, second = (part.ravel() for part in np.meshgrid(states, states, indexing="ij"))
    possible = (first != second) & (groups[first] == groups[second])
    first, second = first[possible], second[possible]
    if len(first) > MOST_PAIRS:  # only the other way round of those that were seen
        differing = table.baseline != table.candidate
        first = np.concatenate([table.baseline[differing], table.candidate[differing]])
        second = np.concatenate([table.candidate[differing], table.baseline[differing]])
    if not len(first):
        return None
    cells = np.concatenate([table.baseline * table.size + table.candidate, first * table.size + second])
    weights = np.concatenate([table.counts.astype(np.float64), np.full(len(first), ADDED / len(first))])
    kept, places = np.unique(cells, return_inverse=True)
    return JointCounts(kept // table.size, kept % table.size, np.bincount(places, weights), table.size)


def swap_p(table: JointCounts, value: Value, worse: int, margin: float, error: float) -> float:
    """Return the one-sided p of a loss beyond ``margin``.

    At margin 0 it is that of ``_p_of_swaps``, else z from the bootstrap's error; 1 if that is unknown. A loss beyond a
    margin is a loss, so with a positive margin p is at least that of a loss.
    """
    before, after = values(table, value)
    loss = worse * (after - before)
    if margin == 0:
        return _p_of_swaps(table, value, worse, loss)
    if np.isnan(error):
        return 1.0
    floor = np.sqrt(min(-margin, 1.0) * (1 - min(-margin, 1.0)) / table.counts.sum()) if margin < 0 else 0.0
    spread = max(error, float(floor))
    p = float(upper_tail((loss - margin) / spread)) if spread > 0 else float(loss <= margin)
    return max(p, _p_of_swaps(table, value, worse, loss)) if margin > 0 else p


def _p_of_swaps(table: JointCounts, value: Value, worse: int, loss: float) -> float:
    """Return the one-sided p of a loss.

    Were the two models as good, each pair of different states were as likely the other way round; the spread of the
    change under such swaps gives z, and the larger p of the normal tail and of the swaps themselves is taken (few pairs
    are not normal, and a thousand swaps do not reach far tails).
    """
    swapped = worse * _swapped_changes(table, value)
    swapped = swapped[np.isfinite(swapped)]
    if not len(swapped) or loss <= 0:
        return 1.0 if loss < 0 or not len(swapped) else 0.5 if swapped.any() else 1.0
    spread = float(np.sqrt(np.mean(swapped**2)))
    tied = np.abs(swapped - loss) <= ROUNDING
    reached = (np.sum(swapped > loss + ROUNDING) + tied.sum() / 2) / len(swapped)
    return max(float(upper_tail(loss / spread)) if spread > 0 else 0.0, float(reached))


def _swapped_changes(table: JointCounts, value: Value) -> np.ndarray:
    """Return the change under random swaps of the two models, pair by pair of states."""
    low, high = np.minimum(table.baseline, table.candidate), np.maximum(table.baseline, table.candidate)
    pairs, places = np.unique(low * table.size + high, return_inverse=True)
    totals = np.bincount(places, table.counts).astype(np.int64)
    first, second = pairs // table.size, pairs % table.size
    kept = np.random.default_rng(SEED).binomial(totals, 0.5, (RESAMPLES, len(pairs)))
    same = first == second
    kept[:, same] = totals[same]
    both = JointCounts(
        np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([totals, totals]), table.size
    )
    return _changes(both, np.hstack([kept, totals - kept]), value)
