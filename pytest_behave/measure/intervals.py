"""Confidence intervals at 95 %, vectorised over slices.

All functions take arrays (or numbers) and return (low, high) arrays; NaN where there is nothing to say.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
RESAMPLES = 1_000
SEED = 20_270_101  # fixed, so that the same data give the same report

Floats = npt.NDArray[np.float64]
Interval = tuple[Floats, Floats]


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike) -> Interval:
    """Score interval of a proportion (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low = np.where(k == 0, np.where(n > 0, 0.0, np.nan), centre - half)
    high = np.where(k == n, np.where(n > 0, 1.0, np.nan), centre + half)
    return low, high


def jaccard_f1(tp: npt.ArrayLike, errors: npt.ArrayLike) -> Interval:
    """Interval of F1 = 2J / (1 + J) from Wilson's interval of the Jaccard index J = TP / (TP + FP + FN).

    F1 rises with J, so the ends map; measured coverage 0.949 to 0.966 where a percentile bootstrap has 0.675 to 0.958.
    """
    tp_, errors_ = np.asarray(tp, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    low, high = wilson(tp_, tp_ + errors_)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mean_of_proportions(successes: Floats, trials: Floats) -> Interval:
    """Interval of the mean of independent proportions (last axis), those without trials left out.

    Squares of Wilson's distances add up (MOVER): Zou & Donner 2008, Stat. Med. 27:1693, with equal weights.
    """
    low, high = wilson(successes, trials)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = successes / trials
        count = (trials > 0).sum(axis=-1)
        value = np.nansum(p, axis=-1) / count
        below = np.sqrt(np.nansum((p - low) ** 2, axis=-1)) / count
        above = np.sqrt(np.nansum((high - p) ** 2, axis=-1)) / count
    return value - below, value + above


def t_mean(mean: Floats, variance: Floats, n: npt.ArrayLike) -> Interval:
    """Student's interval of a mean, from the sample variance (n - 1 in the denominator)."""
    from scipy.special import stdtrit

    count = np.asarray(n, dtype=np.float64)
    enough = count >= 2  # noqa: PLR2004 - a variance needs two values
    with np.errstate(invalid="ignore", divide="ignore"):
        half = stdtrit(np.where(enough, count - 1, 1), 0.5 + CONFIDENCE / 2) * np.sqrt(variance / count)
    half = np.where(enough, half, np.nan)
    return mean - half, mean + half


def logit(value: Floats, standard_error: Floats) -> Interval:
    """Interval of a value in (0, 1), symmetric on the logit scale, from its standard error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.log(value / (1 - value))
        half = Z * standard_error / (value * (1 - value))
        return 1 / (1 + np.exp(half - centre)), 1 / (1 + np.exp(-half - centre))


def quantile_ranks(n: int, q: float) -> tuple[int, int]:
    """Ranks (from 0) of the order statistics that bound the q-quantile, whatever the distribution.

    From the binomial distribution of the number of values below it (Conover 1999, section 3.2); (-1, n) where no
    rank reaches the confidence on that side.
    """
    from scipy.special import bdtr, bdtrik

    if q == 0:
        return -1, 0
    tail = (1 - CONFIDENCE) / 2
    low = int(np.floor(bdtrik(tail, n, q))) if bdtr(0, n, q) < tail else -1
    high = int(np.ceil(bdtrik(1 - tail, n, q)))
    return low - 1 if low >= 0 and bdtr(low, n, q) > tail else low, high


def percentile(samples: Any, axis: int = 0) -> Interval:
    """Percentile interval of bootstrap samples, those that are undefined (NaN) left out."""
    tail = 100 * (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):
        low, high = np.nanpercentile(samples, [tail, 100 - tail], axis=axis)
    return low, high
