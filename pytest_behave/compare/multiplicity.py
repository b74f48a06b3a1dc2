"""One error rate for all regression bounds of a suite: step-down max-T by sign flips, Holm where that does not apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_behave.compare.tails import SEED

FLIPS = 2_000
MOST_UNITS = 4_096
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


def flip_units(size: int, clusters: np.ndarray | None, seed: int = SEED) -> np.ndarray:
    """Return the unit of each of ``size`` rows: itself, its cluster, or one of 4,096 random groups if there are more.

    Flipping whole groups keeps the test exact, as a group of flips is a flip, and its cost does not grow with the rows.
    """
    units = np.arange(size) if clusters is None else clusters
    count = int(units.max()) + 1 if size else 0
    if count <= MOST_UNITS:
        return units
    return np.random.default_rng(seed).integers(0, MOST_UNITS, count)[units]


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
    # a sign depends on the unit alone, so that other hypotheses and slices do not change it
    signs = np.random.default_rng(seed).integers(0, 2, (units, FLIPS), dtype=np.int8)[used]
    return parts[:, used] @ (2 * signs.astype(np.float32) - 1)


def max_t(observed: npt.ArrayLike, flipped: np.ndarray) -> Floats:
    """Return adjusted p-values: step-down max-T (Westfall & Young 1993, algorithm 2.8), ties counted half (mid-p).

    ``observed`` holds one statistic per hypothesis, ``flipped`` its values under the null: (hypotheses, flips).
    """
    statistics = np.asarray(observed, dtype=np.float64)
    order = np.argsort(-statistics, kind="stable")
    largest = np.maximum.accumulate(flipped[order][::-1], axis=0)[::-1]
    reached = statistics[order][:, None]
    above = (largest > reached + ROUNDING).sum(axis=1)
    tied = (np.abs(largest - reached) <= ROUNDING).sum(axis=1)
    p = np.maximum.accumulate((above + tied / 2 + 0.5) / (flipped.shape[1] + 1))
    result = np.empty(len(p))
    result[order] = np.minimum(p, 1.0)
    return result


def holm(p_values: npt.ArrayLike) -> Floats:
    """Return adjusted p-values (Holm 1979, Scand. J. Stat. 6:65)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty(len(p))
    result[order] = np.minimum(steps, 1.0)
    return result


def sign_flip_p(statistics: npt.ArrayLike, flipped: np.ndarray) -> Floats:
    """Return each hypothesis' own p: how often its flipped statistic reaches the observed one, ties counted half."""
    reached = np.asarray(statistics, dtype=np.float64)[:, None]
    above = (flipped > reached + ROUNDING).sum(axis=1)
    tied = (np.abs(flipped - reached) <= ROUNDING).sum(axis=1)
    return np.asarray((above + tied / 2 + 0.5) / (flipped.shape[1] + 1))


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
        own = p[with_flips]
        p[with_flips] = np.where(np.isnan(own), sign_flip_p(observed, flipped), own)
        result[with_flips] = max_t(observed, flipped) * len(p) / len(with_flips)
    if without:
        result[without] = holm(p[without]) * len(p) / len(without)
    return p, np.clip(result, p, 1.0)
