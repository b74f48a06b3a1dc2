"""One error rate for all regression bounds of a suite: step-down max-T by sign flips, Holm where that does not apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from pytest_behave.codes import hashes_of
from pytest_behave.compare.tails import SEED

FLIPS = 2_000
MOST_UNITS = 4_096
UNITS_AT_ONCE = 512
ROUNDING = 1e-5  # of float32 sums of up to 4,096 terms around 1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flippable:
    """A hypothesis whose loss is a sum over independent units: those with a part in it, and their parts.

    Were the loss no more than tolerated, each part were as likely to be positive as negative. ``observed`` is the
    test statistic, about standard normal then.
    """

    units: np.ndarray
    parts: np.ndarray
    observed: float


def units_of(names: np.ndarray) -> np.ndarray:
    """Return the unit of each row, which is flipped as one, from its name: (rows,) of int64 below 4,096.

    Names are ids, or those of clusters where rows are not independent (object array of str). Up to 4,096 different ones
    are a unit each, more are put into 4,096 groups: flipping whole groups keeps the test exact, as a group of flips is a
    flip, and its cost does not grow with the rows. Names alone decide, by their hashes: the order of the rows, the part
    they stand in and what other rows there are change nothing, but for whether there are few.
    """
    hashes = hashes_of(names)
    if len(names) <= MOST_UNITS or len(pd.unique(hashes)) <= MOST_UNITS:
        return np.asarray(np.searchsorted(np.unique(hashes), hashes), dtype=np.int64)
    return grouped_units(hashes)


def grouped_units(hashes: np.ndarray) -> np.ndarray:
    """Return the unit of each of very many rows from the hashes (uint64) of their names."""
    return (hashes % np.uint64(MOST_UNITS)).astype(np.int64)


def flipped_statistics(hypotheses: Sequence[Flippable], seed: int = SEED) -> np.ndarray:
    """Return each hypothesis' statistic under random signs of the units: shape (hypotheses, flips), float32."""
    units = 1 + max((int(item.units.max()) for item in hypotheses if len(item.units)), default=0)
    parts = np.zeros((len(hypotheses), units), dtype=np.float32)
    for row, item in zip(parts, hypotheses, strict=True):
        sums = np.bincount(item.units, item.parts, minlength=units)
        spread = np.sqrt(np.einsum("i,i", sums, sums))
        if spread > 0:
            row[:] = sums / spread
    used = np.flatnonzero(parts.any(axis=0))
    signs = _signs(-(-units // UNITS_AT_ONCE) * UNITS_AT_ONCE, seed)[used]
    return parts[:, used] @ (2 * signs.astype(np.float32) - 1)


@lru_cache(maxsize=1)
def _signs(units: int, seed: int) -> npt.NDArray[np.int8]:
    """Return 0 or 1 per unit and flip. They depend on the unit alone, so that other hypotheses and slices change none.

    A self-check asks for the same ones some hundred times.
    """
    return np.random.default_rng(seed).integers(0, 2, (units, FLIPS), dtype=np.int8)


def max_t(observed: npt.ArrayLike, flipped: np.ndarray) -> Floats:
    """Return adjusted p-values: step-down max-T (Westfall & Young 1993, algorithm 2.8), ties counted half (mid-p).

    ``observed`` holds one statistic per hypothesis, ``flipped`` its values under the null: (hypotheses, flips). No p is
    above the bound on that of all flips, as so many flips as are drawn do not reach far tails.
    """
    statistics = np.asarray(observed, dtype=np.float64)
    order = np.argsort(-statistics, kind="stable")
    largest = np.maximum.accumulate(flipped[order][::-1], axis=0)[::-1]
    reached = statistics[order][:, None]
    above = (largest > reached + ROUNDING).sum(axis=1)
    tied = (np.abs(largest - reached) <= ROUNDING).sum(axis=1)
    drawn = (above + tied / 2 + 0.5) / (flipped.shape[1] + 1)
    compared = np.arange(len(statistics), 0, -1)
    p = np.maximum.accumulate(np.minimum(drawn, compared * _bound(statistics[order])))
    result = np.empty(len(p))
    result[order] = np.minimum(p, 1.0)
    return result


def _bound(statistics: Floats) -> Floats:
    """Bound on the share of all flips whose statistic, of squared parts that sum up to 1, reaches this one.

    Hoeffding 1963, J. Am. Stat. Assoc. 58:13, theorem 2.
    """
    return np.asarray(np.exp(-(np.maximum(statistics, 0.0) ** 2) / 2))


def holm(p_values: npt.ArrayLike) -> Floats:
    """Return adjusted p-values (Holm 1979, Scand. J. Stat. 6:65)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty(len(p))
    result[order] = np.minimum(steps, 1.0)
    return result


def sign_flip_p(statistics: npt.ArrayLike, flipped: np.ndarray) -> Floats:
    """Return each hypothesis' own p: how often its flipped statistic reaches the observed one, ties counted half.

    Bounded as in ``max_t``.
    """
    reached = np.asarray(statistics, dtype=np.float64)[:, None]
    above = (flipped > reached + ROUNDING).sum(axis=1)
    tied = (np.abs(flipped - reached) <= ROUNDING).sum(axis=1)
    drawn = (above + tied / 2 + 0.5) / (flipped.shape[1] + 1)
    return np.minimum(drawn, _bound(reached[:, 0]))


def adjusted(p_values: npt.ArrayLike, flippable: Sequence[Flippable | None]) -> tuple[Floats, Floats]:
    """Return p-values, those that were NaN now from sign flips, and the same adjusted for all hypotheses together.

    Max-T adjusts the flippable ones, Holm the others. Each group gets a share of the level by its size, so that both
    together keep it. No adjusted p is below its own.
    """
    p = np.array(p_values, dtype=np.float64)
    with_flips = [index for index, item in enumerate(flippable) if item is not None]
    without = [index for index, item in enumerate(flippable) if item is None]
    result = np.ones(len(p))
    if with_flips:
        items = [item for item in flippable if item is not None]
        observed, flipped = [item.observed for item in items], flipped_statistics(items)
        unknown = np.flatnonzero(np.isnan(p[with_flips]))
        p[np.array(with_flips)[unknown]] = sign_flip_p(np.array(observed)[unknown], flipped[unknown])
        result[with_flips] = max_t(observed, flipped) * len(p) / len(with_flips)
    if without:
        result[without] = holm(p[without]) * len(p) / len(without)
    return p, np.clip(result, p, 1.0)


def critical_value(hypotheses: Sequence[Flippable], alpha: float) -> float:
    """Return what the largest statistic of all hypotheses exceeds with probability ``alpha`` under the null."""
    return float(np.quantile(flipped_statistics(hypotheses).max(axis=0), 1 - alpha)) if hypotheses else np.inf
