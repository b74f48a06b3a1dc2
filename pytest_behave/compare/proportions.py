"""Paired proportions from two counts.

Of ``n`` instances, ``broken`` are right in the baseline only, ``fixed`` in the candidate only. A loss is
(broken - fixed) / n. All functions take numbers or arrays.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from pytest_behave.compare.tails import Z, upper_tail

Floats = npt.NDArray[np.float64]
HALVINGS = 60  # of an interval of width 2: to 2e-18, below what a double tells apart


def mcnemar_mid_p(broken: npt.ArrayLike, fixed: npt.ArrayLike) -> Floats:
    """One-sided mid-p of as many broken ones, were broken and fixed equally likely (Fagerland et al. 2013, BMC MRM 13:91)."""
    from scipy.special import bdtrc

    b, c = np.asarray(broken, dtype=np.int64), np.asarray(fixed, dtype=np.int64)
    above = np.where(c <= 0, 0.0, bdtrc(b, b + c, 0.5))
    at_least = np.where(b <= 0, 1.0, bdtrc(b - 1, b + c, 0.5))
    return np.asarray((above + at_least) / 2)


def mcnemar_exact(broken: npt.ArrayLike, fixed: npt.ArrayLike) -> Floats:
    """One-sided exact p (McNemar 1947, conditional on the discordant pairs): never above its level."""
    from scipy.special import bdtrc

    b, c = np.asarray(broken, dtype=np.int64), np.asarray(fixed, dtype=np.int64)
    return np.asarray(np.where(b <= 0, 1.0, bdtrc(b - 1, b + c, 0.5)))


def tango_z(broken: npt.ArrayLike, fixed: npt.ArrayLike, n: npt.ArrayLike, margin: npt.ArrayLike) -> Floats:
    """Score statistic of a loss beyond ``margin`` (Tango 1998, Stat. Med. 17:891); McNemar's where the margin is 0.

    Under a loss of exactly ``margin``, the probability of a fixed instance is the larger root of the likelihood's
    quadratic equation. 0 where nothing differs and nothing may.
    """
    b, c, size, m = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (broken, fixed, n, margin)))
    linear = -b - c + (2 * size - b + c) * m
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(np.maximum(linear**2 + 8 * size * c * m * (1 - m), 0))
        fixed_share = (root - linear) / (4 * size)
        variance = size * (2 * fixed_share + m * (1 - m))
        z = (b - c - size * m) / np.sqrt(np.maximum(variance, 0))
    return np.where(np.isnan(z), 0.0, z)


def tango_interval(broken: npt.ArrayLike, fixed: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Score interval of the loss at 95 %: the margins that its score test does not rule out, found by halving."""
    b, c, size = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (broken, fixed, n)))

    targets = np.array([Z, -Z]).reshape(2, *(1 for _ in b.shape))
    low, high = np.full((2, *b.shape), -1.0), np.full((2, *b.shape), 1.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        beyond = tango_z(b, c, size, middle) > targets
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    ends = np.where(size > 0, (low + high) / 2, np.nan)
    return np.asarray(ends[0]), np.asarray(ends[1])


def loss_p(
    broken: npt.ArrayLike,
    fixed: npt.ArrayLike,
    n: npt.ArrayLike,
    margin: npt.ArrayLike = 0.0,
    mcnemar: Literal["mid-p", "exact"] = "mid-p",
) -> Floats:
    """One-sided p-value of a loss beyond ``margin``: McNemar at 0, Tango's score above and below it.

    A loss beyond a margin is a loss, so with a positive margin p is at least McNemar's.
    """
    at_zero = (mcnemar_mid_p if mcnemar == "mid-p" else mcnemar_exact)(broken, fixed)
    m = np.asarray(margin, dtype=np.float64)
    score = upper_tail(tango_z(broken, fixed, n, m))
    return np.where(m == 0, at_zero, np.where(m > 0, np.maximum(score, at_zero), score))


def test_name(margin: float, mcnemar: str) -> str:
    """Return what reports call the test."""
    return f"mcnemar-{mcnemar.replace('-', '')}" if margin == 0 else "tango-score"
